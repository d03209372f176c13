/** Look-ups where batches are large, far apart, damaged, or in another segment by the time they are read. */
import { describe, expect, test, vi } from 'vitest'
import { readBatchHeader } from '../../src/codec/record-batch.ts'
import type { LogSlice } from '../../src/storage/log-reader.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { PartitionLog } from '../../src/storage/partition-log.ts'
import { Segment } from '../../src/storage/segment.ts'
import { systemError } from '../../src/storage/system-error.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { changeFile, rejection } from '../helpers/logs.ts'
import { oldMessage } from '../helpers/raw-batch.ts'
import { batchAt, fileOf, storedLog } from '../helpers/stored-log.ts'

const KIB = 1024
/** Every batch gets an entry in the index, but the first. */
const DENSE = { indexIntervalBytes: () => 1 }

/** The base offsets of the batches in a slice, and what is wrong behind them. */
function contentOf({ bytes, length, fault }: LogSlice): { offsets: number[]; fault: string | null } {
  const offsets: number[] = []
  for (let at = 0; at < length; at += readBatchHeader(bytes, at).sizeBytes)
    offsets.push(readBatchHeader(bytes, at).baseOffset)
  return { offsets, fault }
}

async function lookUp(log: PartitionLog, offset: number, maxBytes = 1, endOffset = log.logEndOffset) {
  return contentOf(await log.read(offset, maxBytes, endOffset))
}

/** Puts batches that stand in one segment elsewhere into one that takes its place in the middle of a read. */
function exchangeDuring(log: PartitionLog, method: 'lookup' | 'lookupTimestamp', meanwhile = () => {}): void {
  const [old] = log.segments
  const exchanged = async (): Promise<never> => {
    log.segments = [new Segment(log.context, old.baseOffset, old.sizeBytes), ...log.segments.slice(1)]
    meanwhile()
    await old.exchange()
    throw systemError('ENOENT', 'open', old.path)
  }
  vi.spyOn<Segment, 'lookup' | 'lookupTimestamp'>(old, method).mockImplementationOnce(exchanged)
}

