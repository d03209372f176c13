import { isDamage, VarveError, type ErrorCode } from '../errors.ts'
import { definedOf } from '../options.ts'
import { OFFSETS_SPEC, OFFSETS_TOPIC } from '../engine/internal-topics.ts'
import type { LogEngine } from '../engine/log-engine.ts'
import type { GroupOptions } from '../engine/open-options.ts'
import { TopicAdmin } from '../engine/topic-admin.ts'
import type { TopicPartition } from './assignors/assignor.ts'
import { commitError, nonEmpty, notFound } from './group-errors.ts'
import { committedPartitions, GroupLog, modernOf, type GroupImage } from './group-log.ts'
import type { JoinRequest, JoinResponse, LeaveResponse, MemberClaim, SyncRequest, SyncResponse } from './group.ts'
import { LiveGroup } from './live-group.ts'
import { JOIN_EPOCH, type EpochClaim, type HeartbeatAnswer, type HeartbeatRequest } from './modern/modern-group.ts'
import { topicsOf } from './modern/topic-source.ts'
import { offsetsPartitionFor } from './offsets-partition.ts'

/** Small segments, because what they hold is soon superseded, and read whole when a group is first used. */
const DEFAULTS: Required<GroupOptions> = {
  initialRebalanceDelayMs: 0,
  minSessionTimeoutMs: 6_000,
  maxSessionTimeoutMs: 1_800_000,
  maxSize: 1_000,
  maxMetadataBytes: 4_096,
  offsetsRetentionMs: -1,
}

/** How often groups whose offsets have expired are looked for: Kafka's offsets.retention.check.interval.ms. */
const EXPIRY_CHECK_MS = 600_000

/** Characters of the client's or the instance's name that a member id begins with. */
const MEMBER_NAME_MAX = 249

/** Members that one call may take out of a group: each is looked for among all. */
const LEAVING_MAX = 10_000

/** One offset to commit. */
export interface OffsetCommit extends TopicPartition {
  /** Of the next record to read. */
  offset: number
  /** Leader epoch of the record before it, or -1. */
  leaderEpoch: number
  metadata: string
}

/** What became of one offset that was to be committed. */
export interface CommitResult extends TopicPartition {
  error: VarveError | null
}

/** A commit from outside of any generation, which an empty group takes. */
export const NO_MEMBER: MemberClaim = { memberId: '', instanceId: null, generation: -1 }

/**
 * The groups of one log: who is a member of which, who owns what, and how far each has come.
 *
 * Doors (the embedded consumer, a server) call it and translate its answers; the rules are in group-machine.ts, and what
 * has to survive in `__consumer_offsets`, which is read when a group in it is first used.
 */
export class GroupCoordinator {
  private readonly options: Required<GroupOptions>
  private readonly admin: TopicAdmin
  private readonly logs = new Map<number, Promise<GroupLog>>()
  private readonly live = new Map<string, LiveGroup>()
  private cancelExpiry: (() => void) | null = null
  private isClosed = false

  constructor(private readonly engine: LogEngine) {
    this.options = { ...DEFAULTS, ...definedOf(engine.groupOptions ?? {}) }
    this.admin = new TopicAdmin(engine)
    if (!engine.readOnly && this.options.offsetsRetentionMs >= 0) this.scheduleExpiry()
  }

  /**
   * Resolves when the rebalance that it starts or takes part in completes.
   *
   * @param signal ends the waiting; the member stays until its session ends
   * @throws VarveError COORDINATOR_NOT_AVAILABLE where `signal` has ended it
   */
  async join(groupId: string, request: Omit<JoinRequest, 'newMemberId'>, signal?: AbortSignal): Promise<JoinResponse> {
    const unique = this.uniqueId()
    const name = (request.instanceId ?? request.clientId).slice(0, MEMBER_NAME_MAX)
    return this.use(groupId, (group) => group.join({ ...request, newMemberId: `${name}-${unique}` }, signal))
  }

  /**
   * A member of the newer protocol joins, is heard of, or leaves: resolves when what it tells is durable.
   *
   * @throws VarveError INVALID_REQUEST, UNSUPPORTED_ASSIGNOR, INVALID_REGULAR_EXPRESSION, GROUP_MAX_SIZE_REACHED,
   *   UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, UNRELEASED_INSTANCE_ID, FENCED_INSTANCE_ID, GROUP_ID_NOT_FOUND
   */
  async modernHeartbeat(groupId: string, request: HeartbeatRequest): Promise<HeartbeatAnswer> {
    if (groupId === '') throw new VarveError('INVALID_REQUEST', 'a group has an id')
    const isNew = request.memberId === '' && request.epoch === JOIN_EPOCH && !request.requiresMemberId
    const memberId = isNew ? this.uniqueId() : request.memberId
    return this.use(groupId, (group) => group.modernHeartbeat({ ...request, memberId }))
  }

