/**
 * A process that makes the same system calls in the same order each time, so that it can be killed at each of them:
 * `node exact-kill-child.mjs <script> <directory> <file>`, bundled.
 *
 * Writes to the file, past every buffer of this process, what is about to be and what is so: see {@link Fact}.
 */
import { openSync, writeSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Varve, type Flush, type ProducerRecord } from '../../src/index.ts'
import type { TopicConfig } from '../../src/engine/topic-config.ts'
import type { Fact } from './exact-witness.ts'
import { FakeClock } from './fake-clock.ts'
import { SeededRandom } from './seeded-random.ts'

const WINDOW: Flush = { ms: 10, records: 8 }
const SMALL: Partial<TopicConfig> = { segmentBytes: 400, indexIntervalBytes: 150, valueCodec: 'string' }

const [, , script, directory, file] = process.argv
const facts = openSync(file, 'a')
const clock = new FakeClock()
const random = new SeededRandom(1)
let log: Varve
let count = 0

function tell(fact: Fact): void {
  writeSync(facts, `${JSON.stringify(fact)}\n`)
}

async function open(): Promise<void> {
  log = await Varve.open({ directory, clock, random })
}

/** Waits until nothing is under way that began by itself: the pool has one thread, and takes one call after the other. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await stat('/')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function create(topic: string, partitions: number, config: Partial<TopicConfig>): Promise<void> {
  tell({ is: 'creating', topic, partitions })
  await log.createTopic({ name: topic, partitions, ...SMALL, ...config })
  tell({ is: 'created', topic })
}

function nextRecord(partition: number, key?: string): ProducerRecord & { value: string } {
  return { partition, key: key ?? null, value: `${script} ${count++} ${'.'.repeat(random.between(10, 90))}` }
}

async function append(topic: string, partition: number, key?: string): Promise<void> {
  const record = nextRecord(partition, key)
  tell({ is: 'appending', topic, values: [record.value] })
  const { offset } = await log.append(topic, record)
  tell({ is: 'appended', topic, partition, offset, key, value: record.value })
}

async function appendBatch(topic: string, partitions: number, size: number): Promise<void> {
  const records = Array.from({ length: size }, (_, i) => nextRecord(i % partitions))
  tell({ is: 'appending', topic, values: records.map(({ value }) => value) })
  for (const [i, { partition, offset }] of (await log.appendBatch(topic, records)).entries()) {
    tell({ is: 'appended', topic, partition, offset, value: records[i].value })
  }
}

async function remove(topic: string): Promise<void> {
  tell({ is: 'deleting', topic })
  await log.deleteTopic(topic)
  tell({ is: 'deleted', topic })
}

function tellStarts(topic: string): void {
  for (const { partition, logStartOffset } of log.offsets(topic)) {
    tell({ is: 'cut', topic, partition, start: logStartOffset })
  }
}

async function commit(group: string, partition: number, offset: number, action: () => Promise<unknown>): Promise<void> {
  tell({ is: 'committing', group, topic: 'group', partition, offset })
  await action()
  tell({ is: 'committed', group, topic: 'group', partition, offset })
}

/** Every flush mode from the first call on, with segments that fill up; ends as a killed process does, with no close. */
async function life(): Promise<void> {
  await open()
  await create('each', 1, { flush: 'each' })
  await create('group', 2, { flush: 'group' })
  await create('window', 1, { flush: WINDOW })
  await create('os', 2, { flush: 'os' })
  for (let i = 0; i < 6; i++) {
    await append('each', 0)
    await append('group', i % 2)
    await append('window', 0)
    await append('os', i % 2)
  }
  clock.advance(5)
  await settle()
  await appendBatch('group', 2, 6)
  await appendBatch('os', 2, 12)
  await appendBatch('window', 1, 4)
  await settle()
  await log.flush()
  await log.close()
  await open()
  for (const topic of ['each', 'group', 'window', 'os']) for (let i = 0; i < 4; i++) await append(topic, 0)
}

/** Recovers what `life` has left, and goes on. */
async function changes(): Promise<void> {
  await open()
  await append('os', 1)
  tell({ is: 'cutting', topic: 'group', partition: 0, before: 5 })
  await log.deleteRecords('group', { partition: 0, beforeOffset: 5 })
  tellStarts('group')
  tell({ is: 'growing', topic: 'window', partitions: 2 })
  await log.createPartitions('window', 2)
  tell({ is: 'grown', topic: 'window' })
  await append('window', 1)
  await log.alterTopic('each', { flush: 'os' })
  for (let i = 0; i < 4; i++) await append('each', 0)
  for (const partition of [0, 1]) tell({ is: 'cutting', topic: 'os', partition, before: null })
  await log.alterTopic('os', { retentionBytes: 500 })
  await log.enforceRetention()
  tellStarts('os')
  await remove('each')
  await create('each', 1, { flush: WINDOW })
  for (let i = 0; i < 3; i++) await append('each', 0)
  await log.close()
}

/** Consumes, commits and compacts, beside what `life` has left. */
async function groups(): Promise<void> {
  await open()
  await create('keys', 1, { flush: 'os', cleanupPolicy: 'compact', deleteRetentionMs: 0 })
  for (let i = 0; i < 14; i++) await append('keys', 0, `key ${i % 3}`)
  tell({ is: 'compacting', topic: 'keys' })
  await log.compact('keys')
  for (let i = 0; i < 8; i++) await append('keys', 0, `key ${i % 2}`)
  await log.compact('keys')
  const consumer = log.consumer({ groupId: 'reader', topics: ['group'] })
  let left = 5
  for await (const record of consumer) {
    await commit('reader', record.partition, record.offset + 1, () => consumer.commit(record))
    if (--left === 0) break
  }
  await consumer.close()
  for (const offset of [2, 4, 3]) {
    const to = { topic: 'group', partition: 0, offset }
    await commit('jumper', 0, offset, () => log.resetOffsets('jumper', { offsets: [to], dryRun: false }))
  }
  await log.close()
  await open()
  await append('keys', 0, 'key 0')
  await log.compact('keys')
  await log.close()
}

const scripts: { [name: string]: () => Promise<void> } = { life, changes, groups }
await scripts[script]()
// what is not closed stays so
process.exit()
