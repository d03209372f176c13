/** A log that is written at random, and what a copy of it must hold. */
import { expect } from 'vitest'
import type { BackupResult } from '../../src/client/backup.ts'
import { Varve } from '../../src/client/varve.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { findLoss, readAll, SMALL, TOPIC, writeSome, type Written } from './compacted-topic.ts'
import { FakeClock } from './fake-clock.ts'
import { DIRECTORY, recordsOf } from './logs.ts'
import { SeededRandom } from './seeded-random.ts'

export const COPY = '/backups/copy'
export const GROUP = 'billing'
/** With the number of partitions. */
const TOPICS = { orders: 2, windowed: 1, fast: 1 }
type Name = keyof typeof TOPICS
const NAMES = Object.keys(TOPICS) as Name[]

interface Sent {
  offset: number
  value: string
}

/** What was acknowledged when a backup began. */
export interface BackupMoment {
  /** By `<topic>-<partition>`. */
  ends: Map<string, number>
  starts: Map<string, number>
  compacted: number
  committed: Map<string, number>
  topics: string[]
}

export class LoadedLog {
  log!: Varve
  readonly written: Written[] = []
  /** By `<topic>-<partition>`, acknowledged or not yet. */
  private readonly sent = new Map<string, Sent[]>()
  private readonly acknowledged = new Map<string, number>()
  private readonly committed = new Map<string, number>()
  private readonly passing = new Set<string>()
  private count = 0

  private constructor(
    readonly disk: MemoryStorage,
    readonly random: SeededRandom,
  ) {}

  static async open(disk: MemoryStorage, random: SeededRandom, storage: Storage = disk): Promise<LoadedLog> {
    const load = new LoadedLog(disk, random)
    const clock = new FakeClock()
    clock.deferWith = queueMicrotask
    const checks = { retentionCheckMs: 2 ** 31 - 1, compactionCheckMs: 2 ** 31 - 1 }
    load.log = await Varve.open({ directory: DIRECTORY, storage, clock, random: new SeededRandom(1), ...checks })
    const sizes = { segmentBytes: 500, indexIntervalBytes: 100, valueCodec: 'string' as const }
    await load.log.createTopic({ name: 'orders', partitions: 2, ...sizes, flush: random.pick(['group', 'each']) })
    await load.log.createTopic({ name: 'windowed', ...sizes, flush: { ms: 20 }, retentionBytes: 1500 })
    await load.log.createTopic({ name: 'fast', ...sizes, flush: 'os' })
    await load.log.createTopic(SMALL)
    disk.syncDelay = () => (random.chance(0.3) ? new Promise((resolve) => setImmediate(resolve)) : undefined)
    return load
  }

  async close(): Promise<void> {
    await this.log.close()
  }

  moment(): BackupMoment {
    const starts = new Map<string, number>()
    for (const name of NAMES)
      for (const { partition, logStartOffset } of this.log.offsets(name))
        starts.set(`${name}-${partition}`, logStartOffset)
    const [ends, committed] = [new Map(this.acknowledged), new Map(this.committed)]
    return { ends, starts, compacted: this.written.length, committed, topics: [...this.passing] }
  }

