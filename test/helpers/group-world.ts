import { expect } from 'vitest'
import type { Consumer } from '../../src/client/consumer.ts'
import { Varve } from '../../src/client/varve.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import type { TopicPartition } from '../../src/group/assignors/assignor.ts'
import type { AssignorName } from '../../src/group/assignors/assignors.ts'
import { GroupLog } from '../../src/group/group-log.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from './fake-clock.ts'
import { DIRECTORY, idle } from './logs.ts'
import { drawCut } from './power-cuts.ts'
import type { SeededRandom } from './seeded-random.ts'

export const GROUP = 'billing'
export const SESSION_MS = 6_000
export const MAX_POLL_MS = 10_000
const TOPIC = 'orders'

/** Somebody who is at a record. */
interface Visit {
  slot: Slot
  offset: number
  /** Its partition was taken away, or its consumer closed without waiting: others may be at the same one. */
  isLost: boolean
}

/** What is known of one partition. */
class PartitionModel {
  /** Offsets of all records, in order. */
  offsets: number[] = []
  readonly done = new Set<number>()
  /** Records that may be processed again, whatever the reason. */
  readonly excused = new Set<number>()
  highestStarted = -1
  visits: Visit[] = []
  /** The committed offset was last seen here, and is never seen below it. */
  committed = 0
  /** But where somebody has moved back: the lowest offset. */
  soughtTo = Infinity

  /** Something happened after which all that was processed may come again. */
  excuseAll(): void {
    for (const offset of this.done) this.excused.add(offset)
    for (const { offset } of this.visits) this.excused.add(offset)
  }
}

/** One consumer, and what it is allowed to do. */
export interface Slot {
  name: string
  /** Of the log that it belongs to. */
  life: number
  consumer: Consumer
  mode: 'run' | 'commits' | 'autoCommit' | 'batches'
  /** Settles when nobody consumes. */
  consuming: Promise<void> | null
  breakSoon: boolean
  isClosing: boolean
  /** The last offset that it was given, by partition, since the last time that it was moved. */
  last: Map<number, number>
  paused: Set<number>
  /** Let go those of its handlers that hang. */
  hung: (() => void)[]
}

/** How often what happens to a record that is handled. */
export interface Habits {
  slow: number
  hang: number
  fail: number
}

/** Some consumers of one group on a log, and a model that says what they may do. */
export class GroupWorld {
  clock = new FakeClock()
  storage = new MemoryStorage()
  log!: Varve
  slots: Slot[] = []
  habits: Habits = { slow: 0.2, hang: 0.01, fail: 0.02 }
  readonly partitions = new Map<number, PartitionModel>()
  /** The first promise that was broken. */
  violation: Error | null = null
  readonly history: string[] = []
  private life = 0
  private made = 0
  private turmoilUntilMs = -1

  constructor(
    readonly random: SeededRandom,
    private readonly assignor: AssignorName,
  ) {}

  async open(partitions = 0): Promise<void> {
    const { storage, clock, random } = this
    const options = { retentionCheckMs: 2 ** 31 - 1, directory: DIRECTORY, storage, clock, random }
    this.log = await Varve.open(options)
    if (partitions > 0) await this.log.createTopic({ name: TOPIC, partitions, segmentBytes: 2_000 })
    await this.readAll()
  }

  /** What a partition holds, from the log itself: a power cut may have taken what was never acknowledged. */
  private async readAll(): Promise<void> {
    for (const { partition } of this.log.offsets(TOPIC)) {
      const offsets: number[] = []
      for await (const { offset } of this.log.read(TOPIC, { partition })) offsets.push(offset)
      const model = this.partition(partition)
      expect(offsets, 'what was acknowledged').toEqual(expect.arrayContaining(model.offsets))
      model.offsets = offsets
    }
  }

  partition(number: number): PartitionModel {
    const model = this.partitions.get(number) ?? new PartitionModel()
    this.partitions.set(number, model)
    return model
  }

  private check(holds: boolean, promise: string): void {
    if (!holds) this.violation ??= new Error(`${promise} (at ${this.clock.monotonicMs()} ms)`)
  }

