import { isDamage, VarveError, type ErrorCode } from '../errors.ts'
import type { LogEngine } from '../engine/log-engine.ts'
import { assignors, type AssignorName } from '../group/assignors/assignors.ts'
import { keyOf, type Assignor, type AssignorMember, type TopicPartition } from '../group/assignors/assignor.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type Subscription,
} from '../group/consumer-protocol.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { JoinResponse, MemberClaim } from '../group/group.ts'
import { EMBEDDED_HOST } from '../group/live-group.ts'
import type { ConsumerSettings } from './consumer-options.ts'

/** What a membership does to the consumer that it is for. */
export interface Ownership {
  /** The partitions that it owns now. */
  owned(): TopicPartition[]
  /** These are its own from now on. */
  assign(partitions: TopicPartition[]): Promise<void>
  /** These are given up: resolves when nobody is at their records and what is processed of them is committed. */
  revoke(partitions: TopicPartition[]): Promise<void>
  /** All are gone, and may have other owners already. */
  lose(): Promise<void>
  /**
   * Whether nobody is still at a record of partitions that were lost and, for one that is no member yet, somebody consumes.
   * Says so with `nudge` when that changes.
   */
  mayJoin(isMember: boolean): boolean
  /** It is of no use any more. */
  fail(error: unknown): void
}

/** What passes: the group was deleted, or there was no room to store its state. */
const RETRIED: readonly ErrorCode[] = ['COORDINATOR_NOT_AVAILABLE', 'DISK_FULL']
/** How long a member rests before it tries again. */
const RETRY_MS = 100

/** One consumer's place in its group: joins, is assigned partitions, is heard of regularly, and joins again when need be. */
export class Membership {
  private memberId = ''
  private generation = -1
  /** Chosen by the group for this generation. */
  private assignor: Assignor
  private isLeader = false
  /** The numbers of partitions that the leader divided, by topic. */
  private divided = new Map<string, number>()
  private dividedTopics: readonly string[] = []
  /** When the leader asks for another rebalance, if what it withheld for one has found no owner (monotonic ms). */
  private withheldUntilMs = Infinity
  private mustRejoin = true
  private isLeft = false
  private running: Promise<void> | null = null
  private cancelWatch: () => void = () => {}
  private cancelTimer: () => void = () => {}
  private wake: () => void = () => {}
  private lastHeartbeatMs = 0
  private settled: (() => void)[] = []
  /** Between a join and the assignment that follows it, when the group takes no commits. */
  isJoining = true
  /** Partitions come or go: listeners may be at it, which may close the consumer, or take for ever. */
  private isHandingOver = false
  /** Until it is answered it has no id, and is known by its instanceId only. */
  private isInFirstJoin = false

  constructor(
    private readonly engine: LogEngine,
    private readonly coordinator: GroupCoordinator,
    private readonly settings: ConsumerSettings,
    private readonly ownership: Ownership,
  ) {
    this.assignor = assignors[settings.assignors[0]]
  }

  /** What to commit with. */
  get claim(): MemberClaim {
    const { memberId, generation } = this
    return { memberId, generation, instanceId: this.settings.instanceId ?? null }
  }

  get isStable(): boolean {
    return !this.isJoining && !this.mustRejoin && !this.isLeft
  }

  start(): void {
    this.running ??= this.run()
  }

  /** Resolves when the rebalance that is under way is over, or the membership is. */
  async settle(): Promise<void> {
    if (this.isJoining && !this.isLeft) await new Promise<void>((resolve) => this.settled.push(resolve))
  }

  /** Gives up its place, and asks for another as soon as `mayJoin` says that it may. */
  async standBack(): Promise<void> {
    const left = this.giveUpPlace()
    this.memberId = ''
    this.generation = -1
    this.mustRejoin = true
    this.isJoining = true
    await this.ownership.lose()
    this.settleAll()
    await left
    this.nudge()
  }

  /** Leaves the group for good; a static member keeps its place for whoever comes after it. */
  async leave(): Promise<void> {
    this.isLeft = true
    this.cancelWatch()
    this.nudge()
    this.settleAll()
    // ends a join that waits, too
    if (this.settings.instanceId === undefined || this.isJoining) await this.giveUpPlace()
    if (!this.isHandingOver) await this.running
  }

  private async giveUpPlace(): Promise<void> {
    const { memberId } = this
    const instanceId = this.settings.instanceId ?? null
    if (memberId !== '' || (instanceId !== null && this.isInFirstJoin))
      await this.coordinator.leave(this.settings.groupId, [{ memberId, instanceId }])
  }

  private async run(): Promise<void> {
    try {
      while (!this.isLeft) {
        if (this.mustRejoin) await this.rebalance()
        else await this.beat()
      }
    } catch (error) {
      this.isLeft = true
      // a member that has failed does not hold its group up
      if (this.memberId !== '') await this.giveUpPlace().catch(() => {})
      await this.ownership.lose().catch(() => {})
      this.ownership.fail(error)
    } finally {
      this.cancelWatch()
      this.settleAll()
    }
  }

