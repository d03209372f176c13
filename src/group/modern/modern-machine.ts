import { VarveError, type ErrorCode } from '../../errors.ts'
import {
  JOIN_EPOCH,
  LEAVE_EPOCH,
  MODERN_HEARTBEAT_INTERVAL_MS,
  MODERN_SESSION_TIMEOUT_MS,
  NO_PARTITIONS,
  STATIC_LEAVE_EPOCH,
  isSubset,
  sameKeys,
  type EpochClaim,
  type EpochError,
  type HeartbeatAnswer,
  type HeartbeatRequest,
  type MemberMetadata,
  type ModernLimits,
  type ModernMember,
  type ModernState,
  type PartitionKeys,
  type StoredModern,
  type TopicSource,
} from './modern-group.ts'
import { checkHeartbeat } from './heartbeat-request.ts'
import { reconcile } from './reconcile.ts'
import { Subscriptions } from './subscriptions.ts'
import { targetAssignment, type SubscribedTopic } from './target-assignment.ts'

/** A group begins behind it, as in Kafka. */
const UNUSED_EPOCH = 1

const NOT_YET: Pick<ModernMember, 'current' | 'target' | 'revocationDeadlineMs'> = {
  current: {
    epoch: JOIN_EPOCH,
    previousEpoch: JOIN_EPOCH,
    state: 'stable',
    assigned: NO_PARTITIONS,
    revoking: NO_PARTITIONS,
  },
  target: NO_PARTITIONS,
  revocationDeadlineMs: Infinity,
}

/**
 * The rules of a group whose partitions the server divides: members say with each heartbeat what they have, and hear what
 * they may have. Whatever changes who subscribes to what raises the group's epoch, with which the target is divided anew; then
 * each member is led to its own part at its own pace, and gets a partition when its last owner has said that it gave it up.
 *
 * It knows no clock, and writes nothing: see LiveModernGroup.
 *
 * Source: Kafka 4.3's GroupMetadataManager and ConsumerGroup, without members of the classic protocol in the same group.
 */
export class ModernGroup {
  /** Grows with every change of members, subscriptions or topics; 0 for a group that was never used. */
  epoch = 0
  /** The epoch that the target was divided for. */
  assignmentEpoch = 0
  private readonly all = new Map<string, ModernMember>()
  private readonly staticMembers = new Map<string, string>()
  /** By partition, who has it or has yet to give it up. */
  private readonly holders = new Map<string, string>()
  private readonly subscriptions = new Subscriptions()
  /** The topics that the epoch is about. */
  private seen: ReadonlyMap<string, SubscribedTopic> | null = null

  constructor(readonly groupId: string) {}

  /** The group that is stored, after a restart: every session starts anew. */
  static restore(groupId: string, stored: StoredModern | null, nowMs: number): ModernGroup {
    const group = new ModernGroup(groupId)
    if (stored === null) return group
    group.epoch = stored.epoch
    group.assignmentEpoch = stored.assignmentEpoch
    for (const [memberId, { metadata, current = NOT_YET.current, target = NO_PARTITIONS }] of stored.members) {
      if (metadata === undefined) continue
      const revocationDeadlineMs = current.state === 'unrevoked' ? nowMs + metadata.rebalanceTimeoutMs : Infinity
      const sessionDeadlineMs = nowMs + MODERN_SESSION_TIMEOUT_MS
      group.set({ memberId, metadata, current, target, sessionDeadlineMs, revocationDeadlineMs })
    }
    return group
  }

  get members(): ReadonlyMap<string, ModernMember> {
    return this.all
  }

  get state(): ModernState {
    if (this.all.size === 0) return 'Empty'
    if (this.epoch > this.assignmentEpoch) return 'Assigning'
    for (const { current } of this.all.values())
      if (current.state !== 'stable' || current.epoch !== this.assignmentEpoch) return 'Reconciling'
    return 'Stable'
  }

  /** When something is due the next time (monotonic ms), or Infinity for never. */
  get nextDeadlineMs(): number {
    let earliestMs = Infinity
    for (const { sessionDeadlineMs, revocationDeadlineMs } of this.all.values())
      earliestMs = Math.min(earliestMs, sessionDeadlineMs, revocationDeadlineMs)
    return earliestMs
  }