  /** Why this member may not fetch the offsets of a group, which only one of the newer protocol says, or null. */
  async fetchError(groupId: string, claim: EpochClaim): Promise<ErrorCode | null> {
    const modern = (await this.reviveGroup(groupId))?.modern
    return modern === undefined || modern.group.epoch === 0 ? null : modern.group.epochError(claim)
  }

  /** Whether this is a member of the newer protocol. */
  isModernMember(groupId: string, memberId: string): boolean {
    return this.live.get(groupId)?.modern.group.members.has(memberId) ?? false
  }

  private uniqueId(): string {
    return Buffer.from(this.engine.random.bytes(16)).toString('hex')
  }

  /** Resolves when the leader has assigned; `signal` and its error as of {@link join}. */
  async sync(groupId: string, request: SyncRequest, signal?: AbortSignal): Promise<SyncResponse> {
    return this.use(groupId, (group) => group.sync(request, signal))
  }

  async heartbeat(groupId: string, claim: MemberClaim): Promise<ErrorCode | null> {
    return this.use(groupId, (group) => group.heartbeat(claim))
  }

  async leave(
    groupId: string,
    members: readonly { memberId: string; instanceId: string | null }[],
  ): Promise<LeaveResponse> {
    if (members.length > LEAVING_MAX) {
      throw new VarveError('INVALID_REQUEST', `${members.length} members at once cannot leave: ${LEAVING_MAX} can`)
    }
    return this.use(groupId, (group) => group.leave(members))
  }

  /** Calls `listener` when the group starts to rebalance; returns a function that takes this back. */
  async onRebalance(groupId: string, listener: () => void): Promise<() => void> {
    return this.use(groupId, (group) => group.onRebalance(listener))
  }

  /**
   * Commits offsets, all that can be: resolves when they are acknowledged as the flush mode promises.
   *
   * @param anyOffset takes offsets that the partition does not have, as Kafka does: whoever reads them back starts elsewhere
   * @returns one result for each, in order
   * @throws VarveError UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID, REBALANCE_IN_PROGRESS: nothing was committed
   */
  async commit(
    groupId: string,
    claim: MemberClaim,
    offsets: readonly OffsetCommit[],
    anyOffset = false,
  ): Promise<CommitResult[]> {
    this.engine.throwIfNotWritable()
    const commitTimestampMs = this.engine.clock.now()
    const results = await this.use(groupId, async (group) => {
      const refused = group.mayCommit(claim)
      if (refused !== null) throw commitError(refused, groupId, claim)
      const checked = offsets.map((commit) => ({ commit, error: this.checkCommit(groupId, commit, anyOffset) }))
      const accepted = checked.filter(({ error }) => error === null)
      // handed over before anything is awaited: nobody can be fenced between the check and the place in the log
      await group.commit(
        accepted.map(({ commit: { topic, partition, offset, leaderEpoch, metadata } }) => {
          const committed = { offset, leaderEpoch, metadata, commitTimestampMs, expireTimestampMs: -1 }
          return { topic, partition, committed }
        }),
      )
      return checked
    })
    return results.map(({ commit: { topic, partition }, error }) => ({ topic, partition, error }))
  }

  private checkCommit(groupId: string, commit: OffsetCommit, anyOffset: boolean): VarveError | null {
    const { topic, partition, offset, metadata } = commit
    const details = { topic, partition, offset }
    const where = `offset ${offset} of ${topic}-${partition} for group '${groupId}'`
    const bytes = Buffer.byteLength(metadata)
    if (bytes > this.options.maxMetadataBytes) {
      const message = `cannot commit ${where}: its metadata of ${bytes} bytes is longer than ${this.options.maxMetadataBytes}`
      return new VarveError('OFFSET_METADATA_TOO_LARGE', message, { details })
    }
    try {
      const { highWatermark } = this.engine.topic(topic).partition(partition)
      if (anyOffset || offset <= highWatermark) return null
      const message = `cannot commit ${where}: the partition ends at ${highWatermark}`
      return new VarveError('OFFSET_OUT_OF_RANGE', message, { details })
    } catch (error) {
      if (error instanceof VarveError) return error
      throw error
    }
  }