  /** Does a number of things, some of them at the same time. */
  async work(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const die = this.random.below(20)
      const actions = [this.append()]
      if (die < 2) actions.push(this.commit())
      else if (die === 2) actions.push(this.log.compact(TOPIC).then(() => {}))
      else if (die === 3) actions.push(this.log.enforceRetention())
      else if (die === 4) actions.push(this.deleteRecords())
      else if (die === 5) actions.push(this.createTopic())
      else if (die === 6) actions.push(this.deleteTopic())
      else if (die < 10) actions.push(writeSome(this.log, this.random, 3, { into: this.written }).then(() => {}))
      else if (die < 14) actions.push(this.append())
      await Promise.all(actions)
      if (this.random.chance(0.3)) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Everything that was acknowledged can be read. */
  async checkAll(): Promise<void> {
    for (const name of NAMES) {
      for (const { partition, logStartOffset } of this.log.offsets(name)) {
        const found = (await recordsOf(this.log, name, { partition })).map(({ offset, value }) => ({ offset, value }))
        expect(found).toEqual(this.from(`${name}-${partition}`, logStartOffset))
      }
    }
    expect(findLoss(this.written, await readAll(this.log), { mayLoseTombstones: true })).toBe(null)
  }

  /** What was handed in from an offset on. */
  from(place: string, start: number, end = Infinity): Sent[] {
    return (this.sent.get(place) ?? []).filter(({ offset }) => offset >= start && offset < end)
  }

  private async append(): Promise<void> {
    const name = this.random.pick(NAMES)
    const partition = this.random.below(TOPICS[name])
    const place = `${name}-${partition}`
    const sent = this.sent.get(place) ?? []
    this.sent.set(place, sent)
    const first = sent.length
    const values = Array.from(
      { length: this.random.between(1, 4) },
      () => `${++this.count}${'.'.repeat(this.random.below(80))}`,
    )
    sent.push(...values.map((value, i) => ({ offset: first + i, value })))
    const results = await this.log.appendBatch(
      name,
      values.map((value) => ({ partition, value })),
    )
    expect(results.map(({ offset }) => offset)).toEqual(values.map((_, i) => first + i))
    this.acknowledged.set(place, Math.max(this.acknowledged.get(place) ?? 0, first + values.length))
  }

  /** Commits the end of every partition: no copy may have such an offset without the records before it. */
  private async commit(): Promise<void> {
    for (const name of this.random.chance(0.5) ? NAMES : [...NAMES].reverse()) {
      const done = await this.log.resetOffsets(GROUP, { to: 'latest', topics: [name], dryRun: false })
      for (const { partition, to } of done) this.committed.set(`${name}-${partition}`, to)
    }
  }

  commitAll(): Promise<void> {
    return this.commit()
  }

  private async deleteRecords(): Promise<void> {
    const { highWatermark, logStartOffset } = this.log.offsets('orders')[0]
    await this.log.deleteRecords('orders', {
      partition: 0,
      beforeOffset: this.random.between(logStartOffset, highWatermark),
    })
  }

  private async createTopic(): Promise<void> {
    const name = `passing-${this.random.below(3)}`
    if (this.passing.has(name)) return
    this.passing.add(name)
    await this.log.createTopic({ name, partitions: this.random.between(1, 2), valueCodec: 'string' })
    await this.log.append(name, { value: name }).catch(() => {})
  }

  private async deleteTopic(): Promise<void> {
    const [name] = this.passing
    if (name === undefined) return
    await this.log.deleteTopic(name).catch(() => {})
    this.passing.delete(name)
  }
}

/** Holds a copy against what was acknowledged before it was begun, and what was handed in until it was complete. */
export async function checkCopy(
  image: MemoryStorage,
  { partitions }: BackupResult,
  before: BackupMoment,
  load: LoadedLog,
): Promise<void> {
  const report = await verifyDirectory(COPY, { storage: image })
  expect([report.damage, report.warnings]).toEqual([[], []])
  const log = await Varve.open({ directory: COPY, storage: image, random: new SeededRandom(1) })
  const { clean, scannedBytes, cutBytes, damage, unknownDirectories } = log.recovery
  expect([clean, scannedBytes, cutBytes, damage, unknownDirectories]).toEqual([true, 0, 0, [], []])
  for (const name of NAMES) {
    for (const { partition, logStartOffset, logEndOffset } of log.offsets(name)) {
      const place = `${name}-${partition}`
      const told = partitions.find((one) => one.topic === name && one.partition === partition)!
      const found = (await recordsOf(log, name, { partition })).map(({ offset, value }) => ({ offset, value }))
      expect(told.logStartOffset, place).toBe(logStartOffset)
      expect(found, place).toEqual(load.from(place, logStartOffset, told.logEndOffset))
      expect(told.logEndOffset, place).toBeGreaterThanOrEqual(before.ends.get(place) ?? 0)
      expect(logStartOffset, place).toBeGreaterThanOrEqual(before.starts.get(place)!)
      // from the first record on offsets are reserved ahead: those that the log has given out since are given to nothing else
      const isReserved = name !== 'orders' && told.logEndOffset > 0
      const least = isReserved ? load.log.offsets(name)[partition].logEndOffset : told.logEndOffset
      expect(logEndOffset, place).toBeGreaterThanOrEqual(least)
    }
    const [own, source] = [await log.describeTopic(name), await load.log.describeTopic(name)]
    for (const [i, { leaderEpoch }] of own.partitions.entries())
      expect(leaderEpoch, name).toBe(source.partitions[i].leaderEpoch + 1)
  }
  const compacted = await readAll(log)
  const end = partitions.find(({ topic }) => topic === TOPIC)!.logEndOffset
  expect(end).toBeGreaterThanOrEqual(before.compacted)
  const written = load.written.filter(({ offset }) => offset < end)
  expect(findLoss(written, compacted, { mayLoseTombstones: true })).toBe(null)
  await checkCommitted(log, partitions, before)
  for (const name of NAMES) {
    const { offset } = await log.append(name, { partition: 0, value: 'more' })
    expect(offset).toBeGreaterThanOrEqual(before.ends.get(`${name}-0`) ?? 0)
  }
  await log.close()
}

async function checkCommitted(
  log: Varve,
  partitions: BackupResult['partitions'],
  { committed }: BackupMoment,
): Promise<void> {
  if (committed.size === 0) return
  const lags = await log.lag(GROUP)
  for (const [place, offset] of committed) {
    const found = lags.find(({ topic, partition }) => `${topic}-${partition}` === place)
    const told = partitions.find(({ topic, partition }) => `${topic}-${partition}` === place)!
    expect(found?.committed ?? -1, place).toBeGreaterThanOrEqual(offset)
    expect(found!.committed, place).toBeLessThanOrEqual(told.logEndOffset)
  }
}