  /**
   * A member joins, is heard of, or leaves.
   *
   * @throws VarveError INVALID_REQUEST, UNSUPPORTED_ASSIGNOR, INVALID_REGULAR_EXPRESSION, GROUP_MAX_SIZE_REACHED,
   *   UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, UNRELEASED_INSTANCE_ID, FENCED_INSTANCE_ID: nothing has changed
   */
  heartbeat(request: HeartbeatRequest, nowMs: number, topics: TopicSource, limits: ModernLimits): HeartbeatAnswer {
    checkHeartbeat(request)
    if (request.epoch < 0) return this.leave(request)
    const isFull = this.all.size >= limits.maxSize && !this.all.has(request.memberId)
    if (isFull) throw this.refusal('GROUP_MAX_SIZE_REACHED', `there are ${limits.maxSize} members already`)
    const known = this.claim(request)
    if (request.pattern !== null) this.subscriptions.learn(request.pattern)
    const before = known ?? { ...NOT_YET, memberId: request.memberId, metadata: newMetadata(request) }
    const member = {
      ...before,
      memberId: request.memberId,
      metadata: updated(before.metadata, request),
      sessionDeadlineMs: nowMs + MODERN_SESSION_TIMEOUT_MS,
    }
    // the one whose place it takes goes without a trace
    if (known !== null && known.memberId !== member.memberId) this.remove(known.memberId)
    this.set(member)
    this.raiseEpoch(known === null || subscribesAnew(before.metadata, member.metadata), topics)
    const { assigned } = this.advance(request.memberId, request.owned, nowMs)
    const { rebalanceTimeoutMs, topics: names, pattern, owned } = request
    const saysAll = rebalanceTimeoutMs !== null && (names !== null || pattern !== null) && owned !== null
    const isNews = request.epoch === JOIN_EPOCH || saysAll || !sameKeys(assigned, before.current.assigned)
    return this.answer(request.memberId, isNews ? assigned : null)
  }

  /**
   * Takes a member out: an administrator's wish.
   *
   * @param memberId may be empty where there is an instance id
   * @returns why not, or null
   */
  dismiss({ memberId, instanceId }: { memberId: string; instanceId: string | null }): ErrorCode | null {
    const member = instanceId === null ? this.all.get(memberId) : this.staticMember(instanceId)
    if (member === undefined) return 'UNKNOWN_MEMBER_ID'
    if (memberId !== '' && member.memberId !== memberId) return 'FENCED_INSTANCE_ID'
    this.fence(member.memberId)
    return null
  }

  /** Whoever was not heard of in time is gone, and whoever did not give up partitions in time. */
  tick(nowMs: number): void {
    const due = [...this.all.values()].filter(
      ({ sessionDeadlineMs, revocationDeadlineMs }) => Math.min(sessionDeadlineMs, revocationDeadlineMs) <= nowMs,
    )
    for (const { memberId } of due) this.fence(memberId)
  }

  /** The process stood still for so long, and could hear nobody meanwhile: all may speak once more before they are gone. */
  stalled(ms: number, nowMs: number): void {
    const later = (deadlineMs: number) => Math.max(deadlineMs + ms, nowMs + MODERN_HEARTBEAT_INTERVAL_MS)
    for (const member of this.all.values()) {
      const { sessionDeadlineMs, revocationDeadlineMs } = member
      const deadlines = {
        sessionDeadlineMs: later(sessionDeadlineMs),
        revocationDeadlineMs: later(revocationDeadlineMs),
      }
      this.set({ ...member, ...deadlines })
    }
  }

  /** Why this member may not commit or fetch offsets, of a group that has members. */
  epochError({ memberId, epoch }: EpochClaim): EpochError {
    const member = this.all.get(memberId)
    if (member === undefined) return 'UNKNOWN_MEMBER_ID'
    return member.current.epoch === epoch ? null : 'STALE_MEMBER_EPOCH'
  }

