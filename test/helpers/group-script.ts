import type { Consumer } from '../../src/client/consumer.ts'
import { Varve } from '../../src/client/varve.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import type { Flush } from '../../src/engine/flush.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { DIRECTORY, openOn } from './crash-oracle.ts'
import { FakeClock } from './fake-clock.ts'
import { ObservedStorage } from './observed-storage.ts'
import { drawCut } from './power-cuts.ts'
import type { SeededRandom } from './seeded-random.ts'

/** What a group has committed of one partition, oldest first; null: it was forgotten. */
export interface CommitHistory {
  commits: (number | null)[]
  /** So many of them are acknowledged: the last of those, or a later one, is what must be found if that is durable. */
  acknowledged: number
}

/** By `<group>/<partition>`. */
export type GroupMoment = Map<string, CommitHistory>

/** A moment of a run, and the disk as it was then, unsynced changes and all. */
export interface GroupCrashPoint {
  disk: MemoryStorage
  label: string
  groups: GroupMoment
  wallMs: number
  beforeSync: boolean
}

interface Reader {
  consumer: Consumer
  records: AsyncIterator<ConsumerRecord>
  /** The last record that it was given, by partition. */
  last: Map<number, ConsumerRecord>
  waiting: boolean
}

export const TOPIC = 't'
export const PARTITIONS = 2
const GROUPS = ['billing', 'search', 'audit']

/** A random run of consumer groups on a simulated disk that notes every moment at which the power could go. */
export class GroupScript {
  readonly points: GroupCrashPoint[] = []
  private disk = new MemoryStorage()
  private storage!: ObservedStorage
  private clock!: FakeClock
  private log!: Varve
  private readonly readers = new Map<string, Reader>()
  private readonly histories = new Map<string, CommitHistory>()
  private label = 'open'

  constructor(
    private readonly random: SeededRandom,
    private readonly flush: Flush,
  ) {}

  async run(steps: number): Promise<void> {
    await this.open()
    await this.log.createTopic({ name: TOPIC, partitions: PARTITIONS, valueCodec: 'bytes' })
    for (let step = 0; step < steps; step++) await this.step(step)
    await this.log.close()
    this.storage.observer = null
  }

  private async step(step: number): Promise<void> {
    const { random } = this
    const die = random.below(100)
    const name = (label: string) => (this.label = `step ${step}, ${label}`)
    if (die < 30) {
      name('append')
      await this.append()
    } else if (die < 50) {
      name('consume')
      await this.consume(random.pick(GROUPS))
    } else if (die < 80) {
      name('commits')
      await Promise.all(Array.from({ length: random.between(1, 3) }, () => this.commit(random.pick(GROUPS))))
    } else if (die < 84) {
      name('leave')
      await this.leave(random.pick(GROUPS))
    } else if (die < 88) {
      name('reset')
      await this.reset(random.pick(GROUPS))
    } else if (die < 90) {
      name('delete group')
      await this.deleteGroup(random.pick(GROUPS))
    } else if (die < 92) {
      name('flush')
      await this.log.flush()
      for (const history of this.histories.values()) forgetOlder(history)
    } else if (die < 95) {
      name('close and reopen')
      await this.log.close()
      for (const history of this.histories.values()) forgetOlder(history)
      await this.open()
    } else {
      name('power cut and reopen')
      this.storage.observer = null
      this.disk = this.disk.crash(drawCut(this.disk, random))
      await this.open()
      await this.adopt()
    }
    for (let turn = 0; turn < 3; turn++) await this.tick()
  }

  private async open(): Promise<void> {
    this.readers.clear()
    this.clock = new FakeClock(this.clock?.now())
    this.storage = new ObservedStorage(this.disk, (call, path, when) => this.note(`${call} ${path}`, when))
    this.log = await openGroups(this.storage, this.random, this.clock.now(), this.flush, this.clock)
  }

  private async append(): Promise<void> {
    const { random } = this
    const partition = random.below(PARTITIONS)
    const values = Array.from({ length: random.between(1, 5) }, () => Buffer.alloc(random.below(60)))
    await this.log.appendBatch(
      TOPIC,
      values.map((value) => ({ value, partition })),
    )
  }

  private async consume(group: string): Promise<void> {
    const reader = this.readerOf(group)
    for (let i = this.random.between(1, 4); i > 0 && !reader.waiting; i--) {
      reader.waiting = true
      const step = reader.records.next().then(({ value, done }) => {
        reader.waiting = false
        if (done !== true) reader.last.set(value.partition, value)
      })
      // at the end it waits for more, in the background
      step.catch(() => {})
      for (let turn = 0; turn < 20 && reader.waiting; turn++) await this.tick()
    }
  }

