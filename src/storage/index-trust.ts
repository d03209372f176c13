import { BATCH_HEADER_BYTES, findHeaderFault, readBatchHeader } from '../codec/record-batch.ts'
import { scanBatches } from './batch-scanner.ts'
import type { OffsetIndex, OffsetPosition } from './offset-index.ts'
import { readFully, type StorageFile } from './storage.ts'
import type { TimeIndex } from './time-index.ts'

/** Whether the batch that an entry of an offset index names stands where it says. */
export async function namesBatch(log: StorageFile, entry: OffsetPosition): Promise<boolean> {
  const bytes = Buffer.alloc(BATCH_HEADER_BYTES)
  const length = await readFully(log, bytes, entry.position)
  return findHeaderFault(bytes, 0, length) === null && readBatchHeader(bytes, 0).lastOffset === entry.offset
}

/**
 * Whether the batch that the last entry of a time index names is there and has that timestamp. What a segment's greatest
 * timestamp is hangs on this entry alone: by it retention deletes and a look-up passes over the whole segment.
 */
export async function endsTruly(
  log: StorageFile,
  sizeBytes: number,
  offsetIndex: OffsetIndex,
  timeIndex: TimeIndex,
): Promise<boolean> {
  const last = timeIndex.last()
  if (last === null) return true
  let found = false
  await scanBatches(log, offsetIndex.lookup(last.offset).position, sizeBytes, 'header', ({ header }) => {
    if (header.lastOffset < last.offset) return null
    found = header.baseOffset <= last.offset && header.maxTimestamp === last.timestamp
    return 'offset'
  })
  return found
}
