import { isOldMessage } from '../codec/old-message.ts'
import {
  BATCH_HEADER_BYTES,
  batchSizeAt,
  findBatchFault,
  findHeaderFault,
  MAX_RECORDS_BYTES,
  readBatchHeader,
  type BatchFault,
  type BatchHeader,
} from '../codec/record-batch.ts'
import { readFully, type StorageFile } from './storage.ts'

const CHUNK_BYTES = 1024 * 1024
/** Of a batch and of an old message alike. */
const OFFSET_AND_SIZE_BYTES = 8 + 4
/** No batch is taken for real beyond this, to which compression may swell: a length field that claims more is damage. */
export const MAX_BATCH_BYTES = MAX_RECORDS_BYTES + MAX_RECORDS_BYTES / 4

/** A batch found by a scan; `bytes` and `at` are valid until the next chunk is asked for. */
export interface ScannedBatch {
  header: BatchHeader
  /** Byte position in the file. */
  position: number
  bytes: Buffer
  /** Position of the batch in `bytes`. */
  at: number
  /** End of what was read into `bytes`. */
  length: number
}

/** Where a scan ended: at the end of the range (`fault` null) or at the first batch that is not valid. */
export interface ScanEnd {
  position: number
  fault: BatchFault | null
}

/**
 * Walks the batches of a file, chunk by chunk, until one is not valid or `end` is reached.
 *
 * @param check `'checksum'`: every byte of every batch; `'header'`: lengths, magic and offsets only
 * @param visit called for each batch in order; returning a fault ends the scan there
 */
export async function scanBatches(
  file: StorageFile,
  start: number,
  end: number,
  check: 'checksum' | 'header',
  visit: (batch: ScannedBatch) => BatchFault | null | void,
): Promise<ScanEnd> {
  let chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, Math.max(end - start, 0)))
  let position = start
  while (position < end) {
    const length = await readFully(file, chunk.subarray(0, Math.min(chunk.length, end - position)), position)
    let at = 0
    while (at < length) {
      const fault = check === 'checksum' ? findBatchFault(chunk, at, length) : findSizeFault(chunk, at, length)
      if (fault !== null) {
        if (fault === 'incomplete') break
        return { position: position + at, fault }
      }
      const header = readBatchHeader(chunk, at)
      const refusal = visit({ header, position: position + at, bytes: chunk, at, length })
      if (refusal) return { position: position + at, fault: refusal }
      at += header.sizeBytes
    }
    position += at
    if (at > 0) continue
    // not one whole batch: either the file ends inside it, or it is larger than the chunk
    const needed = length < BATCH_HEADER_BYTES ? Infinity : batchSizeAt(chunk, 0)
    if (position + needed > end || needed <= chunk.length) return { position, fault: 'incomplete' }
    if (needed > MAX_BATCH_BYTES) return { position, fault: 'length' }
    chunk = Buffer.allocUnsafeSlow(needed)
  }
  return { position, fault: null }
}

function findSizeFault(bytes: Buffer, at: number, end: number): BatchFault | null {
  const fault = findHeaderFault(bytes, at, end)
  return fault === null && at + batchSizeAt(bytes, at) > end ? 'incomplete' : fault
}

/**
 * Looks for the next whole valid batch at or after `start`, to find where damage ends.
 *
 * @returns its place and header, or null when there is none before `end`
 */
export async function findNextBatch(
  file: StorageFile,
  start: number,
  end: number,
  minOffset: number,
): Promise<{ position: number; header: BatchHeader } | null> {
  const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, Math.max(end - start, 0)))
  for (let position = start; position + BATCH_HEADER_BYTES <= end;) {
    const length = await readFully(file, chunk.subarray(0, Math.min(chunk.length, end - position)), position)
    const last = length - BATCH_HEADER_BYTES
    if (last < 0) return null
    for (let at = chunk.indexOf(2, 16) - 16; at >= 0 && at <= last; at = chunk.indexOf(2, at + 17) - 16) {
      if (findHeaderFault(chunk, at, length) !== null) continue
      const header = readBatchHeader(chunk, at)
      if (header.baseOffset < minOffset || header.recordCount < 0) continue
      if (position + at + header.sizeBytes > end || header.sizeBytes > MAX_BATCH_BYTES) continue
      const whole = await readBatch(file, position + at, header.sizeBytes)
      if (findBatchFault(whole, 0, whole.length) === null) return { position: position + at, header }
    }
    position += Math.max(last + 1, 1)
  }
  return null
}

