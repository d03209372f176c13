import type { LogEngine } from '../engine/log-engine.ts'
import { isInternalTopic } from '../engine/internal-topics.ts'
import { PartitionCursor } from '../engine/partition-cursor.ts'
import type { Partition } from '../engine/partition.ts'
import { isDamage, VarveError } from '../errors.ts'
import { keyOf, type TopicPartition } from '../group/assignors/assignor.ts'
import { compareTopicPartitions, decodeAssignment, decodeSubscription } from '../group/consumer-protocol.ts'
import { NO_MEMBER, type GroupCoordinator } from '../group/coordinator.ts'
import { nonEmpty, notFound } from '../group/group-errors.ts'
import { modernOf, type GroupImage } from '../group/group-log.ts'
import { snapshotOf } from '../group/group-machine.ts'
import type { ModernState } from '../group/modern/modern-group.ts'
import { ModernGroup } from '../group/modern/modern-machine.ts'
import { snapshotOfModern } from '../group/modern/modern-snapshot.ts'
import { topicsOf } from '../group/modern/topic-source.ts'
import type { GroupSnapshot, GroupState } from '../group/group.ts'
import type { CommittedOffset } from '../group/offset-records.ts'
import { checkPartitions, planReset, type OffsetReset, type ResetOptions } from './offset-reset.ts'

/** A consumer group as `listGroups` shows it. */
export interface GroupListing {
  groupId: string
  state: GroupState | ModernState
  members: number
}

/** How far a group has come in one partition. */
export interface PartitionLag extends TopicPartition {
  /** The next offset to process, or null where nothing is committed. */
  committed: number | null
  /** The partition's high watermark. */
  end: number
  /** Offsets from the committed one, or where the partition begins, to the last record. Those without a record count too. */
  lag: number
}

/** A member of a group. */
export interface GroupMember {
  memberId: string
  instanceId: string | null
  clientId: string
  /** `'embedded'` for a consumer in the process that holds the log. */
  clientHost: string
  topics: string[]
  /** Empty for a member that has nothing to do, because there are more members than partitions. */
  assignment: TopicPartition[]
}

/** A consumer group as `describeGroup` shows it. */
export interface GroupDescription {
  groupId: string
  state: GroupState | ModernState
  /** Grows with every rebalance; of a group whose members use Kafka's newer protocol, its epoch. */
  generation: number
  /** The assignor in force, or null. */
  assignor: string | null
  members: GroupMember[]
  offsets: (PartitionLag & {
    /** What was committed with the offset. */
    metadata: string
    /** When, ms since the epoch, or null. */
    commitTimestamp: number | null
    /** Member id of the one who owns the partition, or null. */
    owner: string | null
    /** Timestamp of the first record that is not processed, ms since the epoch, or null when there is none. */
    oldestTimestamp: number | null
  })[]
}

/** A group as it is now. */
export interface GroupLook {
  state: GroupState | ModernState
  snapshot: GroupSnapshot
  /** Present where its members use Kafka's newer protocol. */
  modern?: ModernGroup
  /** Absent for one that nothing is kept of yet. */
  image?: GroupImage
}

/** Looks into groups, and changes what is kept of those that have no members. */
export class GroupAdmin {
  constructor(
    private readonly engine: LogEngine,
    private readonly coordinator: GroupCoordinator,
  ) {}

  /** See the public `listGroups`. */
  async list(): Promise<GroupListing[]> {
    const groups = await this.lookAtAll()
    return groups.map(({ groupId, state, snapshot }) => ({ groupId, state, members: snapshot.members.length }))
  }

  /** All groups, by id. */
  async lookAtAll(): Promise<({ groupId: string } & GroupLook)[]> {
    const groups: ({ groupId: string } & GroupLook)[] = []
    for (const groupId of await this.coordinator.groupIds()) {
      const found = await this.look(groupId).catch((error: unknown) => {
        // it was deleted meanwhile
        if (error instanceof VarveError && error.code === 'GROUP_ID_NOT_FOUND') return null
        throw error
      })
      if (found !== null) groups.push({ groupId, ...found })
    }
    return groups
  }

  /** See the public `describeGroup`. */
  async describe(groupId: string): Promise<GroupDescription> {
    const { state, snapshot, image } = await this.look(groupId)
    const members = snapshot.members.map(describeMember)
    const owners = new Map(members.flatMap(({ memberId, assignment }) => assignment.map((it) => [keyOf(it), memberId])))
    const offsets = this.partitionsOf(members, image).map(async (where) => {
      const committed = committedIn(image, where)
      const lag = this.lagOf(where, committed)
      return {
        ...lag,
        metadata: committed?.metadata ?? '',
        commitTimestamp: committed?.commitTimestampMs ?? null,
        owner: owners.get(keyOf(where)) ?? null,
        oldestTimestamp: lag.lag === 0 ? null : await this.timestampAt(where, committed?.offset ?? 0),
      }
    })
    const { generation, protocol: assignor } = snapshot
    return { groupId, state, generation, assignor, members, offsets: await Promise.all(offsets) }
  }

  /** See the public `lag`. */
  async lag(groupId: string): Promise<PartitionLag[]> {
    const { snapshot, image } = await this.look(groupId)
    const members = snapshot.members.map(describeMember)
    return this.partitionsOf(members, image).map((where) => this.lagOf(where, committedIn(image, where)))
  }

