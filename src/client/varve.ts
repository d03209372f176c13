import type { ConsumerRecord } from '../codec/record.ts'
import type { RecordBatch } from '../codec/stored-batch.ts'
import type { AppendResult } from '../engine/append-chunk.ts'
import { isInternalTopic, OFFSETS_SPEC, OFFSETS_TOPIC, refuseInternal } from '../engine/internal-topics.ts'
import type { CompactionResult } from '../engine/cleaner.ts'
import { LogEngine } from '../engine/log-engine.ts'
import type { RecoveryReport, VarveOptions } from '../engine/open-options.ts'
import type { PartitionOffsets } from '../engine/partition.ts'
import type { ProducerRecord } from '../engine/record-encoding.ts'
import { TopicAdmin, type AdoptTopicOptions, type CreateTopicOptions } from '../engine/topic-admin.ts'
import type { TopicConfig } from '../engine/topic-config.ts'
import type { AppendOptions, Topic } from '../engine/topic.ts'
import { VarveError } from '../errors.ts'
import { checkOptions, integer, notInRange, show } from '../options.ts'
import type { TopicPartition } from '../group/assignors/assignor.ts'
import { GroupCoordinator } from '../group/coordinator.ts'
import { backUp, type BackupOptions, type BackupResult } from './backup.ts'
import { BatchReader } from './batch-reader.ts'
import { checkGroupId, checkName, isNamed } from './call-checks.ts'
import { consumerSettings, type ConsumerOptions } from './consumer-options.ts'
import { Consumer } from './consumer.ts'
import { GroupAdmin, type GroupDescription, type GroupListing, type PartitionLag } from './group-admin.ts'
import { keepInternals } from './internals.ts'
import type { OffsetReset, ResetOptions } from './offset-reset.ts'
import { describe, type TopicDescription } from './topic-description.ts'
import { startingPlaces, type ReadOptions } from './read-options.ts'
import { BatchIterator, RecordIterator, TimeOrderIterator } from './record-iterator.ts'

/**
 * An append-only partitioned log in one directory: Kafka's model and Kafka's file format, in this process.
 *
 * ```ts
 * const log = await Varve.open({ directory: './events' })
 * await log.createTopic({ name: 'orders', partitions: 4 })
 * await log.append('orders', { key: 'cust-881', value: { total: 89.99 } })
 * for await (const record of log.read('orders', { from: 'earliest' })) console.log(record.value)
 * await log.close()
 * ```
 */
export class Varve implements AsyncDisposable {
  private readonly admin: TopicAdmin
  private readonly coordinator: GroupCoordinator
  private readonly groups: GroupAdmin
  private readonly consumers = new Set<Consumer>()
  private closing: Promise<void> | null = null

  private constructor(private readonly engine: LogEngine) {
    this.admin = new TopicAdmin(engine)
    this.coordinator = new GroupCoordinator(engine)
    this.groups = new GroupAdmin(engine, this.coordinator)
    keepInternals({ varve: this, engine, admin: this.admin, coordinator: this.coordinator, groups: this.groups })
  }

  /**
   * Opens a log, creating its directory where there is none, and recovers whatever the last stop left.
   *
   * @throws TypeError or RangeError for options that are not what they should be
   * @throws VarveError LOCKED (names the holder), UNSUPPORTED_FORMAT, NOT_A_DIRECTORY, PERMISSION_DENIED, DISK_FULL,
   *         CORRUPT_MESSAGE (the catalog is damaged), KAFKA_STORAGE_ERROR
   */
  static async open(options: VarveOptions): Promise<Varve> {
    return new Varve(await LogEngine.open(options))
  }

  /** What opening found and did. */
  get recovery(): RecoveryReport {
    return this.engine.recovery
  }

  /** The directory of this log. */
  get directory(): string {
    return this.engine.directory
  }

  /**
   * Creates a topic; when it resolves the topic survives a power cut.
   *
   * @throws VarveError TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION, UNSUPPORTED_COMPRESSION_TYPE
   */
  async createTopic(options: CreateTopicOptions): Promise<TopicDescription> {
    // one of that name that was deleted may have left offsets, if a stop came between
    if (isNamed(options) && this.coordinator.keepsOffsets) await this.coordinator.forgetTopic(options.name)
    return describe(await this.admin.create(options))
  }

