import { ConsumerRecord } from '../codec/record.ts'
import { RecordBatch } from '../codec/stored-batch.ts'
import type { LogEngine } from '../engine/log-engine.ts'
import { VarveError } from '../errors.ts'
import { keyOf, type TopicPartition } from '../group/assignors/assignor.ts'
import type { GroupCoordinator, OffsetCommit } from '../group/coordinator.ts'
import { checkOptions, integer, nonEmptyString, show } from '../options.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import { offsetForTimestamp } from './batch-reader.ts'
import { ConsumedBatches, ConsumedRecords } from './consumer-iterator.ts'
import { ConsumerCore } from './consumer-core.ts'
import {
  checkCloseOptions,
  checkRunOptions,
  type CloseOptions,
  type ConsumerSettings,
  type RunOptions,
} from './consumer-options.ts'
import { checkPlace, type ReadPosition } from './read-options.ts'
import { RecordRunner, type RecordHandler } from './record-runner.ts'

/** However little time a close gives to handlers, `onRevoked` can commit. */
const MIN_REVOKED_MS = 1_000

/** An offset to commit: that of the next record to read. */
export interface CommitPosition extends TopicPartition {
  offset: number
  /** Text that is kept with it. At most 4,096 bytes, see `groups.maxMetadataBytes` of `Varve.open`. */
  metadata?: string
}

/** How a consumer is. */
export interface ConsumerHealth {
  /**
   * `'idle'`: nothing consumes yet, or any more; `'rebalancing'`; `'running'`; `'stalled'`: one record has taken longer than
   * `stalledAfterMs`; `'failed'`; `'closed'`
   */
  status: 'idle' | 'rebalancing' | 'running' | 'stalled' | 'failed' | 'closed'
  /** Partitions that it owns. */
  assignment: TopicPartition[]
  /** ms since the epoch of when it last asked for records, or began to wait for some. */
  lastPollTimestamp: number
  /** ms since the epoch of the last commit that was acknowledged, or null. */
  lastCommitTimestamp: number | null
  /** The record that has been worked on for longer than `stalledAfterMs`, and since when (ms since the epoch), or null. */
  stuck: (TopicPartition & { offset: number; since: number }) | null
  /** Why it failed, or why the last automatic commit did (it is tried again), or null. */
  error: unknown
}

/**
 * A member of a consumer group: shares the partitions of some topics with the group's other members, and keeps the group's
 * place durably.
 *
 * Consume with `for await`, or with `run`; one at a time. It joins the group when that begins.
 *
 * ```ts
 * const consumer = log.consumer({ groupId: 'billing', topics: ['orders'] })
 * await consumer.run(async (record) => { await charge(record.value) })
 * ```
 */
export class Consumer implements AsyncIterable<ConsumerRecord>, AsyncDisposable {
  private readonly core: ConsumerCore
  private closing: Promise<void> | null = null
  /** Its place is given up: nothing can be committed any more. */
  private isGone = false
  private readonly gone: Promise<void>
  private resolveGone = () => {}
  private running: Promise<void> | null = null

  /** Made by `log.consumer`. */
  constructor(
    private readonly engine: LogEngine,
    coordinator: GroupCoordinator,
    private readonly settings: ConsumerSettings,
    private readonly onClosed: (consumer: Consumer) => void,
  ) {
    this.core = new ConsumerCore(engine, coordinator, settings)
    this.gone = new Promise((resolve) => (this.resolveGone = resolve))
    settings.signal?.addEventListener('abort', this.onAbort)
  }

  get groupId(): string {
    return this.settings.groupId
  }

