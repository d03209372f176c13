import {
  batchSizeAt,
  BATCH_HEADER_BYTES,
  findBatchFault,
  findHeaderFault,
  readBatchHeader,
  type BatchFault,
  type BatchHeader,
} from '../codec/record-batch.ts'
import { storageError, systemErrorCode, VarveError } from '../errors.ts'
import { MAX_BATCH_BYTES, scanBatches, startsWithOldMessage } from './batch-scanner.ts'
import { findCredibleBatch, isInPlace, locateBatch, type DamagedFile } from './damage.ts'
import type { PartitionLog } from './partition-log.ts'
import type { LookedUp, Segment } from './segment.ts'
import type { StorageFile } from './storage.ts'

/**
 * Whole batches as they stand in one segment, checksums not yet verified.
 *
 * `bytes[0, length)` are batches whose headers are in order; when `fault` is not null, what follows them is damage.
 * A slice of length 0 without a fault means that there is nothing before the end offset.
 */
export interface LogSlice {
  segment: Segment
  /** Byte position of `bytes[0]` in the segment's file. */
  position: number
  bytes: Buffer
  length: number
  /** The offset after the last batch: where to read on. */
  nextOffset: number
  fault: BatchFault | 'place' | null
}

/** Gives a buffer of so many bytes, with anything in it. */
export type Allocate = (bytes: number) => Buffer

/** A batch to start from, and the offset that it begins with. */
interface StartingPlace {
  position: number
  offset: number
}

/** Index entries that are nearer to one another may have batches between them. */
const MIN_EXACT_BYTES = 8 * 1024
/** Of what the index says to read at once for a look-up: more is skipped over by headers. */
const MAX_LOOKUP_BYTES = 64 * 1024

/** Of a read in one segment: only batches before `end` are wanted, and all of the segment's are before `limit`. */
interface OffsetBounds {
  end: number
  limit: number
}

/** A batch's place is wrong where its offsets or its epoch do not fit what surrounds it. */
type WalkFault = BatchFault | 'place' | null

/** Finds and reads batches by offset and by timestamp. Holds no state. */
export class LogReader {
  constructor(private readonly log: PartitionLog) {}

  /**
   * Reads whole batches, starting with the one that contains `offset`, or else the next one after it.
   *
   * At most `maxBytes`, but always at least one batch, so a batch larger than that cannot stall a reader. Empty when
   * there is none before `endOffset`. The first batch may begin before `offset`; whoever decodes skips to it.
   *
   * @param offset   in [logStartOffset, endOffset]
   * @param previous the slice that ended at `offset`, which saves the look-up
   * @param allocate makes the buffers that are read into, and that the slice then holds
   */
  async read(
    offset: number,
    maxBytes: number,
    endOffset: number,
    previous?: LogSlice,
    allocate: Allocate = (bytes) => Buffer.allocUnsafeSlow(bytes),
  ): Promise<LogSlice> {
    // as it is now: what is appended meanwhile may stand behind offsets that were reserved and never used
    const { segments, contentEndOffset } = this.log
    let index = previous === undefined ? -1 : segments.indexOf(previous.segment)
    let position = previous === undefined ? 0 : previous.position + previous.length
    if (index < 0) {
      index = Math.max(
        segments.findLastIndex((segment) => segment.baseOffset <= offset),
        0,
      )
      position = -1
    }
    for (; ; index++, position = 0) {
      const segment = segments[index]
      const limit = segments[index + 1]?.baseOffset ?? Infinity
      try {
        const slice = await this.readSegment(segment, position, offset, maxBytes, { end: endOffset, limit }, allocate)
        if (slice.length > 0 || slice.fault !== null || slice.nextOffset >= endOffset) return slice
        if (index + 1 < segments.length) continue
        // offsets that were reserved and never used end the log; any others should be here
        if (slice.nextOffset < Math.min(contentEndOffset, endOffset)) return { ...slice, fault: 'incomplete' }
        // a log that lags behind, in a reader beside the writer, ends where it ends
        return { ...slice, nextOffset: Math.min(endOffset, this.log.logEndOffset) }
      } catch (error) {
        // what is wanted is in the segment that compaction has put in its place meanwhile
        if (segment.isExchanged && offset >= this.log.logStartOffset)
          return this.read(offset, maxBytes, endOffset, undefined, allocate)
        if (isMissing(error) && this.log.segments.includes(segment)) throw this.missing(segment, offset, error)
        throw storageError(error, `read '${segment.path}'`, { path: segment.path, offset })
      }
    }
  }

