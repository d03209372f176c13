import type { Clock } from '../environment.ts'
import { storageError, VarveError, type ErrorCode } from '../errors.ts'
import { newGroup, nextDeadlineMs, restoreGroup, step } from './group-machine.ts'
import type { GroupLog } from './group-log.ts'
import type {
  Group,
  GroupEffect,
  GroupEvent,
  GroupLimits,
  GroupSnapshot,
  JoinRequest,
  JoinResponse,
  LeaveResponse,
  MemberClaim,
  RequestId,
  SyncRequest,
  SyncResponse,
} from './group.ts'
import { LiveModernGroup } from './modern/live-modern-group.ts'
import { JOIN_EPOCH, type HeartbeatAnswer, type HeartbeatRequest, type TopicSource } from './modern/modern-group.ts'

/** The clientHost of members that are part of the process which holds the log: they end with it. */
export const EMBEDDED_HOST = 'embedded'

/** A timer that fires so much too late tells that the process stood still, and could hear nobody meanwhile. */
const STALL_MS = 500

/** What drives the machine of one group: requests wait here, time passes here, and what it wants stored is stored. */
export class LiveGroup {
  group: Group
  /** The same group where its members use the newer protocol: one of the two has none. */
  readonly modern: LiveModernGroup
  /** Why its state could not be stored the last time that it was tried, or null. */
  failure: VarveError | null = null
  private lastRequest = 0
  private readonly requests = new Map<RequestId, (response: never) => void>()
  private readonly watchers = new Set<() => void>()
  private cancelTimer: (() => void) | null = null
  /** When the timer fires (monotonic ms), or Infinity when none is set. */
  private timerMs = Infinity
  private isClosed = false
  /** Commits that are on their way to the log. */
  private committing = 0

  constructor(
    readonly groupId: string,
    readonly log: GroupLog,
    private readonly clock: Clock,
    private readonly limits: GroupLimits,
    topics: TopicSource,
  ) {
    this.modern = new LiveModernGroup(groupId, log, clock, limits, topics)
    const snapshot = log.images.get(groupId)?.stored?.snapshot
    const isOfThisProcess = (host: string) => host === EMBEDDED_HOST
    this.group = snapshot === undefined ? newGroup(groupId) : restoreGroup(groupId, snapshot, this.clock.monotonicMs())
    // the directory was opened after they were members: the process that they were part of is gone
    const gone = [...this.group.members.values()].filter(({ clientHost }) => isOfThisProcess(clientHost))
    if (gone.length > 0) void this.leave(gone.map(({ memberId, instanceId }) => ({ memberId, instanceId })))
  }

  /**
   * @throws VarveError COORDINATOR_NOT_AVAILABLE where `signal` ends it: what it has brought about stays;
   *   INCONSISTENT_GROUP_PROTOCOL where members use the newer protocol
   */
  async join(join: JoinRequest, signal?: AbortSignal): Promise<JoinResponse> {
    if (this.modern.size > 0) throw this.otherProtocol('INCONSISTENT_GROUP_PROTOCOL', 'consumer', 'classic')
    // what stays stored of it counts no more as soon as this one is stored
    if (this.modern.group.epoch > 0) this.modern.forget().catch(() => {})
    return this.ask((request) => ({ type: 'join', request, join }), signal)
  }

  /** @throws VarveError COORDINATOR_NOT_AVAILABLE where `signal` ends it: what it has brought about stays */
  sync(sync: SyncRequest, signal?: AbortSignal): Promise<SyncResponse> {
    return this.ask((request) => ({ type: 'sync', request, sync }), signal)
  }

  leave(members: readonly { memberId: string; instanceId: string | null }[]): Promise<LeaveResponse> {
    if (this.modern.size > 0) return this.modern.dismiss(members)
    return this.ask((request) => ({ type: 'leave', request, members }))
  }

  heartbeat(claim: MemberClaim): Promise<ErrorCode | null> {
    return this.ask((request) => ({ type: 'heartbeat', request, claim }))
  }

  /**
   * A member of the newer protocol joins, is heard of, or leaves.
   *
   * @throws VarveError GROUP_ID_NOT_FOUND where members use the classic protocol, COORDINATOR_NOT_AVAILABLE for a group that
   *   was deleted at this moment, and what {@link LiveModernGroup.heartbeat} throws
   */
  async modernHeartbeat(request: HeartbeatRequest): Promise<HeartbeatAnswer> {
    const { state, members, storing } = this.group
    if (members.size > 0) throw this.otherProtocol('GROUP_ID_NOT_FOUND', 'classic', 'consumer')
    // what is still to be stored of the classic group would bring it back
    if (state === 'Dead' || storing.length > 0) throw this.givenUp()
    if (request.epoch < JOIN_EPOCH && this.modern.group.epoch === 0)
      throw new VarveError('GROUP_ID_NOT_FOUND', `there is no group '${this.groupId}' to leave`)
    return this.modern.heartbeat(request)
  }

