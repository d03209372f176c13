import type { Clock } from '../environment.ts'
import { isDamage, VarveError } from '../errors.ts'
import type { AppendResult } from '../engine/append-chunk.ts'
import { PartitionCursor } from '../engine/partition-cursor.ts'
import type { Partition } from '../engine/partition.ts'
import type { TopicPartition } from './assignors/assignor.ts'
import type { GroupSnapshot } from './group.ts'
import type { StoredModern } from './modern/modern-group.ts'
import { tombstonesOf, withRecord, type ModernEntry } from './modern/modern-records.ts'
import {
  decodeOffsetsRecord,
  encodeGroupKey,
  encodeGroupValue,
  encodeOffsetKey,
  encodeOffsetValue,
  type CommittedOffset,
} from './offset-records.ts'

/** What is kept of a group. */
export interface GroupImage {
  /** By topic and partition. */
  readonly offsets: Map<string, Map<number, CommittedOffset>>
  /** Null for a group that never had members, or whose generations were forgotten. */
  stored: { snapshot: GroupSnapshot; currentStateTimestampMs: number } | null
  /** Null for a group that is not of the newer protocol. */
  modern: StoredModern | null
}

/**
 * One partition of `__consumer_offsets`, and what replaying it gives: committed offsets, and the last stable state of each
 * group that is kept there.
 *
 * What is here in memory is what replaying the partition gives, always: it changes only when a record is acknowledged, in
 * the order of the log.
 */
export class GroupLog {
  images = new Map<string, GroupImage>()
  private cursor: PartitionCursor | null = null
  /** Of segments, before what `cursor` has read. */
  private exchanges = 0
  private replaying: Promise<void> = Promise.resolve()
  /** The last write; those before it are acknowledged, or fail, before it is. */
  private lastWrite: Promise<unknown> = Promise.resolve()

  constructor(
    readonly partition: Partition,
    private readonly clock: Clock,
  ) {}

  /**
   * Replays what was not replayed yet, up to the end that the partition has now.
   *
   * @throws VarveError CORRUPT_MESSAGE and the like: damage never means that there is no offset, and this is of no use then
   */
  replay(): Promise<void> {
    // one after another: of two at a time the one that is behind would bring back what the other has replaced
    return (this.replaying = this.replaying.catch(() => {}).then(() => this.replayOn()))
  }

  private async replayOn(): Promise<void> {
    const { partition, cursor: last } = this
    const { highWatermark, log } = partition
    const { exchanges } = log.exchange
    // beside a writer that has recovered, the end may have moved back: what was read beyond it was never durable;
    // and beside one that has compacted, deletions that were not read may be no more
    const goesOn = last !== null && last.offset <= highWatermark && exchanges === this.exchanges
    const images = goesOn ? this.images : new Map<string, GroupImage>()
    const cursor = new PartitionCursor(partition, Math.max(goesOn ? last.offset : 0, log.logStartOffset), highWatermark)
    this.cursor = null
    this.exchanges = exchanges
    try {
      do {
        for (let batch = cursor.take(); batch !== null; batch = cursor.take()) {
          for (const { keyBytes, valueBytes } of batch) apply(images, keyBytes, valueBytes)
        }
      } while (await cursor.fill())
    } catch (error) {
      throw this.describe(error)
    }
    this.images = images
    this.cursor = cursor
  }

  /** What cannot be read now says nothing of damage. */
  private describe(error: unknown): unknown {
    if (!isDamage(error)) return error
    const { log, partition, topic, highWatermark } = this.partition
    const beforeOffset = error.details.nextOffset ?? highWatermark
    const message =
      `the committed offsets in '${log.directory}' are damaged, and guessing would make groups skip records or read all of ` +
      `them again: restore the directory from a copy, or accept that what stands before the end of the damage is lost, ` +
      `log.deleteRecords('${topic}', { partition: ${partition}, beforeOffset: ${beforeOffset} }); ${error.message}`
    return new VarveError(error.code, message, { details: error.details, cause: error })
  }

  /** Resolves when the offsets are acknowledged, as the flush mode promises, and can be seen. */
  async commit(groupId: string, offsets: readonly (TopicPartition & { committed: CommittedOffset })[]): Promise<void> {
    await this.write(
      offsets.map(({ topic, partition, committed }) => ({
        key: encodeOffsetKey(groupId, topic, partition),
        value: encodeOffsetValue(committed),
      })),
    )
  }

