import type { Varve } from '../client/varve.ts'
import type { AppendResult } from '../engine/append-chunk.ts'
import type { ProducerRecord } from '../engine/record-encoding.ts'
import { VarveError } from '../errors.ts'

/** What one append call takes at most, beside the number of records: bounds the memory whatever the lines are. */
const BATCH_BYTES = 4 * 1024 * 1024

/** A record and the line that it was. */
export interface NumberedRecord {
  record: ProducerRecord
  line: number
  /** Bytes of the line. */
  bytes: number
}

/** What was appended to one partition. */
export interface PartitionAppends {
  partition: number
  records: number
  firstOffset: number
  lastOffset: number
}

/** A line that was refused, by its number. */
export interface RefusedLine {
  line: number
  reason: string
}

/**
 * Appends records in batches, one after another: while one is being written the next is gathered. So what is there
 * after any stop is what came first, in each partition.
 */
export class Appender {
  /** Acknowledged so far. */
  records = 0
  bytes = 0
  readonly partitions = new Map<number, PartitionAppends>()

  private batch: NumberedRecord[] = []
  private batchBytes = 0
  private inFlight: Promise<void> = Promise.resolve()

  /**
   * @param refuse is told of a record that the log does not take; throws to end it all
   * @param failed is told at once when appending has failed
   */
  constructor(
    private readonly log: Varve,
    private readonly topic: string,
    private readonly batchRecords: number,
    private readonly refuse: (line: RefusedLine) => void,
    private readonly failed: (error: unknown) => void,
  ) {}

  get isEmpty(): boolean {
    return this.batch.length === 0
  }

  /** Adds a record; waits where a batch is full and the one before it is not written yet. */
  add(numbered: NumberedRecord): Promise<void> | undefined {
    this.batch.push(numbered)
    this.batchBytes += numbered.bytes
    return this.batch.length >= this.batchRecords || this.batchBytes >= BATCH_BYTES ? this.submit() : undefined
  }

  /** Hands the records that were gathered to the log, once the batch before is acknowledged. */
  async submit(): Promise<void> {
    await this.inFlight
    const { batch } = this
    if (batch.length === 0) return
    this.batch = []
    this.batchBytes = 0
    this.inFlight = this.append(batch)
    this.inFlight.catch(this.failed)
  }

  /** Appends what is left; everything is acknowledged when it resolves. */
  async finish(): Promise<void> {
    await this.submit()
    await this.inFlight
  }

  private async append(batch: NumberedRecord[]): Promise<void> {
    try {
      const results = await this.log.appendBatch(
        this.topic,
        batch.map(({ record }) => record),
      )
      this.count(batch, results)
    } catch (error) {
      if (!isRefusal(error)) throw error
      await this.appendOneByOne(batch)
    }
  }

  /** One refused record refuses its whole batch, so this finds which one it was; those before it are appended. */
  private async appendOneByOne(batch: NumberedRecord[]): Promise<void> {
    for (const numbered of batch) {
      try {
        this.count([numbered], await this.log.appendBatch(this.topic, [numbered.record]))
      } catch (error) {
        if (!isRefusal(error)) throw error
        const about = /^record \d+ of the batch: (.*?)(?:; nothing of the batch was appended)?$/s
        this.refuse({ line: numbered.line, reason: (error as Error).message.replace(about, '$1') })
      }
    }
  }

  private count(batch: NumberedRecord[], results: AppendResult[]): void {
    for (let i = 0; i < batch.length; i++) {
      const { partition, offset } = results[i]
      this.records++
      this.bytes += batch[i].bytes
      const appends = this.partitions.get(partition)
      if (appends === undefined) {
        this.partitions.set(partition, { partition, records: 1, firstOffset: offset, lastOffset: offset })
      } else {
        appends.records++
        appends.lastOffset = offset
      }
    }
  }
}

/** Whether an error is about a record, and not about the log. */
function isRefusal(error: unknown): boolean {
  if (error instanceof VarveError) return error.code === 'MESSAGE_TOO_LARGE'
  return error instanceof TypeError || error instanceof RangeError
}
