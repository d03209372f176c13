import { BATCH_HEADER_BYTES, emptyBatch, extendBatch, isControlBatch, readBatchDetails } from '../codec/record-batch.ts'
import type { BatchHeader } from '../codec/record-batch.ts'
import type { BatchKnowledge } from './damage.ts'
import { Segment } from './segment.ts'
import type { SegmentContext } from './segment-context.ts'
import { SegmentIndexes } from './segment-indexes.ts'
import { SEGMENT_SUFFIXES, segmentFileName, type SegmentSuffix } from './segment-name.ts'
import { removeIfPresent, writeFully, type StorageFile } from './storage.ts'

const BUFFER_BYTES = 1024 * 1024
/** More of what is written and not synced would hold up the writes of everybody. */
const SYNC_BYTES = 16 * 1024 * 1024
const INT32_MAX = 0x7fffffff

/**
 * A segment that compaction writes: batches that are what is left of others.
 *
 * It has no gaps: where batches are left out, the one before stands for their offsets as well (its lastOffsetDelta says
 * so), or where that cannot be a batch without records does. So a batch that is missing stays damage.
 */
export class CleanedSegment {
  /** Bytes so far. */
  sizeBytes = 0
  /** The offset that the next batch should begin with. */
  private nextOffset: number
  private readonly buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  private buffered = 0
  private written = 0
  /** The last batch, which may have to stand for more offsets; it is at `lastAt` in the buffer. */
  private last: BatchHeader | null = null
  private lastAt = 0
  private readonly indexes: SegmentIndexes
  private unsyncedBytes = 0
  private syncing: Promise<void> | null = null
  private isOpen = true

  private constructor(
    private readonly context: SegmentContext,
    readonly baseOffset: number,
    private readonly known: Pick<BatchKnowledge, 'epochAt'>,
    private readonly log: StorageFile,
  ) {
    this.nextOffset = baseOffset
    this.indexes = new SegmentIndexes(baseOffset, () => context.indexIntervalBytes())
  }

  /** Creates the file; one of an attempt that failed may be there. */
  static async create(
    context: SegmentContext,
    baseOffset: number,
    known: Pick<BatchKnowledge, 'epochAt'>,
  ): Promise<CleanedSegment> {
    const path = `${context.directory}/${segmentFileName(baseOffset, '.log', '.cleaned')}`
    await removeIfPresent(context.storage, path)
    return new CleanedSegment(context, baseOffset, known, await context.storage.openFile(path, 'create'))
  }

  /** Whether batches from another segment that take `sizeBytes` and end before `endOffset` may follow. */
  hasRoomFor(sizeBytes: number, endOffset: number, maxBytes: number, maxEntries: number): boolean {
    const isInRange = endOffset - 1 - this.baseOffset <= INT32_MAX
    return this.sizeBytes + sizeBytes <= maxBytes && isInRange && this.indexes.offsets.count < maxEntries
  }

  /** Adds a whole batch, copied from `bytes[at]`. */
  async append(bytes: Buffer, at: number, header: BatchHeader): Promise<void> {
    if (header.baseOffset > this.nextOffset) await this.standFor(header.baseOffset, header.leaderEpoch)
    await this.add(bytes, at, header)
  }

  private async add(bytes: Buffer, at: number, header: BatchHeader): Promise<void> {
    const { sizeBytes } = header
    this.indexLast()
    if (this.buffered + sizeBytes > BUFFER_BYTES) await this.write()
    if (sizeBytes > BUFFER_BYTES) {
      // too large to be held back: nothing is added to the offsets that it stands for
      writeFully(this.log, bytes.subarray(at, at + sizeBytes), this.written)
      this.written += sizeBytes
      this.unsyncedBytes += sizeBytes
      this.indexes.add(header.lastOffset, header.maxTimestamp, this.sizeBytes, sizeBytes)
    } else {
      this.lastAt = this.buffered
      this.last = header
      bytes.copy(this.buffer, this.buffered, at, at + sizeBytes)
      this.buffered += sizeBytes
    }
    this.sizeBytes += sizeBytes
    this.nextOffset = header.lastOffset + 1
  }

