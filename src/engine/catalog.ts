import { resolveValueCodec } from '../codec/value-codec.ts'
import type { Clock } from '../environment.ts'
import { isDamage, VarveError } from '../errors.ts'
import { PartitionCursor } from './partition-cursor.ts'
import type { Partition } from './partition.ts'
import type { TopicRecord } from './topic.ts'

/** The internal topic that holds all topics. */
export const CATALOG_TOPIC = '__varve_catalog'

const codec = resolveValueCodec('msgpack')

/**
 * The topics of a log: records in an internal topic, key: topic id, value: {@link TopicRecord}, no value: deleted.
 *
 * What is here in memory is what replaying that topic gives, always: it changes only after the record is durable.
 */
export class Catalog {
  private readonly byId = new Map<string, TopicRecord>()
  private readonly deletedIds = new Set<string>()

  constructor(
    private readonly partition: Partition,
    private readonly clock: Clock,
  ) {}

  /**
   * Replays the internal topic.
   *
   * @param knownStart where it must begin, when that is known: a later start means that its files are gone
   * @throws VarveError CORRUPT_MESSAGE: which topics exist is not guessed from what is left
   */
  async load(knownStart?: number): Promise<void> {
    const { log } = this.partition
    const cursor = new PartitionCursor(this.partition, log.logStartOffset, log.logEndOffset)
    try {
      if (knownStart !== undefined && log.logStartOffset > knownStart) {
        const message = `the records from offset ${knownStart} to ${log.logStartOffset - 1} are missing`
        throw new VarveError('CORRUPT_MESSAGE', message, { details: { path: log.directory, offset: knownStart } })
      }
      do {
        for (let batch = cursor.take(); batch !== null; batch = cursor.take()) {
          for (const record of batch) {
            const topicId = record.key!
            this.apply(topicId, record.valueBytes === null ? null : (record.value as TopicRecord))
          }
        }
      } while (await cursor.fill())
    } catch (error) {
      if (!isDamage(error)) throw error
      const advice =
        'the catalog of topics is damaged, and guessing would lose topics: ' +
        `restore '${log.directory}' from a copy, or move it away and take the topics over with adoptTopic`
      throw new VarveError(error.code, `${advice}; ${error.message}`, { details: error.details, cause: error })
    }
  }

  get topics(): TopicRecord[] {
    return [...this.byId.values()]
  }

  get hasDeletions(): boolean {
    return this.deletedIds.size > 0
  }

  /** The topic of this id. */
  get(topicId: string): TopicRecord | undefined {
    return this.byId.get(topicId)
  }

  /** Whether there is a topic of this id. */
  has(topicId: string): boolean {
    return this.byId.has(topicId)
  }

  /** Whether a topic of this id existed and was deleted. */
  wasDeleted(topicId: string): boolean {
    return this.deletedIds.has(topicId)
  }

  /** Resolves when the record is durable. */
  async put(record: TopicRecord): Promise<void> {
    await this.write(record.topicId, codec.encode(record))
    this.apply(record.topicId, record)
  }

  /** Resolves when the deletion is durable. */
  async delete(topicId: string): Promise<void> {
    await this.write(topicId, null)
    this.apply(topicId, null)
  }

  private async write(topicId: string, value: Uint8Array | null): Promise<void> {
    await this.partition.writer.append(Buffer.from(topicId), value, [], this.clock.now(), null)
  }

  private apply(topicId: string, record: TopicRecord | null): void {
    if (record === null) {
      this.byId.delete(topicId)
      this.deletedIds.add(topicId)
    } else {
      this.byId.set(topicId, record)
      // its directories were put back and taken over again
      this.deletedIds.delete(topicId)
    }
  }
}
