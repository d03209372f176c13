import type { LogEngine } from '../engine/log-engine.ts'
import { VarveError } from '../errors.ts'
import type { TopicPartition } from '../group/assignors/assignor.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { CommittedOffset } from '../group/offset-records.ts'
import { AssignedPartition } from './assigned-partition.ts'
import type { ConsumerSettings } from './consumer-options.ts'
import { Fetcher } from './fetcher.ts'
import { Membership, type Ownership } from './membership.ts'
import { OffsetCommitter } from './offset-committer.ts'
import { ProgressWatch } from './progress-watch.ts'

/** One read is no smaller, however many partitions share what may be read ahead. */
const MIN_READ_BYTES = 4 * 1024
const MAX_READ_BYTES = 256 * 1024

/** What holds one consumer together: its place in the group, the partitions that this gives it, and what it commits. */
export class ConsumerCore implements Ownership {
  readonly fetcher: Fetcher
  readonly committer: OffsetCommitter
  readonly watch: ProgressWatch
  readonly membership: Membership
  /** Aborts when the consumer ends: closed, or failed. */
  readonly ended = new AbortController()
  failure: Error | null = null
  /** Monotonic ms of the last time that anybody asked for records, or waited for some. */
  lastPollMs: number
  /** Somebody consumes: iterates, or runs. */
  isActive = false
  private isStarted = false
  private losses = 0
  /** Gives up its place once nobody consumes. */
  private retires = false
  /** Lost, and somebody is at their records still. */
  private readonly lostClaims = new Set<AssignedPartition>()

  constructor(
    readonly engine: LogEngine,
    readonly coordinator: GroupCoordinator,
    readonly settings: ConsumerSettings,
  ) {
    const fail = (error: unknown) => this.fail(error)
    this.lastPollMs = engine.clock.monotonicMs()
    this.fetcher = new Fetcher(
      engine.clock,
      (assigned, error) => this.reset(assigned, error),
      (assigned) => void (this.lostClaims.delete(assigned) && this.membership.nudge()),
    )
    this.membership = new Membership(engine, coordinator, settings, this)
    this.committer = new OffsetCommitter(engine, coordinator, settings, this.fetcher, () => this.membership, fail)
    const { heartbeatIntervalMs, stalledAfterMs, maxPollIntervalMs } = settings
    const lookMs = Math.max(1, Math.min(heartbeatIntervalMs, stalledAfterMs / 2, maxPollIntervalMs / 2))
    this.watch = new ProgressWatch(
      engine.clock,
      lookMs,
      () => this.claimed(),
      () => this.checkProgress(),
    )
  }

  /** Takes a place in the group, if it has none yet. */
  start(): void {
    this.throwIfFailed()
    this.isActive = true
    this.lastPollMs = this.engine.clock.monotonicMs()
    this.membership.nudge()
    if (this.isStarted) return
    this.isStarted = true
    this.membership.start()
    this.watch.start()
  }

  /** Nobody consumes any more; the consumer keeps its place for as long as one record may take. */
  rest(): void {
    this.isActive = false
    this.lastPollMs = this.engine.clock.monotonicMs()
    this.retire()
  }

  throwIfFailed(): void {
    if (this.failure !== null) throw this.failure
  }

  /** It is of no use any more: whoever consumes hears why, and the others have its partitions as soon as he has stopped. */
  fail(error: unknown): void {
    this.retires = true
    this.endWith(error)
    this.retire()
  }

  /** Ends whoever consumes with an error. */
  endWith(error: unknown): void {
    this.failure ??= error as Error
    this.fetcher.interrupt()
    this.ended.abort(error)
    this.membership.nudge()
  }

  private retire(): void {
    if (!this.retires || this.isActive) return
    this.watch.stop()
    this.membership.leave().catch(() => {})
  }

  owned(): TopicPartition[] {
    return this.fetcher.partitions.map(({ topic, number }) => ({ topic, partition: number }))
  }