  throwIfViolated(): void {
    if (this.violation !== null) throw this.violation
  }

  get isTurmoil(): boolean {
    return this.clock.monotonicMs() < this.turmoilUntilMs
  }

  async append(): Promise<void> {
    const { random, life } = this
    const partition = random.pick([...this.partitions.keys()])
    const records = Array.from({ length: random.between(1, 6) }, () => ({ value: 'v', partition }))
    const results = await this.log.appendBatch(TOPIC, records)
    if (life === this.life) this.partition(partition).offsets.push(...results.map(({ offset }) => offset))
  }

  async createPartition(): Promise<void> {
    const count = this.partitions.size + 1
    await this.log.createPartitions(TOPIC, count)
    this.partition(count - 1)
  }

  spawn(): void {
    const { random, life } = this
    const mode = random.pick(['run', 'run', 'commits', 'autoCommit', 'batches'] as const)
    const consumer = this.log.consumer({
      groupId: GROUP,
      topics: [TOPIC],
      assignors: [this.assignor],
      sessionTimeoutMs: SESSION_MS,
      heartbeatIntervalMs: 2_000,
      maxPollIntervalMs: MAX_POLL_MS,
      autoCommit: mode === 'autoCommit',
      onAssigned: (partitions) => (life === this.life ? this.assigned(slot, partitions) : undefined),
      onLost: (partitions) => (life === this.life ? this.lost(slot, partitions) : undefined),
    })
    const slot: Slot = {
      name: `${mode}${this.made++}`,
      life,
      consumer,
      mode,
      consuming: null,
      breakSoon: false,
      isClosing: false,
      last: new Map(),
      paused: new Set(),
      hung: [],
    }
    this.slots.push(slot)
    this.consume(slot)
  }

  consume(slot: Slot): void {
    const { life } = this
    if (slot.consuming !== null || slot.isClosing) return
    slot.last.clear()
    slot.breakSoon = false
    slot.consuming = this.loop(slot).then(
      () => void (slot.consuming = null),
      (error: Error & { code?: string }) => {
        slot.consuming = null
        const isMeant = error.message === 'meant' || error.code === 'HANDLER_FAILED'
        if (life !== this.life || isMeant || (slot.isClosing && error.code === 'CLOSED')) return
        this.check(false, `${slot.name} ended with ${error.stack}`)
      },
    )
  }

  private async loop(slot: Slot): Promise<void> {
    const { consumer, mode } = slot
    if (mode === 'run')
      return consumer.run((record, { signal }) => this.handle(slot, record, signal), {
        concurrency: this.random.between(1, 3),
      })
    if (mode === 'batches') {
      for await (const batch of consumer.batches()) {
        await this.handleBatch(slot, batch.records())
        await this.commit(slot, batch)
        if (slot.breakSoon) return this.excuse(batch.partition)
      }
      return
    }
    for await (const record of consumer) {
      await this.handle(slot, record)
      if (mode === 'commits') await this.commit(slot, record)
      if (slot.breakSoon) return void this.partition(record.partition).excused.add(record.offset)
    }
  }

  private async commit(slot: Slot, what: Parameters<Consumer['commit']>[0] & { partition: number }): Promise<void> {
    const { life } = this
    try {
      await slot.consumer.commit(what)
    } catch (error) {
      const { code } = error as { code?: string }
      const isRefused = code === 'ILLEGAL_GENERATION' || code === 'UNKNOWN_MEMBER_ID'
      if (life !== this.life || (isRefused && (this.isTurmoil || !slot.last.has(what.partition)))) return
      if (slot.isClosing && (code === 'CLOSED' || isRefused)) return this.excuse(what.partition)
      throw error
    }
  }

  /** A batch is processed as if it were its first record. */
  private async handleBatch(slot: Slot, [first, ...others]: ConsumerRecord[]): Promise<void> {
    const { life } = this
    if (first === undefined) return
    await this.handle(slot, first)
    if (life !== this.life) return
    const model = this.partition(first.partition)
    for (const { offset } of others) {
      model.done.add(offset)
      if (model.excused.has(first.offset)) model.excused.add(offset)
      if (slot.last.has(first.partition)) slot.last.set(first.partition, offset)
    }
  }