  /**
   * Records, one by one; waits for more at the end, until the consumer is closed. Nothing is committed but by `commit`, or
   * with `autoCommit`. Where the loop is left, the record that it was at comes again if it is not committed.
   *
   * @throws VarveError CORRUPT_MESSAGE and what else reading throws; what makes it impossible to be a member of the group
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ConsumerRecord> {
    this.begin('for await')
    return new ConsumedRecords(this.core, () => this.core.rest())
  }

  /** As the consumer itself, batch by batch: the fast lane. */
  batches(): AsyncIterableIterator<RecordBatch> {
    this.begin('batches')
    return new ConsumedBatches(this.core, () => this.core.rest())
  }

  /**
   * Hands every record to `handler`, in order within each partition, and commits it after what the handler returned has
   * resolved. Resolves when the consumer is closed or the signal aborts.
   *
   * A handler that throws ends the run at that record: what came before is committed, and the record comes again at the
   * next run. So does a record whose handler was at it when the process was killed: handlers see each record at least once.
   *
   * @throws VarveError HANDLER_FAILED with the handler's error as its cause; what iterating throws
   */
  async run(handler: RecordHandler, options: RunOptions = {}): Promise<void> {
    if (typeof handler !== 'function') throw new TypeError(`run: the handler must be a function, not ${show(handler)}`)
    checkRunOptions(options)
    options.signal?.throwIfAborted()
    this.begin('run')
    const { core } = this
    core.committer.isAutomatic = true
    const signals = [core.ended.signal, ...(options.signal === undefined ? [] : [options.signal])]
    const run = new RecordRunner(core, handler, options.concurrency ?? 1).run(AbortSignal.any(signals))
    this.running = run.catch(() => {})
    // a handler that does not return after the time to close is not waited for
    const results = await Promise.allSettled([Promise.race([run, this.gone]), this.settled()])
    this.running = null
    core.committer.isAutomatic = this.settings.autoCommit
    core.rest()
    // what went wrong first is what counts
    for (const result of results) if (result.status === 'rejected') throw result.reason
    core.throwIfFailed()
  }

  /**
   * Commits that everything is processed up to and with a record, a batch or some of these, or explicit offsets: those of
   * the next records to read. Resolves when that is acknowledged as the log's flush mode promises.
   *
   * @throws TypeError or RangeError for anything else
   * @throws VarveError ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID when the partition is not this consumer's any more,
   *         OFFSET_OUT_OF_RANGE beyond the end, OFFSET_METADATA_TOO_LARGE, DISK_FULL, KAFKA_STORAGE_ERROR
   */
  async commit(what: Committable | Iterable<Committable>): Promise<void> {
    // what is given up in order can be committed until it is gone
    if (this.closing === null || this.isGone) this.throwIfClosed()
    const offsets = new Map<string, OffsetCommit>()
    const items = isCommittable(what) ? [what] : checkIterable(what)
    for (const item of items) {
      const position = this.positionOf(item)
      const key = keyOf(position)
      const known = offsets.get(key)
      if (known === undefined || known.offset < position.offset) offsets.set(key, position)
    }
    if (offsets.size > 0) await this.core.committer.commitByHand([...offsets.values()])
  }

  /** The partitions that are this consumer's now. */
  assignment(): TopicPartition[] {
    return this.core.owned()
  }

  /**
   * Goes on elsewhere in a partition that is assigned: at an offset, at the first record at or after a time, or at an edge.
   *
   * @throws VarveError ILLEGAL_GENERATION when it is not assigned to this consumer, OFFSET_OUT_OF_RANGE
   */
  async seek(where: TopicPartition, to: ReadPosition): Promise<void> {
    const place = checkPlace('seek', to, 'to')
    const assigned = this.requireAssigned('seek', where)
    const { partition } = assigned
    let offset: number
    if (typeof place === 'string') offset = partition.edge(place)
    else if (typeof place === 'number') offset = place
    else {
      offset = await offsetForTimestamp(partition, place.timestamp)
      // it may have been given up meanwhile
      this.requireAssigned('seek', where)
    }
    partition.checkRange(offset, 'seek within that')
    assigned.moveTo(offset)
    this.core.fetcher.makeReady(assigned)
  }