  private async commit(group: string): Promise<void> {
    const { consumer, last } = this.readerOf(group)
    for (const [partition, record] of last) {
      last.delete(partition)
      await this.committing(group, [[partition, record.offset + 1]], () => consumer.commit(record))
    }
  }

  private async leave(group: string): Promise<void> {
    await this.readers.get(group)?.consumer.close()
    this.readers.delete(group)
  }

  private async reset(group: string): Promise<void> {
    await this.leave(group)
    const to = this.random.pick(['earliest', 'latest'] as const)
    const plan = await this.log.resetOffsets(group, { to, topics: [TOPIC] })
    const offsets = plan.map(({ partition, to }): [number, number] => [partition, to])
    await this.committing(group, offsets, () =>
      this.log.resetOffsets(group, {
        offsets: plan.map(({ to, ...rest }) => ({ ...rest, offset: to })).map(pick),
        dryRun: false,
      }),
    )
  }

  private async deleteGroup(group: string): Promise<void> {
    await this.leave(group)
    if (!(await this.log.listGroups()).some(({ groupId }) => groupId === group)) return
    const all = Array.from({ length: PARTITIONS }, (_, partition): [number, null] => [partition, null])
    await this.committing(group, all, () => this.log.deleteGroup(group))
  }

  private async committing(group: string, offsets: [number, number | null][], commit: () => Promise<unknown>) {
    const counts = offsets.map(([partition, offset]) => {
      const history = this.historyOf(group, partition)
      return { history, count: history.commits.push(offset) }
    })
    await commit()
    for (const { history, count } of counts) history.acknowledged = Math.max(history.acknowledged, count)
  }

  /** Goes on from what was recovered, which is what there is now. */
  private async adopt(): Promise<void> {
    for (const group of GROUPS) {
      const committed = await committedOf(this.log, group)
      for (let partition = 0; partition < PARTITIONS; partition++) {
        this.histories.set(`${group}/${partition}`, { commits: [committed.get(partition) ?? null], acknowledged: 1 })
      }
    }
  }

  private readerOf(group: string): Reader {
    let reader = this.readers.get(group)
    if (reader === undefined) {
      const consumer = this.log.consumer({ groupId: group, topics: [TOPIC] })
      reader = { consumer, records: consumer[Symbol.asyncIterator](), last: new Map(), waiting: false }
      this.readers.set(group, reader)
    }
    return reader
  }

  private historyOf(group: string, partition: number): CommitHistory {
    const key = `${group}/${partition}`
    const history = this.histories.get(key) ?? { commits: [null], acknowledged: 1 }
    this.histories.set(key, history)
    return history
  }

  private note(call: string, when: 'before' | 'after'): void {
    const groups: GroupMoment = new Map(
      [...this.histories].map(([key, { commits, acknowledged }]) => [key, { commits: [...commits], acknowledged }]),
    )
    const label = `${this.label}: ${call}`
    this.points.push({
      disk: this.disk.clone(),
      label,
      groups,
      wallMs: this.clock.now(),
      beforeSync: when === 'before',
    })
  }

  private tick(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }
}

/** Opens a log whose topics, the internal ones too, have a flush mode. */
export function openGroups(
  storage: ObservedStorage | MemoryStorage,
  random: SeededRandom,
  wallMs: number,
  flush: Flush,
  clock = new FakeClock(wallMs),
): Promise<Varve> {
  if (flush === 'group') return openOn(storage, random, wallMs, clock)
  clock.deferWith = queueMicrotask
  return Varve.open({ directory: DIRECTORY, storage, clock, random, flush, retentionCheckMs: 2 ** 31 - 1 })
}

/** By partition: what a group has committed. */
export async function committedOf(log: Varve, group: string): Promise<Map<number, number>> {
  if (!(await log.listGroups()).some(({ groupId }) => groupId === group)) return new Map()
  const found = new Map<number, number>()
  for (const { partition, committed } of await log.lag(group)) if (committed !== null) found.set(partition, committed)
  return found
}

/** What came before the last acknowledged commit cannot come back any more: everything is durable. */
function forgetOlder(history: CommitHistory): void {
  history.commits.splice(0, history.acknowledged - 1)
  history.acknowledged = 1
}

function pick({ topic, partition, offset }: { topic: string; partition: number; offset: number }) {
  return { topic, partition, offset }
}
