/** A partition's log made of raw batches, below everything that writes one: for places that no writer leaves. */
import { readBatchHeader } from '../../src/codec/record-batch.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { LogState } from '../../src/storage/log-state.ts'
import { PartitionLog } from '../../src/storage/partition-log.ts'
import { Segment } from '../../src/storage/segment.ts'
import type { SegmentContext } from '../../src/storage/segment-context.ts'
import { segmentFileName, type SegmentSuffix, type SwapSuffix } from '../../src/storage/segment-name.ts'
import { SegmentPool } from '../../src/storage/segment-pool.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { putFile } from './logs.ts'
import { rawBatch, rawRecord, type RawBatch } from './raw-batch.ts'

export const PARTITION = '/log/t-0'

export function fileOf(baseOffset: number, suffix: SegmentSuffix = '.log', swap: SwapSuffix = ''): string {
  return `${PARTITION}/${segmentFileName(baseOffset, suffix, swap)}`
}

/** A whole batch of small records from an offset on; `padding` bytes are added to the last one. */
export function batchAt(
  baseOffset: number,
  fields: RawBatch & { keys?: string[]; padding?: number; isTombstone?: boolean } = {},
): Buffer {
  const { recordCount = 1, padding = 0, keys, isTombstone = false, ...rest } = fields
  const records = Array.from({ length: recordCount }, (_, i) => {
    const key = keys?.[i] ?? `key ${baseOffset + i}`
    if (isTombstone) return rawRecord([0], 0, i, key.length, key, -1, 0)
    const value = i === recordCount - 1 ? Buffer.alloc(padding + 1, 'v') : Buffer.from('v')
    return rawRecord([0], 0, i, key.length, key, value.length, value, 0)
  })
  return rawBatch(Buffer.concat(records), { baseOffset, recordCount, ...rest })
}

export function contextOn(storage: Storage, changes: Partial<SegmentContext> = {}): SegmentContext {
  const pool = new SegmentPool()
  const own = { storage, directory: PARTITION, pool, readOnly: false }
  return { ...own, indexIntervalBytes: () => 4096, monotonicMs: () => 0, ...changes }
}

/**
 * A log of these segments, each given by its batches; one that is empty needs its base offset.
 *
 * @param changes what the log believes of itself, and what its segments share
 */
export async function storedLog(
  parts: (Buffer[] | number)[],
  changes: Partial<LogState & SegmentContext> & { storage?: Storage } = {},
): Promise<{ storage: Storage; context: SegmentContext; log: PartitionLog }> {
  const { storage = new MemoryStorage(), indexIntervalBytes = () => 4096, readOnly = false, ...state } = changes
  const context = contextOn(storage, { indexIntervalBytes, readOnly })
  const segments: Segment[] = []
  let end = 0
  for (const part of parts) {
    const batches = typeof part === 'number' ? [] : part
    const baseOffset = typeof part === 'number' ? part : readBatchHeader(part[0], 0).baseOffset
    await putFile(storage, fileOf(baseOffset), Buffer.concat(batches))
    segments.push(new Segment(context, baseOffset, Buffer.concat(batches).length))
    end = batches.length === 0 ? Math.max(end, baseOffset) : readBatchHeader(batches.at(-1)!, 0).lastOffset + 1
  }
  const config = () => ({ segmentBytes: 2 ** 30, segmentMs: Infinity, indexIntervalBytes: indexIntervalBytes() })
  const log = new PartitionLog(context, config, {
    segments,
    logStartOffset: segments[0].baseOffset,
    logEndOffset: end,
    contentEndOffset: end,
    leaderEpoch: 0,
    epochs: [],
    sparse: false,
    cleanedOffset: 0,
    exchanges: 0,
    rollFirst: false,
    ...state,
  })
  return { storage, context, log }
}
