/** Compaction of logs that no writer leaves: markers, large batches, damage at the seams, and what happens meanwhile. */
import { describe, expect, test, vi } from 'vitest'
import { readBatchHeader } from '../../src/codec/record-batch.ts'
import { CleanedSegment } from '../../src/storage/cleaned-segment.ts'
import { LogCompaction, type CompactionContext } from '../../src/storage/log-compaction.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { PartitionLog } from '../../src/storage/partition-log.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { changeFile, namesIn, rejection } from '../helpers/logs.ts'
import { batchAt, fileOf, PARTITION, storedLog } from '../helpers/stored-log.ts'

const MIB = 1024 * 1024
const CONTROL = 0x20

function compact(log: PartitionLog, changes: Partial<CompactionContext> = {}) {
  const config = { segmentBytes: 2 ** 30, deleteRetentionMs: 1000, minCompactionLagMs: 0 }
  return new LogCompaction(log, config, {
    clock: new FakeClock(),
    bufferBytes: 65_536,
    store: async () => {},
    isCancelled: () => false,
    inWriteLoop: (action) => action(),
    exchanging: (action) => action(),
    ...changes,
  }).run()
}

/** The base offsets of the batches in the log's first segment that hold records. */
async function batchesLeft(log: PartitionLog): Promise<number[]> {
  const bytes = await log.context.storage.readFile(fileOf(log.segments[0].baseOffset))
  const left: number[] = []
  for (let at = 0; at < bytes.length; at += readBatchHeader(bytes, at).sizeBytes) {
    const { recordCount, baseOffset } = readBatchHeader(bytes, at)
    if (recordCount > 0) left.push(baseOffset)
  }
  return left
}

async function leavesNothingBehind(log: PartitionLog): Promise<void> {
  const names = await namesIn(log.context.storage, PARTITION)
  expect(names.filter((name) => /cleaned|swap/.test(name))).toEqual([])
}

test('markers of transactions stay, and are no records of a key', async () => {
  const same = { keys: ['a'] }
  const { log } = await storedLog([
    [batchAt(0, same), batchAt(1, { ...same, attributes: CONTROL }), batchAt(2, same)],
    [batchAt(3, same)],
  ])
  expect(await compact(log)).toMatchObject({ recordsBefore: 3, recordsAfter: 2 })
  expect(await batchesLeft(log)).toEqual([1, 2])
})

test('batches of every size are gone over, also those that no chunk holds whole', async () => {
  const key = { keys: ['a'] }
  const paddings = [10, 600_000, 600_000, 3 * MIB, 10, 2 * MIB, 600_000]
  const { log } = await storedLog([paddings.map((padding, i) => batchAt(i, { ...key, padding })), 7])
  expect(await compact(log)).toMatchObject({ recordsBefore: 7, recordsAfter: 1 })
  expect(await batchesLeft(log)).toEqual([6])
})

test('a batch that would grow beyond what an index can point to stays as it is', async () => {
  // the time from which they may go is far from their timestamps: all deltas grow
  const tombstones = tombstonesOf(20)
  for (const [before, isRewritten] of [
    [0, true],
    [0x7fffffff - tombstones.length, false],
  ] as const) {
    const { log, storage } = await storedLog([[tombstones], 20])
    const create = CleanedSegment.create.bind(CleanedSegment)
    const created = vi.spyOn(CleanedSegment, 'create').mockImplementationOnce(async (...given) => {
      const cleaned = await create(...given)
      cleaned.sizeBytes = before
      return cleaned
    })
    await compact(log).catch(() => {})
    created.mockRestore()
    expect((await storage.readFile(fileOf(0))).equals(tombstones)).toBe(!isRewritten)
  }
})

describe('what lies at the end of a segment is damaged', () => {
  const whole = () => [batchAt(0), batchAt(1), batchAt(2)]

  test('where its last offsets are missing, and no batch follows', async () => {
    const { log } = await storedLog([whole(), 5])
    expect(await rejection(compact(log))).toMatchObject({
      code: 'CORRUPT_MESSAGE',
      details: { offset: 3, nextOffset: 5 },
    })
    await leavesNothingBehind(log)
  })

  test('where its last offsets are missing before the next batch, with an empty segment between', async () => {
    const { log } = await storedLog([whole(), 5, [batchAt(5)]])
    expect(await rejection(compact(log))).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { offset: 3 } })
  })

  test('where what follows is no batch', async () => {
    const damaged = batchAt(5)
    const { log } = await storedLog([whole(), [damaged]])
    await changeFile(log.context.storage, fileOf(5), (content) => void content.fill(0))
    expect(await rejection(compact(log))).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { offset: 3 } })
  })

  test('but not where its offsets were reserved and never used', async () => {
    const { log } = await storedLog([whole(), 5], { contentEndOffset: 3 })
    expect(await compact(log)).toMatchObject({ recordsBefore: 3, recordsAfter: 3 })
  })

  test('nor where batches may be missing by right', async () => {
    const { log } = await storedLog([whole(), [batchAt(5)]], { sparse: true })
    expect(await compact(log)).toMatchObject({ recordsBefore: 3, recordsAfter: 3 })
  })
})