  /** Is heard of, and hears whether the group rebalances. */
  private async beat(): Promise<void> {
    const { engine, settings, coordinator } = this
    const restMs = this.lastHeartbeatMs + settings.heartbeatIntervalMs - engine.clock.monotonicMs()
    if (restMs > 0) await this.rest(restMs)
    if (this.isLeft) return
    this.lastHeartbeatMs = engine.clock.monotonicMs()
    const error = await coordinator.heartbeat(settings.groupId, this.claim)
    if (error !== null) await this.obey(error)
    else if (this.isLeader) this.mustRejoin ||= this.mustDivideAgain()
  }

  /** Partitions were added, or a topic deleted; or who was to give up a partition has not asked for a rebalance. */
  private mustDivideAgain(): boolean {
    if (this.engine.clock.monotonicMs() >= this.withheldUntilMs) return true
    return !isEqual(this.divided, this.partitionCounts(this.dividedTopics))
  }

  private async rebalance(): Promise<void> {
    const { settings, coordinator, ownership } = this
    const { memberId, generation } = this
    while (!this.isLeft && !ownership.mayJoin(memberId !== ''))
      await new Promise<void>((resolve) => (this.wake = resolve))
    await this.watchGroup()
    if (this.assignor.rebalanceProtocol === 'eager') await this.whileHeard(ownership.revoke(ownership.owned()))
    // what was lost meanwhile may have somebody at it still
    if (this.isLeft || this.memberId !== memberId || this.generation !== generation) return
    this.isJoining = true
    this.isInFirstJoin = memberId === ''
    const joined = await coordinator.join(settings.groupId, {
      memberId,
      instanceId: settings.instanceId ?? null,
      clientId: settings.clientId,
      clientHost: EMBEDDED_HOST,
      sessionTimeoutMs: settings.sessionTimeoutMs,
      rebalanceTimeoutMs: settings.maxPollIntervalMs,
      protocolType: 'consumer',
      protocols: settings.assignors.map((name) => ({ name, metadata: this.subscription(assignors[name]) })),
      // so that it can leave while it waits
      requiresKnownMemberId: true,
      supportsSkippingAssignment: true,
    })
    this.isInFirstJoin = false
    this.lastHeartbeatMs = this.engine.clock.monotonicMs()
    if (joined.error === 'MEMBER_ID_REQUIRED') {
      this.memberId = joined.memberId
      return this.isLeft ? this.giveUpPlace() : undefined
    }
    if (joined.error !== null) return this.obey(joined.error)
    // it may have been told to stand back while it waited
    if (this.memberId !== memberId && memberId !== '') return
    this.memberId = joined.memberId
    this.generation = joined.generation
    this.assignor = assignors[joined.protocol as AssignorName]
    if (this.isLeft) return this.giveUpPlace()
    const synced = await coordinator.sync(settings.groupId, {
      ...this.claim,
      protocolType: 'consumer',
      protocol: joined.protocol,
      assignments: this.divide(joined),
    })
    if (synced.error !== null) return this.obey(synced.error)
    if (this.memberId !== joined.memberId || this.isLeft) return
    this.mustRejoin = false
    this.isJoining = false
    this.settleAll()
    await this.takeOver(decodeAssignment(synced.assignment).partitions)
  }

  /** Gives up what is not its own any more, then takes what is. */
  private async takeOver(assigned: readonly TopicPartition[]): Promise<void> {
    const { ownership, memberId } = this
    const owned = ownership.owned()
    const keys = new Set(assigned.map(keyOf))
    const revoked = owned.filter((partition) => !keys.has(keyOf(partition)))
    if (revoked.length > 0) {
      await this.whileHeard(ownership.revoke(revoked))
      // what was given up goes to its next owner in the rebalance that follows
      this.mustRejoin = true
      if (this.isLeft || this.memberId !== memberId || this.generation < 0) return
    }
    const before = new Set(owned.map(keyOf))
    await this.whileHeard(ownership.assign(assigned.filter((partition) => !before.has(keyOf(partition)))))
  }

  /** Is heard of while something goes on that may take long. */
  private async whileHeard(action: Promise<void>): Promise<void> {
    const { settings, coordinator } = this
    let isDone = false
    const done = action.finally(() => {
      isDone = true
      this.wake()
    })
    done.catch(() => {})
    this.isHandingOver = true
    while (!isDone && !this.isLeft) {
      await this.rest(settings.heartbeatIntervalMs)
      if (isDone || this.isLeft || this.memberId === '') break
      const error = await coordinator.heartbeat(settings.groupId, this.claim)
      if (error !== null) await this.obey(error)
    }
    await done.finally(() => (this.isHandingOver = false))
  }