  private missing(segment: Segment, offset: number, cause: unknown): VarveError {
    const nextOffset = this.following(segment)?.baseOffset ?? this.log.logEndOffset
    const from = Math.max(offset, segment.baseOffset)
    const message =
      `'${segment.path}' is missing: offsets ${from} to ${nextOffset - 1} cannot be read; ` +
      `read on from ${nextOffset}, or restore the file from a copy`
    const details = { path: segment.path, position: 0, offset: from, nextOffset }
    return new VarveError('CORRUPT_MESSAGE', message, { details, cause })
  }

  /** The segment behind one that may have been taken out of the log meanwhile. */
  private following({ baseOffset }: Segment): Segment | undefined {
    return this.log.segments.find((segment) => segment.baseOffset > baseOffset)
  }

  /** @param start position to read on from, or -1 to look it up */
  private async readSegment(
    segment: Segment,
    start: number,
    offset: number,
    maxBytes: number,
    bounds: OffsetBounds,
    allocate: Allocate,
  ): Promise<LogSlice> {
    // batches before the wanted one are passed over by what their headers say
    let isSeeking = start < 0
    let entry = isSeeking ? await segment.lookup(offset) : null
    const exact = entry === null ? null : await this.readExactly(segment, entry, offset, bounds, allocate)
    if (exact !== null) return exact
    let from: StartingPlace = {
      position: entry?.position ?? start,
      offset: entry === null ? offset : segment.baseOffset,
    }
    let { position, offset: expected } = from
    let wanted = Math.max(maxBytes, BATCH_HEADER_BYTES)
    if (entry !== null) wanted = Math.max(wanted, Math.min(entry.endPosition - position, MAX_LOOKUP_BYTES))
    for (;;) {
      const end = segment.sizeBytes
      const bytes = allocate(Math.max(Math.min(wanted, end - position), 0))
      const available = await segment.read(bytes, position)
      if (entry !== null && entry.position > 0) {
        // one read for both: the batch that proves the entry, and the one that is wanted
        const named = batchNamed(entry, bytes, available)
        from = named === null ? await this.lookUp(segment, offset) : { position, offset: named.baseOffset }
        ;({ position, offset: expected } = from)
        entry = null
        if (named === null) continue
        if (named.lastOffset < offset && named.sizeBytes > available && position + named.sizeBytes < end) {
          position += named.sizeBytes
          expected = named.lastOffset + 1
          continue
        }
      }
      // the file may be shorter than it should be
      const fileHasMore = available === bytes.length && position + available < end
      const found = this.walk(bytes, available, expected, offset, bounds)
      // what is gone may be all that tells of the offsets before the next segment's
      const isCut = available < bytes.length && found.fault === null && !found.atEnd
      if (isCut && found.expected < bounds.end) found.fault = 'incomplete'
      const slice = (from: number, to: number): LogSlice => ({
        segment,
        position: position + from,
        bytes: from === 0 ? bytes : bytes.subarray(from),
        length: to - from,
        nextOffset: found.nextOffset,
        // a chunk may well end inside a batch: that is damage only where the file ends too
        fault: found.fault === 'incomplete' && fileHasMore ? null : found.fault,
      })
      const isDoubtful = isSeeking && found.end > found.start && findBatchFault(bytes, found.start, available) !== null
      if (found.end > found.start && !isDoubtful) return slice(found.start, found.end)
      if (found.atEnd) return slice(found.end, found.end)
      if (found.fault === 'incomplete' && !isDoubtful) {
        // the chunk ends inside a batch: go on there, with room for the whole of it
        const rest = available - found.end
        const needed = rest < BATCH_HEADER_BYTES ? BATCH_HEADER_BYTES : batchSizeAt(bytes, found.end)
        if (fileHasMore && position + found.end + needed <= end && needed <= MAX_BATCH_BYTES) {
          position += found.end
          expected = found.expected
          wanted = Math.max(maxBytes, needed)
          continue
        }
      }
      // a length that is wrong may lead to the very end, past the wanted batch
      const isPassed = isSeeking && !fileHasMore && found.expected <= offset && offset < this.limitOf(segment)
      if (found.fault === null && !isDoubtful && !isPassed) {
        if (!fileHasMore) return slice(found.end, found.end)
        position += found.end
        expected = found.expected
        continue
      }
      if (!isSeeking) return slice(found.end, found.end)
      // damage before the wanted offset is none of this reader's business: find the way around it
      const place = await this.inspect(segment, (damaged) => locateBatch(damaged, from, offset, this.log))
      position = place.position
      expected = place.offset
      isSeeking = false
      if (place.fault === null) continue
      return { segment, position, bytes, length: 0, nextOffset: offset, fault: place.fault }
    }
  }

