import { findBatchFault, readBatchHeader } from '../codec/record-batch.ts'
import { RecordBatch } from '../codec/stored-batch.ts'
import type { LogSlice } from '../storage/log-reader.ts'
import type { Partition } from './partition.ts'

const FIRST_READ_BYTES = 16 * 1024
/** Greater reads are no faster, and cost 30 to 60 MB of memory, because the collector sees large buffers late. */
const MAX_READ_BYTES = 256 * 1024

/**
 * Goes through one partition batch by batch, verifying every checksum.
 *
 * Reads grow from 16 KiB to 256 KiB, so that a look-up reads little and a replay reads much; while a chunk is gone
 * through, the next one is being read.
 */
export class PartitionCursor {
  private slice: LogSlice | null = null
  private at = 0
  private readBytes = FIRST_READ_BYTES
  private prefetched: Promise<LogSlice> | null = null
  /** What ended this cursor; it is repeated for ever, because going on would skip records in silence. */
  private failure: Error | null = null

  /**
   * @param offset    the next offset to read
   * @param endOffset where to stop; Infinity to go on with whatever is visible
   * @param maxReadBytes of one read, of which two are held while reading goes on; a larger batch is read all the same
   */
  constructor(
    readonly partition: Partition,
    public offset: number,
    readonly endOffset: number,
    private readonly maxReadBytes = MAX_READ_BYTES,
  ) {}

  /** The next batch if it has been read already, else null: call `fill` and ask again. */
  take(): RecordBatch | null {
    const { slice } = this
    if (slice === null || this.at >= slice.length) return null
    if (findBatchFault(slice.bytes, this.at, slice.length) !== null) return null
    const header = readBatchHeader(slice.bytes, this.at)
    const from = Math.max(this.offset, this.partition.log.logStartOffset)
    const batch = new RecordBatch(this.partition.recordContext, slice.bytes, this.at, header, from)
    this.at += header.sizeBytes
    this.offset = header.lastOffset + 1
    return batch
  }

  /**
   * Reads on.
   *
   * @returns false when there is nothing to take: the end is reached, or all that is visible has been read
   * @throws VarveError CORRUPT_MESSAGE with the damaged place and offsets, and everything `Partition.read` throws
   */
  async fill(): Promise<boolean> {
    if (this.failure !== null) throw this.failure
    try {
      return await this.readOn()
    } catch (error) {
      this.failure = error as Error
      throw error
    }
  }

  private async readOn(): Promise<boolean> {
    const { slice } = this
    if (slice !== null && this.at < slice.length) {
      const fault = findBatchFault(slice.bytes, this.at, slice.length)!
      throw await this.partition.log.corruption(slice, this.at, this.offset, fault)
    }
    if (slice !== null && slice.fault !== null) throw await this.damage(slice)
    if (this.offset >= this.endOffset) return false
    this.partition.throwIfClosed()
    // in a reader beside the writer the end may have moved back
    if (this.offset >= this.partition.highWatermark) return false
    const next = await (this.prefetched ?? this.read(slice))
    this.prefetched = null
    this.slice = next
    this.at = 0
    if (next.length === 0) {
      if (next.fault !== null) throw await this.damage(next)
      this.offset = Math.max(this.offset, Math.min(next.nextOffset, this.endOffset))
      this.slice = null
      return false
    }
    this.readBytes = Math.min(this.readBytes * 4, this.maxReadBytes)
    // looking ahead pays only where reading goes on for long
    if (
      this.readBytes === this.maxReadBytes &&
      next.fault === null &&
      next.nextOffset < Math.min(this.endOffset, this.partition.highWatermark)
    ) {
      this.prefetched = this.read(next)
      this.prefetched.catch(() => {})
    }
    return true
  }

  private read(previous: LogSlice | null): Promise<LogSlice> {
    const offset = previous === null ? this.offset : previous.nextOffset
    return this.partition.read(offset, this.readBytes, this.endOffset, previous ?? undefined)
  }

  private damage(slice: LogSlice): Promise<unknown> {
    return this.partition.log.corruption(slice, slice.length, this.offset, slice.fault!)
  }
}