  /** Gives out no records of these partitions (default: of all that are assigned) until they are resumed or reassigned. */
  pause(partitions: readonly TopicPartition[] = this.assignment()): void {
    for (const where of listed('pause', partitions)) this.core.fetcher.pause(this.requireAssigned('pause', where))
  }

  /** Takes `pause` back. */
  resume(partitions: readonly TopicPartition[] = this.assignment()): void {
    for (const where of listed('resume', partitions)) {
      const assigned = this.requireAssigned('resume', where)
      assigned.isPaused = false
      this.core.fetcher.makeReady(assigned)
    }
  }

  /** How it is: for a liveness probe that sees whether work goes on, not only whether the process runs. */
  health(): ConsumerHealth {
    const { core, settings } = this
    const { clock } = this.engine
    const toTimestamp = (ms: number) => Math.round(clock.now() - (clock.monotonicMs() - ms))
    const oldest = core.watch.oldest()
    const isStalled = oldest !== null && clock.monotonicMs() - oldest.sinceMs >= settings.stalledAfterMs
    let status: ConsumerHealth['status'] = core.membership.isStable ? 'running' : 'rebalancing'
    if (!core.isActive) status = 'idle'
    if (isStalled) status = 'stalled'
    if (core.failure !== null) status = 'failed'
    if (this.closing !== null) status = 'closed'
    return {
      status,
      assignment: this.assignment(),
      lastPollTimestamp: toTimestamp(core.lastPollMs),
      lastCommitTimestamp: core.committer.lastCommitTimestamp,
      stuck: isStalled ? { ...placeOf(oldest.assigned), since: toTimestamp(oldest.sinceMs) } : null,
      error: core.failure ?? core.committer.error,
    }
  }