  async assign(partitions: TopicPartition[]): Promise<void> {
    if (partitions.length === 0) return
    const { engine, fetcher, settings, losses } = this
    const image = await this.coordinator.image(settings.groupId)
    if (this.ended.signal.aborted || this.losses !== losses) return
    const share = settings.maxPrefetchBytes / 2 / (fetcher.partitions.length + partitions.length)
    const readBytes = Math.min(Math.max(Math.floor(share), MIN_READ_BYTES), MAX_READ_BYTES)
    const added: AssignedPartition[] = []
    for (const { topic, partition } of partitions) {
      const found = engine.topic(topic).partition(partition)
      const committed = image?.offsets.get(topic)?.get(partition)
      const assigned = new AssignedPartition(found, committed?.offset ?? 0, readBytes)
      this.place(assigned, committed)
      fetcher.add(assigned)
      added.push(assigned)
    }
    await this.settings.onAssigned?.(partitions)
    for (const assigned of added) fetcher.admit(assigned)
  }

  async revoke(partitions: TopicPartition[]): Promise<void> {
    const { fetcher } = this
    const revoked = partitions
      .map(({ topic, partition }) => fetcher.find(topic, partition))
      .filter((it) => it !== undefined)
    if (revoked.length === 0) return
    for (const assigned of revoked) fetcher.revoke(assigned)
    await fetcher.released(revoked)
    if (this.committer.isAutomatic) await this.committer.flush(revoked)
    if (revoked.some(({ isLost }) => isLost)) return
    await this.settings.onRevoked?.(partitions)
    for (const assigned of revoked) fetcher.remove(assigned)
  }

  async lose(): Promise<void> {
    const { fetcher } = this
    this.losses += 1
    const lost = fetcher.partitions
    if (lost.length === 0) return
    const partitions = this.owned()
    for (const assigned of lost) {
      assigned.isLost = true
      if (assigned.isClaimed) this.lostClaims.add(assigned)
      fetcher.remove(assigned)
      const where = `${assigned.topic}-${assigned.number}`
      assigned.abort(
        new VarveError('UNKNOWN_MEMBER_ID', `${where} was taken away: another consumer may have it already`),
      )
    }
    await this.settings.onLost?.(partitions)
  }

  mayJoin(isMember: boolean): boolean {
    return this.lostClaims.size === 0 && (isMember || (this.isActive && !this.ended.signal.aborted))
  }

  /** Ends all waiting; what is claimed is given back by whoever claimed it. */
  end(): void {
    this.watch.stop()
    this.committer.stop()
    this.fetcher.interrupt()
    this.ended.abort()
    this.membership.nudge()
  }

  private place(assigned: AssignedPartition, committed: CommittedOffset | undefined): void {
    const { partition } = assigned
    try {
      if (committed === undefined) this.reset(assigned, null)
      else partition.checkRange(committed.offset)
    } catch (error) {
      this.reset(assigned, error as Error)
    }
    // where a group begins at the end it has its place from then on
    assigned.committedOffset = committed?.offset ?? -1
  }

  /** Moves a partition to where reading begins, or goes on when what was to be read is gone. */
  private reset(assigned: AssignedPartition, error: Error | null): void {
    const { partition, topic, number } = assigned
    const { autoOffsetReset, groupId } = this.settings
    if (autoOffsetReset !== 'error') return assigned.moveTo(partition.edge(autoOffsetReset))
    if (error !== null) throw error
    const message =
      `group '${groupId}' has committed no offset of ${topic}-${number}, and autoOffsetReset is 'error': ` +
      'reset its offsets, or set autoOffsetReset'
    throw new VarveError('OFFSET_OUT_OF_RANGE', message, { details: { topic, partition: number } })
  }

  private *claimed(): Iterable<AssignedPartition> {
    for (const assigned of this.fetcher.partitions) if (assigned.isClaimed) yield assigned
    yield* this.lostClaims
  }

  /** A consumer that is too long at one record, or that nobody reads from, lets the others have its partitions. */
  private checkProgress(): void {
    const { clock } = this.engine
    const sinceMs = this.isActive ? (this.watch.oldest()?.sinceMs ?? Infinity) : this.lastPollMs
    const isOwner = this.fetcher.partitions.length > 0
    if (!isOwner || clock.monotonicMs() - sinceMs < this.settings.maxPollIntervalMs) return
    this.membership.standBack().catch((error: unknown) => this.fail(error))
  }
}
