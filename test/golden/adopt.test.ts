import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ReadOptions } from '../../src/client/read-options.ts'
import { Varve } from '../../src/client/varve.ts'
import { compressionTypes } from '../../src/codec/compression.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import { asGolden, goldenPartition, goldenPartitions, visibleRecords, type GoldenPartition } from './golden-log.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-adopt-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const topics = [...new Set(goldenPartitions.map(({ topic }) => topic))]
const partitionsOf = (topic: string) => goldenPartitions.filter((partition) => partition.topic === topic)

/** Puts copies of the golden partitions into the directory. */
function place(partitions: readonly GoldenPartition[]): void {
  for (const { path, name } of partitions) cpSync(path, join(directory, name), { recursive: true })
}

async function collect(log: Varve, topic: string, options: ReadOptions = {}): Promise<ConsumerRecord[]> {
  const records: ConsumerRecord[] = []
  for await (const record of log.read(topic, options)) records.push(record)
  return records
}

/** The first offset at or after a time, by Kafka's answer: program-visible records only, null for none. */
function expectedOffset(partition: GoldenPartition, timestamp: number, found: number): number | null {
  const record = visibleRecords(partition).find(([offset, time]) => found >= 0 && offset >= found && time >= timestamp)
  return record?.[0] ?? null
}

describe.each(topics)('a topic that Kafka wrote: %s', (topic) => {
  const partitions = partitionsOf(topic)

  test('is taken over with every record, and nothing in its directories is lost or changed', async () => {
    place(partitions)
    await using log = await Varve.open({ directory })
    expect(log.recovery.unknownDirectories.map((unknown) => [unknown.topic, unknown.partition])).toEqual(
      partitions.map(({ partition }) => [topic, partition]),
    )
    const description = await log.adoptTopic({ name: topic })
    expect(description.topicId).toBe(/topic_id: (\S+)/.exec(metadataOf(partitions[0]))![1])
    for (const golden of partitions) {
      const { partition, logEndOffset, segments } = golden
      expect(description.partitions[partition]).toMatchObject({ logEndOffset, segments: segments.length })
      expect((await collect(log, topic, { partition })).map(asGolden)).toEqual(visibleRecords(golden))
    }
    await log.close()
    for (const { name, path } of partitions) {
      for (const file of readdirSync(path).filter((file) => !/\.(index|timeindex)$/.test(file))) {
        const [before, after] = [join(path, file), join(directory, name, file)].map((file) => readFileSync(file, 'hex'))
        expect([file, after]).toEqual([file, before])
      }
    }
  })

  test('can be appended to in any compression, and is all there when it is opened again', async () => {
    place(partitions)
    const expected = partitions.map((partition) => [...visibleRecords(partition)])
    {
      await using log = await Varve.open({ directory })
      await log.adoptTopic({ name: topic, segmentBytes: 2048, indexIntervalBytes: 256 })
      for (const compressionType of compressionTypes) {
        await log.alterTopic(topic, { compressionType })
        for (const { partition } of partitions) {
          const value = Buffer.from(`ours, ${compressionType}`)
          const record = { partition, key: 'k', value, headers: [['h', null]] as [string, null][], timestamp: 5 }
          const [{ offset }] = await log.appendBatch(topic, Array(20).fill(record))
          for (let i = 0; i < 20; i++) {
            expected[partition].push([offset + i, 5, 'aw==', value.toString('base64'), [['h', null]]])
          }
        }
      }
      for (const { partition, logEndOffset } of partitions) {
        expect(expected[partition].findIndex(([offset]) => offset === logEndOffset)).toBe(
          expected[partition].length - 100,
        )
        expect((await collect(log, topic, { partition })).map(asGolden)).toEqual(expected[partition])
      }
    }
    await using log = await Varve.open({ directory })
    expect([log.recovery.clean, log.recovery.damage, log.recovery.unknownDirectories]).toEqual([true, [], []])
    for (const { partition } of partitions) {
      expect((await collect(log, topic, { partition })).map(asGolden)).toEqual(expected[partition])
    }
  })

  test('can be read from every offset, those that are gone included', async () => {
    place(partitions)
    await using log = await Varve.open({ directory })
    await log.adoptTopic({ name: topic })
    for (const golden of partitions) {
      const { partition, logEndOffset } = golden
      const records = visibleRecords(golden)
      const start = log.offsets(topic)[partition].logStartOffset
      for (let offset = start; offset <= logEndOffset; offset++) {
        const first = await log.read(topic, { from: { [partition]: offset } }).next()
        const expected = records.find((record) => record[0] >= offset)
        expect([offset, first.done ? undefined : asGolden(first.value)]).toEqual([offset, expected])
      }
    }
  })
})