  /** Whether anything was ever committed, or kept of a group. */
  get keepsOffsets(): boolean {
    return this.engine.topics.has(OFFSETS_TOPIC)
  }

  /** Whether offsets of a topic that is not there are those of a deleted one, and not of one that is yet to be adopted. */
  get mayKeepDeleted(): boolean {
    return this.keepsOffsets && this.engine.topic(OFFSETS_TOPIC).record.adopted === undefined
  }

  /** What is kept of a group, as it is now; undefined for a group that nothing is kept of. */
  async image(groupId: string): Promise<GroupImage | undefined> {
    const log = await this.groupLog(offsetsPartitionFor(groupId), 'if there')
    return log?.images.get(groupId)
  }

  /** The group as it is alive here, or undefined. */
  liveGroup(groupId: string): LiveGroup | undefined {
    return this.live.get(groupId)
  }

  /** As `liveGroup`, and brings a group to life that was stored with members: of those only the ones that may be back stay. */
  async reviveGroup(groupId: string): Promise<LiveGroup | undefined> {
    const image = await this.image(groupId)
    const members = image?.stored?.snapshot.members.length ?? 0
    const mayHaveMembers = members > 0 || modernOf(image) !== null
    if (!this.engine.readOnly && mayHaveMembers) await this.use(groupId, () => {})
    return this.live.get(groupId)
  }

  /** The ids of all groups: those with members, and those that anything is kept of. */
  async groupIds(): Promise<string[]> {
    this.engine.throwIfClosed()
    const ids = new Set([...this.live.values()].filter((group) => !group.isIdle).map(({ groupId }) => groupId))
    for (const log of await this.allLogs()) for (const groupId of log.images.keys()) ids.add(groupId)
    return [...ids].sort()
  }

  /**
   * Deletes a group that has no members, and its offsets.
   *
   * @throws VarveError NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND
   */
  async deleteGroup(groupId: string): Promise<void> {
    this.engine.throwIfNotWritable()
    const isKept = (await this.image(groupId)) !== undefined
    if (!isKept && (this.live.get(groupId)?.isIdle ?? true)) throw notFound(groupId)
    await this.use(groupId, async (group) => {
      const refused = await group.delete()
      if (refused === 'NON_EMPTY_GROUP') throw nonEmpty(groupId, group)
      if (refused !== null) throw notFound(groupId)
      try {
        // a commit that is on its way is deleted too; who joins meanwhile would be, and hears that it has to come again
        await group.log.settled()
        await group.log.deleteGroup(groupId)
      } finally {
        // what cannot be deleted is there again at the next use
        this.drop(group)
      }
    })
  }

