import type { LogEngine } from '../engine/log-engine.ts'
import { VarveError } from '../errors.ts'
import type { GroupCoordinator, OffsetCommit } from '../group/coordinator.ts'
import type { MemberClaim } from '../group/group.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import type { ConsumerSettings } from './consumer-options.ts'
import type { Fetcher } from './fetcher.ts'
import type { Membership } from './membership.ts'

/** What a commit is refused with where the partitions are not this member's any more: others process the records again. */
const FENCED = ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID']

/** Commits what a consumer has processed: one commit at a time, each for all that was processed before it. */
export class OffsetCommitter {
  /** Commits are made by themselves: set while `run` is at work, or by `autoCommit`. */
  isAutomatic: boolean
  /** Wall-clock ms of the last commit that was acknowledged, or null. */
  lastCommitTimestamp: number | null = null
  /** Why the last automatic commit failed; null once one succeeds. It is tried again. */
  error: VarveError | null = null
  private isScheduled = false
  private isStopped = false
  private committing: Promise<void> = Promise.resolve()
  private lastStartMs = -Infinity
  private cancelTimer: () => void = () => {}

  constructor(
    private readonly engine: LogEngine,
    private readonly coordinator: GroupCoordinator,
    private readonly settings: ConsumerSettings,
    private readonly fetcher: Fetcher,
    private readonly membership: () => Membership,
    private readonly fail: (error: unknown) => void,
  ) {
    this.isAutomatic = settings.autoCommit
  }

  /** Has what is processed committed in a while, where commits are made by themselves. */
  request(): void {
    if (this.isScheduled || this.isStopped || !this.isAutomatic) return
    this.isScheduled = true
    const { clock } = this.engine
    const restMs = this.lastStartMs + this.settings.commitIntervalMs - clock.monotonicMs()
    this.cancelTimer = clock.setTimer(Math.max(0, restMs), () => void this.commitInBackground())
  }

  /**
   * Commits all that is processed of these partitions, or of all.
   *
   * @throws VarveError DISK_FULL, KAFKA_STORAGE_ERROR
   */
  flush(partitions?: readonly AssignedPartition[]): Promise<void> {
    const flushed = this.committing.then(() => this.commitProcessed(partitions ?? this.fetcher.partitions))
    this.committing = flushed.catch(() => {})
    return flushed
  }

  /** Commits what somebody says is processed, whatever has been given out: no other commit takes that back by itself. */
  async commitByHand(offsets: readonly OffsetCommit[]): Promise<void> {
    const moves = offsets.map(({ topic, partition }) => this.fetcher.find(topic, partition)?.moves)
    await this.commit(offsets)
    for (const [i, { topic, partition, offset }] of offsets.entries()) {
      const assigned = this.fetcher.find(topic, partition)
      // it may have been moved meanwhile
      if (assigned?.moves === moves[i]) assigned?.acknowledge(offset)
    }
  }

  /** Commits these offsets and waits out a rebalance. */
  async commit(offsets: readonly OffsetCommit[]): Promise<void> {
    const { coordinator, settings } = this
    for (;;) {
      const membership = this.membership()
      for (const { topic, partition } of offsets) this.requireOwned(topic, partition)
      const { claim } = membership
      try {
        const results = await coordinator.commit(settings.groupId, claim, offsets)
        const failed = results.find(({ error }) => error !== null)
        if (failed !== undefined) throw failed.error!
        this.lastCommitTimestamp = this.engine.clock.now()
        for (const { topic, partition, offset } of offsets) {
          const assigned = this.fetcher.find(topic, partition)
          if (assigned !== undefined) assigned.committedOffset = offset
        }
        return
      } catch (error) {
        if (!isOvertaken(error, claim, membership)) throw error
        for (const { topic, partition } of offsets) this.requireOwned(topic, partition)
        await membership.settle()
        await new Promise<void>((resolve) => this.engine.clock.defer(resolve))
      }
    }
  }

  stop(): void {
    this.cancelTimer()
    this.isStopped = true
  }

  private requireOwned(topic: string, partition: number): void {
    if (this.fetcher.find(topic, partition) !== undefined) return
    const message =
      `${topic}-${partition} is not assigned to this consumer of group '${this.settings.groupId}': nothing was committed; ` +
      'its records are processed again by whoever has it'
    throw new VarveError('ILLEGAL_GENERATION', message, { details: { topic, partition } })
  }

  private async commitInBackground(): Promise<void> {
    this.isScheduled = false
    // whoever processed it said that it should be, and nobody does any more
    if (!this.isAutomatic) return
    this.isScheduled = true
    this.lastStartMs = this.engine.clock.monotonicMs()
    try {
      await this.flush()
      this.error = null
    } catch (error) {
      if (error instanceof VarveError && error.code === 'DISK_FULL') this.error = error
      else this.fail(error)
    }
    this.isScheduled = false
    if (this.fetcher.partitions.some(isUncommitted)) this.request()
  }

  private async commitProcessed(partitions: readonly AssignedPartition[]): Promise<void> {
    const offsets = partitions.filter((assigned) => isUncommitted(assigned) && !assigned.isLost).map(processedOf)
    if (offsets.length === 0) return
    try {
      await this.commit(offsets)
    } catch (error) {
      // the membership hears of it too, and the consumer loses its partitions
      if (!(error instanceof VarveError) || !FENCED.includes(error.code)) throw error
    }
  }
}

/** Whether a commit was refused only because the group has rebalanced, or does so: it may be made in the next generation. */
function isOvertaken(error: unknown, claim: MemberClaim, membership: Membership): boolean {
  if (!(error instanceof VarveError)) return false
  if (error.code === 'REBALANCE_IN_PROGRESS') return true
  const hasMovedOn = membership.isJoining || membership.claim.generation !== claim.generation
  return error.code === 'ILLEGAL_GENERATION' && hasMovedOn
}

function isUncommitted({ processedOffset, committedOffset }: AssignedPartition): boolean {
  return processedOffset !== committedOffset
}

function processedOf({ topic, number, processedOffset, leaderEpoch }: AssignedPartition): OffsetCommit {
  return { topic, partition: number, offset: processedOffset, leaderEpoch, metadata: '' }
}