  /** Nothing is left of the offsets up to `endOffset`. */
  private async standFor(endOffset: number, leaderEpoch: number): Promise<void> {
    const { last, lastAt, buffer } = this
    const mayGrow =
      last !== null &&
      endOffset - 1 - last.baseOffset <= INT32_MAX &&
      !isControlBatch(last.attributes) &&
      // to whom it also says which sequence number was the last one
      readBatchDetails(buffer, lastAt).producerId < 0
    if (mayGrow) {
      extendBatch(buffer, lastAt, endOffset - 1)
      last.lastOffset = endOffset - 1
      this.nextOffset = endOffset
      return
    }
    while (this.nextOffset < endOffset) {
      const [baseOffset, lastOffset] = [this.nextOffset, Math.min(endOffset - 1, this.nextOffset + INT32_MAX)]
      const epoch = this.known.epochAt(baseOffset) ?? leaderEpoch
      const bytes = emptyBatch(baseOffset, lastOffset, epoch)
      const header = { baseOffset, lastOffset, leaderEpoch: epoch, sizeBytes: BATCH_HEADER_BYTES }
      await this.add(bytes, 0, { ...header, attributes: 0, baseTimestamp: -1, maxTimestamp: -1, recordCount: 0 })
    }
  }

  /** The last batch stays as it is now. */
  private indexLast(): void {
    const { last } = this
    if (last === null) return
    this.indexes.add(last.lastOffset, last.maxTimestamp, this.sizeBytes - last.sizeBytes, last.sizeBytes)
    this.last = null
  }

  private async write(): Promise<void> {
    writeFully(this.log, this.buffer.subarray(0, this.buffered), this.written)
    this.written += this.buffered
    this.unsyncedBytes += this.buffered
    this.buffered = 0
    if (this.unsyncedBytes < SYNC_BYTES) return
    this.unsyncedBytes = 0
    await this.syncing
    this.syncing = this.log.sync()
    this.syncing.catch(() => {})
  }

  /** Ends the segment before `endOffset` and makes it durable, its indexes too, under names that end in `.swap`. */
  async finish(endOffset: number, lastEpoch: number): Promise<void> {
    if (this.nextOffset < endOffset) await this.standFor(endOffset, lastEpoch)
    this.indexLast()
    this.indexes.complete()
    await this.write()
    await this.syncing
    await this.log.sync()
    const { offsets, times } = this.indexes
    await this.writeIndex('.index', offsets.entries.unwritten())
    await this.writeIndex('.timeindex', times.entries.unwritten())
    offsets.entries.written(offsets.count)
    times.entries.written(times.count)
    const { storage, directory } = this.context
    for (const suffix of SEGMENT_SUFFIXES)
      await storage.rename(this.pathOf(suffix, '.cleaned'), this.pathOf(suffix, '.swap'))
    await storage.syncDirectory(directory)
  }

  private async writeIndex(suffix: SegmentSuffix, content: Buffer): Promise<void> {
    const { storage } = this.context
    const path = this.pathOf(suffix, '.cleaned')
    await removeIfPresent(storage, path)
    const file = await storage.openFile(path, 'create')
    try {
      writeFully(file, content, 0)
      await file.sync()
    } finally {
      await file.close()
    }
  }

  /** The same as one of a log's segments, which owns the open file from here on. */
  toSegment(): { segment: Segment; release: () => Promise<void> } {
    const { context, baseOffset, sizeBytes, log, indexes } = this
    this.isOpen = false
    return Segment.cleaned(context, baseOffset, sizeBytes, { log, indexes })
  }

  /** Takes the files away. Called when anything has failed, so it tells of no failure of its own. */
  async discard(): Promise<void> {
    const { storage } = this.context
    await this.syncing?.catch(() => {})
    if (this.isOpen) await this.log.close().catch(() => {})
    for (const swap of ['.cleaned', '.swap'] as const) {
      for (const suffix of SEGMENT_SUFFIXES) await removeIfPresent(storage, this.pathOf(suffix, swap)).catch(() => {})
    }
  }

  private pathOf(suffix: SegmentSuffix, swap: '.cleaned' | '.swap'): string {
    return `${this.context.directory}/${segmentFileName(this.baseOffset, suffix, swap)}`
  }
}