  excuse(partition: number): void {
    this.partition(partition).excuseAll()
  }

  /** One record is processed, in one of several ways. */
  private handle(slot: Slot, record: ConsumerRecord, signal?: AbortSignal): void | Promise<void> {
    const { random, habits, life } = this
    if (slot.life !== life) return new Promise(() => {})
    const visit = this.enter(slot, record)
    const draw = random.next()
    const leave = () => {
      if (life === this.life) this.leave(record, visit, signal)
    }
    if (draw < habits.hang) return new Promise<void>((resolve) => slot.hung.push(resolve)).then(leave)
    if (draw < habits.hang + habits.fail && slot.mode === 'run') {
      this.quit(record, visit)
      throw new Error('meant')
    }
    if (draw < habits.hang + habits.fail + habits.slow) return idle(random.between(1, 4)).then(leave)
    leave()
  }

  private enter(slot: Slot, { partition, offset }: ConsumerRecord): Visit {
    const model = this.partition(partition)
    const at = `${slot.name} at ${partition}/${offset}`
    const other = model.visits.find(({ isLost }) => !isLost)
    this.check(other === undefined || this.isTurmoil, `${at}: ${other?.slot.name} is at ${other?.offset} of it still`)
    this.check(!slot.paused.has(partition), `${at}: it is paused`)
    const last = slot.last.get(partition)
    if (last !== undefined) {
      const next = model.offsets.find((known) => known > last) ?? offset
      this.check(offset === next, `${at}: after ${last} comes ${next}`)
    }
    this.check(!model.done.has(offset) || model.excused.has(offset) || this.isTurmoil, `${at}: it was processed before`)
    slot.last.set(partition, offset)
    const visit = { slot, offset, isLost: slot.isClosing && slot.mode !== 'run' }
    model.visits.push(visit)
    return visit
  }

  private leave(record: ConsumerRecord, visit: Visit, signal: AbortSignal | undefined): void {
    const model = this.partition(record.partition)
    if (visit.isLost || signal?.aborted || this.isTurmoil) model.excused.add(record.offset)
    model.done.add(record.offset)
    this.quit(record, visit)
  }

  private quit({ partition }: ConsumerRecord, visit: Visit): void {
    const model = this.partition(partition)
    model.visits = model.visits.filter((one) => one !== visit)
  }

  private assigned(slot: Slot, partitions: TopicPartition[]): void {
    for (const { partition } of partitions) {
      slot.last.delete(partition)
      slot.paused.delete(partition)
    }
  }

  private lost(slot: Slot, partitions: TopicPartition[]): void {
    for (const { partition } of partitions) {
      this.excuse(partition)
      slot.last.delete(partition)
      for (const visit of this.partition(partition).visits) if (visit.slot === slot) visit.isLost = true
    }
  }

  pause(slot: Slot): void {
    for (const { partition } of slot.consumer.assignment()) {
      if (!this.random.chance(0.5)) continue
      try {
        slot.consumer.pause([{ topic: TOPIC, partition }])
        slot.paused.add(partition)
      } catch (error) {
        this.expectRevoked(error)
      }
    }
  }

  resume(slot: Slot): void {
    for (const partition of slot.paused) {
      slot.paused.delete(partition)
      try {
        slot.consumer.resume([{ topic: TOPIC, partition }])
      } catch (error) {
        this.expectRevoked(error)
      }
    }
  }

  /** Back by some records. */
  seek(slot: Slot): void {
    for (const { partition } of slot.consumer.assignment()) {
      const model = this.partition(partition)
      const offset = this.random.pick([0, ...model.offsets])
      if (offset > (slot.last.get(partition) ?? -1)) continue
      model.excuseAll()
      model.soughtTo = Math.min(model.soughtTo, offset)
      const seeking = slot.consumer.seek({ topic: TOPIC, partition }, offset)
      slot.last.delete(partition)
      seeking.catch((error: unknown) => this.expectRevoked(error))
      return
    }
  }

  private expectRevoked(error: unknown): void {
    this.check((error as { code?: string }).code === 'ILLEGAL_GENERATION', String(error))
  }

