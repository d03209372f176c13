import type { Varve } from '../../src/client/varve.ts'
import { acknowledgesDurably, type Flush } from '../../src/engine/flush.ts'
import type { TopicConfig } from '../../src/engine/topic-config.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import {
  checkRecovered,
  emptyPartition,
  flushOf,
  openOn,
  uniqueValue,
  type Entry,
  type Moment,
} from './crash-oracle.ts'
import type { CrashPoint, LivePartition, LiveTopic } from './crash-live.ts'
import { nextBatch, repeatable, sendTo, sentBefore, takeProducerId } from './crash-producer.ts'
import { drawSizes, SMALL_SCALE } from './crash-scale.ts'
import { FakeClock } from './fake-clock.ts'
import { ObservedStorage } from './observed-storage.ts'
import { drawCut } from './power-cuts.ts'
import type { SeededRandom } from './seeded-random.ts'

/** A sync that takes as long as this stalls, ms. */
const STALLS_MS = [3, 60, 5000]
const YEAR_MS = 365 * 86_400_000

const CHANGES = ['deleteRecords', 'retention', 'alterTopic', 'createPartitions', 'createTopic', 'deleteTopic'] as const
const NAMES = ['orders', 'events', 'audit', 'payments']
const MOST_TOPICS = 3
const MOST_PARTITIONS = 2

/** A random run of a log on a simulated disk that notes every moment at which the power could go. */
export class CrashScript {
  readonly points: CrashPoint[] = []
  private disk = new MemoryStorage()
  private storage!: ObservedStorage
  private clock!: FakeClock
  private log!: Varve
  private topics: LiveTopic[] = []
  private readonly deletedIds: string[] = []
  private expected: Moment['expected'] = 'either'
  private acks = 0
  private producerId = -1
  private label = 'open'
  private stalls = 0
  private isCut = false

  /**
   * @param flushes  the modes that topics are created with and altered to
   * @param produces whether idempotent producers send batches as well
   */
  constructor(
    private readonly random: SeededRandom,
    private readonly flushes: readonly Flush[],
    private readonly scale = SMALL_SCALE,
    private readonly produces = false,
  ) {}

  async run(steps: number): Promise<void> {
    await this.open('either')
    await this.whileStalled(this.createTopic())
    for (let step = 0; step < steps; step++) {
      await this.whileStalled(this.step(step))
      await this.tick()
      this.noteOffsets()
    }
    await this.whileStalled(this.close())
    this.storage.observer = null
  }

  private async step(step: number): Promise<void> {
    const { random } = this
    const die = random.below(100)
    const name = (label: string) => (this.label = `step ${step}, ${label}`)
    if (this.topics.length === 0) return this.createTopic()
    if (die < 40) {
      name('append')
      return this.produces && random.chance(0.6) ? this.produce() : this.append()
    }
    if (die < 50) {
      name('appendBatch')
      return this.appendBatches()
    }
    if (die < 56) {
      name('flush')
      return this.flush()
    }
    if (die < 63) {
      name('time')
      return this.clock.advanceSlowly(random.pick([1, 4, 30]))
    }
    if (die < 64) {
      name('wall clock')
      const jump = random.pick([-10 * YEAR_MS, -3_600_000, -5, 3_600_000, 10 * YEAR_MS])
      return this.clock.setWallClock(Date.UTC(2026, 0, 1) + jump)
    }
    if (die < 82) {
      const change = random.pick(CHANGES)
      name(change)
      return this[change]()
    }
    if (die < 88) {
      const change = random.pick(['deleteRecords', 'createPartitions', 'createTopic'] as const)
      name(`append and ${change}`)
      await Promise.all([this[change](), this.append()])
      return
    }
    if (die < 92) {
      name('close and reopen')
      await this.close()
      return this.open('clean')
    }
    this.storage.observer = null
    if (die < 96) {
      name('kill and reopen')
      this.disk = this.disk.clone()
      return this.open('unclean', true)
    } else {
      name('power cut and reopen')
      this.isCut = true
      this.disk = this.disk.crash(drawCut(this.disk, random))
    }
    return this.open('unclean')
  }

