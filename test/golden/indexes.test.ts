import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BatchSpan } from '../../src/codec/batch-encoder.ts'
import { nodeStorage } from '../../src/storage/node-storage.ts'
import { PartitionLog } from '../../src/storage/partition-log.ts'
import { SegmentPool } from '../../src/storage/segment-pool.ts'
import { Segment } from '../../src/storage/segment.ts'
import type { SegmentContext } from '../../src/storage/segment-context.ts'
import { goldenPartition, goldenPartitions, type GoldenPartition, type GoldenSegment } from './golden-log.ts'

const INDEX_SUFFIXES = ['.index', '.timeindex'] as const

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-golden-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function contextOf({ indexIntervalBytes }: GoldenPartition): SegmentContext {
  const indexInterval = () => indexIntervalBytes
  return {
    storage: nodeStorage(),
    directory,
    pool: new SegmentPool(),
    readOnly: false,
    indexIntervalBytes: indexInterval,
    monotonicMs: () => 0,
  }
}

const baseOffsetOf = ({ file }: GoldenSegment) => Number(file.slice(0, 20))
const indexFile = ({ file }: GoldenSegment, suffix: string) => file.replace('.log', suffix)
const hex = (folder: string, file: string) => readFileSync(join(folder, file)).toString('hex')

/**
 * What stands in Kafka's file. Kafka takes a timestamp of -1 for none and never indexes one that is not greater; our time
 * indexes have entries for those too, before all others.
 */
function comparable(folder: string, file: string): string {
  const bytes = readFileSync(join(folder, file))
  if (!file.endsWith('.timeindex')) return bytes.toString('hex')
  let start = 0
  while (start < bytes.length && bytes.readBigInt64BE(start) < 0n) start += 12
  return bytes.subarray(start).toString('hex')
}

describe.each(goldenPartitions)('the indexes of $name', (partition) => {
  test('are rebuilt from the log as Kafka wrote them, byte for byte', async () => {
    for (const golden of partition.segments) {
      cpSync(join(partition.path, golden.file), join(directory, golden.file))
      const segment = new Segment(contextOf(partition), baseOffsetOf(golden), golden.bytes.length)
      await segment.repairIndexes()
      segment.completeTimeIndex()
      await segment.writeIndexes({ sync: false })
      await segment.close()
      expect(indexesOf(golden)).toEqual(kafkasIndexes(golden))
    }
  })

  /** The index files after a stop of one kind or another, given what Kafka wrote. */
  const found: [string, (content: Buffer, entryBytes: number) => Buffer | null][] = [
    ['complete', (content) => content],
    ['missing', () => null],
    ['empty', () => Buffer.alloc(0)],
    ['filled up with zeros, as a killed Kafka leaves them', (content) => Buffer.concat([content], 65_520)],
    ['cut within an entry', (content) => content.subarray(0, -5)],
    ['those of another log', (content, entryBytes) => Buffer.alloc(content.length, Buffer.alloc(entryBytes, 7))],
    ['all zeros', (content) => Buffer.alloc(content.length)],
  ]

  test.each(found)('are as Kafka wrote them after a recovery that found them %s', async (_, asFound) => {
    for (const golden of partition.segments) {
      cpSync(join(partition.path, golden.file), join(directory, golden.file))
      for (const [i, suffix] of INDEX_SUFFIXES.entries()) {
        const content = asFound(readFileSync(join(partition.path, indexFile(golden, suffix))), 8 + 4 * i)
        if (content !== null) writeFileSync(join(directory, indexFile(golden, suffix)), content)
      }
      await recoverIndexes(golden)
      expect(indexesOf(golden)).toEqual(kafkasIndexes(golden))
    }
  })

  test('are brought up to date where they lag behind the log', async () => {
    for (const golden of partition.segments) {
      const offsets = readFileSync(join(partition.path, indexFile(golden, '.index')))
      const times = readFileSync(join(partition.path, indexFile(golden, '.timeindex')))
      for (let kept = 0; kept < offsets.length / 8; kept++) {
        cpSync(join(partition.path, golden.file), join(directory, golden.file))
        const lastOffset = kept === 0 ? -1 : offsets.readInt32BE(kept * 8 - 8)
        let keptTimes = 0
        while (keptTimes < times.length && times.readInt32BE(keptTimes + 8) <= lastOffset) keptTimes += 12
        writeFileSync(join(directory, indexFile(golden, '.index')), offsets.subarray(0, kept * 8))
        writeFileSync(join(directory, indexFile(golden, '.timeindex')), times.subarray(0, keptTimes))
        await recoverIndexes(golden)
        expect(indexesOf(golden)).toEqual(kafkasIndexes(golden))
      }
    }
  })

  async function recoverIndexes(golden: GoldenSegment): Promise<void> {
    const segment = new Segment(contextOf(partition), baseOffsetOf(golden), golden.bytes.length, false)
    await segment.open()
    segment.completeTimeIndex()
    await segment.writeIndexes({ sync: false })
    await segment.close()
  }

  const indexesOf = (golden: GoldenSegment) =>
    INDEX_SUFFIXES.map((suffix) => [suffix, comparable(directory, indexFile(golden, suffix))])

  const kafkasIndexes = (golden: GoldenSegment) =>
    INDEX_SUFFIXES.map((suffix) => [suffix, hex(partition.path, indexFile(golden, suffix))])

  test('lead to every batch by its offsets', async () => {
    for (const golden of partition.segments) {
      cpSync(partition.path, directory, { recursive: true })
      const segment = new Segment(contextOf(partition), baseOffsetOf(golden), golden.bytes.length)
      for (const batch of golden.batches) {
        const { position } = await segment.lookup(batch.lastOffset)
        expect(position).toBeLessThanOrEqual(batch.position)
        expect(golden.batches.some((other) => other.position === position)).toBe(true)
      }
      await segment.close()
    }
  })
})

