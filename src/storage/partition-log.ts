import { assert } from '../assert.ts'
import type { BatchSpan, EncodedBatches } from '../codec/batch-encoder.ts'
import { stampBatch } from '../codec/record-batch.ts'
import { storageError, systemErrorCode, VarveError } from '../errors.ts'
import type { EpochStart, PartitionCheckpoint } from './checkpoint.ts'
import { epochAt, epochsFrom, skipsTo } from './leader-epochs.ts'
import { LogReader, type LogSlice } from './log-reader.ts'
import type { LogState } from './log-state.ts'
import { ProducerStates } from './producer-state.ts'
import { Segment } from './segment.ts'
import type { SegmentContext } from './segment-context.ts'
import { SegmentExchange } from './segment-exchange.ts'

/** The topic configurations that a partition's log obeys; read at each use, so that a change takes effect at once. */
export interface LogConfig {
  segmentBytes: number
  segmentMs: number
  indexIntervalBytes: number
}

/** Entries that one offset index may hold: Kafka's segment.index.bytes of 10 MiB. */
export const MAX_INDEX_ENTRIES = 1_310_720
const INT32_MAX = 0x7fffffff

/**
 * One partition's log: segments in offset order, of which the last one, the active segment, is appended to.
 *
 * Knows bytes and offsets, no records. Only the partition's writer calls what changes the log, one call at a time, but
 * for `sync`, which may run while appends go on.
 */
export class PartitionLog {
  /** Replaced, never spliced, when segments leave it: a read may be going through it. */
  segments: Segment[]
  logStartOffset: number
  /** The offset that the next record gets. */
  logEndOffset: number
  /** Every record before it survives a power cut. */
  durableOffset: number
  /** Offsets below it may be handed out before they are durable; 0 when none are. */
  reservedOffset = 0
  /** The reservation that the next checkpoint records. */
  reservationUnderWay = 0
  /** The end of the last batch: less than the log end where offsets were reserved and, after a power cut, never used. */
  contentEndOffset: number
  readonly leaderEpoch: number
  readonly epochs: EpochStart[]
  readonly sparse: boolean
  /** What idempotent producers have sent last. */
  readonly producers: ProducerStates
  /** What compaction does to the segments. */
  readonly exchange: SegmentExchange
  /** The first failed write or sync: the log takes no more until it is opened again. */
  failure: VarveError | null = null
  /** False from the time the start moves until a checkpoint says so durably. */
  private startIsStored = true
  /** Not part of the log any more; their files are to be deleted. */
  private readonly detached = new Set<Segment>()
  private rollFirst: boolean
  private readonly unsynced = new Set<Segment>()
  private directoryUnsynced = false
  private durableSegment: Segment
  private durablePosition: number
  private durableContentEnd: number
  /** Offsets before it were skipped when the log was opened, because they may have been handed out before. */
  private readonly skippedEnd: number
  private readonly reader: LogReader
  private syncedBytes = 0
  private unsyncedBytes = 0

  constructor(
    readonly context: SegmentContext,
    readonly config: () => LogConfig,
    state: LogState,
  ) {
    this.segments = state.segments
    this.logStartOffset = state.logStartOffset
    this.logEndOffset = state.logEndOffset
    this.contentEndOffset = state.contentEndOffset
    this.durableOffset = state.logEndOffset
    this.leaderEpoch = state.leaderEpoch
    this.epochs = state.epochs
    this.sparse = state.sparse
    this.rollFirst = state.rollFirst
    this.durableSegment = this.active
    this.durablePosition = this.active.sizeBytes
    this.durableContentEnd = state.contentEndOffset
    this.skippedEnd = state.logEndOffset
    this.reader = new LogReader(this)
    this.producers = new ProducerStates(context)
    this.exchange = new SegmentExchange(this, state)
    context.pool.pin(this.active)
  }

  get directory(): string {
    return this.context.directory
  }

  get active(): Segment {
    return this.segments[this.segments.length - 1]
  }