  private otherProtocol(code: ErrorCode, theirs: string, wanted: string): VarveError {
    const message =
      `group '${this.groupId}' has members of the ${theirs} protocol, and takes none of the ${wanted} one beside them: ` +
      `close those first, or set group.protocol=${theirs} here too; a consumer of this process is a classic member`
    return new VarveError(code, message)
  }

  /** Members, of whichever protocol. */
  get size(): number {
    return this.group.members.size + this.modern.size
  }

  /** Marks an empty group as deleted. */
  async delete(): Promise<ErrorCode | null> {
    if (this.modern.size > 0) return 'NON_EMPTY_GROUP'
    return this.ask((request) => ({ type: 'delete', request }))
  }

  /** Whether this member may commit, answered at once: nothing comes between the answer and what is done about it. */
  mayCommit(claim: MemberClaim): ErrorCode | null {
    const { memberId, generation: epoch } = claim
    if (this.modern.size > 0) return this.modern.group.epochError({ memberId, epoch })
    const request = ++this.lastRequest
    let answer: ErrorCode | null = null
    this.requests.set(request, (error) => (answer = error))
    this.happen({ type: 'commit', request, claim })
    return answer
  }

  /** Commits what may be: see {@link GroupLog.commit}. */
  async commit(offsets: Parameters<GroupLog['commit']>[1]): Promise<void> {
    this.committing++
    try {
      await this.log.commit(this.groupId, offsets)
    } finally {
      this.committing--
    }
  }

  /** Calls `listener` when the group starts to rebalance; returns a function that takes this back. */
  onRebalance(listener: () => void): () => void {
    this.watchers.add(listener)
    return () => void this.watchers.delete(listener)
  }

  /** Whether nothing would be lost with it: no member, none on its way, no commit either, nobody waits. */
  get isIdle(): boolean {
    const { state, members, pendingMembers, storing } = this.group
    const isQuiet = (state === 'Empty' || state === 'Dead') && this.committing === 0 && this.modern.isIdle
    return (
      isQuiet && members.size === 0 && pendingMembers.size === 0 && storing.length === 0 && this.watchers.size === 0
    )
  }

  close(): void {
    this.isClosed = true
    this.cancelTimer?.()
    this.modern.close()
  }

  private ask<T>(event: (request: RequestId) => GroupEvent, signal?: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (signal?.aborted) return reject(this.givenUp())
      const request = ++this.lastRequest
      this.requests.set(request, resolve)
      this.happen(event(request))
      signal?.addEventListener('abort', () => {
        if (!this.requests.delete(request)) return
        this.happen({ type: 'abandon', request })
        reject(this.givenUp())
      })
    })
  }

  private givenUp(): VarveError {
    return new VarveError(
      'COORDINATOR_NOT_AVAILABLE',
      `nobody waits for group '${this.groupId}' here any more: ask again`,
    )
  }

  private happen(event: GroupEvent): void {
    const before = this.group.state
    const { group, effects } = step(this.group, event, this.clock.monotonicMs(), this.limits)
    this.group = group
    for (const effect of effects) this.carryOut(effect)
    this.schedule()
    if (group.state === 'PreparingRebalance' && before !== group.state) for (const watcher of this.watchers) watcher()
  }

  private carryOut(effect: GroupEffect): void {
    if (effect.type === 'store') return void this.store(effect.snapshot)
    const resolve = this.requests.get(effect.request) as ((response: unknown) => void) | undefined
    this.requests.delete(effect.request)
    resolve?.(effect.type === 'answered' ? effect.error : effect.response)
  }

  private async store(snapshot: GroupSnapshot): Promise<void> {
    const { groupId, log } = this
    this.failure = await log.putGroup(groupId, snapshot).then(
      () => null,
      (error: unknown) => storageError(error, `store group '${groupId}'`, { path: log.partition.log.directory }),
    )
    this.happen({ type: 'stored', snapshot, error: this.failure?.code ?? null })
  }

  private schedule(): void {
    const deadlineMs = this.isClosed ? Infinity : nextDeadlineMs(this.group)
    // a timer that fires too early finds nothing due, and is set again: sessions move on with every word of a member
    if (this.timerMs <= deadlineMs && deadlineMs < Infinity) return
    this.cancelTimer?.()
    this.cancelTimer = null
    this.timerMs = deadlineMs
    if (deadlineMs === Infinity) return
    const waitMs = Math.max(0, deadlineMs - this.clock.monotonicMs())
    this.cancelTimer = this.clock.setTimer(waitMs, () => {
      this.timerMs = Infinity
      const lateMs = this.clock.monotonicMs() - deadlineMs
      if (lateMs > STALL_MS) this.happen({ type: 'stalled', ms: lateMs })
      else this.happen({ type: 'tick' })
    })
  }
}