  async putGroup(groupId: string, snapshot: GroupSnapshot): Promise<void> {
    const value = encodeGroupValue(snapshot, this.clock.now())
    await this.write([{ key: encodeGroupKey(groupId), value }])
  }

  async deleteOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void> {
    await this.write(
      partitions.map(({ topic, partition }) => ({ key: encodeOffsetKey(groupId, topic, partition), value: null })),
    )
  }

  /** What has changed of a group of the newer protocol, all of it or nothing; it is no group of the classic one any more. */
  async putModern(groupId: string, changes: readonly ModernEntry[]): Promise<void> {
    const isKept = changes.some(({ value }) => value !== null)
    const isClassic = (this.images.get(groupId)?.stored ?? null) !== null
    const before = isKept && isClassic ? [{ key: encodeGroupKey(groupId), value: null }] : []
    await this.write([...before, ...changes])
  }

  /** Forgets a group: its offsets, its generations and its epochs. */
  async deleteGroup(groupId: string): Promise<void> {
    const image = this.images.get(groupId)
    const entries = committedPartitions(image).map(({ topic, partition }) => ({
      key: encodeOffsetKey(groupId, topic, partition),
      value: null,
    }))
    const modern = image?.modern ? tombstonesOf(groupId, image.modern) : []
    await this.write([...entries, ...modern, { key: encodeGroupKey(groupId), value: null }])
  }

  /** Resolves when what was written before is acknowledged, or has failed. */
  async settled(): Promise<void> {
    await this.lastWrite.catch(() => {})
  }

  private async write(entries: readonly ModernEntry[]): Promise<void> {
    if (entries.length === 0) return
    const written = entries.length === 1 ? this.writeOne(entries[0]) : this.writeTogether(entries)
    this.lastWrite = written
    await written
    // acknowledgements come in the order of the log, and nothing is awaited between one and its effect here
    for (const { key, value } of entries) apply(this.images, key, value)
  }

  /** It may share a batch with others that are written now. */
  private writeOne({ key, value }: ModernEntry): Promise<unknown> {
    return this.partition.writer.append(key, value, [], this.clock.now(), null)
  }

  private writeTogether(entries: readonly ModernEntry[]): Promise<unknown> {
    const { writer, partition } = this.partition
    const timestamp = this.clock.now()
    const call = writer.beginBatch(null)
    for (const { key, value } of entries) {
      const result: AppendResult = { partition, offset: -1, timestamp }
      call.chunk.addRecord(result, key, value, [])
    }
    return writer.endBatch(call)
  }
}

function apply(images: Map<string, GroupImage>, key: Buffer | null, value: Buffer | null): void {
  // nobody writes such a record here, and no key names nothing
  if (key === null) return
  const record = decodeOffsetsRecord(key, value)
  if (record.type === 'unknown') return
  const image = images.get(record.groupId) ?? { offsets: new Map(), stored: null, modern: null }
  if (record.type === 'group') image.stored = record.stored
  else if (record.type === 'modern') image.modern = withRecord(image.modern, record.record)
  else if (record.committed === null) forgetOffset(image, record)
  else {
    const partitions = image.offsets.get(record.topic) ?? new Map<number, CommittedOffset>()
    image.offsets.set(record.topic, partitions.set(record.partition, record.committed))
  }
  if (image.stored === null && image.modern === null && image.offsets.size === 0) images.delete(record.groupId)
  else images.set(record.groupId, image)
}

/** What is kept of a group of the newer protocol: where the last one that had members was of the classic one, nothing. */
export function modernOf(image: GroupImage | undefined): StoredModern | null {
  const modern = image?.modern ?? null
  return modern !== null && modern.members.size === 0 && image?.stored !== null ? null : modern
}

/** The partitions that a group has committed offsets of. */
export function committedPartitions(image: GroupImage | undefined): TopicPartition[] {
  return [...(image?.offsets ?? [])].flatMap(([topic, partitions]) =>
    [...partitions.keys()].map((partition) => ({ topic, partition })),
  )
}

function forgetOffset(image: GroupImage, { topic, partition }: TopicPartition): void {
  const partitions = image.offsets.get(topic)
  partitions?.delete(partition)
  if (partitions?.size === 0) image.offsets.delete(topic)
}
