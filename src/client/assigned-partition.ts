import type { RecordBatch } from '../codec/stored-batch.ts'
import { PartitionCursor } from '../engine/partition-cursor.ts'
import type { Partition } from '../engine/partition.ts'

/** A partition that a consumer owns: where it reads, what it has processed, and what is committed of that. */
export class AssignedPartition {
  /** Where reading goes on. */
  cursor: PartitionCursor
  /** Every record before it is processed: the offset to commit. */
  processedOffset: number
  /** What this consumer knows to be committed. */
  committedOffset: number
  /** Behind what was given out when a loop was left or a handler failed: it comes again, unless it is committed. */
  leftOffset = -1
  /** Counts how often it was moved. */
  moves = 0
  /** Leader epoch of the last batch that was read, or -1. */
  leaderEpoch = -1
  /** It takes part: `onAssigned` has been told of it, and is done. */
  isAdmitted = false
  isPaused = false
  /** Somebody is at its records. */
  isClaimed = false
  /** Whoever is at its records stops after the one that he is at: it was paused, moved or is being given up. */
  isInterrupted = false
  /** It was moved while somebody was at its records: what he processed says nothing of what is to be committed. */
  isMoved = false
  /** It is being given up, or is gone: nobody gets more records of it. */
  isRevoked = false
  /** It was taken away, and may have another owner. */
  isLost = false
  /** Takes the subscription to new records back, while it waits for some. */
  cancelWait: (() => void) | null = null
  private readonly stop = new AbortController()
  /** For handlers: its signal aborts when the partition is lost, or the time to close it is over. */
  readonly context: { readonly signal: AbortSignal } = { signal: this.stop.signal }

  /**
   * @param offset       of the first record to read
   * @param maxReadBytes of one read
   */
  constructor(
    readonly partition: Partition,
    offset: number,
    private readonly maxReadBytes: number,
  ) {
    this.cursor = this.cursorAt(offset)
    this.processedOffset = offset
    this.committedOffset = offset
  }

  get topic(): string {
    return this.partition.topic
  }

  get number(): number {
    return this.partition.partition
  }

  /** Reads on from `offset`, whatever was read before. */
  readFrom(offset: number): void {
    this.cursor = this.cursorAt(offset)
  }

  /** Goes on at `offset`, as if everything before it were processed. */
  moveTo(offset: number): void {
    this.readFrom(offset)
    this.processedOffset = offset
    this.leftOffset = -1
    this.moves += 1
    this.isMoved = this.isInterrupted = this.isClaimed
  }

  /** All before `offset` is processed. It may be further already, where that was committed by hand. */
  advanceTo(offset: number): void {
    this.processedOffset = Math.max(this.processedOffset, offset)
  }

  /** All before `offset` was committed by hand: what was given out of it does not come again. */
  acknowledge(offset: number): void {
    if (this.isMoved || offset <= this.processedOffset) return
    if (this.isClaimed) return this.advanceTo(offset)
    if (offset > this.leftOffset) return
    this.advanceTo(offset)
    this.readFrom(offset)
  }

  /** Tells whoever is at its records to stop at once. */
  abort(reason: unknown): void {
    this.stop.abort(reason)
  }

  /** The next batch, or null when all that is visible has been read. */
  async nextBatch(): Promise<RecordBatch | null> {
    const { cursor } = this
    let batch = cursor.take()
    while (batch === null && (await cursor.fill())) batch = cursor.take()
    return batch
  }

  private cursorAt(offset: number): PartitionCursor {
    return new PartitionCursor(this.partition, offset, Infinity, this.maxReadBytes)
  }
}