  /** Bytes of all segments. */
  get sizeBytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
  }

  /** Bytes that no sync covers yet. */
  get hasUnsynced(): boolean {
    return this.unsynced.size > 0 || this.directoryUnsynced
  }

  /**
   * Whether the active segment has to be opened or rolled before a batch can be appended.
   *
   * Rolls, as Kafka does, when the batch would not fit, when the segment's first batch is older than `segmentMs` as
   * seen from the new one, and before an index or a relative offset outgrows its field.
   *
   * @param before batches that will be appended ahead of it in the same write
   */
  mustPrepare(batch: BatchSpan, before: { sizeBytes: number; recordCount: number }): boolean {
    const { active } = this
    if (!active.isReady || this.rollFirst) return true
    const sizeBytes = active.sizeBytes + before.sizeBytes
    const recordCount = this.logEndOffset - active.baseOffset + before.recordCount
    if (recordCount + batch.recordCount > INT32_MAX) return true
    // a batch larger than a segment gets one of its own
    if (sizeBytes === 0) return false
    const { segmentBytes, segmentMs } = this.config()
    return (
      sizeBytes + batch.sizeBytes > segmentBytes ||
      batch.maxTimestamp - (active.firstTimestamp ?? batch.maxTimestamp) > segmentMs ||
      active.indexEntries >= MAX_INDEX_ENTRIES
    )
  }

  /** Opens the active segment and rolls it if a batch of that size cannot go into it. */
  async prepare(batch: BatchSpan): Promise<void> {
    this.throwIfFailed()
    try {
      await this.active.open()
      if (this.mustPrepare(batch, { sizeBytes: 0, recordCount: 0 })) await this.roll()
    } catch (error) {
      throw storageError(error, `open a segment of '${this.directory}'`, { path: this.active.path })
    }
  }

  /** Seals the active segment and starts a new one at the log end; an empty active segment at that offset stays. */
  async roll(): Promise<void> {
    const sealed = this.active
    if (sealed.baseOffset === this.logEndOffset) {
      this.rollFirst = false
      return
    }
    sealed.completeTimeIndex()
    await sealed.writeIndexes({ sync: false })
    const next = await Segment.create(this.context, this.logEndOffset)
    this.directoryUnsynced = true
    this.rollFirst = false
    this.unsynced.add(next)
    // a sealed segment's indexes are trusted after a power cut: they become durable before a checkpoint passes it
    this.unsynced.add(sealed)
    this.segments.push(next)
    this.producers.capture(this.contentEndOffset)
    this.context.pool.pin(next)
    this.context.pool.unpin(sealed)
  }

  /**
   * Stamps whole batches with the next offsets and the epoch and writes them in one write. All must fit the active
   * segment (see {@link mustPrepare}). The bytes may be reused when it returns.
   *
   * @returns the offset of the first record
   * @throws the system's error when the write fails: the caller must call {@link undoAppend} next
   */
  append({ bytes, batches }: EncodedBatches): number {
    this.throwIfFailed()
    const baseOffset = this.logEndOffset
    const { start } = batches[0]
    let next = baseOffset
    for (const batch of batches) {
      stampBatch(bytes, batch.start, next, this.leaderEpoch)
      next += batch.recordCount
    }
    assert(Number.isSafeInteger(next), 'offsets stay safe integers')
    const end = batches[batches.length - 1].start + batches[batches.length - 1].sizeBytes
    this.unsynced.add(this.active)
    this.active.append(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), batches, baseOffset)
    if ((this.epochs.at(-1)?.epoch ?? -1) < this.leaderEpoch) this.epochs.push(this.epochFromHere())
    this.logEndOffset = next
    this.contentEndOffset = next
    this.producers.appended(bytes, batches)
    this.unsyncedBytes += end - start
    return baseOffset
  }

  /**
   * Takes back what a failed append left in the file, and says what the failure means: a full disk is over when there
   * is room again, anything else is for good.
   */
  async undoAppend(error: unknown): Promise<VarveError> {
    if (error instanceof VarveError) return error
    const details = { path: this.active.path, position: this.active.sizeBytes, offset: this.logEndOffset }
    const wrapped = storageError(error, `append to '${this.active.path}'`, details)
    try {
      await this.active.truncate(this.active.sizeBytes, this.logEndOffset)
    } catch (cause) {
      return this.fail(storageError(cause, `take back a failed append to '${this.active.path}'`, details))
    }
    return wrapped.code === 'DISK_FULL' ? wrapped : this.fail(wrapped)
  }

  /**
   * Makes everything appended before this call survive a power cut. Calls must not overlap. A failure is for good: the
   * system may have dropped the pages, and a second sync would report success without writing them.
   */
  async sync(): Promise<void> {
    this.throwIfFailed()
    const segments = [...this.unsynced]
    const offset = this.logEndOffset
    const contentEnd = this.contentEndOffset
    const segment = this.active
    const position = segment.sizeBytes
    const directory = this.directoryUnsynced
    const bytes = this.unsyncedBytes
    this.unsyncedBytes = 0
    this.unsynced.clear()
    this.directoryUnsynced = false
    try {
      for (const dirty of segments) {
        // retention may take segments meanwhile, and their files
        if (this.segments.includes(dirty)) await dirty.sync()
        if (dirty !== segment && this.segments.includes(dirty)) await dirty.writeIndexes({ sync: true })
      }
      if (directory) await this.context.storage.syncDirectory(this.directory)
    } catch (error) {
      throw this.fail(
        storageError(error, `sync '${this.directory}'`, { path: this.directory, offset: this.durableOffset }),
      )
    }
    this.durableOffset = offset
    this.durableSegment = segment
    this.durablePosition = position
    this.durableContentEnd = contentEnd
    this.syncedBytes += bytes
    await this.producers.store(offset)
  }

  /** Bytes that became durable since the last call. */
  takeSyncedBytes(): number {
    const bytes = this.syncedBytes
    this.syncedBytes = 0
    return bytes
  }

  /** Writes durably what the index files lack, before a checkpoint; completely when the log is being closed. */
  async writeIndexes(options: { closing: boolean }): Promise<void> {
    if (options.closing) {
      this.producers.capture(this.contentEndOffset)
      await this.producers.store(this.durableOffset)
    }
    // after a close in order nothing is repaired any more
    if (options.closing && this.active.mustRepairIndexes) await this.active.open()
    if (!this.active.isReady) return
    if (options.closing) this.active.completeTimeIndex()
    await this.active.writeIndexes({ sync: true })
    // their names may be new
    if (options.closing) await this.context.storage.syncDirectory(this.directory)
  }

  /** What a checkpoint says of this partition now; `closing`: everything is durable and nothing is handed out any more. */
  checkpoint(options: { closing: boolean }): PartitionCheckpoint {
    const reserved = options.closing ? 0 : Math.max(this.reservedOffset, this.reservationUnderWay)
    return {
      logStartOffset: this.logStartOffset,
      durableOffset: this.durableContentEnd,
      durableSegment: this.durableSegment.baseOffset,
      durablePosition: this.durablePosition,
      // offsets that were skipped stay skipped until a batch stands durably behind them
      reservedOffset: this.durableContentEnd < this.skippedEnd ? Math.max(reserved, this.skippedEnd) : reserved,
      leaderEpoch: this.leaderEpoch,
      epochs: this.epochsFrom(this.segments[0].baseOffset),
      sparse: this.sparse,
      ...this.exchange.describe(),
    }
  }

  /**
   * The epochs of the batches from `offset` on, of which the first can share its segment with batches before the log
   * start; and where this log's own epoch begins, also before it holds a batch.
   */
  private epochsFrom(offset: number): EpochStart[] {
    const isNew = (this.epochs.at(-1)?.epoch ?? -1) < this.leaderEpoch
    return [...epochsFrom(this.epochs, offset), ...(isNew ? [this.epochFromHere()] : [])]
  }

  private epochFromHere(): EpochStart {
    return { epoch: this.leaderEpoch, startOffset: this.logEndOffset, skippedFrom: this.contentEndOffset }
  }

  /** Moves the start forward; the caller makes a checkpoint durable before it calls {@link removeOldSegments}. */
  advanceStart(offset: number): void {
    assert(offset >= this.logStartOffset && offset <= this.logEndOffset, 'the log start only moves forward')
    this.logStartOffset = offset
    this.startIsStored = false
  }

  /** Whether {@link removeOldSegments} has anything to do. */
  get hasOldSegments(): boolean {
    return !this.startIsStored || this.detached.size > 0
  }

  /**
   * Deletes the segments that lie wholly before the log start, never the active one; one that is being read goes when that
   * read ends. A checkpoint says durably where the log starts. What cannot be deleted is tried again at the next call.
   */
  async removeOldSegments(): Promise<void> {
    this.startIsStored = true
    let count = 0
    while (count < this.segments.length - 1 && this.segments[count + 1].baseOffset <= this.logStartOffset) count++
    for (const segment of this.segments.slice(0, count)) {
      this.detached.add(segment)
      this.unsynced.delete(segment)
    }
    this.segments = this.segments.slice(count)
    if (this.detached.size === 0) return
    for (const segment of this.detached) {
      await segment.remove()
      this.detached.delete(segment)
    }
    await this.context.storage.syncDirectory(this.directory)
  }

  /** The sealed segments that are durable as a whole: what compaction may go by. */
  get durableSealed(): Segment[] {
    return this.segments.slice(0, Math.max(this.segments.indexOf(this.durableSegment), 0))
  }

  /** What retention goes by: the sealed segments, oldest first. */
  describeSealed(): { sizeBytes: number; maxTimestamp: () => Promise<number>; endOffset: number }[] {
    const { segments } = this
    return segments.slice(0, -1).map((segment, i) => ({
      sizeBytes: segment.sizeBytes,
      maxTimestamp: () => segment.greatestTimestamp(),
      endOffset: segments[i + 1].baseOffset,
    }))
  }

  /** See {@link LogReader.read}. */
  read(...words: Parameters<LogReader['read']>): Promise<LogSlice> {
    return this.reader.read(...words)
  }

  /** See {@link LogReader.offsetForTimestamp}. */
  offsetForTimestamp(timestamp: number, endOffset: number): Promise<number | null> {
    return this.reader.offsetForTimestamp(timestamp, endOffset)
  }

  /** See {@link LogReader.corruption}. */
  corruption(slice: LogSlice, at: number, offset: number, reason: string): Promise<VarveError> {
    return this.reader.corruption(slice, at, offset, reason)
  }

  /** Whether a batch may start at `offset`, although the one before it ended at `end`. */
  mayStartAfterGap(offset: number, end: number): boolean {
    return this.sparse || this.epochs.some((epoch) => skipsTo(epoch, offset, end))
  }

  /** The leader epoch that a batch at `offset` must carry, or null where it is not known. */
  epochAt(offset: number): number | null {
    return epochAt(this.epochs, offset)
  }

  /** Closes the files, those that a read uses when it ends, also of what could not be deleted; nothing is written. */
  async close(): Promise<void> {
    const retiring = [...this.segments, ...this.detached].map((segment) => segment.retire())
    const results = await Promise.allSettled(retiring)
    await this.exchange.close()
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  throwIfFailed(): void {
    if (this.failure !== null) throw this.failure
  }

  /** Records the first failure, which every later call repeats. */
  fail(error: unknown): VarveError {
    const cause = storageError(error, `use '${this.directory}'`, { path: this.directory })
    const system = systemErrorCode(cause.cause) ?? cause.code
    const advice = 'accepts nothing more: close the log, check the disk and open it again to recover'
    const message = `'${this.directory}' failed (${system}) and ${advice}; ${cause.message}`
    this.failure ??= new VarveError('KAFKA_STORAGE_ERROR', message, {
      details: cause.details,
      cause: cause.cause ?? cause,
    })
    return this.failure
  }
}