  private async open(stop: Moment['expected'], isKill = false): Promise<void> {
    const first = this.log === undefined
    const before = this.moment()
    this.expected = stop === 'clean' ? 'either' : stop
    this.clock = new FakeClock(this.clock?.now())
    this.stalls = 0
    this.storage = new ObservedStorage(this.disk, (call, path, when) => this.note(`${call} ${path}`, when))
    this.log = await openOn(this.storage, this.random, this.clock.now(), this.clock)
    if (!first) await this.adopt({ ...before, expected: stop, isKill })
    Object.assign(this, { expected: 'unclean', isCut: false })
    // syncs take their time, so that writes go on meanwhile; not in an open: its moments should be all alike
    this.disk.syncDelay = () => {
      if (this.random.chance(0.02)) return this.stall(this.random.pick(STALLS_MS))
      return this.random.chance(0.4) ? this.tick() : undefined
    }
  }

  /** A disk that takes its time: what happens meanwhile is up to the script. */
  private async stall(ms: number): Promise<void> {
    const { clock } = this
    this.stalls += 1
    await new Promise<void>((resolve) => clock.setTimer(ms, resolve))
    // not one of a process that is gone
    if (clock === this.clock) this.stalls -= 1
  }

  /** Lets time pass where a call waits for a disk that stalls. */
  private async whileStalled<T>(call: Promise<T>): Promise<T> {
    let isSettled = false
    const settle = () => (isSettled = true)
    call.then(settle, settle)
    while (!isSettled) {
      await this.tick()
      if (this.stalls > 0) await this.clock.advanceSlowly(1 + this.random.below(50))
    }
    return call
  }

  /** Goes on from what was recovered: it is durable now, and what is lost is lost. */
  private async adopt(before: Moment): Promise<void> {
    const survivors = await checkRecovered(this.log, before)
    for (const topic of this.topics) {
      for (const [i, partition] of topic.partitions.entries()) {
        const { kept, start, end, leaderEpoch } = survivors.get(topic.name)![i]
        const entries = partition.entries.slice(0, kept)
        const sent = sentBefore(partition.sent, (entries.at(-1)?.offset ?? -1) + 1, topic.name)
        const changes = { entries, count: kept, durableCount: kept, startMin: start, startMax: start, leaderEpoch }
        Object.assign(partition, changes, { nextOffset: end, sent })
      }
    }
  }

  private async close(): Promise<void> {
    this.expected = 'either'
    await this.log.close()
    this.expected = 'clean'
    this.note('closed', 'after')
  }

  private note(call: string, when: 'before' | 'after'): void {
    const beforeSync = when === 'before'
    // what was true before a sync was so after the call before it
    this.points.push({ disk: this.disk.clone(), moment: this.moment(call), beforeSync })
  }

