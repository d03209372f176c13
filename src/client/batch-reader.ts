import { firstRecordAt } from '../codec/batch-filter.ts'
import { MAX_RECORDS_BYTES } from '../codec/record-batch.ts'
import type { RecordBatch } from '../codec/stored-batch.ts'
import { PartitionCursor } from '../engine/partition-cursor.ts'
import type { Partition } from '../engine/partition.ts'
import type { LogEngine } from '../engine/log-engine.ts'
import { systemErrorCode } from '../errors.ts'
import { isOutOfRange, type ReadOptions, type ReadPosition } from './read-options.ts'

/** How often a read-only log looks for what another process has appended: there is nobody to wake it. */
const REFRESH_MS = 50

/** Goes through several partitions batch by batch, each in offset order, a chunk of one and then a chunk of the next. */
export class BatchReader {
  private readonly cursors: PartitionCursor[] = []
  /** Begun because a file was gone, and not filled yet. */
  private readonly retried = new Set<PartitionCursor>()
  private current = 0
  private started = false
  private ended = false
  /** Ends the wait that is under way. */
  private cancelWait: () => void = () => {}

  constructor(
    private readonly engine: LogEngine,
    private readonly places: ReadonlyMap<Partition, ReadPosition>,
    private readonly options: ReadOptions,
  ) {}

  /** A batch that has been read already, or null. */
  take(): RecordBatch | null {
    return this.cursors[this.current]?.take() ?? null
  }

  /** The next batch; null at the end, which a reader that follows never reaches. */
  async next(): Promise<RecordBatch | null> {
    if (!this.started) await this.start()
    for (;;) {
      this.options.signal?.throwIfAborted()
      const batch = this.take() ?? (await this.fillNext())
      if (batch !== null) return batch
      if (!this.options.follow || !(await this.waitForRecords())) return null
    }
  }

  /** Ends the reading; a wait that is under way ends too. */
  end(): void {
    this.ended = true
    this.cancelWait()
  }

  /** The cursors, for a reader that puts their records in another order; started. */
  async startedCursors(): Promise<PartitionCursor[]> {
    if (!this.started) await this.start()
    return this.cursors
  }

  /** Reads on in one cursor, minding `onOutOfRange`; returns the cursor, or the one that goes on in its place. */
  async fill(cursor: PartitionCursor): Promise<PartitionCursor> {
    for (let current = cursor; ;) {
      const { exchanges } = current.partition.log.exchange
      try {
        await current.fill()
        this.retried.delete(current)
        return current
      } catch (error) {
        const restarted = await this.restart(current, error, exchanges)
        this.cursors[this.cursors.indexOf(current)] = restarted
        current = restarted
      }
    }
  }

  /** A cursor to go on with after a failure; throws where there is nothing to go on with. */
  private async restart(cursor: PartitionCursor, failure: unknown, exchanges: number): Promise<PartitionCursor> {
    const { partition, offset, endOffset } = cursor
    const { onOutOfRange = 'error' } = this.options
    let error = failure
    if (this.engine.readOnly) {
      // the writer may have deleted what was to be read, or compacted it
      await this.engine.refresh([partition])
      if (offset < partition.log.logStartOffset || offset > partition.highWatermark)
        error = outOfRange(partition, offset)
      else if (partition.log.exchange.exchanges !== exchanges || this.mayRetry(cursor, failure)) {
        const again = new PartitionCursor(partition, offset, endOffset)
        this.retried.add(again)
        return again
      }
    }
    if (onOutOfRange === 'error' || !isOutOfRange(error)) throw error
    return new PartitionCursor(partition, partition.edge(onOutOfRange), endOffset)
  }

  /** What was read ahead may have failed before the log was looked at again. */
  private mayRetry(cursor: PartitionCursor, failure: unknown): boolean {
    return systemErrorCode((failure as Error).cause) === 'ENOENT' && !this.retried.has(cursor)
  }