describe('a look-up by offset', () => {
  test('passes over a large batch, which the index names, to the one behind it', async () => {
    const { log } = await storedLog(
      [
        [
          batchAt(0),
          batchAt(1, { padding: 200 * KIB }),
          batchAt(2, { recordCount: 2, padding: 100 * KIB }),
          batchAt(4),
        ],
      ],
      DENSE,
    )
    expect(await lookUp(log, 2)).toEqual({ offsets: [2], fault: null })
    expect(await lookUp(log, 3)).toEqual({ offsets: [2], fault: null })
  })

  test('goes on where what was read at once ends just with a batch', async () => {
    // the lengths of larger records are varints of one byte more, of the record and of its value
    const padding = 8 * KIB - batchAt(0).length - 2
    const batches = Array.from({ length: 20 }, (_, i) => batchAt(i, { keys: ['key 0'], padding }))
    expect(new Set(batches.map(({ length }) => length))).toEqual(new Set([8 * KIB]))
    const { log } = await storedLog([batches], { indexIntervalBytes: () => 2 ** 30 })
    for (const offset of [7, 8, 16, 19]) expect((await lookUp(log, offset)).offsets[0]).toBe(offset)
  })

  test('has all that is wanted before its end, though the file is cut short right behind it', async () => {
    // what a failed sync was to write may be gone from the file, and readers go on up to what is durable
    const { storage, log } = await storedLog([[batchAt(0), batchAt(1), batchAt(2)]])
    await changeFile(storage, fileOf(0), (content) => content.subarray(0, batchAt(0).length + batchAt(1).length))
    expect(await lookUp(log, 0, 64 * KIB, 2)).toEqual({ offsets: [0, 1], fault: null })
    expect(await lookUp(log, 0, 64 * KIB, 3)).toEqual({ offsets: [0, 1], fault: 'incomplete' })
  })

  test('finds nothing before the end where batches are missing by right', async () => {
    // more than is read at once
    const { log } = await storedLog([[batchAt(0), batchAt(5), batchAt(6, { padding: 100 * KIB })]], { sparse: true })
    const slice = await log.read(3, 1, 5)
    expect(contentOf(slice)).toEqual({ offsets: [], fault: null })
    expect(slice.nextOffset).toBe(5)
    expect(await lookUp(log, 3)).toMatchObject({ offsets: [5], fault: null })
  })

  const large = () => [0, 3, 6, 9].map((offset) => batchAt(offset, { recordCount: 3, padding: 10 * KIB }))

  test('that an index leads straight to a batch of another epoch says that it is in the wrong place', async () => {
    const batches = large()
    batches[2] = batchAt(6, { recordCount: 3, padding: 10 * KIB, leaderEpoch: 1 })
    const { log } = await storedLog([batches], { ...DENSE, epochs: [{ epoch: 0, startOffset: 0 }] })
    expect(await lookUp(log, 7)).toEqual({ offsets: [], fault: 'place' })
    expect((await lookUp(log, 4)).offsets[0]).toBe(3)
  })

  test('that an index leads straight to a batch with a wrong number of records says that it is damaged', async () => {
    const batches = large()
    batches[2].writeInt32BE(5, 57)
    const { log } = await storedLog([batches], DENSE)
    expect(await lookUp(log, 7)).toEqual({ offsets: [], fault: 'checksum' })
    expect((await lookUp(log, 10)).offsets[0]).toBe(9)
  })

  test('of an index that stays wrong however often it is built does without it', async () => {
    const { log } = await storedLog([large()], DENSE)
    const [segment] = log.segments
    vi.spyOn(segment, 'lookup').mockResolvedValue({ offset: 4, position: 99, following: null, endPosition: Infinity })
    const repair = vi.spyOn(segment, 'repairIndexes')
    expect((await lookUp(log, 7)).offsets[0]).toBe(6)
    expect(repair).toHaveBeenCalledTimes(1)
  })

  test('begins again in the segment that took the place of its own meanwhile', async () => {
    const { log } = await storedLog([[batchAt(0), batchAt(1)], 2])
    exchangeDuring(log, 'lookup')
    expect(await lookUp(log, 1)).toEqual({ offsets: [1], fault: null })
  })

  test('finds nothing at its end, and no damage either, though the file is cut short just there', async () => {
    const { storage, log } = await storedLog([[batchAt(0), batchAt(1), batchAt(2)]])
    await changeFile(storage, fileOf(0), (content) => content.subarray(0, batchAt(0).length + batchAt(1).length))
    const slice = await log.read(0, 64 * KIB, 2)
    expect(contentOf(await log.read(2, 1, 2, slice))).toEqual({ offsets: [], fault: null })
    expect(contentOf(await log.read(2, 1, 3, slice))).toEqual({ offsets: [], fault: 'incomplete' })
  })

  test('says that what the log should hold to its end is not there, though every batch is whole', async () => {
    // by its size the file is the one that it should be
    const { log } = await storedLog([[batchAt(0), batchAt(1)]], { contentEndOffset: 5, logEndOffset: 9 })
    expect(await lookUp(log, 0, 64 * KIB)).toEqual({ offsets: [0, 1], fault: null })
    for (const offset of [2, 4]) expect(await lookUp(log, offset)).toEqual({ offsets: [], fault: 'incomplete' })
    // those behind it were reserved and never used
    expect(await lookUp(log, 5)).toEqual({ offsets: [], fault: null })
  })

  test('of damage in a segment that retention takes meanwhile leads on to the first one that is left', async () => {
    const { storage, log } = await storedLog([[batchAt(0), batchAt(1)], [batchAt(2)], [batchAt(3)]])
    await changeFile(storage, fileOf(0), (content) => void (content[content.length - 1] ^= 1))
    const slice = await log.read(0, 64 * KIB, 4)
    log.advanceStart(2)
    log.segments = log.segments.slice(1)
    const error = await log.corruption(slice, batchAt(0).length, 1, 'checksum')
    expect(error).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { path: fileOf(0), offset: 1, nextOffset: 2 } })
  })

  test('ends where retention has taken what it looked for meanwhile', async () => {
    const { log } = await storedLog([[batchAt(0), batchAt(1)], [batchAt(2)]])
    exchangeDuring(log, 'lookup', () => log.advanceStart(2))
    expect(await rejection(log.read(1, 1, 3))).toMatchObject({ code: 'KAFKA_STORAGE_ERROR', cause: { code: 'ENOENT' } })
  })
})

