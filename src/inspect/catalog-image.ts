import type { BatchHeader } from '../codec/record-batch.ts'
import { decodeRecords, type RecordContext } from '../codec/record.ts'
import { resolveValueCodec } from '../codec/value-codec.ts'
import { CATALOG_TOPIC } from '../engine/catalog.ts'
import { topicDefaults } from '../engine/topic-config.ts'
import type { TopicRecord } from '../engine/topic.ts'

const MAX_INFLATED_BYTES = 64 * 1024 * 1024
const context: RecordContext = { topic: CATALOG_TOPIC, partition: 0, valueCodec: resolveValueCodec('msgpack') }

/** The topics that the catalog's batches tell of, those that could be read: what a verification goes by. */
export class CatalogImage {
  /** By topic id. */
  readonly topics = new Map<string, TopicRecord>()
  /** Topic ids. */
  readonly deleted = new Set<string>()
  private readonly intervals = new Map<string, number>()

  /** Takes over the records of one batch; returns what is wrong with them, or null. */
  addBatch(header: BatchHeader, bytes: Buffer, at: number): string | null {
    try {
      for (const record of decodeRecords(context, bytes, at, header, header.baseOffset, MAX_INFLATED_BYTES)) {
        this.apply(record.key ?? '', record.value as TopicRecord | null)
      }
      return null
    } catch {
      return 'records cannot be decoded'
    }
  }

  /** The greatest index interval that a topic has ever had, bytes: no index of it is sparser. */
  greatestIndexInterval(topicId: string): number {
    return this.intervals.get(topicId) ?? topicDefaults.indexIntervalBytes
  }

  private apply(topicId: string, record: TopicRecord | null): void {
    if (record === null) {
      this.topics.delete(topicId)
      this.deleted.add(topicId)
      return
    }
    this.topics.set(topicId, record)
    const interval = Number(record.config.indexIntervalBytes ?? topicDefaults.indexIntervalBytes)
    this.intervals.set(topicId, Math.max(interval, this.intervals.get(topicId) ?? 0))
  }
}