  /** The topics that a member subscribes to and that are there. */
  topicsOf({ metadata }: ModernMember, topics: TopicSource): readonly string[] {
    return this.subscriptions.of(metadata, topics)
  }

  /** Forgets everything of a group that has no members: it is one of the classic protocol from now on. */
  forget(): void {
    this.epoch = 0
    this.assignmentEpoch = 0
    this.seen = null
  }

  /** The member that speaks, or whose place it takes, or null for a new one. */
  private claim(request: HeartbeatRequest): ModernMember | null {
    const { memberId, epoch, instanceId } = request
    const isJoin = epoch === JOIN_EPOCH
    if (instanceId === null) {
      const member = this.all.get(memberId)
      if (member === undefined && !isJoin) throw this.unknown(memberId)
      if (member !== undefined) this.checkEpoch(member, request)
      return member ?? null
    }
    const holder = this.staticMember(instanceId)
    if (holder === undefined && !isJoin) throw this.unknown(memberId)
    // a dynamic member becomes no static one
    if (holder === undefined) return this.all.get(memberId) ?? null
    if (holder.memberId === memberId) {
      this.checkEpoch(holder, request)
      return holder.current.epoch === STATIC_LEAVE_EPOCH ? comingBack(holder) : holder
    }
    if (!isJoin) throw this.refusal('FENCED_INSTANCE_ID', `instance '${instanceId}' is member '${holder.memberId}' now`)
    if (holder.current.epoch === STATIC_LEAVE_EPOCH) return comingBack(holder)
    throw this.refusal('UNRELEASED_INSTANCE_ID', `instance '${instanceId}' is still member '${holder.memberId}'`)
  }

  private checkEpoch({ current }: ModernMember, { epoch, owned }: HeartbeatRequest): void {
    if (epoch === JOIN_EPOCH || epoch === current.epoch) return
    // the answer with the epoch that it has now was lost
    const missedOne = epoch === current.previousEpoch && owned !== null && isSubset(owned, current.assigned)
    if (epoch < current.epoch && missedOne) return
    const why = `its epoch is ${epoch}, and not ${current.epoch}: it has to give up all partitions, and to join again`
    throw this.refusal('FENCED_MEMBER_EPOCH', why)
  }

  private leave({ memberId, instanceId, epoch }: HeartbeatRequest): HeartbeatAnswer {
    const member = instanceId === null ? this.all.get(memberId) : this.staticMember(instanceId)
    if (member === undefined) throw this.unknown(memberId)
    if (member.memberId !== memberId)
      throw this.refusal('FENCED_INSTANCE_ID', `instance '${instanceId}' is member '${member.memberId}' now`)
    if (epoch === LEAVE_EPOCH) this.fence(memberId)
    else {
      const current = { ...member.current, epoch, state: 'stable' as const, revoking: NO_PARTITIONS }
      this.set({ ...member, current, revocationDeadlineMs: Infinity })
    }
    return { memberId, epoch, heartbeatIntervalMs: 0, assigned: null }
  }

  /** Takes a member out, which the others will feel. */
  private fence(memberId: string): void {
    this.remove(memberId)
    this.epoch++
  }

  /** Looks for topics too: those that came or went, or got more partitions. */
  private raiseEpoch(isChanged: boolean, source: TopicSource): void {
    const topics = this.subscriptions.topics(this.all, source)
    if (isChanged || this.seen === null || !areSame(this.seen, topics))
      this.epoch = Math.max(this.epoch, UNUSED_EPOCH) + 1
    this.seen = topics
    if (this.epoch === this.assignmentEpoch) return
    const targets = targetAssignment([...this.all.values()], topics, (member) => this.topicsOf(member, source))
    for (const [memberId, target] of targets) {
      const member = this.all.get(memberId)!
      if (!sameKeys(member.target, target)) this.set({ ...member, target })
    }
    this.assignmentEpoch = this.epoch
  }

