import { compressionTypeOf, type CompressionType } from './compression.ts'
import { compressionId, MAX_RECORDS_BYTES, type BatchHeader } from './record-batch.ts'
import { decodeRecords, type ConsumerRecord, type RecordContext } from './record.ts'

/**
 * One batch as it was stored, its checksum verified: the unit of the fast lane, `readBatches`.
 *
 * Iterating decodes its records; the records before the offset that was asked for are left out.
 */
export class RecordBatch implements Iterable<ConsumerRecord> {
  constructor(
    private readonly context: RecordContext,
    private readonly chunk: Buffer,
    private readonly position: number,
    private readonly header: BatchHeader,
    private readonly from: number,
  ) {}

  get topic(): string {
    return this.context.topic
  }

  get partition(): number {
    return this.context.partition
  }

  /** Offset of the first record in the batch, which may lie before the offset that was asked for. */
  get baseOffset(): number {
    return this.header.baseOffset
  }

  /** The last offset that the batch stands for: that of its last record, or of a later one that was compacted away. */
  get lastOffset(): number {
    return this.header.lastOffset
  }

  /** Records stored in the batch, those before the offset that was asked for included. */
  get recordCount(): number {
    return this.header.recordCount
  }

  /** The greatest timestamp, ms since the epoch. */
  get maxTimestamp(): number {
    return this.header.maxTimestamp
  }

  /** Grows with every unclean recovery: a change tells that the log may have lost its end in between. */
  get leaderEpoch(): number {
    return this.header.leaderEpoch
  }

  get compressionType(): CompressionType {
    return compressionTypeOf(compressionId(this.header.attributes))
  }

  /** The batch's own bytes in Kafka's RecordBatch v2 (a view). */
  get bytes(): Buffer {
    return this.chunk.subarray(this.position, this.position + this.header.sizeBytes)
  }

  /** Decodes the records, or the first `limit` of them. */
  records(limit = Infinity): ConsumerRecord[] {
    return decodeRecords(this.context, this.chunk, this.position, this.header, this.from, MAX_RECORDS_BYTES, limit)
  }

  [Symbol.iterator](): Iterator<ConsumerRecord> {
    return this.records()[Symbol.iterator]()
  }
}