describe('a look-up by time', () => {
  const timed = (offset: number) => batchAt(offset, { baseTimestamp: 100 * offset })

  test('sees nothing at or behind the end that it is given', async () => {
    const { log } = await storedLog([[timed(1), timed(2), timed(3)]])
    expect(await log.offsetForTimestamp(300, 4)).toBe(3)
    expect(await log.offsetForTimestamp(300, 3)).toBe(null)
    const { log: other } = await storedLog([[timed(1), timed(2)], [timed(3)], [timed(4)]])
    expect(await other.offsetForTimestamp(300, 3)).toBe(null)
    expect(await other.offsetForTimestamp(300, 4)).toBe(3)
  })

  test('leads to a batch in the wrong place: what stands there may be the record', async () => {
    const misplaced = timed(3)
    misplaced.writeBigInt64BE(9n, 0)
    const { log } = await storedLog([[timed(1), timed(2), misplaced, timed(4)]])
    expect(await log.offsetForTimestamp(400, 5)).toBe(3)
    expect(await log.offsetForTimestamp(200, 5)).toBe(2)
  })

  test('leads to where the log should go on and does not: what is gone may be the record', async () => {
    const { log } = await storedLog([[timed(1), timed(2)]], { contentEndOffset: 5, logEndOffset: 9 })
    expect(await log.offsetForTimestamp(300, 9)).toBe(3)
    expect(await log.offsetForTimestamp(300, 3)).toBe(null)
    // offsets that an epoch has skipped are no loss
    const epochs = [
      { epoch: 0, startOffset: 1 },
      { epoch: 1, startOffset: 5, skippedFrom: 3 },
    ]
    const { log: other } = await storedLog([[timed(1), timed(2)]], { contentEndOffset: 5, logEndOffset: 9, epochs })
    expect(await other.offsetForTimestamp(300, 9)).toBe(null)
  })

  test('begins again in the segment that took the place of its own meanwhile', async () => {
    const { log } = await storedLog([[timed(1), timed(2)], [timed(3)]])
    exchangeDuring(log, 'lookupTimestamp')
    expect(await log.offsetForTimestamp(200, 4)).toBe(2)
  })

  test('tells what the disk says', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const { log } = await storedLog([[timed(1), timed(2)]], { storage })
    storage.failAt({ call: (kind) => kind === 'read', code: 'EIO', sticky: true })
    expect(await rejection(log.offsetForTimestamp(200, 3))).toMatchObject({
      code: 'KAFKA_STORAGE_ERROR',
      cause: { code: 'EIO' },
    })
  })
})

test('an old message among batches is told from damage', async () => {
  const message = oldMessage(1, 'value'.repeat(10))
  message.writeBigInt64BE(1n, 0)
  for (const [isDamaged, code] of [
    [false, 'UNSUPPORTED_FOR_MESSAGE_FORMAT'],
    [true, 'CORRUPT_MESSAGE'],
  ] as const) {
    const { log, storage } = await storedLog([[batchAt(0), batchAt(1, { padding: 80 }), batchAt(2)]])
    const at = batchAt(0).length
    await changeFile(storage, fileOf(0), (content) => {
      message.copy(content, at)
      if (isDamaged) content[at + 20] ^= 1
    })
    const slice = await log.read(1, 1, 3)
    expect(slice.fault).toBe('old format')
    const error = await log.corruption(slice, slice.length, 1, slice.fault!)
    expect(error).toMatchObject({ code, details: { position: at, offset: 1, nextOffset: 2 } })
  }
})