// where a segment has only times before 1970, Kafka finds nothing of use
test.each(topics.filter((topic) => topic !== 'before1970'))(
  'points in time lead to the offsets that Kafka gives: %s',
  async (topic) => {
    place(partitionsOf(topic))
    await using log = await Varve.open({ directory })
    await log.adoptTopic({ name: topic })
    for (const golden of partitionsOf(topic)) {
      expect(golden.offsetsForTimestamps.length).toBeGreaterThan(5)
      for (const [timestamp, found] of golden.offsetsForTimestamps) {
        const first = await log.read(topic, { partition: golden.partition, from: { timestamp } }).next()
        const offset = first.done ? null : first.value.offset
        expect([timestamp, offset]).toEqual([timestamp, expectedOffset(golden, timestamp, found)])
      }
    }
  },
)

test('records before 1970 are found by their time as well', async () => {
  const golden = goldenPartition('before1970-0')
  place([golden])
  await using log = await Varve.open({ directory })
  await log.adoptTopic({ name: golden.topic })
  const records = visibleRecords(golden)
  for (const [, timestamp] of records) {
    for (const time of [timestamp - 1, timestamp, timestamp + 1]) {
      const first = await log.read(golden.topic, { from: { timestamp: time } }).next()
      const expected = records.find((record) => record[1] >= time)
      expect([time, first.done ? undefined : first.value.offset]).toEqual([time, expected?.[0]])
    }
  }
})

test('all topics of a Kafka log directory can be taken over, one by one', async () => {
  place(goldenPartitions)
  await using log = await Varve.open({ directory })
  for (const topic of topics) await log.adoptTopic({ name: topic })
  expect((await log.listTopics()).map(({ name }) => name)).toEqual(topics)
  const visible = goldenPartitions.reduce((sum, partition) => sum + visibleRecords(partition).length, 0)
  let seen = 0
  for (const topic of topics) seen += (await collect(log, topic)).length
  expect(seen).toBe(visible)
})

describe('a partition that a killed Kafka left', () => {
  const golden = goldenPartition('shapes-0')
  const lastFile = golden.segments.at(-1)!.file

  test('is taken over without the batch that was being written, which is kept for diagnosis', async () => {
    place([golden])
    const last = golden.segments.at(-1)!.batches.at(-1)!
    const path = join(directory, golden.name, lastFile)
    truncateSync(path, last.position + last.sizeBytes - 7)
    await using log = await Varve.open({ directory })
    await log.adoptTopic({ name: golden.topic })
    const kept = visibleRecords(golden).filter(([offset]) => offset < last.baseOffset)
    expect((await collect(log, golden.topic)).map(asGolden)).toEqual(kept)
    expect(readFileSync(path).length).toBe(last.position)
    expect(readdirSync(join(directory, 'recovery'))).toHaveLength(1)
    const { offset } = await log.append(golden.topic, { value: Buffer.from('next') })
    expect(offset).toBeGreaterThanOrEqual(last.baseOffset)
  })

  test('is taken over whole where its index files still have their full size, in zeros', async () => {
    place([golden])
    const folder = join(directory, golden.name)
    const stem = lastFile.replace('.log', '')
    truncateSync(join(folder, `${stem}.index`), 10_485_760)
    truncateSync(join(folder, `${stem}.timeindex`), 10_485_756)
    {
      await using log = await Varve.open({ directory })
      await log.adoptTopic({ name: golden.topic, indexIntervalBytes: golden.indexIntervalBytes })
      expect((await collect(log, golden.topic, { from: 160 })).map(asGolden)).toEqual(
        visibleRecords(golden).filter(([offset]) => offset >= 160),
      )
    }
    for (const suffix of ['.index', '.timeindex']) {
      expect(readFileSync(join(folder, stem + suffix))).toEqual(readFileSync(join(golden.path, stem + suffix)))
    }
  })

  test('is taken over whole where its log was laid out ahead, in zeros', async () => {
    place([golden])
    appendFileSync(join(directory, golden.name, lastFile), Buffer.alloc(5000))
    await using log = await Varve.open({ directory })
    await log.adoptTopic({ name: golden.topic })
    expect((await collect(log, golden.topic)).map(asGolden)).toEqual(visibleRecords(golden))
    expect(log.offsets(golden.topic)[0].logEndOffset).toBe(golden.logEndOffset)
  })
})

function metadataOf({ path }: GoldenPartition): string {
  return readFileSync(join(path, 'partition.metadata'), 'utf8')
}