  /**
   * Just the batch that holds `offset`, where batches are so large that each has an index entry: the next entry names it by
   * its last offset. Null where that is not so, or where anything is wrong: then the batches before it have to tell.
   */
  private async readExactly(
    segment: Segment,
    { offset: before, position: start, following, endPosition }: LookedUp,
    offset: number,
    { end, limit }: OffsetBounds,
    allocate: Allocate,
  ): Promise<LogSlice | null> {
    if (following === null || before === offset || following.position - start < MIN_EXACT_BYTES) return null
    const { position } = following
    const size = Math.min(endPosition, segment.sizeBytes) - position
    if (size > MAX_LOOKUP_BYTES) return null
    const bytes = allocate(size)
    const available = await segment.read(bytes, position)
    const header = batchNamed(following, bytes, available)
    if (header === null || header.baseOffset > offset || header.baseOffset >= end || header.lastOffset >= limit)
      return null
    if (header.sizeBytes > available || !isInPlace(header, header.baseOffset, this.log)) return null
    if (findBatchFault(bytes, 0, available) !== null) return null
    return { segment, position, bytes, length: header.sizeBytes, nextOffset: header.lastOffset + 1, fault: null }
  }

  /** Where to start looking for `offset`, and which offset the batch there begins with; mends the index if need be. */
  private async lookUp(segment: Segment, offset: number): Promise<StartingPlace> {
    const start: StartingPlace = { position: 0, offset: segment.baseOffset }
    for (let isRepaired = false; ; isRepaired = true) {
      const entry = await segment.lookup(offset)
      if (entry.position === 0) return start
      const bytes = Buffer.alloc(BATCH_HEADER_BYTES)
      const length = await segment.read(bytes, entry.position)
      const named = batchNamed(entry, bytes, length)
      if (named !== null) return { position: entry.position, offset: named.baseOffset }
      // the index is wrong, or the batch that it names is damaged
      if (isRepaired) return start
      await segment.repairIndexes()
    }
  }

  /** Looks into a segment that is not as it should be. */
  private inspect<T>(segment: Segment, action: (damaged: DamagedFile) => Promise<T>): Promise<T> {
    return segment.inspect((file) => action({ file, sizeBytes: segment.sizeBytes, limit: this.limitOf(segment) }))
  }

  /** All offsets in a segment are below it. */
  private limitOf(segment: Segment): number {
    return this.following(segment)?.baseOffset ?? this.log.contentEndOffset
  }

  /** Goes over the headers in a chunk: `[start, end)` are the whole batches wanted, then `fault` or the end. */
  private walk(bytes: Buffer, available: number, expected: number, offset: number, { end, limit }: OffsetBounds) {
    let at = 0
    let start = -1
    let fault: WalkFault = null
    let atEnd = false
    while (at < available) {
      fault = findHeaderFault(bytes, at, available)
      if (fault !== null) break
      const header = readBatchHeader(bytes, at)
      if (!isInPlace(header, expected, this.log) || header.lastOffset >= limit) {
        fault = 'place'
        break
      }
      if (header.baseOffset >= end) {
        atEnd = true
        break
      }
      if (at + header.sizeBytes > available) {
        fault = 'incomplete'
        break
      }
      if (start < 0 && header.lastOffset >= offset) start = at
      at += header.sizeBytes
      expected = header.lastOffset + 1
    }
    const isEmpty = start < 0
    return {
      start: isEmpty ? at : start,
      end: at,
      /** The offset that the batch after them begins with. */
      expected,
      nextOffset: isEmpty ? (atEnd ? end : offset) : expected,
      fault,
      atEnd,
    }
  }

