/**
 * What Varve has compacted, read by Apache Kafka: by its kafka-dump-log, and by its broker's log itself.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { compressionTypes } from '../../src/codec/compression.ts'
import { writeSome } from '../helpers/compacted-topic.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'
import { findKafka, runJava } from './kafka.ts'

const DUMP = 'org.apache.kafka.tools.DumpLogSegments'
const TAKE_OVER = fileURLToPath(new URL('TakeOver.java', import.meta.url))
const INDEX_INTERVAL_BYTES = 300
const NOW = 1_700_000_000_000
/** What kafka-dump-log says when something is not as it should be; that records are missing is what compaction is for. */
const COMPLAINTS = /mismatch|out of order|not found|invalid|isvalid: false|error|exception/i

const kafka = findKafka()

// reason: without Java and Maven there is no Kafka to ask; findKafka says so on the console
describe.skipIf(kafka.missing !== undefined)('a partition that Varve has compacted', () => {
  let directory: string
  let log: Varve
  const topics = compressionTypes.map((type) => `codec-${type}`)

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'varve-interop-'))
    log = await Varve.open({ directory: join(directory, 'log'), flush: 'os' })
    const random = new SeededRandom(1)
    for (const [i, topic] of topics.entries()) {
      const config = { segmentBytes: 4000, indexIntervalBytes: INDEX_INTERVAL_BYTES, valueCodec: 'string' } as const
      const compressionType = compressionTypes[i]
      await log.createTopic({ name: topic, ...config, compressionType, cleanupPolicy: 'compact' })
      for (let round = 0; round < 3; round++) {
        await writeSome(log, random, 400, { keys: 150, nowMs: NOW + round * 1_000_000, topic })
        await log.compact(topic)
      }
    }
    await log.close()
    log = await Varve.open({ directory: join(directory, 'log'), readOnly: true })
  }, 60_000)

  afterAll(async () => {
    await log.close()
    rmSync(directory, { recursive: true })
  })

  const folder = (topic: string) => join(directory, 'log', `${topic}-0`)

  function filesOf(topic: string, suffix: string): string[] {
    const files = readdirSync(folder(topic)).filter((file) => file.endsWith(suffix))
    return files.map((file) => join(folder(topic), file)).filter((file) => statSync(file).size > 0)
  }

  const dump = (files: readonly string[], ...flags: string[]) =>
    runJava(kafka, DUMP, ...flags, '--files', files.join(','))

  test('passes kafka-dump-log, every batch valid, every record and every delete horizon as Varve reads them', async () => {
    for (const topic of topics) {
      const lines = dump(filesOf(topic, '.log'), '--deep-iteration', '--print-data-log').trim().split('\n')
      expect(lines.filter((line) => COMPLAINTS.test(line))).toEqual([])
      const records = lines.filter((line) => line.startsWith('| offset: '))
      const found = records.map((line) => {
        const [, offset, timestamp, key, , value] =
          /offset: (\d+) CreateTime: (\d+) .* key: (\S+)( payload: (.*))?$/.exec(line)!
        return [Number(offset), Number(timestamp), key, value ?? null]
      })
      const expected: unknown[] = []
      for await (const { offset, timestamp, key, valueBytes } of log.read(topic))
        expected.push([offset, timestamp, key, valueBytes?.toString() ?? null])
      expect(found).toEqual(expected)
      expect(found.some(([, , , value]) => value === null)).toBe(true)
      const batches = lines.filter((line) => line.startsWith('baseOffset: '))
      expect(batches.filter((line) => /deleteHorizonMs: OptionalLong\[\d+\]/.test(line)).length).toBeGreaterThan(3)
      let next = 0
      for (const line of batches) {
        expect(Number(/baseOffset: (\d+)/.exec(line)![1])).toBe(next)
        next = Number(/lastOffset: (\d+)/.exec(line)![1]) + 1
      }
      expect(next).toBe(log.offsets(topic)[0].logEndOffset)
    }
  }, 60_000)

  test('has indexes that pass the checks of a broker and of kafka-dump-log', () => {
    for (const topic of topics) {
      const files = [...filesOf(topic, '.index'), ...filesOf(topic, '.timeindex')]
      const lines = dump(files, '--index-sanity-check').trim().split('\n')
      expect(lines).toEqual(files.flatMap((file) => [`Dumping ${file}`, `${file} passed sanity check.`]))
      const verified = dump(files, '--verify-index-only').trim().split('\n')
      expect(verified.filter((line) => !/^Dumping | is empty\.$/.test(line))).toEqual([])
    }
  }, 120_000)

  test('is recovered by Kafka without a byte cut, into the very indexes that Varve wrote', async () => {
    const copies = topics.map((topic) => {
      const copy = join(directory, 'recovered', `${topic}-0`)
      cpSync(folder(topic), copy, { recursive: true })
      return copy
    })
    const output = runJava(kafka, TAKE_OVER, 'recover', `${INDEX_INTERVAL_BYTES}`, `${NOW + 1_500_000}`, ...copies)
    const lines = output.trim().split('\n')
    for (const [i, topic] of topics.entries()) {
      const [{ logStartOffset, logEndOffset }] = log.offsets(topic)
      let count = 0
      for await (const batch of log.readBatches(topic)) count += batch.recordCount
      const first = await log.read(topic, { from: { timestamp: NOW + 1_500_000 } }).next()
      const told = lines[i].split(' ').map(Number)
      expect([topic, told]).toEqual([topic, [logStartOffset, logEndOffset, count, first.value?.offset ?? -1]])
      for (const file of readdirSync(folder(topic)).filter((name) => /\.(log|index|timeindex)$/.test(name))) {
        const [ours, theirs] = [folder(topic), copies[i]].map((path) => readFileSync(join(path, file), 'hex'))
        expect([topic, file, theirs]).toEqual([topic, file, ours])
      }
    }
  }, 60_000)
})
