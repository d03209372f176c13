/** The segment that compaction writes. */
import { expect, test } from 'vitest'
import { BATCH_HEADER_BYTES, readBatchHeader, type BatchHeader } from '../../src/codec/record-batch.ts'
import { scanBatches } from '../../src/storage/batch-scanner.ts'
import { CleanedSegment } from '../../src/storage/cleaned-segment.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { namesIn, rejection } from '../helpers/logs.ts'
import { batchAt, contextOn, fileOf, PARTITION } from '../helpers/stored-log.ts'

const MIB = 1024 * 1024
const UNKNOWN = { epochAt: () => null }

async function cleanedOn(
  storage = new FaultyStorage(new MemoryStorage()),
  known: { epochAt(offset: number): number | null } = UNKNOWN,
) {
  await storage.makeDirectory(PARTITION)
  const cleaned = await CleanedSegment.create(contextOn(storage), 0, known)
  const append = (batch: Buffer) => cleaned.append(batch, 0, readBatchHeader(batch, 0))
  return { storage, cleaned, append }
}

/** The headers of what was written, each batch checked. */
async function written(storage: FaultyStorage): Promise<BatchHeader[]> {
  const file = await storage.openFile(fileOf(0, '.log', '.swap'), 'read')
  const headers: BatchHeader[] = []
  const size = await file.size()
  const end = await scanBatches(file, 0, size, 'checksum', ({ header }) => void headers.push(header))
  expect(end).toEqual({ position: size, fault: null })
  return headers
}

test('holds batches of every size, in order, however large', async () => {
  const { storage, cleaned, append } = await cleanedOn()
  const sizes = [10, 600_000, 600_000, 3 * MIB, 10, MIB - BATCH_HEADER_BYTES - 40, 10]
  for (const [i, padding] of sizes.entries()) await append(batchAt(i, { padding }))
  await cleaned.finish(sizes.length, 0)
  expect((await written(storage)).map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset])).toEqual(
    sizes.map((_, i) => [i, i]),
  )
  expect(cleaned.sizeBytes).toBe((await storage.readFile(fileOf(0, '.log', '.swap'))).length)
})

test('is synced as it grows, so that no sync of it holds others up for long', async () => {
  const { storage, cleaned, append } = await cleanedOn()
  for (let i = 0; i < 40; i++) await append(batchAt(i, { padding: MIB - 1000 }))
  expect(storage.counts.sync).toBe(2)
  await cleaned.finish(40, 0)
  expect(await written(storage)).toHaveLength(40)
})

test('a sync that fails as it grows ends it, and nothing of it is left', async () => {
  const { storage, cleaned, append } = await cleanedOn()
  storage.failAt({ call: (kind) => kind === 'sync', code: 'EIO' })
  for (let i = 0; i < 18; i++) await append(batchAt(i, { padding: MIB - 1000 }))
  expect(await rejection(cleaned.finish(18, 0))).toMatchObject({ code: 'EIO' })
  await cleaned.discard()
  expect(await namesIn(storage, PARTITION)).toEqual([])
})

test('a batch without records stands for offsets of which nothing is left, with the epoch that is known of them', async () => {
  for (const [known, epoch] of [
    [UNKNOWN, 7],
    [{ epochAt: () => 3 }, 3],
  ] as const) {
    const { storage, cleaned, append } = await cleanedOn(undefined, known)
    await append(batchAt(5, { leaderEpoch: 7 }))
    await cleaned.finish(9, 7)
    const found = (await written(storage)).map((header) => [header.baseOffset, header.lastOffset, header.leaderEpoch])
    expect(found).toEqual([
      [0, 4, epoch],
      [5, 8, 7],
    ])
  }
})

test('files of an attempt that failed are in the way of none', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  await cleanedOn(storage)
  const { cleaned, append } = await cleanedOn(storage)
  await append(batchAt(0))
  await cleaned.finish(1, 0)
  expect(await written(storage)).toHaveLength(1)
})

test('one that is a segment of the log by now keeps its file open when it is discarded, and the file is gone', async () => {
  const { storage, cleaned, append } = await cleanedOn()
  const batch = batchAt(0)
  await append(batch)
  await cleaned.finish(1, 0)
  const { segment, release } = cleaned.toSegment()
  await cleaned.discard()
  expect(await namesIn(storage, PARTITION)).toEqual([])
  const bytes = Buffer.alloc(batch.length)
  expect(await segment.read(bytes, 0)).toBe(batch.length)
  expect(bytes).toEqual(batch)
  await segment.retire()
  await release()
  expect(segment.isOpen).toBe(false)
})

test('one whose file cannot even be closed is discarded', async () => {
  const { storage, cleaned, append } = await cleanedOn()
  await append(batchAt(0))
  storage.failAt({ call: (kind) => kind === 'close', code: 'EIO' })
  await cleaned.discard()
  expect(await namesIn(storage, PARTITION)).toEqual([])
})