  releaseHung(): void {
    for (const { hung } of this.slots) for (const resolve of hung.splice(0)) resolve()
  }

  async close(slot: Slot, graceMs: number): Promise<void> {
    this.willClose(slot)
    await slot.consumer.close({ graceMs })
  }

  private willClose(slot: Slot): void {
    slot.isClosing = true
    this.slots = this.slots.filter((one) => one !== slot)
    for (const model of this.partitions.values()) {
      for (const visit of model.visits.filter((visit) => visit.slot === slot)) {
        // a loop is not waited for, and neither is a handler for ever
        model.excused.add(visit.offset)
        if (slot.mode === 'run') void this.afterGrace(visit)
        else visit.isLost = true
        if (slot.mode === 'batches') model.excuseAll()
      }
    }
  }

  private async afterGrace(visit: Visit): Promise<void> {
    await visit.slot.consumer.close().catch(() => {})
    visit.isLost = true
  }

  /** Nothing moves while time passes: sessions end of which nobody is to blame. */
  stall(): void {
    this.turmoilUntilMs = this.clock.monotonicMs() + SESSION_MS + 500 + 5_000
    for (const model of this.partitions.values()) model.excuseAll()
    this.clock.advance(SESSION_MS + 500)
  }

  async restart(): Promise<void> {
    const { slots } = this
    for (const slot of slots) this.willClose(slot)
    let isClosed = false
    const closing = this.log.close().finally(() => (isClosed = true))
    while (!isClosed) {
      await this.clock.advanceSlowly(5_000)
      await idle(5)
    }
    await closing
    await this.verifyIdle()
    await this.begin()
  }

  /** The power goes: nobody of this life is heard of again. */
  async cutPower(): Promise<void> {
    this.storage = this.random.chance(0.5)
      ? this.storage.crash(drawCut(this.storage, this.random))
      : this.storage.clone()
    for (const model of this.partitions.values()) {
      model.excuseAll()
      model.visits = []
    }
    this.clock = new FakeClock(this.clock.now())
    this.turmoilUntilMs = -1
    this.slots = []
    await this.begin()
  }

  private async begin(): Promise<void> {
    this.life += 1
    await this.open()
    await this.verifyCommitted()
  }

  async verifyIdle(): Promise<void> {
    await idle(5)
    expect([this.clock.timerCount, this.clock.holdCount], 'timers and holds that a closed log has left').toEqual([0, 0])
  }

  /** Committed offsets never move back by themselves, nor past what is processed; and memory is what a replay gives. */
  async verifyCommitted(): Promise<void> {
    const [log] = await Promise.all(this.log['coordinator']['logs'].values())
    const offsets = log?.images.get(GROUP)?.offsets.get(TOPIC)
    for (const [partition, { offset }] of offsets ?? []) {
      const model = this.partition(partition)
      const floor = Math.min(model.committed, model.soughtTo)
      this.check(offset >= floor, `${partition}: committed ${offset}, after ${model.committed}`)
      model.committed = offset
      const skipped = model.offsets.find((known) => known < offset && !model.done.has(known))
      this.check(skipped === undefined, `${partition}: committed ${offset}, and ${skipped} is not processed`)
      this.check(offset <= this.log.offsets(TOPIC)[partition].highWatermark, `${partition}: committed past the end`)
    }
    if (log === undefined) return
    const live = contentOf(log)
    const replayed = new GroupLog(log.partition, this.clock)
    await replayed.replay()
    expect(contentOf(replayed), 'what a replay gives').toEqual(live)
  }

  get isAllDone(): boolean {
    return [...this.partitions.values()].every(({ offsets, done, committed }) => {
      return offsets.every((offset) => done.has(offset) && offset < committed)
    })
  }
}

/** What is kept, as text. */
function contentOf({ images }: GroupLog): string {
  const groups = [...images].map(([groupId, { offsets, stored }]) => {
    return [
      groupId,
      [...offsets].map(([topic, partitions]) => [topic, [...partitions].sort(([a], [b]) => a - b)]),
      stored,
    ]
  })
  return JSON.stringify(groups)
}