  /**
   * The first offset whose record's timestamp is at or after `timestamp`, or null when there is none before `endOffset`.
   * Records need not be in the order of their timestamps.
   */
  async offsetForTimestamp(timestamp: number, endOffset: number): Promise<number | null> {
    for (const segment of this.log.segments) {
      if (segment.baseOffset >= endOffset) break
      try {
        if (segment !== this.log.active && (await segment.greatestTimestamp()) < timestamp) continue
        const found = await this.findTimestamp(segment, timestamp, endOffset)
        if (found !== null) return Math.max(found, this.log.logStartOffset)
      } catch (error) {
        if (segment.isExchanged) return this.offsetForTimestamp(timestamp, endOffset)
        // retention may have taken the segment in the meantime: what it held is none of the log's any more
        if (!this.log.segments.includes(segment)) continue
        // what it held may be what is wanted: whoever reads on is told
        if (isMissing(error)) return Math.max(segment.baseOffset, this.log.logStartOffset)
        throw storageError(error, `read '${segment.path}'`, { path: segment.path })
      }
    }
    return null
  }

  /**
   * Base offset of the first batch of `segment` that reaches `timestamp`: the record itself is for a decoder to find. Where
   * damage comes first, its place: what stands there may be the record, so whoever reads on is told.
   */
  private async findTimestamp(segment: Segment, timestamp: number, endOffset: number): Promise<number | null> {
    const entry = await segment.lookupTimestamp(timestamp)
    const from = entry === null ? { position: 0, offset: segment.baseOffset } : await this.lookUp(segment, entry.offset)
    let trusted = entry === null
    let found: number | null = null
    let next = from.offset
    const visit = ({ header }: { header: BatchHeader }): BatchFault | null => {
      if (!isInPlace(header, next, this.log)) return 'offset'
      // a wrong entry in the time index would lead past the record: it must name a batch that is there
      if (!trusted && header.lastOffset >= entry!.offset) {
        trusted = header.baseOffset <= entry!.offset && header.maxTimestamp === entry!.timestamp
      }
      next = header.lastOffset + 1
      if (header.baseOffset >= endOffset) return 'offset'
      if (header.maxTimestamp < timestamp || header.lastOffset < this.log.logStartOffset) return null
      found = header.baseOffset
      return 'offset'
    }
    const walk = (position: number) =>
      segment.inspect((file) => scanBatches(file, position, segment.sizeBytes, 'checksum', visit))
    let { fault } = await walk(from.position)
    if (!trusted) {
      await segment.repairIndexes()
      trusted = true
      found = null
      next = segment.baseOffset
      fault = (await walk(0)).fault
    }
    // a file that is cut short, or another's, may end without a fault
    const limit = this.limitOf(segment)
    const isLost = fault !== null || (next < limit && !this.log.mayStartAfterGap(limit, next))
    return found ?? (isLost && next < endOffset ? next : null)
  }

  /**
   * Names the damage at `slice.bytes[at]`: the file, the position, and the offsets that cannot be read.
   *
   * @param offset the first offset that is missing
   */
  async corruption(slice: LogSlice, at: number, offset: number, reason: string): Promise<VarveError> {
    const { segment } = slice
    const position = slice.position + at
    const next = await this.inspect(segment, (damaged) => findCredibleBatch(damaged, position, offset, this.log))
    const nextOffset = next?.header.baseOffset ?? this.following(segment)?.baseOffset ?? this.log.logEndOffset
    const startsWithOld = (file: StorageFile) => startsWithOldMessage(file, position, segment.sizeBytes)
    const isOld = reason === 'old format' && (await segment.inspect(startsWithOld))
    const what = isOld ? 'is in a format older than RecordBatch v2' : `is damaged (${reason})`
    const isGap = nextOffset > offset
    const lost = isGap ? `offsets ${offset} to ${nextOffset - 1} cannot be read` : `none before ${offset} is lost by it`
    const message =
      `'${segment.path}' ${what} at byte ${position}: ${lost}; ` +
      `read on from ${nextOffset}, or restore the file from a copy`
    const code = isOld ? 'UNSUPPORTED_FOR_MESSAGE_FORMAT' : 'CORRUPT_MESSAGE'
    return new VarveError(code, message, { details: { path: segment.path, position, offset, nextOffset } })
  }
}

function isMissing(error: unknown): boolean {
  return systemErrorCode(error) === 'ENOENT'
}

/** The batch that an entry of an index names, if it stands at the start of `bytes`. */
function batchNamed(entry: { offset: number }, bytes: Buffer, available: number): BatchHeader | null {
  if (findHeaderFault(bytes, 0, available) !== null) return null
  const header = readBatchHeader(bytes, 0)
  return header.lastOffset === entry.offset ? header : null
}