  /**
   * Deletes committed offsets of a group.
   *
   * @throws VarveError GROUP_ID_NOT_FOUND; GROUP_SUBSCRIBED_TO_TOPIC where `isSubscribed` says so of a topic
   */
  async deleteOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
    isSubscribed: (topic: string) => boolean,
  ): Promise<void> {
    this.engine.throwIfNotWritable()
    for (const { topic } of partitions) {
      if (!isSubscribed(topic)) continue
      const message = `a member of group '${groupId}' subscribes to topic '${topic}': close that consumer first`
      throw new VarveError('GROUP_SUBSCRIBED_TO_TOPIC', message, { details: { topic } })
    }
    await this.use(groupId, (group) => group.log.deleteOffsets(groupId, partitions))
  }

  /**
   * Forgets the offsets that any group has committed of a topic that is no more: one that gets its name later begins anew.
   * Does nothing for a topic that is there.
   */
  async forgetTopic(topic: string): Promise<void> {
    this.engine.throwIfNotWritable()
    if (this.engine.topics.has(topic)) return
    for (const log of await this.allLogs()) {
      // a commit that was on its way when the topic was deleted
      await log.settled()
      for (const [groupId, { offsets }] of log.images) {
        if (this.engine.topics.has(topic)) return
        const partitions = [...(offsets.get(topic)?.keys() ?? [])].map((partition) => ({ topic, partition }))
        await log.deleteOffsets(groupId, partitions)
      }
    }
  }

  /** Whether this is a partition of committed offsets that cannot be read. */
  async isDamaged({ topic, partition }: TopicPartition): Promise<boolean> {
    if (topic !== OFFSETS_TOPIC) return false
    const loading = this.groupLog(partition, 'if there')
    return loading.then(() => false, isDamage)
  }

  /** Deletes the offsets that have outlived their retention: only of groups without members, for as long as they have none. */
  async expireOffsets(): Promise<void> {
    const { offsetsRetentionMs } = this.options
    if (offsetsRetentionMs < 0) return
    const before = this.engine.clock.now() - offsetsRetentionMs
    for (const log of await this.allLogs()) {
      for (const groupId of log.images.keys()) await this.use(groupId, (group) => this.expire(group, before))
    }
  }

  /** All at once: what is committed after the look is not deleted. */
  private async expire(group: LiveGroup, before: number): Promise<void> {
    const { groupId, log, isIdle } = group
    const image = log.images.get(groupId)
    if (!isIdle || image === undefined) return
    const emptySince = image.stored?.currentStateTimestampMs ?? 0
    const committed = committedPartitions(image)
    const expired = committed.filter(({ topic, partition }) => {
      const { commitTimestampMs } = image.offsets.get(topic)!.get(partition)!
      return Math.max(emptySince, commitTimestampMs) < before
    })
    if (expired.length < committed.length || emptySince >= before) return log.deleteOffsets(groupId, expired)
    void group.delete()
    this.drop(group)
    await log.deleteGroup(groupId)
  }

  close(): void {
    this.isClosed = true
    this.cancelExpiry?.()
    for (const group of this.live.values()) group.close()
  }

  private scheduleExpiry(): void {
    this.cancelExpiry = this.engine.clock.setTimer(EXPIRY_CHECK_MS, () => {
      this.expireOffsets()
        .catch((error: unknown) => {
          if (!this.isClosed) process.emitWarning(error as Error)
        })
        .finally(() => {
          if (!this.isClosed) this.scheduleExpiry()
        })
    })
  }

  /** Does something at once with a group, alive; made where there is none. */
  private async use<T>(groupId: string, act: (group: LiveGroup) => T): Promise<Awaited<T>> {
    this.engine.throwIfNotWritable()
    const log = await this.groupLog(offsetsPartitionFor(groupId), 'make')
    let group = this.live.get(groupId)
    if (group === undefined) {
      this.dropIdle()
      group = new LiveGroup(groupId, log!, this.engine.clock, this.options, topicsOf(this.engine))
      this.live.set(groupId, group)
    }
    // nothing may come between: a group that nobody is in yet might be dropped
    return await act(group)
  }

  /** Groups that were only asked about must not pile up. */
  private dropIdle(): void {
    if (this.live.size < 1_000) return
    for (const group of this.live.values()) if (group.isIdle) this.drop(group)
  }

  private drop(group: LiveGroup): void {
    group.close()
    if (this.live.get(group.groupId) === group) this.live.delete(group.groupId)
  }

  private async allLogs(): Promise<GroupLog[]> {
    const topic = this.engine.topics.get(OFFSETS_TOPIC)
    const logs = (topic?.partitions ?? []).map(({ partition }) => this.groupLog(partition, 'if there'))
    return (await Promise.all(logs)).filter((log) => log !== null)
  }

  /** One partition of the internal topic, replayed; of a log that another process writes, up to what it has now. */
  private async groupLog(index: number, otherwise: 'make' | 'if there'): Promise<GroupLog | null> {
    const { engine } = this
    engine.throwIfClosed()
    const isThere = engine.topics.get(OFFSETS_TOPIC)?.partitions.some(({ partition }) => partition === index) ?? false
    if (!isThere && otherwise === 'if there') return null
    let loading = this.logs.get(index)
    if (loading === undefined) {
      loading = this.load(index)
      this.logs.set(index, loading)
      // what could not be made may be made later; what is damaged says so itself, each time
      loading.catch(() => this.logs.delete(index))
    }
    const log = await loading
    if (!engine.readOnly) return log
    await engine.refresh([log.partition])
    await engine.lookAt(log.partition, () => log.replay())
    return log
  }

  private async load(index: number): Promise<GroupLog> {
    const { engine } = this
    const partition = engine.readOnly
      ? engine.topic(OFFSETS_TOPIC).partition(index)
      : await this.admin.internalPartition(OFFSETS_SPEC, index)
    const log = new GroupLog(partition, engine.clock)
    await engine.lookAt(partition, () => log.replay())
    return log
  }
}
