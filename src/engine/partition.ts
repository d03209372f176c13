import type { RecordContext } from '../codec/record.ts'
import { VarveError } from '../errors.ts'
import type { Allocate, LogSlice } from '../storage/log-reader.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import type { ActiveProducer } from '../storage/producer-state.ts'
import { BatchWriter, type WriterContext } from './batch-writer.ts'

/** Where a partition begins and ends. */
export interface PartitionOffsets {
  partition: number
  /** First offset that may be read. */
  logStartOffset: number
  /** The offset that the next record gets. */
  logEndOffset: number
  /** Records before it are visible to readers. */
  highWatermark: number
  /** Records before it survive a power cut. */
  durableOffset: number
}

/** One partition, alive: its log, the loop that writes it and the readers that wait at its end. */
export class Partition {
  readonly writer: BatchWriter
  /** Records before it are visible: durable ones in the modes that acknowledge durably, else all that are written. */
  highWatermark: number
  private readonly waiters = new Set<() => void>()
  private closed: VarveError | null = null

  constructor(
    readonly topic: string,
    readonly partition: number,
    public log: PartitionLog,
    readonly recordContext: RecordContext,
    context: Omit<WriterContext, 'topic' | 'advanced'>,
  ) {
    this.highWatermark = log.logEndOffset
    this.writer = new BatchWriter(
      log,
      { ...context, topic, advanced: (highWatermark) => this.advance(highWatermark) },
      partition,
    )
  }

  offsets(): PartitionOffsets {
    const { partition, highWatermark } = this
    const { logStartOffset, logEndOffset, durableOffset } = this.log
    return {
      partition,
      logStartOffset,
      logEndOffset,
      highWatermark,
      durableOffset: Math.min(durableOffset, logEndOffset),
    }
  }

  /** The idempotent producers that are remembered, those that were heard of last at the end. */
  producers(): Promise<ActiveProducer[]> {
    return this.writer.runTask(() => this.log.producers.list(this.log))
  }

  /** Whether it takes no more work. */
  get isClosed(): boolean {
    return this.writer.isClosed
  }

  /**
   * Reads whole batches from `offset` on, see `PartitionLog.read`.
   *
   * @throws VarveError OFFSET_OUT_OF_RANGE, naming the valid range; CLOSED; KAFKA_STORAGE_ERROR
   */
  async read(
    offset: number,
    maxBytes: number,
    endOffset: number,
    previous?: LogSlice,
    allocate?: Allocate,
  ): Promise<LogSlice> {
    this.throwIfClosed()
    this.checkRange(offset)
    try {
      return await this.log.read(offset, maxBytes, Math.min(endOffset, this.highWatermark), previous, allocate)
    } catch (error) {
      // a close, or retention, may have taken the segment in the meantime
      this.throwIfClosed()
      this.checkRange(offset)
      throw error
    }
  }

  /**
   * @param advice what to do where it is not in it
   * @throws VarveError OFFSET_OUT_OF_RANGE, naming the valid range
   */
  checkRange(offset: number, advice = "start at 'earliest', or set onOutOfRange"): void {
    const { topic, partition, highWatermark, log } = this
    if (offset >= log.logStartOffset && offset <= highWatermark) return
    const range = `offsets ${log.logStartOffset} to ${highWatermark}`
    const message = `offset ${offset} of ${topic}-${partition} is out of range: it holds ${range}; ${advice}`
    throw new VarveError('OFFSET_OUT_OF_RANGE', message, { details: { topic, partition, offset } })
  }

  /** The offset of the first record that may be read, or the one behind the last. */
  edge(place: 'earliest' | 'latest'): number {
    return place === 'earliest' ? this.log.logStartOffset : this.highWatermark
  }

  /**
   * Calls `wake` when records at or after `offset` are visible or the partition closes: at once where that is so already.
   *
   * @returns a function that takes this back
   */
  onRecords(offset: number, wake: () => void): () => void {
    if (this.highWatermark > offset || this.closed !== null) wake()
    else this.waiters.add(wake)
    return () => void this.waiters.delete(wake)
  }

  /** Ends all service with `error`: refuses new work, finishes what was queued and wakes the readers. */
  async close(error: VarveError): Promise<void> {
    await this.writer.close(error)
    this.closed = error
    this.wakeAll()
  }

  /**
   * In a read-only log: takes the state that another process has written meanwhile. It may end earlier than before: the
   * writer has recovered, and what was read beyond was never durable.
   */
  replaceLog(log: PartitionLog): void {
    this.log = log
    this.highWatermark = log.logEndOffset
    this.wakeAll()
  }

  throwIfClosed(): void {
    if (this.closed !== null) throw this.closed
  }

  private advance(highWatermark: number): void {
    if (highWatermark <= this.highWatermark) return
    this.highWatermark = highWatermark
    if (this.waiters.size > 0) this.wakeAll()
  }

  private wakeAll(): void {
    for (const wake of this.waiters) wake()
    this.waiters.clear()
  }
}

/** Closes the files of partitions that nobody is to use: nothing is lost where that fails. */
export async function closeLogs(partitions: readonly Partition[]): Promise<void> {
  await Promise.allSettled(partitions.map(({ log }) => log.close()))
}
