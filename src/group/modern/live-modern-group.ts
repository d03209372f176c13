import type { Clock } from '../../environment.ts'
import { modernOf, type GroupLog } from '../group-log.ts'
import type { LeaveResponse } from '../group.ts'
import type { HeartbeatAnswer, HeartbeatRequest, ModernLimits, TopicSource } from './modern-group.ts'
import { ModernGroup } from './modern-machine.ts'
import { changesOf, type Storable } from './modern-records.ts'

/** A timer that fires so much too late tells that the process stood still, and could hear nobody meanwhile. */
const STALL_MS = 500

/**
 * What drives one group of the newer protocol: time passes here, and what a member is told is durable before it is told, so
 * that members notice nothing of a restart.
 */
export class LiveModernGroup {
  readonly group: ModernGroup
  /** What the log has of it. */
  private stored: Storable
  private lastStore: Promise<void> = Promise.resolve()
  private stores = 0
  private cancelTimer: (() => void) | null = null
  /** When the timer fires (monotonic ms), or Infinity when none is set. */
  private timerMs = Infinity
  private isClosed = false

  constructor(
    private readonly groupId: string,
    private readonly log: GroupLog,
    private readonly clock: Clock,
    private readonly limits: ModernLimits,
    private readonly topics: TopicSource,
  ) {
    this.group = ModernGroup.restore(groupId, modernOf(log.images.get(groupId)), clock.monotonicMs())
    this.stored = this.storable()
    this.schedule()
  }

  get size(): number {
    return this.group.members.size
  }

  /** Whether nothing would be lost with it. */
  get isIdle(): boolean {
    return this.size === 0 && this.stores === 0
  }

  /**
   * Resolves when what it tells is durable.
   *
   * @throws what {@link ModernGroup.heartbeat} throws, at once; what a write throws: the member asks again
   */
  async heartbeat(request: HeartbeatRequest): Promise<HeartbeatAnswer> {
    const answer = this.group.heartbeat(request, this.clock.monotonicMs(), this.topics, this.limits)
    this.schedule()
    await this.store()
    return answer
  }

  /** Takes members out, each that can be. */
  async dismiss(members: readonly { memberId: string; instanceId: string | null }[]): Promise<LeaveResponse> {
    const left = members.map((member) => ({ ...member, error: this.group.dismiss(member) }))
    await this.store()
    return { error: null, members: left }
  }

  /** Forgets a group without members, which becomes one of the classic protocol. */
  async forget(): Promise<void> {
    this.group.forget()
    await this.store()
  }

  close(): void {
    this.isClosed = true
    this.cancelTimer?.()
  }

  private storable(): Storable {
    const { epoch, assignmentEpoch, members } = this.group
    return { epoch, assignmentEpoch, members: new Map(members) }
  }

  /** One after another; what could not be written is written with what comes next. */
  private async store(): Promise<void> {
    this.stores++
    const storing = this.lastStore.then(() => this.storeChanges())
    this.lastStore = storing.catch(() => {})
    try {
      await storing
    } finally {
      this.stores--
    }
  }

  private async storeChanges(): Promise<void> {
    const { groupId, log } = this
    const next = this.storable()
    const changes = changesOf(groupId, this.stored, next)
    if (changes.length === 0) return
    await log.putModern(groupId, changes)
    this.stored = next
  }

  private schedule(): void {
    const deadlineMs = this.isClosed ? Infinity : this.group.nextDeadlineMs
    // a timer that fires too early finds nothing due, and is set again: sessions move on with every word of a member
    if (this.timerMs <= deadlineMs && deadlineMs < Infinity) return
    this.cancelTimer?.()
    this.cancelTimer = null
    this.timerMs = deadlineMs
    if (deadlineMs === Infinity) return
    this.cancelTimer = this.clock.setTimer(Math.max(0, deadlineMs - this.clock.monotonicMs()), () => {
      this.timerMs = Infinity
      const nowMs = this.clock.monotonicMs()
      if (nowMs - deadlineMs > STALL_MS) this.group.stalled(nowMs - deadlineMs, nowMs)
      else this.group.tick(nowMs)
      this.schedule()
      // what is not stored now is stored with what comes next, and happens again after a restart
      this.store().catch(() => {})
    })
  }
}