  /** See the public `resetOffsets`. */
  async reset(groupId: string, options: ResetOptions): Promise<OffsetReset[]> {
    const { engine, coordinator } = this
    const image = await coordinator.image(groupId)
    const plan = await planReset(engine, groupId, image, options)
    const live = await coordinator.reviveGroup(groupId)
    if (live !== undefined && live.size > 0) throw nonEmpty(groupId, live)
    if (options.dryRun ?? true) return plan
    const offsets = plan.map(({ topic, partition, to }) => ({
      topic,
      partition,
      offset: to,
      leaderEpoch: -1,
      metadata: '',
    }))
    const results = await coordinator.commit(groupId, NO_MEMBER, offsets).catch((error: unknown) => {
      const isLive = error instanceof VarveError && error.code === 'UNKNOWN_MEMBER_ID'
      throw isLive ? nonEmpty(groupId, coordinator.liveGroup(groupId)!) : error
    })
    for (const { error } of results) if (error !== null) throw error
    return plan
  }

  /** See the public `deleteGroup`. */
  async delete(groupId: string): Promise<void> {
    await this.coordinator.deleteGroup(groupId)
  }

  /** See the public `deleteOffsets`. */
  async deleteOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void> {
    this.engine.throwIfNotWritable()
    checkPartitions('deleteOffsets', partitions)
    const { snapshot, image } = await this.look(groupId)
    if (image === undefined) throw notFound(groupId)
    const subscribed = subscribedTopics(snapshot)
    await this.coordinator.deleteOffsets(groupId, partitions, (topic) => subscribed.has(topic))
  }

  /** @throws VarveError GROUP_ID_NOT_FOUND */
  async look(groupId: string): Promise<GroupLook> {
    const live = await this.coordinator.reviveGroup(groupId)
    const image = await this.coordinator.image(groupId)
    const stored = image?.stored?.snapshot
    const modern = live?.modern.group ?? ModernGroup.restore(groupId, modernOf(image), this.engine.clock.monotonicMs())
    if (modern.epoch > 0) {
      const snapshot = snapshotOfModern(modern, topicsOf(this.engine))
      return { state: modern.state, snapshot, modern, ...(image && { image }) }
    }
    if (live !== undefined && !live.isIdle) {
      return { state: live.group.state, snapshot: snapshotOf(live.group), ...(image && { image }) }
    }
    if (image === undefined) throw notFound(groupId)
    // of a log that another process writes nothing is known but what it has stored
    const snapshot = stored ?? { generation: 0, protocolType: null, protocol: null, leader: null, members: [] }
    return { state: snapshot.members.length > 0 ? 'Stable' : 'Empty', snapshot, image }
  }

  /** The partitions of the topics that members subscribe to, or that anything is committed of. */
  private partitionsOf(members: readonly GroupMember[], image: GroupImage | undefined): TopicPartition[] {
    const names = new Set([...members.flatMap(({ topics }) => topics), ...(image?.offsets.keys() ?? [])])
    const found: TopicPartition[] = []
    for (const topic of names) {
      if (isInternalTopic(topic)) continue
      for (const { partition } of this.engine.topics.get(topic)?.partitions ?? []) found.push({ topic, partition })
    }
    return found.sort(compareTopicPartitions)
  }

  private lagOf({ topic, partition }: TopicPartition, committed: CommittedOffset | undefined): PartitionLag {
    const found = this.find({ topic, partition })!
    const { highWatermark: end, log } = found
    const next = Math.max(committed?.offset ?? 0, log.logStartOffset)
    // offsets that a recovery has skipped at the end hold nothing to wait for
    const lag = Math.max(Math.min(end, log.contentEndOffset) - next, 0)
    return { topic, partition, committed: committed?.offset ?? null, end, lag }
  }

  private async timestampAt(where: TopicPartition, offset: number): Promise<number | null> {
    const partition = this.find(where)!
    return this.engine.lookAt(partition, async () => {
      const cursor = new PartitionCursor(partition, Math.max(offset, partition.log.logStartOffset), Infinity)
      while (await cursor.fill()) {
        for (let batch = cursor.take(); batch !== null; batch = cursor.take()) {
          const [record] = batch.records(1)
          if (record !== undefined) return record.timestamp
        }
      }
      return null
    })
  }

  private find({ topic, partition }: TopicPartition): Partition | undefined {
    return this.engine.topics.get(topic)?.partitions[partition]
  }
}

function describeMember({
  memberId,
  instanceId,
  clientId,
  clientHost,
  ...rest
}: GroupSnapshot['members'][number]): GroupMember {
  const topics = orNothing(() => [...decodeSubscription(rest.subscription).topics])
  const assignment = orNothing(() => [...decodeAssignment(rest.assignment).partitions].sort(compareTopicPartitions))
  return { memberId, instanceId, clientId, clientHost, topics, assignment }
}

/** What the members of a group subscribe to. */
export function subscribedTopics({ members }: GroupSnapshot): Set<string> {
  return new Set(members.flatMap((member) => describeMember(member).topics))
}

/** What the coordinator does not look into may be anything: members that are no consumers have words of their own. */
function orNothing<T>(decode: () => T[]): T[] {
  try {
    return decode()
  } catch (error) {
    if (!isDamage(error)) throw error
    return []
  }
}

function committedIn(image: GroupImage | undefined, { topic, partition }: TopicPartition): CommittedOffset | undefined {
  return image?.offsets.get(topic)?.get(partition)
}