describe('the same appends as Kafka was given', () => {
  /** Appends golden batches as one would that had encoded them. */
  async function append(partition: GoldenPartition, rollBefore: (offset: number) => boolean): Promise<void> {
    const context = contextOf(partition)
    const first = await Segment.create(context, baseOffsetOf(partition.segments[0]))
    const start = first.baseOffset
    const log = new PartitionLog(context, () => ({ ...partition, segmentMs: Number.MAX_SAFE_INTEGER }), {
      segments: [first],
      logStartOffset: start,
      logEndOffset: start,
      contentEndOffset: start,
      leaderEpoch: 0,
      epochs: [],
      sparse: false,
      cleanedOffset: 0,
      exchanges: 0,
      rollFirst: false,
    })
    for (const { bytes, batches } of partition.segments) {
      for (const { position, sizeBytes, recordCount, maxTimestamp, baseOffset } of batches) {
        const span: BatchSpan = { start: 0, sizeBytes, recordCount, maxTimestamp }
        if (rollBefore(baseOffset)) await log.roll()
        if (log.mustPrepare(span, { sizeBytes: 0, recordCount: 0 })) await log.prepare(span)
        expect(
          log.append({ bytes: Buffer.from(bytes.subarray(position, position + sizeBytes)), batches: [span] }),
        ).toBe(baseOffset)
      }
    }
    await log.sync()
    await log.writeIndexes({ closing: true })
    await log.close()
  }

  test.each(['times-0', 'append-time-0', 'transactions-0', 'codecs-0', 'codecs-1', 'codecs-2', 'codecs-3', 'codecs-4'])(
    'make the same segments and indexes, rolled at the same offsets: %s',
    async (name) => {
      const partition = goldenPartition(name)
      // Kafka was told to roll these once
      const told = name.startsWith('codecs-') ? baseOffsetOf(partition.segments[1]) : null
      await append(partition, (offset) => offset === told)
      const files = readdirSync(partition.path).filter((file) => /\.(log|index|timeindex)$/.test(file))
      expect(readdirSync(directory)).toEqual(files)
      for (const file of files) expect([file, hex(directory, file)]).toEqual([file, hex(partition.path, file)])
    },
  )

  test('indexes each of several batches that are appended in one write', async () => {
    const partition = goldenPartition('replica-0')
    for (const golden of partition.segments) {
      const segment = await Segment.create(contextOf(partition), baseOffsetOf(golden))
      for (let i = 0; i < golden.batches.length; i += 3) {
        const some = golden.batches.slice(i, i + 3)
        const start = some[0].position
        const end = some.at(-1)!.position + some.at(-1)!.sizeBytes
        // spans are relative to the bytes that are handed over, which need not begin at 0
        const spans = some.map(({ position, ...batch }) => ({ ...batch, start: position - start + 40 }))
        segment.append(golden.bytes.subarray(start, end), spans, some[0].baseOffset)
      }
      segment.completeTimeIndex()
      await segment.writeIndexes({ sync: false })
      await segment.close()
      for (const suffix of ['.log', ...INDEX_SUFFIXES]) {
        const file = indexFile(golden, suffix)
        expect([file, hex(directory, file)]).toEqual([file, hex(partition.path, file)])
      }
    }
  })
})
