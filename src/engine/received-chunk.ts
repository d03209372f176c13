import type { BatchEncoderOptions, BatchSpan, EncodedBatches } from '../codec/batch-encoder.ts'
import {
  readBatchDetails,
  resealBatch,
  TIMESTAMP_TYPE_BIT,
  type BatchDetails,
  type BatchHeader,
} from '../codec/record-batch.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import type { Chunk } from './chunk.ts'

/** Where a batch went. */
export interface AppendedBatch {
  /** The offset of its first record, for good. */
  baseOffset: number
  /** Under LogAppendTime the time that all its records got, ms since the epoch; else -1. */
  appendTime: number
}

const NOTHING = Buffer.alloc(0)

/** One batch as a client has made it: its bytes stay as they are, but for what the log itself has to say of it. */
export class ReceivedChunk implements Chunk {
  readonly expectedOffset = null
  readonly sizeBytes: number
  chargedBytes = 0
  private readonly result: AppendedBatch = { baseOffset: -1, appendTime: -1 }
  private encoded: EncodedBatches | null = null
  private readonly details: BatchDetails
  /** It was appended before: it is acknowledged once more, and not appended. */
  private isDuplicate = false

  constructor(
    private bytes: Buffer,
    private readonly header: BatchHeader,
    private readonly options: Pick<BatchEncoderOptions, 'timestampType' | 'now'>,
    private readonly resolve: (result: AppendedBatch) => void,
    private readonly fail: (error: unknown) => void,
  ) {
    this.sizeBytes = header.sizeBytes
    this.details = readBatchDetails(bytes, 0)
  }

  get recordCount(): number {
    return this.header.recordCount
  }

  admit(log: PartitionLog): void | Promise<void> {
    if (this.details.producerId < 0) return
    if (!log.producers.isLoaded) return log.producers.load(log).then(() => this.checkSequence(log))
    this.checkSequence(log)
  }

  private checkSequence(log: PartitionLog): void {
    // the sync of the batch that this one repeats may have failed
    log.throwIfFailed()
    const before = log.producers.check(this.details, this.recordCount)
    if (before === null) return
    this.isDuplicate = true
    this.result.baseOffset = before.baseOffset
    if (this.options.timestampType === 'LogAppendTime') this.result.appendTime = before.timestamp
  }

  finish(): EncodedBatches {
    this.encoded ??= { bytes: this.bytes, batches: this.isDuplicate ? [] : [this.stamp()] }
    return this.encoded
  }

  private stamp(): BatchSpan {
    const { sizeBytes, recordCount, attributes, baseTimestamp, maxTimestamp } = this.header
    const span = { start: 0, sizeBytes, recordCount, maxTimestamp }
    if (this.options.timestampType === 'CreateTime') return span
    span.maxTimestamp = this.result.appendTime = this.options.now()
    const changed = { attributes: attributes | TIMESTAMP_TYPE_BIT, baseTimestamp, maxTimestamp: span.maxTimestamp }
    resealBatch(this.bytes, 0, { sizeBytes, recordCount, ...changed })
    return span
  }

  unitAt(first: number): { span: BatchSpan; end: number } {
    return { span: this.finish().batches[first], end: first + 1 }
  }

  assignOffsets(baseOffset: number): void {
    if (!this.isDuplicate) this.result.baseOffset = baseOffset
  }

  release(): void {
    this.bytes = NOTHING
    this.encoded = null
  }

  acknowledge(): void {
    this.resolve(this.result)
  }

  reject(error: unknown): boolean {
    this.fail(error)
    return false
  }
}
