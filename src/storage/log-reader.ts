import {
  batchSizeAt,
  BATCH_HEADER_BYTES,
  findBatchFault,
  findHeaderFault,
  readBatchHeader,
  type BatchFault,
  type BatchHeader,
} from '../codec/record-batch.ts'
import { storageError, VarveError } from '../errors.ts'
import { MAX_BATCH_BYTES } from './batch-scanner.ts'
import type { PartitionLog } from './partition-log.ts'
import type { Segment } from './segment.ts'

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
   */
  async read(offset: number, maxBytes: number, endOffset: number, previous?: LogSlice): Promise<LogSlice> {
    const { segments } = this.log
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
      try {
        const slice = await this.readSegment(segment, position, offset, maxBytes, endOffset)
        if (slice.length > 0 || slice.fault !== null || slice.nextOffset >= endOffset) return slice
        if (index + 1 < segments.length) continue
        // offsets that were reserved and never used end the log; any others should be here
        if (slice.nextOffset < Math.min(this.log.contentEndOffset, endOffset)) return { ...slice, fault: 'incomplete' }
        return { ...slice, nextOffset: endOffset }
      } catch (error) {
        throw storageError(error, `read '${segment.path}'`, { path: segment.path, offset })
      }
    }
  }

  /** @param start position to read on from, or -1 to look it up */
  private async readSegment(
    segment: Segment,
    start: number,
    offset: number,
    maxBytes: number,
    endOffset: number,
  ): Promise<LogSlice> {
    let position = Math.max(start, 0)
    if (start < 0) {
      const entry = await segment.lookup(offset)
      position = entry.position
      if (position > 0 && !(await this.startsBatch(segment, entry))) {
        await segment.repairIndexes(true)
        position = (await segment.lookup(offset)).position
      }
    }
    let wanted = Math.max(maxBytes, BATCH_HEADER_BYTES)
    for (;;) {
      const end = segment.sizeBytes
      const bytes = Buffer.allocUnsafeSlow(Math.max(Math.min(wanted, end - position), 0))
      const available = await segment.read(bytes, position)
      const found = this.walk(bytes, available, offset, endOffset)
      const slice = (from: number, to: number): LogSlice => ({
        segment,
        position: position + from,
        bytes: from === 0 ? bytes : bytes.subarray(from),
        length: to - from,
        nextOffset: found.nextOffset,
        // a chunk may well end inside a batch: that is damage only where the file ends too
        fault: found.fault === 'incomplete' && position + available < end ? null : found.fault,
      })
      if (found.end > found.start) return slice(found.start, found.end)
      if (found.atEnd) return slice(found.end, found.end)
      if (found.fault === 'incomplete') {
        // the chunk ends inside a batch: go on there, with room for the whole of it
        const rest = available - found.end
        const needed = rest < BATCH_HEADER_BYTES ? BATCH_HEADER_BYTES : batchSizeAt(bytes, found.end)
        const fileHasMore = position + available < end
        if (fileHasMore && position + found.end + needed <= end && needed <= MAX_BATCH_BYTES) {
          position += found.end
          wanted = Math.max(maxBytes, needed)
          continue
        }
      }
      if (found.fault === null) {
        if (available === 0 || position + available >= end) return slice(found.end, found.end)
        position += found.end
        continue
      }
      // damage before the wanted offset is none of this reader's business: look for the next valid batch
      const next = await segment.findNextBatch(position + found.end + 1, segment.baseOffset)
      if (next !== null && next.header.baseOffset <= offset) {
        position = next.position
        continue
      }
      return slice(found.end, found.end)
    }
  }

  private async startsBatch(segment: Segment, entry: { offset: number; position: number }): Promise<boolean> {
    const bytes = Buffer.alloc(BATCH_HEADER_BYTES)
    const length = await segment.read(bytes, entry.position)
    return findHeaderFault(bytes, 0, length) === null && readBatchHeader(bytes, 0).lastOffset === entry.offset
  }

  /** Goes over the headers in a chunk: `[start, end)` are the whole batches wanted, then `fault` or the end. */
  private walk(bytes: Buffer, available: number, offset: number, endOffset: number) {
    let at = 0
    let start = -1
    let expected = offset
    let fault: WalkFault = null
    let atEnd = false
    while (at < available) {
      fault = findHeaderFault(bytes, at, available)
      if (fault === null && at + batchSizeAt(bytes, at) > available) fault = 'incomplete'
      if (fault !== null && !(fault === 'incomplete' && available - at >= BATCH_HEADER_BYTES)) break
      const header = readBatchHeader(bytes, at)
      if (fault === null && header.lastOffset < offset) {
        at += header.sizeBytes
        continue
      }
      if (header.baseOffset >= endOffset && fault !== null) {
        atEnd = true
        fault = null
        break
      }
      if (fault !== null) break
      if (!this.isInPlace(header, expected, start < 0)) {
        fault = 'place'
        break
      }
      if (header.baseOffset >= endOffset) {
        atEnd = true
        break
      }
      if (start < 0) start = at
      at += header.sizeBytes
      expected = header.lastOffset + 1
    }
    return {
      start: start < 0 ? at : start,
      end: at,
      nextOffset: atEnd && start < 0 ? endOffset : expected,
      fault,
      atEnd,
    }
  }

  private isInPlace(header: BatchHeader, expected: number, first: boolean): boolean {
    const { log } = this
    const follows = header.baseOffset === expected || (first && header.baseOffset < expected)
    if (!follows && (header.baseOffset < expected || !log.mayStartAfterGap(header.baseOffset))) return false
    const epoch = log.epochAt(header.baseOffset)
    return epoch === null || epoch === header.leaderEpoch
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
        // retention may have taken the segment in the meantime: what it held is none of the log's any more
        if (!this.log.segments.includes(segment)) continue
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
    const { position } = entry === null ? { position: 0 } : await segment.lookup(entry.offset)
    let trusted = entry === null
    let found: number | null = null
    let next = segment.baseOffset
    const visit = (header: BatchHeader) => {
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
    let fault = await segment.walk(position, visit)
    if (!trusted) {
      await segment.repairIndexes(true)
      trusted = true
      found = null
      next = segment.baseOffset
      fault = await segment.walk(0, visit)
    }
    return found ?? (fault !== null && next < endOffset ? next : null)
  }

  /**
   * Names the damage at `slice.bytes[at]`: the file, the position, and the offsets that cannot be read.
   *
   * @param offset the first offset that is missing
   */
  async corruption(slice: LogSlice, at: number, offset: number, reason: string): Promise<VarveError> {
    const { segment } = slice
    const position = slice.position + at
    const next = await segment.findNextBatch(position + (reason === 'place' ? 0 : 1), offset)
    const following = this.log.segments[this.log.segments.indexOf(segment) + 1]
    const nextOffset = next?.header.baseOffset ?? following?.baseOffset ?? this.log.logEndOffset
    const what = reason === 'old format' ? 'is in a format older than RecordBatch v2' : `is damaged (${reason})`
    const message =
      `'${segment.path}' ${what} at byte ${position}: offsets ${offset} to ${nextOffset - 1} cannot be read; ` +
      `read on from ${nextOffset}, or restore the file from a copy`
    const code = reason === 'old format' ? 'UNSUPPORTED_FOR_MESSAGE_FORMAT' : 'CORRUPT_MESSAGE'
    return new VarveError(code, message, { details: { path: segment.path, position, offset, nextOffset } })
  }

  /** Why the batch at `at` must not be used, or null. */
  static fault(slice: LogSlice, at: number): BatchFault | null {
    return findBatchFault(slice.bytes, at, slice.length)
  }
}
