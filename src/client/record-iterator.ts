import type { ConsumerRecord } from '../codec/record.ts'
import type { RecordBatch } from '../codec/stored-batch.ts'
import type { PartitionCursor } from '../engine/partition-cursor.ts'
import type { BatchReader } from './batch-reader.ts'

const DONE: IteratorResult<never> = { value: undefined, done: true }

/**
 * An async iteration whose steps are mostly taken without waiting. Written out rather than as a generator, because a
 * generator step costs three times as much.
 *
 * Once it has ended, by a failure or by `return`, it stays ended.
 */
abstract class StepIterator<T> implements AsyncIterableIterator<T> {
  private ended = false
  /** Steps that wait. */
  private waiting = 0
  private last: Promise<unknown> = Promise.resolve()

  /** The next item if there is no need to wait for it. */
  protected abstract ready(): T | null
  /** The next item, or null at the end. */
  protected abstract advance(): Promise<T | null>

  constructor(protected readonly reader: BatchReader) {}

  next(): Promise<IteratorResult<T>> {
    if (this.waiting === 0 && !this.ended) {
      const value = this.ready()
      if (value !== null) return Promise.resolve({ value, done: false })
    }
    return this.wait()
  }

  /** Steps that are asked for while one is under way follow it in order. */
  private wait(): Promise<IteratorResult<T>> {
    this.waiting++
    const step = this.last.then(() => this.step())
    this.last = step.catch(() => {})
    return step
  }

  private async step(): Promise<IteratorResult<T>> {
    if (this.ended) return DONE
    try {
      const value = this.ready() ?? (await this.advance())
      if (value !== null) return { value, done: false }
      this.ended = true
      return DONE
    } catch (error) {
      this.ended = true
      throw error
    } finally {
      this.waiting--
    }
  }

  async return(): Promise<IteratorResult<T>> {
    this.ended = true
    this.reader.end()
    return DONE
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

/** The batches of a reader that hold records: of some, compaction has left none. */
export class BatchIterator extends StepIterator<RecordBatch> {
  protected ready(): RecordBatch | null {
    let batch = this.reader.take()
    while (batch?.recordCount === 0) batch = this.reader.take()
    return batch
  }

  protected async advance(): Promise<RecordBatch | null> {
    let batch = await this.reader.next()
    while (batch?.recordCount === 0) batch = await this.reader.next()
    return batch
  }
}

/** The records of a reader, in the order in which their batches come. */
export class RecordIterator extends StepIterator<ConsumerRecord> {
  private records: ConsumerRecord[] = []
  private index = 0
  private isFirst = true
  /** The first batch, of which one record was decoded: who looks a record up wants no more. */
  private first: RecordBatch | null = null

  protected ready(): ConsumerRecord | null {
    return this.index < this.records.length ? this.records[this.index++] : null
  }

  protected async advance(): Promise<ConsumerRecord | null> {
    for (;;) {
      const { first } = this
      const batch = first ?? (await this.reader.next())
      if (batch === null) return null
      this.records = batch.records(this.isFirst ? 1 : Infinity)
      this.index = first === null ? 0 : 1
      this.first = this.isFirst ? batch : null
      this.isFirst = false
      const record = this.ready()
      if (record !== null) return record
    }
  }
}

interface Head {
  records: ConsumerRecord[]
  index: number
  /** All that is visible of its partition has been taken. */
  atEnd: boolean
}

/** The records of several partitions merged by timestamp, among equals by partition. */
export class TimeOrderIterator extends StepIterator<ConsumerRecord> {
  private cursors: PartitionCursor[] = []
  private readonly heads: Head[] = []

  constructor(
    reader: BatchReader,
    private readonly follow: boolean,
    private readonly signal: AbortSignal | undefined,
  ) {
    super(reader)
  }

  /** Null also where one of the partitions has to be read on first. */
  protected ready(): ConsumerRecord | null {
    for (const { index, records, atEnd } of this.heads) if (index >= records.length && !atEnd) return null
    return this.takeEarliest()
  }

  private takeEarliest(): ConsumerRecord | null {
    let earliest: Head | null = null
    let timestamp = Infinity
    for (const head of this.heads) {
      const record = head.records[head.index]
      if (record === undefined || record.timestamp >= timestamp) continue
      earliest = head
      ;({ timestamp } = record)
    }
    return earliest === null ? null : earliest.records[earliest.index++]
  }

  protected async advance(): Promise<ConsumerRecord | null> {
    this.cursors = await this.reader.startedCursors()
    for (const _ of this.cursors.slice(this.heads.length)) this.heads.push({ records: [], index: 0, atEnd: false })
    for (;;) {
      this.signal?.throwIfAborted()
      for (const [i, head] of this.heads.entries()) if (head.index >= head.records.length) await this.refill(i, head)
      const record = this.takeEarliest()
      if (record !== null) return record
      if (!this.follow || !(await this.reader.waitForRecords())) return null
    }
  }

  private async refill(index: number, head: Head): Promise<void> {
    head.records = []
    head.index = 0
    while (head.records.length === 0) {
      const batch = this.cursors[index].take() ?? (await this.reader.fill(this.cursors[index])).take()
      if (batch === null) {
        // whoever follows looks again before each record: it may have got an earlier one meanwhile
        head.atEnd = !this.follow
        return
      }
      head.records = batch.records()
    }
  }
}