  /**
   * Waits until any partition has more than has been read; false when the reading has ended meanwhile.
   *
   * @throws the signal's reason when it aborts
   */
  async waitForRecords(): Promise<boolean> {
    const { engine, cursors } = this
    if (this.ended) return false
    await this.waitFor((wake) => {
      const cancels = cursors.map(({ partition, offset }) => partition.onRecords(offset, wake))
      if (engine.readOnly) cancels.push(engine.clock.setTimer(REFRESH_MS, wake))
      return cancels
    })
    if (this.ended) return false
    if (engine.readOnly) await engine.refresh(cursors.map(({ partition }) => partition))
    return true
  }

  /** Waits for the first call of `wake`, the signal or the end of the reading; then takes back what was subscribed to. */
  private async waitFor(subscribe: (wake: () => void) => (() => void)[]): Promise<void> {
    const { signal } = this.options
    signal?.throwIfAborted()
    const release = this.engine.clock.hold()
    let cancels: (() => void)[] = []
    await new Promise<void>((resolve) => {
      this.cancelWait = () => resolve()
      signal?.addEventListener('abort', this.cancelWait)
      cancels = subscribe(this.cancelWait)
    })
    for (const cancel of cancels) cancel()
    signal?.removeEventListener('abort', this.cancelWait)
    release()
    signal?.throwIfAborted()
  }

  private async start(): Promise<void> {
    this.started = true
    if (this.engine.readOnly) await this.engine.refresh([...this.places.keys()])
    for (const [partition, place] of this.places) {
      partition.throwIfClosed()
      const endOffset = this.options.follow ? Infinity : partition.highWatermark
      const offset = await this.resolve(partition, place)
      this.cursors.push(new PartitionCursor(partition, offset, endOffset))
    }
  }

  private async resolve(partition: Partition, place: ReadPosition): Promise<number> {
    if (typeof place === 'string') return partition.edge(place)
    if (typeof place === 'object')
      return this.engine.lookAt(partition, () => offsetForTimestamp(partition, place.timestamp))
    const { onOutOfRange = 'error' } = this.options
    if (place >= partition.log.logStartOffset && place <= partition.highWatermark) return place
    if (onOutOfRange === 'error') partition.checkRange(place)
    return partition.edge(onOutOfRange as 'earliest' | 'latest')
  }

  /** Reads on in the next partition that has anything, once round. */
  private async fillNext(): Promise<RecordBatch | null> {
    for (let tried = 0; tried <= this.cursors.length; tried++) {
      const cursor = await this.fill(this.cursors[this.current])
      const batch = cursor.take()
      // damage shows at the second look: take nothing and fill throws
      if (batch !== null) return batch
      this.current = (this.current + 1) % this.cursors.length
      const ready = this.take()
      if (ready !== null) return ready
    }
    return null
  }
}

/** The offset of the first record at or after a time; the end when there is none. */
export async function offsetForTimestamp(partition: Partition, timestamp: number): Promise<number> {
  const end = partition.highWatermark
  return (await findTimestamp(partition, timestamp, end))?.offset ?? end
}

/**
 * The first record before `endOffset` that is at or after a time (ms); null when there is none.
 *
 * @param maxBytes most that a compressed batch may inflate to
 */
export async function findTimestamp(
  partition: Partition,
  timestamp: number,
  endOffset: number,
  maxBytes = MAX_RECORDS_BYTES,
): Promise<{ offset: number; timestamp: number; leaderEpoch: number } | null> {
  const start = await partition.log.offsetForTimestamp(timestamp, endOffset)
  if (start === null) return null
  const cursor = new PartitionCursor(partition, start, endOffset)
  while (await cursor.fill()) {
    for (let batch = cursor.take(); batch !== null; batch = cursor.take()) {
      if (batch.maxTimestamp < timestamp) continue
      const found = firstRecordAt(batch.bytes, start, timestamp, maxBytes)
      if (found !== null) return { ...found, leaderEpoch: batch.leaderEpoch }
    }
  }
  return null
}

function outOfRange(partition: Partition, offset: number): unknown {
  try {
    return partition.checkRange(offset)
  } catch (error) {
    return error
  }
}
