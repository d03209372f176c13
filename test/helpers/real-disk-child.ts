/**
 * A process that works on a log until the power goes: `node real-disk-child.mjs <directory> <seed> <file>`, bundled.
 *
 * Writes to the file, on a disk that stays, one line for each thing that is so; see {@link RealDiskWitness}.
 */
import { openSync, writeSync } from 'node:fs'
import { systemClock, type Clock } from '../../src/environment.ts'
import { Varve } from '../../src/index.ts'
import { TOPICS, valueOf } from './real-disk-records.ts'
import { SeededRandom } from './seeded-random.ts'

const APPENDERS = 3
/** Then it has written enough for a small disk. */
const MAX_RECORDS = 30_000

const [, , directory, seed, file] = process.argv
const facts = openSync(file, 'a')
const random = new SeededRandom(Number(seed))
const tell = (...words: (string | number)[]) => void writeSync(facts, `${words.join(' ')}\n`)

/** What the engine has read of the clock at last, and before that: an acknowledgement lies between them. */
const readings = { last: 0, before: 0 }
const clock: Clock = {
  ...systemClock,
  monotonicMs() {
    readings.before = readings.last
    readings.last = systemClock.monotonicMs()
    return readings.last
  },
}

const log = await Varve.open({ directory, clock })
tell('open')
for (const [name, { partitions, flush }] of Object.entries(TOPICS)) {
  const segmentBytes = random.pick([5_000, 30_000, 100_000])
  await log.createTopic({ name, partitions, flush, segmentBytes, indexIntervalBytes: 1000, valueCodec: 'string' })
  tell('created', name)
}

let count = 0

function acknowledged(topic: string, { partition, offset }: { partition: number; offset: number }, id: number): void {
  tell('acked', topic, partition, offset, id, readings.before, readings.last)
}

async function append(topic: string): Promise<void> {
  const partition = random.below(TOPICS[topic].partitions)
  if (random.chance(0.1)) {
    const ids = Array.from({ length: random.between(2, 40) }, () => count++)
    const records = ids.map((id) => ({ partition, value: valueOf(id) }))
    const results = await log.appendBatch(topic, records)
    for (const [i, result] of results.entries()) acknowledged(topic, result, ids[i])
  } else {
    const id = count++
    acknowledged(topic, await log.append(topic, { partition, value: valueOf(id) }), id)
  }
}

async function appendOnAndOn(topic: string): Promise<void> {
  while (count < MAX_RECORDS) {
    await append(topic)
    if (random.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, random.below(6)))
  }
}

/** Makes topics and deletes them, and moves the place of a group on. */
async function administer(): Promise<void> {
  for (let i = 0; count < MAX_RECORDS; i++) {
    const name = `passing${i}`
    await log.createTopic({ name })
    tell('created', name)
    const { durableOffset } = log.offsets('group')[0]
    const offsets = [{ topic: 'group', partition: 0, offset: durableOffset }]
    await log.resetOffsets('g', { offsets, dryRun: false })
    tell('committed', durableOffset)
    if (random.chance(0.5)) {
      tell('deleting', name)
      await log.deleteTopic(name)
      tell('deleted', name)
    }
    await new Promise((resolve) => setTimeout(resolve, random.between(10, 100)))
  }
}

const work = Object.keys(TOPICS).flatMap((topic) => Array.from({ length: APPENDERS }, () => appendOnAndOn(topic)))
await Promise.all([...work, administer()])
tell('done')
setInterval(() => {}, 60_000)