  /** Does what an answer of the coordinator says. */
  private async obey(error: ErrorCode): Promise<void> {
    this.mustRejoin = true
    if (error === 'REBALANCE_IN_PROGRESS') return
    if (RETRIED.includes(error)) return this.rest(RETRY_MS)
    if (error !== 'UNKNOWN_MEMBER_ID' && error !== 'ILLEGAL_GENERATION') throw this.fatal(error)
    if (this.isLeft) return
    if (error === 'UNKNOWN_MEMBER_ID') this.memberId = ''
    this.generation = -1
    this.isJoining = true
    await this.ownership.lose()
    // whoever waits to commit hears that it is too late
    this.settleAll()
  }

  private fatal(code: ErrorCode): VarveError {
    const { groupId, instanceId, assignors: names, sessionTimeoutMs } = this.settings
    const why: Partial<Record<ErrorCode, string>> = {
      FENCED_INSTANCE_ID: `another consumer has joined as instance '${instanceId}': give every consumer one of its own`,
      INCONSISTENT_GROUP_PROTOCOL: `its members do not all have one of the assignors ${names.join(', ')}: give all the same`,
      GROUP_MAX_SIZE_REACHED: `it has as many members as allowed: close one, or raise groups.maxSize in Varve.open`,
      INVALID_SESSION_TIMEOUT:
        `a sessionTimeoutMs of ${sessionTimeoutMs} is outside of its limits: choose another, ` +
        'or change the limits in groups of Varve.open',
    }
    const failure = this.coordinator.liveGroup(groupId)?.failure
    const cause = failure?.code === code ? failure : undefined
    const message = `the consumer cannot be a member of group '${groupId}': ${cause?.message ?? why[code] ?? code}`
    return new VarveError(code, message, cause === undefined ? {} : { details: cause.details, cause })
  }

  private subscription(assignor: Assignor): Uint8Array {
    const owned = this.ownership.owned()
    const ownedPartitions = assignor.rebalanceProtocol === 'cooperative' ? owned : []
    const { generation } = this
    const userData = assignor.userData(owned, generation)
    return encodeSubscription({ topics: this.settings.topics, ownedPartitions, generation, rackId: null, userData })
  }

  /** The leader's part: who gets what. */
  private divide({ leader, memberId, members, skipAssignment }: JoinResponse): Map<string, Uint8Array> {
    this.isLeader = leader === memberId
    if (!this.isLeader) return new Map()
    const described = members.map(({ memberId, instanceId, metadata }): AssignorMember => {
      return { memberId, instanceId, ...subscriptionOf(metadata) }
    })
    this.dividedTopics = described.flatMap(({ topics }) => topics)
    this.divided = this.partitionCounts(this.dividedTopics)
    if (skipAssignment) return new Map()
    const assignments = this.assignor.assign(described, this.divided)
    const count = (sizes: Iterable<number>) => [...sizes].reduce((sum, size) => sum + size, 0)
    const isWithheld = count([...assignments.values()].map(({ length }) => length)) < count(this.divided.values())
    const { maxPollIntervalMs } = this.settings
    this.withheldUntilMs = isWithheld ? this.engine.clock.monotonicMs() + maxPollIntervalMs : Infinity
    return new Map([...assignments].map(([id, partitions]) => [id, encodeAssignment({ partitions, userData: null })]))
  }

  /** Those of the members' topics; one that is gone has none. */
  private partitionCounts(topics: readonly string[]): Map<string, number> {
    const counts = new Map<string, number>()
    for (const name of new Set(topics)) {
      const topic = this.engine.topics.get(name)
      if (topic !== undefined) counts.set(name, topic.partitions.length)
    }
    return counts
  }

  /** A group that was deleted has none of the watchers that it had: each generation it is watched anew. */
  private async watchGroup(): Promise<void> {
    this.cancelWatch()
    this.cancelWatch = await this.coordinator.onRebalance(this.settings.groupId, () => this.nudge())
  }

  private settleAll(): void {
    for (const resolve of this.settled.splice(0)) resolve()
  }

  /** Waits, or until something is up. */
  private async rest(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.wake = resolve
      this.cancelTimer = this.engine.clock.setTimer(ms, resolve)
    })
    this.cancelTimer()
  }

  /** Something may have changed: whatever it waits for, it looks again. */
  nudge(): void {
    this.lastHeartbeatMs = -Infinity
    this.wake()
  }
}

/** What cannot be read is another program's mistake: that member gets nothing, and the group goes on. */
function subscriptionOf(metadata: Uint8Array): Subscription {
  try {
    return decodeSubscription(metadata)
  } catch (error) {
    if (!isDamage(error)) throw error
    return { topics: [], ownedPartitions: [], generation: -1, rackId: null, userData: null }
  }
}

function isEqual(counts: ReadonlyMap<string, number>, others: ReadonlyMap<string, number>): boolean {
  return counts.size === others.size && [...counts].every(([topic, count]) => others.get(topic) === count)
}
