import {
  BATCH_HEADER_BYTES,
  findBatchFault,
  findHeaderFault,
  readBatchHeader,
  type BatchFault,
  type BatchHeader,
} from '../codec/record-batch.ts'
import { findBatchAfterDamage, MAX_BATCH_BYTES, type ScannedBatch } from './batch-scanner.ts'
import { readFully, type StorageFile } from './storage.ts'

/**
 * The ways around damage, slow and exact: used only where the quick way has met something that is not as it should be.
 *
 * A batch's offset, length and leader epoch lie outside its checksum. So a whole batch may still be damaged, and is
 * believed only where it fits what stands around it.
 */

/** What a log knows of its batches beside their own bytes. */
export interface BatchKnowledge {
  /** Whether a batch may start at `offset`, although the one before it ended at `end`. */
  mayStartAfterGap(offset: number, end: number): boolean
  /** The leader epoch that a batch at `offset` must carry, or null where it is not known. */
  epochAt(offset: number): number | null
}

/** A segment's file, the bytes that count, and the offset after its last batch. */
export interface DamagedFile {
  file: StorageFile
  sizeBytes: number
  limit: number
}

export interface BatchPlace {
  position: number
  header: BatchHeader
}

/** Whether a batch stands where its offset and its epoch say, when the one before it ended at `expected`. */
export function isInPlace({ baseOffset, leaderEpoch }: BatchHeader, expected: number, known: BatchKnowledge): boolean {
  if (baseOffset !== expected && !(baseOffset > expected && known.mayStartAfterGap(baseOffset, expected))) return false
  const epoch = known.epochAt(baseOffset)
  return epoch === null || epoch === leaderEpoch
}

/**
 * Finds the batch that holds `offset`, or the next one after it, checking every batch on the way.
 *
 * @param from a place to begin: a batch boundary, and the offset there
 * @returns its position, and what is wrong where damage stands in its place
 */
export async function locateBatch(
  damaged: DamagedFile,
  from: { position: number; offset: number },
  offset: number,
  known: BatchKnowledge,
): Promise<{ position: number; offset: number; fault: BatchFault | 'place' | null }> {
  let { position, offset: expected } = from
  while (position < damaged.sizeBytes) {
    const { header, fault } = await checkBatch(damaged, position)
    if (header !== null && header.lastOffset < damaged.limit && isInPlace(header, expected, known)) {
      if (header.lastOffset >= offset) return { position, offset: header.baseOffset, fault: null }
      position += header.sizeBytes
      expected = header.lastOffset + 1
      continue
    }
    const next = await findCredibleBatch(damaged, position, expected, known)
    if (next === null || next.header.baseOffset > offset) return { position, offset, fault: fault ?? 'place' }
    position = next.position
    expected = next.header.baseOffset
  }
  return { position, offset: expected, fault: null }
}

/**
 * Finds where reading can go on behind the damage at `position`: the next whole batch of an offset from `min` on that
 * fits what follows it.
 *
 * @param min the first offset that is missing
 */
export async function findCredibleBatch(
  damaged: DamagedFile,
  position: number,
  min: number,
  known: BatchKnowledge,
): Promise<BatchPlace | null> {
  const { file, sizeBytes } = damaged
  const { header } = await checkBatch(damaged, position)
  let candidate = header === null ? await findBatchAfterDamage(file, position, sizeBytes, 0) : { position, header }
  while (candidate !== null) {
    // the first one is out of place itself: only a follower that goes on exactly where it ends speaks for it
    if (await isCredible(damaged, candidate, min, known, candidate.position > position)) return candidate
    candidate = await findBatchAfterDamage(file, candidate.position, sizeBytes, 0)
  }
  return null
}

async function isCredible(
  { file, sizeBytes, limit }: DamagedFile,
  { position, header }: BatchPlace,
  min: number,
  known: BatchKnowledge,
  isBehind: boolean,
): Promise<boolean> {
  if (header.baseOffset < min || header.lastOffset >= limit) return false
  const epoch = known.epochAt(header.baseOffset)
  if (epoch !== null && epoch !== header.leaderEpoch) return false
  const next = header.lastOffset + 1
  const mayFollow = (offset: number) =>
    offset === next || (offset > next && isBehind && known.mayStartAfterGap(offset, next))
  const end = position + header.sizeBytes
  // one that goes on where the last one ended, but not to what follows, may have lost the offset that it had
  if (end >= sizeBytes) return mayFollow(limit)
  const follower = await readHead(file, end)
  return follower === null ? isBehind || header.baseOffset === min : mayFollow(follower.baseOffset)
}

/**
 * Whether a batch that does not simply go on where the one before it ended (a gap, a later epoch) fits the batch after it:
 * for a log of which nothing is known but its files.
 *
 * @returns undefined when what follows is not in the chunk: see {@link fitsFollower}
 */
export function fitsFollowerInChunk({ header, bytes, at, length }: ScannedBatch): boolean | undefined {
  const end = at + header.sizeBytes
  if (end + BATCH_HEADER_BYTES > length) return undefined
  return findHeaderFault(bytes, end, length) !== null || precedes(header, readBatchHeader(bytes, end))
}

/** As {@link fitsFollowerInChunk}, reading what follows from the file, or else from the next segment's, if there is one. */
export async function fitsFollower(file: StorageFile, position: number, next: StorageFile | null): Promise<boolean> {
  const header = await readHead(file, position)
  if (header === null) return false
  const end = position + header.sizeBytes
  const isLast = next !== null && end >= (await file.size())
  const follower = await (isLast ? readHead(next, 0) : readHead(file, end))
  return follower === null || precedes(header, follower)
}

function precedes(batch: BatchHeader, follower: BatchHeader): boolean {
  const { leaderEpoch } = follower
  return batch.lastOffset < follower.baseOffset && (batch.leaderEpoch <= leaderEpoch || leaderEpoch < 0)
}

/** The batch at a position; `header` is null where no whole valid one begins there. */
async function checkBatch(
  { file, sizeBytes }: DamagedFile,
  position: number,
): Promise<{ header: BatchHeader | null; fault: BatchFault | null }> {
  const head = Buffer.alloc(BATCH_HEADER_BYTES)
  const headFault = findHeaderFault(head, 0, await readFully(file, head, position))
  if (headFault !== null) return { header: null, fault: headFault }
  const header = readBatchHeader(head, 0)
  if (position + header.sizeBytes > sizeBytes || header.sizeBytes > MAX_BATCH_BYTES) {
    return { header: null, fault: 'incomplete' }
  }
  const bytes = Buffer.allocUnsafeSlow(header.sizeBytes)
  const fault = findBatchFault(bytes, 0, await readFully(file, bytes, position))
  return { header: fault === null ? header : null, fault }
}

async function readHead(file: StorageFile, position: number): Promise<BatchHeader | null> {
  const bytes = Buffer.alloc(BATCH_HEADER_BYTES)
  const length = await readFully(file, bytes, position)
  return findHeaderFault(bytes, 0, length) === null ? readBatchHeader(bytes, 0) : null
}