  /**
   * Takes over the directories `<name>-0`, `<name>-1`, ... that belong to no topic: written by Kafka, or left by a lost
   * catalog. They are read whole once. Unless said otherwise values stay bytes and keys are hashed by murmur2.
   * `__consumer_offsets` brings committed offsets back; not all of its directories need be there.
   *
   * @throws VarveError UNKNOWN_TOPIC_OR_PARTITION when a directory is missing, TOPIC_ALREADY_EXISTS
   */
  async adoptTopic(options: AdoptTopicOptions): Promise<TopicDescription> {
    if (isNamed(options)) {
      const { name } = options
      if (name === OFFSETS_TOPIC) return describe(await this.admin.adoptInternal(OFFSETS_SPEC, options))
      if (this.coordinator.mayKeepDeleted) await this.coordinator.forgetTopic(name)
    }
    return describe(await this.admin.adopt(options))
  }

  /** All topics but the internal ones, by name. */
  async listTopics(): Promise<TopicDescription[]> {
    this.engine.throwIfClosed()
    const topics = [...this.engine.topics.values()].filter(({ name }) => !isInternalTopic(name))
    return topics.map(describe).sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** @throws VarveError UNKNOWN_TOPIC_OR_PARTITION */
  async describeTopic(name: string): Promise<TopicDescription> {
    return describe(this.topic('describeTopic', name))
  }

  /**
   * Changes configuration; what is not named stays. A change of `flush`, `compressionType` and the like holds for
   * appends that come after it. The partitioner cannot change.
   */
  async alterTopic(name: string, changes: Partial<TopicConfig>): Promise<TopicDescription> {
    checkName('alterTopic', name)
    await this.admin.alter(name, changes)
    return describe(this.engine.topic(name))
  }

  /**
   * Adds partitions, up to `partitions` in all. Records stay where they are, so keys may go elsewhere from then on.
   *
   * @throws TypeError or RangeError for what is no number of partitions
   * @throws VarveError INVALID_PARTITIONS when there are as many or more already
   */
  async createPartitions(name: string, partitions: number): Promise<TopicDescription> {
    checkName('createPartitions', name)
    if (!Number.isInteger(partitions)) {
      const message = `createPartitions: the number of partitions must be an integer, not ${show(partitions)}`
      throw notInRange(partitions, message)
    }
    await this.admin.createPartitions(name, partitions)
    return describe(this.engine.topic(name))
  }

  /** Deletes a topic for good, or only that of `topicId`: durably gone when it resolves, its files too. Its readers fail. */
  async deleteTopic(name: string, { topicId }: { topicId?: string } = {}): Promise<void> {
    checkName('deleteTopic', name)
    await this.admin.delete(name, topicId)
    // it is gone, whatever comes of this: what is left of it is forgotten before there is another one of its name
    await this.coordinator.forgetTopic(name).catch(() => {})
  }

  /**
   * Moves the start of a partition to `beforeOffset`: what lies before it can no longer be read, and segments that lie
   * wholly before it are deleted. Resolves with the new start.
   *
   * @throws VarveError OFFSET_OUT_OF_RANGE beyond the high watermark
   */
  async deleteRecords(
    name: string,
    options: { partition: number; beforeOffset: number },
  ): Promise<{ logStartOffset: number }> {
    this.engine.throwIfNotWritable()
    checkOptions('deleteRecords', options, { partition: integer(0), beforeOffset: integer(0) }, [
      'partition',
      'beforeOffset',
    ])
    const partition = this.topic('deleteRecords', name).partition(options.partition)
    if (!(await this.coordinator.isDamaged(partition))) refuseInternal(name)
    const { beforeOffset } = options
    if (beforeOffset > partition.highWatermark) {
      const message =
        `cannot delete up to offset ${beforeOffset} of ${name}-${partition.partition}: ` +
        `it ends at ${partition.highWatermark}`
      throw new VarveError('OFFSET_OUT_OF_RANGE', message, {
        details: { topic: name, partition: partition.partition, offset: beforeOffset },
      })
    }
    await this.engine.moveLogStart(partition, async () => beforeOffset)
    return { logStartOffset: partition.log.logStartOffset }
  }

  /**
   * Appends one record; resolves as the flush mode promises, with the record's place.
   *
   * Waits while more than `maxPendingBytes` are handed in and not written. The record is encoded before this returns
   * where there is no need to wait.
   *
   * @throws TypeError or RangeError for a record that is not one
   * @throws VarveError UNKNOWN_TOPIC_OR_PARTITION, INVALID_RECORD (no key, where the topic is compacted), MESSAGE_TOO_LARGE,
   *         UNEXPECTED_OFFSET, DISK_FULL, QUEUE_FULL, KAFKA_STORAGE_ERROR, CLOSED, READ_ONLY
   */
  append(topic: string, record: ProducerRecord, options?: AppendOptions): Promise<AppendResult> {
    try {
      return this.writableTopic('append', topic).append(record, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Appends many records in the order given, with one promise for all: results in the same order.
   *
   * A record that is refused (its type, its size) refuses all, before anything is written. What cannot be written leaves
   * nothing; only of a batch that is larger than a segment may a part be written, and then `details` name its `offset` and
   * `nextOffset`. Where records go to several partitions and one of those fails, the others keep theirs.
   *
   * @throws what `append` throws
   */
  async appendBatch(
    topic: string,
    records: readonly ProducerRecord[],
    options?: AppendOptions,
  ): Promise<AppendResult[]> {
    return this.writableTopic('appendBatch', topic).appendBatch(records, options)
  }

  /**
   * Reads records: from the earliest one, or from where `from` says, up to the end that the log had when reading
   * began, or on and on with `follow`.
   *
   * Stopping the loop at any point is fine. A damaged batch ends it with an error that names the damage and where to
   * read on (`details.nextOffset`).
   *
   * @throws TypeError or RangeError at once for wrong options; VarveError UNKNOWN_TOPIC_OR_PARTITION at once
   * @throws VarveError OFFSET_OUT_OF_RANGE (names the range), CORRUPT_MESSAGE, INVALID_RECORD, CLOSED while iterating
   */
  read(topic: string, options: ReadOptions = {}): AsyncIterableIterator<ConsumerRecord> {
    const reader = this.reader('read', topic, options)
    if (options.order === 'time') return new TimeOrderIterator(reader, options.follow === true, options.signal)
    return new RecordIterator(reader)
  }

  /** Reads as {@link read} does, batch by batch: the fast lane, for whoever handles many records at a time. */
  readBatches(topic: string, options: ReadOptions = {}): AsyncIterableIterator<RecordBatch> {
    if (options.order === 'time') throw new TypeError("readBatches: order 'time' takes records one by one: use read")
    return new BatchIterator(this.reader('readBatches', topic, options))
  }

  /**
   * Makes a consumer: a member of a group that shares the partitions of some topics. It joins when it is first consumed.
   *
   * @throws TypeError or RangeError for wrong options; VarveError UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, READ_ONLY
   */
  consumer(options: ConsumerOptions): Consumer {
    this.engine.throwIfNotWritable()
    const settings = consumerSettings(options)
    for (const name of settings.topics) {
      refuseInternal(name)
      this.topic('consumer', name)
    }
    settings.signal?.throwIfAborted()
    const consumer = new Consumer(this.engine, this.coordinator, settings, (closed) => this.consumers.delete(closed))
    this.consumers.add(consumer)
    return consumer
  }

  /** All consumer groups: those that have members, and those that anything is kept of. */
  async listGroups(): Promise<GroupListing[]> {
    return this.groups.list()
  }

  /**
   * Describes a group: its members, what they own, and how far it has come. Beside another process that writes: as that has
   * stored it last.
   *
   * @throws VarveError GROUP_ID_NOT_FOUND; CORRUPT_MESSAGE when what is kept of the group is damaged
   */
  async describeGroup(groupId: string): Promise<GroupDescription> {
    checkGroupId('describeGroup', groupId)
    return this.groups.describe(groupId)
  }

  /**
   * How far a group lags behind, for each partition that it consumes or has committed of.
   *
   * @throws what `describeGroup` throws
   */
  async lag(groupId: string): Promise<PartitionLag[]> {
    checkGroupId('lag', groupId)
    return this.groups.lag(groupId)
  }

  /**
   * Has a group without members go on elsewhere; a group that there is not yet begins there. Out of range means the nearest
   * edge. Only says what would be done unless `dryRun` is false.
   *
   * @throws TypeError or RangeError for wrong options
   * @throws VarveError NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, UNKNOWN_TOPIC_OR_PARTITION
   */
  async resetOffsets(groupId: string, options: ResetOptions): Promise<OffsetReset[]> {
    checkGroupId('resetOffsets', groupId)
    return this.groups.reset(groupId, options)
  }

  /**
   * Deletes a group that has no members, with its offsets: one of that id begins anew.
   *
   * @throws VarveError NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND
   */
  async deleteGroup(groupId: string): Promise<void> {
    checkGroupId('deleteGroup', groupId)
    await this.groups.delete(groupId)
  }

  /**
   * Deletes what a group has committed of some partitions.
   *
   * @throws VarveError GROUP_SUBSCRIBED_TO_TOPIC, GROUP_ID_NOT_FOUND
   */
  async deleteOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void> {
    checkGroupId('deleteOffsets', groupId)
    await this.groups.deleteOffsets(groupId, partitions)
  }

  /** Where each partition of a topic begins and ends now. */
  offsets(topic: string): PartitionOffsets[] {
    return this.topic('offsets', topic).partitions.map((partition) => partition.offsets())
  }

  /** Makes everything durable that was appended before, whatever the flush mode. */
  async flush(): Promise<void> {
    await this.engine.flush()
  }

  /** Applies retention now, as happens by itself every few minutes. */
  async enforceRetention(): Promise<void> {
    await this.engine.maintenance.enforceRetention()
  }

  /**
   * Compacts a topic now, or all that are compacted: of each key the latest record stays. Goes by the sealed segments only,
   * as what happens by itself every few seconds does, but however little there is to gain. Resolves with what it did in
   * each partition.
   *
   * @throws VarveError INVALID_CONFIG for a topic whose `cleanupPolicy` does not say so; CORRUPT_MESSAGE where it meets
   *         damage, which stays as it is; DISK_FULL; KAFKA_STORAGE_ERROR; CLOSED when the log is closed meanwhile
   */
  async compact(topic?: string): Promise<CompactionResult[]> {
    this.engine.throwIfNotWritable()
    return this.engine.maintenance.compact(topic === undefined ? undefined : this.topic('compact', topic))
  }

  /**
   * Copies the log to a directory that is not there yet, or empty, while it is written and read: what every partition held
   * at one moment, durable and checked, which opens as a log that was closed in order. Until it is complete it is called
   * `<directory>.partial`. Backups run one at a time; `close` ends one with CLOSED.
   *
   * What is damaged is copied as it is, and told in `damage` of the result.
   *
   * @throws TypeError or RangeError for a directory that is none, or inside the log's
   * @throws VarveError DIRECTORY_NOT_EMPTY, NOT_A_DIRECTORY, LOCKED (a backup goes there already), DISK_FULL,
   *         PERMISSION_DENIED, KAFKA_STORAGE_ERROR, READ_ONLY, CLOSED: the log goes on, and nothing is left of the copy
   */
  async backup(directory: string, options: BackupOptions = {}): Promise<BackupResult> {
    return backUp(this.engine, directory, options)
  }

  /**
   * Closes the consumers, finishes what was handed in, makes it durable, and gives the directory back. Afterwards every
   * call fails with CLOSED; readers that follow end with CLOSED. Closing twice is fine.
   *
   * @throws VarveError KAFKA_STORAGE_ERROR when not everything could be made durable; the directory is given back all the same
   */
  close(): Promise<void> {
    this.closing ??= this.shutDown()
    return this.closing
  }

  private async shutDown(): Promise<void> {
    // their last commits need the log; where there are none, every call fails from this moment on
    const consumers = [...this.consumers].map((consumer) => consumer.close())
    const closed = consumers.length === 0 ? [] : await Promise.allSettled(consumers)
    this.coordinator.close()
    await this.engine.close()
    for (const result of closed) if (result.status === 'rejected') throw result.reason
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private topic(call: string, name: string): Topic {
    checkName(call, name)
    return this.engine.topic(name)
  }

  private writableTopic(call: string, name: string): Topic {
    if (this.engine.readOnly) this.engine.throwIfNotWritable()
    const topic = this.topic(call, name)
    refuseInternal(name)
    return topic
  }

  private reader(call: string, name: string, options: ReadOptions): BatchReader {
    const topic = this.topic(call, name)
    const places = startingPlaces(call, topic, options)
    return new BatchReader(
      this.engine,
      new Map([...places].map(([index, place]) => [topic.partition(index), place])),
      options,
    )
  }
}