describe('damage ends it, and stays where it is', () => {
  const parts: [what: string, batches: Buffer[], damage: (content: Buffer) => Buffer | void, offset: number][] = [
    ['a batch in the wrong place', [batchAt(0), batchAt(7), batchAt(8)], () => {}, 1],
    [
      'a length that no batch has',
      [batchAt(0), batchAt(1)],
      (content) => void content.writeInt32BE(3, content.length / 2 + 8),
      1,
    ],
    ['a length beyond the end', [batchAt(0), batchAt(1)], (content) => void content.writeInt32BE(5000, 8), 0],
    [
      'a file that ends within a header',
      [batchAt(0), batchAt(1)],
      (content) => content.subarray(0, content.length / 2 + 20),
      1,
    ],
    [
      'a file that ends within a large batch',
      [batchAt(0, { padding: 3 * MIB })],
      (content) => content.subarray(0, MIB / 2),
      0,
    ],
    ['a file that is empty', [batchAt(0)], (content) => content.subarray(0, 0), 0],
  ]
  test.each(parts)('%s', async (_, batches, damage, offset) => {
    const { log, storage } = await storedLog([batches, readBatchHeader(batches.at(-1)!, 0).lastOffset + 1])
    await changeFile(storage, fileOf(0), damage)
    const before = await storage.readFile(fileOf(0))
    expect(await rejection(compact(log))).toMatchObject({
      code: 'CORRUPT_MESSAGE',
      details: { path: fileOf(0), offset },
    })
    expect((await storage.readFile(fileOf(0))).equals(before)).toBe(true)
    await leavesNothingBehind(log)
  })

  test('also where the next chunk cannot be read', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const batches = [batchAt(0, { padding: 600_000 }), batchAt(1, { padding: 600_000 })]
    const { log } = await storedLog([batches, 2], { storage })
    await changeFile(storage, fileOf(0), (content) => void (content[1000] ^= 1))
    storage.failAt({ call: (kind) => kind === 'read' && storage.counts.read > 0, code: 'EIO' })
    expect(await rejection(compact(log))).toMatchObject({ code: 'CORRUPT_MESSAGE' })
  })
})

describe('while it goes on', () => {
  const parts = () => [
    [batchAt(0, { keys: ['a'] }), batchAt(1, { keys: ['a'] })],
    [batchAt(2, { keys: ['a'] })],
    [batchAt(3)],
  ]

  test('retention may take its segments, and then it leaves the log as it is', async () => {
    const { log } = await storedLog(parts())
    await compact(log, {
      inWriteLoop: async (action) => {
        log.advanceStart(2)
        await log.removeOldSegments()
        return action()
      },
    })
    expect(log.segments.map(({ baseOffset }) => baseOffset)).toEqual([2, 3])
    expect(log.exchange.exchanges).toBe(0)
    await leavesNothingBehind(log)
  })

  test('the rest of the program runs at least every few milliseconds', async () => {
    const { log } = await storedLog(parts())
    const clock = new FakeClock()
    let ms = 0
    let deferred = 0
    clock.monotonicMs = () => (ms += 5)
    clock.deferWith = (callback) => {
      deferred++
      setImmediate(callback)
    }
    expect(await compact(log, { clock })).toMatchObject({ recordsAfter: 1 })
    // each of three batches is gone over twice
    expect(deferred).toBe(6)
  })

  test('it can be ended, at every moment', async () => {
    for (let asked = 0; ; asked++) {
      const { log } = await storedLog(parts())
      let count = 0
      await compact(log, { isCancelled: () => count++ >= asked })
      await leavesNothingBehind(log)
      const isDone = log.exchange.cleanedOffset > 0
      expect(log.segments.length).toBe(isDone ? 2 : 3)
      if (isDone) break
    }
  })
})

/** Tombstones of so many keys, in one batch. */
function tombstonesOf(count: number): Buffer {
  const keys = Array.from({ length: count }, (_, i) => `key ${i}`)
  return batchAt(0, { recordCount: count, keys, isTombstone: true })
}