  /** What must hold if the power goes now. */
  private moment(call = ''): Moment {
    if (this.log !== undefined && this.expected === 'unclean') this.noteOffsets()
    const topics = this.topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map((partition) => ({ ...partition, count: partition.entries.length })),
    }))
    const { acks, expected, isCut, producerId } = this
    const [nowMs, wallMs] = [this.clock?.monotonicMs() ?? 0, this.clock?.now() ?? 0]
    const label = `${this.label}: ${call} at ${nowMs} ms`
    return { label, topics, deletedIds: [...this.deletedIds], acks, nowMs, wallMs, producerId, expected, isCut }
  }

  /** Holds the log to what it says is durable. */
  private noteOffsets(): void {
    for (const topic of this.topics) {
      if (topic.state !== 'there') continue
      for (const { partition, durableOffset } of this.log.offsets(topic.name)) {
        const one = topic.partitions[partition]
        if (one === undefined) continue
        while (one.durableCount < one.entries.length && one.entries[one.durableCount].offset < durableOffset)
          one.durableCount++
      }
    }
  }

  private submit(topic: LiveTopic): { partition: LivePartition; entry: Entry; record: object } {
    const { random } = this
    const index = random.below(topic.partitions.length)
    const partition = topic.partitions[index]
    const value = this.drawValue()
    const key = random.chance(0.3) ? null : `key ${random.below(4)}`
    const timestamp = this.clock.now() + (random.chance(0.2) ? random.between(-50, 50) : 0)
    const entry = this.enter(topic, partition, { key, value, timestamp })
    return { partition, entry, record: { partition: index, key, value, timestamp } }
  }

  private drawValue(): Buffer {
    return uniqueValue(this.random, this.random.pick(this.scale.valueBytes))
  }

  private enter(topic: LiveTopic, partition: LivePartition, record: Pick<Entry, 'key' | 'value' | 'timestamp'>): Entry {
    const durable = topic.configs.length === 1 && acknowledgesDurably(flushOf(topic.configs[0]))
    const entry = { ...record, offset: partition.nextOffset++, ackedAs: 0, ackedMs: 0, durable }
    partition.entries.push(entry)
    return entry
  }

  private acknowledge(partition: LivePartition, entry: Entry, offset: number): void {
    if (offset !== entry.offset) throw new Error(`offset ${offset} acknowledged, ${entry.offset} was next`)
    Object.assign(entry, { ackedAs: ++this.acks, ackedMs: this.clock.monotonicMs() })
    partition.greatestSeen = Math.max(partition.greatestSeen, offset)
  }

  private async append(): Promise<void> {
    const { random } = this
    const topic = this.someTopic()
    if (topic === undefined) return
    const appends = Array.from({ length: random.pick([1, 1, 2, 5]) }, async () => {
      const { partition, entry, record } = this.submit(topic)
      const { offset } = await this.log.append(topic.name, record)
      this.acknowledge(partition, entry, offset)
    })
    await Promise.all(appends)
  }

  /** Some batches of an idempotent producer, of which it may have sent the first one before. */
  private async produce(): Promise<void> {
    const { random, log } = this
    const topic = this.someTopic()
    if (topic === undefined) return
    topic.producerId ??= this.producerId = await takeProducerId(log, this.producerId)
    const index = random.below(topic.partitions.length)
    const partition = topic.partitions[index]
    const before = repeatable(partition.sent, partition.startMax)
    const again = before.length > 0 && random.chance(0.5) ? [random.pick(before)] : []
    const fresh = Array.from({ length: random.between(1, 3) }, () => {
      const values = Array.from({ length: random.between(1, 3) }, () => this.drawValue())
      const batch = nextBatch(topic.producerId!, partition.sent, partition.nextOffset, this.clock.now(), values)
      partition.sent.push(batch)
      return { batch, entries: batch.records.map((record) => this.enter(topic, partition, { key: 'k', ...record })) }
    })
    const sends = [...again.map((batch) => ({ batch, entries: [] })), ...fresh].map(async ({ batch, entries }) => {
      const offset = await sendTo(log, topic.name, index, batch)
      if (offset !== batch.offset) throw new Error(`the batch at ${batch.offset} got ${offset}`)
      for (const [i, entry] of entries.entries()) this.acknowledge(partition, entry, offset + i)
    })
    await Promise.all(sends)
  }

  /** Each call makes a batch of its own, so that several in flight may need more than one segment. */
  private async appendBatches(): Promise<void> {
    const topic = this.someTopic()
    if (topic === undefined) return
    const calls = Array.from({ length: this.random.between(1, 3) }, async () => {
      const submitted = Array.from({ length: this.random.between(1, 5) }, () => this.submit(topic))
      const records = submitted.map(({ record }) => record)
      const results = await this.log.appendBatch(topic.name, records)
      for (const [i, { partition, entry }] of submitted.entries()) {
        this.acknowledge(partition, entry, results[i].offset)
      }
    })
    await Promise.all(calls)
  }

  private async flush(): Promise<void> {
    const counts = new Map(this.topics.flatMap(({ partitions }) => partitions).map((one) => [one, one.entries.length]))
    await this.log.flush()
    for (const [partition, count] of counts) partition.durableCount = Math.max(partition.durableCount, count)
  }

  private async deleteRecords(): Promise<void> {
    const topic = this.someTopic()
    if (topic === undefined) return
    const index = this.random.below(topic.partitions.length)
    const partition = topic.partitions[index]
    const { highWatermark } = this.log.offsets(topic.name)[index]
    const beforeOffset = this.random.between(Math.min(partition.startMax, highWatermark), highWatermark)
    partition.startMax = Math.max(partition.startMax, beforeOffset)
    await this.log.deleteRecords(topic.name, { partition: index, beforeOffset })
    partition.startMin = partition.startMax
  }

  private async retention(): Promise<void> {
    const topic = this.someTopic()
    if (topic === undefined) return
    await this.change(topic, {
      retentionBytes: this.random.pick([-1, 0, this.scale.retentionBytes]),
      retentionMs: this.random.pick([-1, 0, 20]),
    })
    const partitions = this.topics.flatMap((one) => one.partitions)
    for (const partition of partitions) partition.startMax = Infinity
    await this.log.enforceRetention()
    for (const { name, partitions } of this.topics) {
      for (const { partition, logStartOffset } of this.log.offsets(name)) {
        Object.assign(partitions[partition], { startMin: logStartOffset, startMax: logStartOffset })
      }
    }
  }

  private async alterTopic(): Promise<void> {
    const { random } = this
    const topic = this.someTopic()
    if (topic === undefined) return
    const changes = drawSizes(random, this.scale)
    await this.change(topic, random.chance(0.5) ? { ...changes, flush: random.pick(this.flushes) } : changes)
  }

  private async change(topic: LiveTopic, changes: Partial<TopicConfig>): Promise<void> {
    const config = { ...topic.configs[0], ...changes }
    const counts = topic.partitions.map(({ entries }) => entries.length)
    topic.configs = [topic.configs[0], config]
    await this.log.alterTopic(topic.name, changes)
    topic.configs = [config]
    for (const [i, partition] of topic.partitions.entries())
      partition.durableCount = Math.max(partition.durableCount, counts[i])
  }

  private async createPartitions(): Promise<void> {
    const topic = this.someTopic()
    const count = topic?.partitions.length ?? MOST_PARTITIONS
    if (topic === undefined || count >= MOST_PARTITIONS) return
    topic.counts = [count, count + 1]
    const { partitions } = await this.log.createPartitions(topic.name, count + 1)
    topic.counts = [count + 1]
    topic.partitions.push({ ...emptyPartition(partitions[count].leaderEpoch), entries: [], nextOffset: 0, sent: [] })
  }

  private async createTopic(): Promise<void> {
    const { random, topics } = this
    const name = NAMES.find((one) => topics.every((topic) => topic.name !== one))
    if (name === undefined || topics.length >= MOST_TOPICS) return
    const count = random.between(1, 2)
    const flush = random.pick(this.flushes)
    const config: Partial<TopicConfig> = { flush, valueCodec: 'bytes', ...drawSizes(random, this.scale) }
    const topic: LiveTopic = {
      name,
      state: 'creating',
      topicId: '',
      configs: [config],
      counts: [count],
      partitions: [],
    }
    topics.push(topic)
    const { topicId, partitions } = await this.log.createTopic({ name, partitions: count, ...config })
    for (const { leaderEpoch } of partitions) {
      topic.partitions.push({ ...emptyPartition(leaderEpoch), entries: [], nextOffset: 0, sent: [] })
    }
    Object.assign(topic, { topicId, state: 'there' })
  }

  private async deleteTopic(): Promise<void> {
    if (this.random.chance(0.5)) return
    const topic = this.someTopic()
    if (topic === undefined) return
    topic.state = 'deleting'
    await this.log.deleteTopic(topic.name)
    this.topics = this.topics.filter((one) => one !== topic)
    this.deletedIds.push(topic.topicId)
  }

  private someTopic(): LiveTopic | undefined {
    const there = this.topics.filter(({ state }) => state === 'there')
    return there.length === 0 ? undefined : this.random.pick(there)
  }

  /** Lets everything run that is ready. */
  private tick(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }
}