  /**
   * Finishes the records that handlers are at, commits what is processed, and leaves the group, so that the others take
   * over at once. A loop that iterates ends. Closing twice is fine.
   *
   * Handlers that are not done after `graceMs` are told so by their signal and not waited for: their records come again.
   * `onRevoked` is waited for for as long, and a second at the least. A handler, or `onRevoked`, that closes its own consumer
   * does not await that, which would be to wait for itself.
   *
   * @throws VarveError DISK_FULL, KAFKA_STORAGE_ERROR when the last commit failed; what `onRevoked` throws
   */
  close(options: CloseOptions = {}): Promise<void> {
    try {
      checkCloseOptions(options)
    } catch (error) {
      return Promise.reject(error)
    }
    this.closing ??= this.shutDown(options.graceMs ?? 30_000).finally(() => this.onClosed(this))
    return this.closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private readonly onAbort = () => {
    this.core.endWith(this.settings.signal!.reason)
    this.close().catch(() => {})
  }

  /** The commit of what was handled last is part of a run, and so is leaving the group where the consumer is closed. */
  private async settled(): Promise<void> {
    await Promise.race([this.running, this.gone])
    await (this.closing ?? this.core.committer.flush())
  }

  private async shutDown(graceMs: number): Promise<void> {
    const { core } = this
    const { fetcher } = core
    this.settings.signal?.removeEventListener('abort', this.onAbort)
    const release = this.engine.clock.hold()
    core.end()
    try {
      if (this.running !== null) await this.waitForHandlers(this.running, graceMs)
      if (core.committer.isAutomatic) await core.committer.flush()
      // what `onRevoked` calls finds that the consumer is being closed
      await Promise.resolve()
      const owned = core.owned()
      const { onRevoked } = this.settings
      if (owned.length > 0 && onRevoked !== undefined)
        await this.within(Math.max(graceMs, MIN_REVOKED_MS), (async () => onRevoked(owned))())
    } finally {
      this.isGone = true
      // a loop may be at a record still, and is not waited for
      for (const assigned of fetcher.partitions) assigned.isLost = true
      for (const assigned of fetcher.partitions) fetcher.remove(assigned)
      await core.membership.leave().finally(() => {
        this.resolveGone()
        release()
      })
    }
  }

  private async waitForHandlers(running: Promise<void>, graceMs: number): Promise<void> {
    const partitions = this.core.fetcher.partitions
    await this.within(graceMs, running)
    for (const assigned of partitions) assigned.abort(new Error('the consumer is being closed'))
  }

  /** Waits for something, for so long at the most. */
  private async within(ms: number, action: Promise<void>): Promise<void> {
    let cancel = () => {}
    const time = new Promise<void>((resolve) => (cancel = this.engine.clock.setTimer(ms, resolve)))
    await Promise.race([action, time]).finally(() => cancel())
  }

  private begin(call: string): void {
    this.throwIfClosed()
    if (this.core.isActive) {
      throw new TypeError(`${call}: this consumer is being consumed already: make another one of the same group`)
    }
    this.core.start()
  }

  private throwIfClosed(): void {
    this.core.throwIfFailed()
    if (this.closing === null) return this.engine.throwIfNotWritable()
    throw new VarveError('CLOSED', `the consumer of group '${this.groupId}' is closed: make another one`)
  }

  private positionOf(item: Committable): OffsetCommit {
    if (item instanceof ConsumerRecord || item instanceof RecordBatch) {
      const { topic, partition } = item
      const last = item instanceof RecordBatch ? item.lastOffset : item.offset
      const leaderEpoch = this.core.fetcher.find(topic, partition)?.leaderEpoch ?? -1
      return { topic, partition, offset: last + 1, leaderEpoch, metadata: '' }
    }
    checkOptions('commit', item, positionChecks, ['topic', 'partition', 'offset'])
    return { leaderEpoch: -1, ...item, metadata: item.metadata ?? '' }
  }

  private requireAssigned(call: string, where: TopicPartition): AssignedPartition {
    checkPlaceOf(call, where)
    if (this.closing !== null) this.throwIfClosed()
    const { topic, partition } = where
    const assigned = this.core.fetcher.find(topic, partition)
    if (assigned !== undefined && !assigned.isRevoked) return assigned
    const message =
      `${call}: ${topic}-${partition} is not assigned to this consumer of group '${this.groupId}': ` +
      'wait for onAssigned'
    throw new VarveError('ILLEGAL_GENERATION', message, { details: { topic, partition } })
  }
}

/** What `consumer.commit` takes. */
export type Committable = ConsumerRecord | RecordBatch | CommitPosition

const positionChecks = {
  topic: nonEmptyString,
  partition: integer(0),
  offset: integer(0),
  metadata: (value: unknown) => (typeof value === 'string' ? null : 'must be a string'),
}

function isCommittable(what: Committable | Iterable<Committable>): what is Committable {
  if (what instanceof ConsumerRecord || what instanceof RecordBatch) return true
  return typeof what === 'object' && what !== null && !(Symbol.iterator in what)
}

function checkIterable(what: Iterable<Committable>): Iterable<Committable> {
  if (typeof what === 'object' && what !== null) return what
  throw new TypeError(
    `commit: it takes a record, a batch, { topic, partition, offset } or some of these, not ${show(what)}`,
  )
}

function listed(call: string, partitions: readonly TopicPartition[]): readonly TopicPartition[] {
  if (Array.isArray(partitions)) return partitions
  throw new TypeError(`${call}: it takes an array of { topic, partition }, not ${show(partitions)}`)
}

/** A record or anything else that has a topic and a partition. */
function checkPlaceOf(call: string, where: TopicPartition): void {
  const { topic, partition }: Partial<TopicPartition> = where ?? {}
  if (typeof topic === 'string' && Number.isSafeInteger(partition)) return
  throw new TypeError(`${call}: a partition is { topic, partition }, a name and a number, not ${show(where)}`)
}

function placeOf({ topic, number, processedOffset }: AssignedPartition): TopicPartition & { offset: number } {
  return { topic, partition: number, offset: processedOffset }
}