/**
 * Looks for where reading can go on after the batch at `start`, which is damaged: at the end that its own length claims,
 * where a valid batch begins there or the file ends, or else at the next one that can be found. Before such an end only
 * batches count that lead up to it without a gap, as they do where a length that is wrong has passed over them: one that
 * stands inside a damaged record's value does not, for something of that record always follows.
 */
export async function findBatchAfterDamage(
  file: StorageFile,
  start: number,
  end: number,
  minOffset: number,
): Promise<{ position: number; header: BatchHeader } | null> {
  for (let position = start; ;) {
    const claimed = position + (await claimedSize(file, position))
    const follower = claimed < end ? await wholeBatchAt(file, claimed, end) : null
    if (claimed !== end && follower === null) return findNextBatch(file, position + 1, end, minOffset)
    for (let from = position + 1; ;) {
      const found = await findNextBatch(file, from, claimed, minOffset)
      if (found === null) break
      from = await endOfRow(file, found, claimed)
      if (from === claimed) return found
    }
    if (follower === null) return null
    if (follower.baseOffset >= minOffset) return { position: claimed, header: follower }
    position = claimed
  }
}

/** How many bytes the batch at a position says that it has; 0 where it cannot be so many. */
async function claimedSize(file: StorageFile, position: number): Promise<number> {
  const head = await readBatch(file, position, OFFSET_AND_SIZE_BYTES)
  const size = head.length < OFFSET_AND_SIZE_BYTES ? 0 : batchSizeAt(head, 0)
  return size < BATCH_HEADER_BYTES || size > MAX_BATCH_BYTES ? 0 : size
}

/** The header of the batch at a position, if a whole valid one is there. */
async function wholeBatchAt(file: StorageFile, position: number, end: number): Promise<BatchHeader | null> {
  const head = await readBatch(file, position, BATCH_HEADER_BYTES)
  if (findHeaderFault(head, 0, head.length) !== null) return null
  const header = readBatchHeader(head, 0)
  if (position + header.sizeBytes > end || header.sizeBytes > MAX_BATCH_BYTES) return null
  const whole = await readBatch(file, position, header.sizeBytes)
  return findBatchFault(whole, 0, whole.length) === null ? header : null
}

/** Where the batches end that follow one another from `first` on, at `end` at the latest. */
async function endOfRow(
  file: StorageFile,
  first: { position: number; header: BatchHeader },
  end: number,
): Promise<number> {
  for (let position = first.position + first.header.sizeBytes; position < end;) {
    const head = await readBatch(file, position, BATCH_HEADER_BYTES)
    if (findHeaderFault(head, 0, head.length) !== null) return position
    const next = position + batchSizeAt(head, 0)
    if (next > end) return position
    position = next
  }
  return end
}

async function readBatch(file: StorageFile, position: number, sizeBytes: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes)
  return bytes.subarray(0, await readFully(file, bytes, position))
}

/** Whether a message of a format before RecordBatch v2 stands there, whole, and not a batch whose format byte is damaged. */
export async function startsWithOldMessage(file: StorageFile, position: number, endPosition: number): Promise<boolean> {
  const head = Buffer.alloc(OFFSET_AND_SIZE_BYTES)
  if ((await readFully(file, head, position)) < head.length) return false
  const sizeBytes = batchSizeAt(head, 0)
  if (sizeBytes < head.length || sizeBytes > Math.min(endPosition - position, MAX_BATCH_BYTES)) return false
  const message = Buffer.alloc(sizeBytes)
  return isOldMessage(message.subarray(0, await readFully(file, message, position)))
}