  private advance(memberId: string, owned: PartitionKeys | null, nowMs: number) {
    const member = this.all.get(memberId)!
    const { target } = member
    const isHeld = (key: string) => this.holders.has(key)
    const current = reconcile(member.current, { epoch: this.assignmentEpoch, target, owned, isHeld })
    if (current === member.current) return current
    const { rebalanceTimeoutMs } = member.metadata
    const revocationDeadlineMs = current.state === 'unrevoked' ? nowMs + rebalanceTimeoutMs : Infinity
    this.set({ ...member, current, revocationDeadlineMs })
    return current
  }

  private answer(memberId: string, assigned: PartitionKeys | null): HeartbeatAnswer {
    const { epoch } = this.all.get(memberId)!.current
    return { memberId, epoch, heartbeatIntervalMs: MODERN_HEARTBEAT_INTERVAL_MS, assigned }
  }

  private set(member: ModernMember): void {
    const { memberId, current, metadata } = member
    const before = this.all.get(memberId)
    this.all.set(memberId, member)
    if (metadata.instanceId !== null) this.staticMembers.set(metadata.instanceId, memberId)
    if (before?.metadata !== metadata) this.subscriptions.changed()
    if (before?.current === current) return
    if (before !== undefined) this.release(before)
    for (const keys of [current.assigned, current.revoking]) for (const key of keys) this.holders.set(key, memberId)
  }

  private remove(memberId: string): void {
    const member = this.all.get(memberId)!
    this.release(member)
    this.all.delete(memberId)
    if (member.metadata.instanceId !== null) this.staticMembers.delete(member.metadata.instanceId)
    this.subscriptions.changed()
  }

  private release({ memberId, current }: ModernMember): void {
    for (const keys of [current.assigned, current.revoking])
      for (const key of keys) if (this.holders.get(key) === memberId) this.holders.delete(key)
  }

  private staticMember(instanceId: string): ModernMember | undefined {
    const memberId = this.staticMembers.get(instanceId)
    return memberId === undefined ? undefined : this.all.get(memberId)
  }

  private unknown(memberId: string): VarveError {
    return this.refusal('UNKNOWN_MEMBER_ID', `'${memberId}' is no member: it left, or was not heard of in time`)
  }

  private refusal(code: ErrorCode, why: string): VarveError {
    return new VarveError(code, `group '${this.groupId}': ${why}`)
  }
}

/** A static member that left for a while, as it starts again: what it had is its own still. */
function comingBack(member: ModernMember): ModernMember {
  return { ...member, current: { ...member.current, epoch: JOIN_EPOCH, previousEpoch: JOIN_EPOCH } }
}

function newMetadata({ instanceId, clientId, clientHost }: HeartbeatRequest): MemberMetadata {
  const nothing = { rackId: null, topics: [], pattern: null, rebalanceTimeoutMs: -1, assignor: null }
  return { instanceId, clientId, clientHost, ...nothing }
}

/** What is said of a member with what it says now; the same object where that is nothing new. */
function updated(before: MemberMetadata, request: HeartbeatRequest): MemberMetadata {
  const { clientId, clientHost, rackId, assignor, rebalanceTimeoutMs, topics, pattern } = request
  const metadata = {
    instanceId: before.instanceId,
    rackId: rackId ?? before.rackId,
    clientId,
    clientHost,
    topics: topics === null ? before.topics : [...new Set(topics)].sort(),
    // an empty one takes it back
    pattern: pattern === null ? before.pattern : pattern === '' ? null : pattern,
    rebalanceTimeoutMs: rebalanceTimeoutMs ?? before.rebalanceTimeoutMs,
    assignor: assignor ?? before.assignor,
  }
  return JSON.stringify(metadata) === JSON.stringify(before) ? before : metadata
}

function areSame(before: ReadonlyMap<string, SubscribedTopic>, after: ReadonlyMap<string, SubscribedTopic>): boolean {
  if (before.size !== after.size) return false
  for (const [name, { topicId, partitions }] of after) {
    const one = before.get(name)
    if (one?.topicId !== topicId || one.partitions !== partitions) return false
  }
  return true
}

function subscribesAnew(before: MemberMetadata, after: MemberMetadata): boolean {
  return before.pattern !== after.pattern || before.topics.join() !== after.topics.join()
}
