import type { TopicDescription } from '../../src/client/topic-description.ts'
import { Varve } from '../../src/client/varve.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import { type Flush } from '../../src/engine/flush.ts'
import type { TopicConfig } from '../../src/engine/topic-config.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { FakeClock } from './fake-clock.ts'
import { drawCut } from './power-cuts.ts'
import type { SeededRandom } from './seeded-random.ts'

export const DIRECTORY = '/data/events'

/** A record that was handed in. */
export interface Entry {
  offset: number
  key: string | null
  value: Buffer
  timestamp: number
  /** 1, 2, ... in the order of acknowledgements; 0: not acknowledged. */
  ackedAs: number
  /** Monotonic ms of the acknowledgement. */
  ackedMs: number
  /** Its acknowledgement promised that a power cut cannot take it. */
  durable: boolean
}

/** One partition at one moment. */
export interface PartitionMoment {
  /** All that were handed in and not lost; later ones than `count` came after this moment. */
  entries: readonly Entry[]
  count: number
  /** So many from the first on survive: flushed, recovered, or said to be durable. */
  durableCount: number
  startMin: number
  startMax: number
  leaderEpoch: number
  /** Greatest offset that anybody has seen, -1 when none. */
  greatestSeen: number
}

/** One topic at one moment; where a change is under way, all that may be found after it. */
export interface TopicMoment {
  name: string
  state: 'creating' | 'there' | 'deleting'
  configs: Partial<TopicConfig>[]
  counts: number[]
  partitions: PartitionMoment[]
}

/** What the log must hold when the power goes at this moment. */
export interface Moment {
  label: string
  topics: TopicMoment[]
  deletedIds: readonly string[]
  acks: number
  nowMs: number
  wallMs: number
  /** What an open must find: a log closed in order, one that was not, or either because it is being opened or closed. */
  expected: 'clean' | 'unclean' | 'either'
}

/** What was found of one partition: how many entries survived, and where it stands. */
export interface Survivors {
  kept: number
  start: number
  end: number
  leaderEpoch: number
}

export function openOn(
  storage: Storage,
  random: SeededRandom,
  wallMs: number,
  clock = new FakeClock(wallMs),
): Promise<Varve> {
  clock.deferWith = queueMicrotask
  return Varve.open({ directory: DIRECTORY, storage, clock, random, retentionCheckMs: 2 ** 31 - 1 })
}

export function flushOf(config: Partial<TopicConfig>): Flush {
  return config.flush ?? 'group'
}

const NOTHING_TO_RECOVER = JSON.stringify({ clean: true, scannedBytes: 0, cutBytes: 0, damage: [] })

// vitest's expect is too slow for what is checked some ten million times
function must(holds: boolean, promise: () => string): void {
  if (!holds) throw new Error(`must hold: ${promise()}`)
}

function same<T extends string | number | boolean | undefined>(found: T, wanted: T, what: string): void {
  if (found !== wanted) throw new Error(`${what}: must be ${wanted}, is ${found}`)
}

function atLeast(found: number, least: number, what: string): void {
  if (!(found >= least)) throw new Error(`${what}: must be at least ${least}, is ${found}`)
}

function atMost(found: number, most: number, what: string): void {
  if (!(found <= most)) throw new Error(`${what}: must be at most ${most}, is ${found}`)
}

/** Checks a log that was opened after the power went at `moment`; returns what is left, by topic and partition. */
export async function checkRecovered(log: Varve, moment: Moment): Promise<Map<string, Survivors[]>> {
  const { recovery } = log
  if (moment.expected !== 'either') same(recovery.clean ? 'clean' : 'unclean', moment.expected, 'the stop')
  // a checkpoint that was being written is no damage to any partition
  const damage = recovery.damage.filter(({ path }) => !/\/checkpoint-[ab]$/.test(path))
  must(damage.length === 0, () => `no damage, found ${JSON.stringify(damage)}`)
  const found = new Map((await log.listTopics()).map((topic) => [topic.name, topic]))
  const survivors = new Map<string, Survivors[]>()
  for (const topic of moment.topics) {
    const description = found.get(topic.name)
    found.delete(topic.name)
    must(topic.state !== 'there' || description !== undefined, () => `topic ${topic.name} is there`)
    if (description === undefined) continue
    checkDescription(description, topic)
    const partitions: Survivors[] = []
    for (const { partition } of description.partitions) {
      const one = topic.partitions[partition] ?? inCreation(description.partitions[partition].leaderEpoch)
      partitions.push(await checkPartition(log, description, partition, one, moment, topic))
    }
    survivors.set(topic.name, partitions)
    must(!moment.deletedIds.includes(description.topicId), () => `the deleted topic ${topic.name} stays deleted`)
  }
  must(found.size === 0, () => `no topics but those that were created, found ${[...found.keys()].join()}`)
  const unknown = recovery.unknownDirectories.map((directory) => directory.topic)
  const changing = moment.topics.filter(({ state, counts }) => state === 'creating' || counts.length > 1)
  for (const name of unknown) {
    must(
      changing.some((topic) => topic.name === name),
      () => `no directory without a topic, found one of ${name}`,
    )
  }
  return survivors
}

/** A partition whose creation was under way: nobody has seen anything of it. */
function inCreation(leaderEpoch: number): PartitionMoment {
  return { ...emptyPartition(leaderEpoch - 1), startMax: Infinity }
}

export function emptyPartition(leaderEpoch: number): PartitionMoment {
  return { entries: [], count: 0, durableCount: 0, startMin: 0, startMax: 0, leaderEpoch, greatestSeen: -1 }
}

function checkDescription({ partitions, config }: TopicDescription, { counts, configs }: TopicMoment): void {
  must(counts.includes(partitions.length), () => `${counts.join(' or ')} partitions, found ${partitions.length}`)
  const matches = configs.some((wanted) =>
    Object.entries(wanted).every(
      ([key, value]) => JSON.stringify(config[key as keyof TopicConfig]) === JSON.stringify(value),
    ),
  )
  must(
    matches,
    () => `config ${configs.map((one) => JSON.stringify(one)).join(' or ')}, found ${JSON.stringify(config)}`,
  )
}

async function checkPartition(
  log: Varve,
  { name, partitions }: TopicDescription,
  partition: number,
  one: PartitionMoment,
  moment: Moment,
  topic: TopicMoment,
): Promise<Survivors> {
  const { leaderEpoch, logStartOffset: start, logEndOffset: end } = partitions[partition]
  const where = `${name}-${partition}`
  if (moment.expected === 'clean') same(leaderEpoch, one.leaderEpoch, `epoch of ${where}`)
  if (moment.expected === 'unclean') atLeast(leaderEpoch, one.leaderEpoch + 1, `epoch of ${where}`)
  atLeast(leaderEpoch, one.leaderEpoch, `epoch of ${where}`)
  atLeast(start, one.startMin, `start of ${where}`)
  atMost(start, one.startMax, `start of ${where}`)

  const records: ConsumerRecord[] = []
  for await (const record of log.read(name, { partition, from: 'earliest' })) records.push(record)
  const first = one.entries.findIndex(({ offset }) => offset >= start)
  const kept = first < 0 || first >= one.count ? one.count : first + records.length
  for (const [i, record] of records.entries()) {
    const entry = i + first < one.count ? one.entries[i + first] : undefined
    const isIt = entry !== undefined && record.offset === entry.offset && entry.value.equals(record.valueBytes!)
    if (isIt && record.key === entry.key && record.timestamp === entry.timestamp) continue
    same(shown(record), entry === undefined ? 'none' : shown(entry), `record ${i} of ${where}`)
  }
  if (kept < one.count) checkLost(one, kept, moment, topic, where)
  const last = kept === 0 ? undefined : one.entries[kept - 1]
  atLeast(end, one.greatestSeen + 1, `end of ${where}, after what was seen`)
  atLeast(end, (last?.offset ?? -1) + 1, `end of ${where}, after its records`)
  return { kept, start, end, leaderEpoch }
}

/** Whether the log may have lost the entries from `kept` on. */
function checkLost(one: PartitionMoment, kept: number, moment: Moment, topic: TopicMoment, where: string): void {
  atLeast(kept, one.durableCount, `survivors of what is durable in ${where}`)
  const lost = one.entries.slice(kept, one.count).filter(({ ackedAs }) => ackedAs > 0 && ackedAs <= moment.acks)
  const broken = lost.filter(({ durable }) => durable)
  must(
    broken.length === 0,
    () => `nothing lost of ${where} that was acknowledged as durable, lost ${broken.map(shown).join()}`,
  )
  // while the mode changes, either may hold
  if (lost.length === 0 || topic.configs.length > 1) return
  const flush = flushOf(topic.configs[0])
  if (typeof flush !== 'object') return
  const bytes = lost.reduce((sum, { value }) => sum + value.length, 0)
  atMost(lost.length, flush.records ?? Infinity, `records lost of ${where}`)
  atMost(bytes, flush.bytes ?? Infinity, `bytes lost of ${where}`)
  // a disk that stops holds acknowledgements back: those that it takes lie no further apart than the bound
  atMost(lost.at(-1)!.ackedMs - lost[0].ackedMs, flush.ms, `ms lost of ${where}`)
}

function shown(record: {
  offset: number
  key: string | null
  timestamp: number
  value?: unknown
  valueBytes?: Buffer | null
}) {
  const bytes = record.valueBytes ?? (record.value as Buffer)
  return `${record.offset} ${record.key} ${record.timestamp} ${bytes.subarray(0, 12).toString('hex')} (${bytes.length})`
}

let appended = 0

/** A value that no other record has. */
export function uniqueValue(random: SeededRandom, maxBytes: number): Buffer {
  const value = Buffer.alloc(random.between(8, Math.max(8, maxBytes)), appended)
  value.writeDoubleBE(++appended)
  return value
}

/**
 * Goes on after a recovery: appends to every partition, stops, opens again, and finds the very same. Offsets that were
 * seen before go to nothing else, and what was just acknowledged is there: after a close in order, which leaves nothing
 * to recover, or after a flush and another power cut.
 */
export async function checkGoesOn(
  disk: MemoryStorage,
  log: Varve,
  random: SeededRandom,
  survivors: Map<string, Survivors[]>,
  moment: Moment,
): Promise<void> {
  const powerGoes = random.chance(0.5)
  const count = powerGoes ? random.between(1, 6) : 1
  const added = await appendToAll(log, random, survivors, count, moment.wallMs)
  if (powerGoes) await log.flush()
  else await log.close()
  const again = await openOn(powerGoes ? disk.crash(drawCut(random)) : disk, random, moment.wallMs)
  const { clean, scannedBytes, cutBytes, damage } = again.recovery
  if (powerGoes) same(clean, false, 'whether the second stop was clean')
  else same(JSON.stringify({ clean, scannedBytes, cutBytes, damage }), NOTHING_TO_RECOVER, 'the second open')
  same((await again.listTopics()).map(({ name }) => name).join(), [...survivors.keys()].sort().join(), 'topics')
  for (const [name, partitions] of survivors) {
    const description = await again.describeTopic(name)
    for (const [partition, { start, end, kept, leaderEpoch }] of partitions.entries()) {
      const where = `${name}-${partition} opened again`
      const now = description.partitions[partition]
      same(now.logStartOffset, start, `start of ${where}`)
      if (powerGoes) atLeast(now.logEndOffset, end + count, `end of ${where}`)
      else same(now.logEndOffset, end + count, `end of ${where}`)
      same(now.leaderEpoch, powerGoes ? leaderEpoch + 1 : leaderEpoch, `epoch of ${where}`)
      const one = moment.topics.find((topic) => topic.name === name)!.partitions[partition]
      const before = (one?.entries.slice(0, kept) ?? []).filter(({ offset }) => offset >= start)
      const wanted: Stored[] = [...before, ...added.get(`${name}/${partition}`)!]
      const found: Stored[] = []
      for await (const { offset, valueBytes, timestamp } of again.read(name, { partition, from: 'earliest' })) {
        found.push({ offset, value: valueBytes!, timestamp })
      }
      same(found.length, wanted.length, `records of ${where}`)
      for (const [i, { offset, value }] of wanted.entries()) {
        must(found[i].offset === offset && found[i].value.equals(value), () => `record ${i} of ${where} is as it was`)
      }
      await checkTimes(again, name, partition, wanted)
    }
  }
  await again.close()
}

interface Stored {
  offset: number
  value: Buffer
  timestamp: number
}

/** Appends so many records to each partition, one after the other, at the offsets that follow its end. */
async function appendToAll(
  log: Varve,
  random: SeededRandom,
  survivors: Map<string, Survivors[]>,
  count: number,
  wallMs: number,
): Promise<Map<string, Stored[]>> {
  const added = new Map<string, Stored[]>()
  for (const [name, partitions] of survivors) {
    for (const [partition, { end }] of partitions.entries()) {
      const records: Stored[] = []
      for (let i = 0; i < count; i++) {
        const value = uniqueValue(random, 40)
        const timestamp = wallMs + 1_000_000 + i
        const { offset } = await log.append(name, { partition, value, timestamp })
        same(offset, end + i, `next offset of ${name}-${partition}`)
        records.push({ offset, value, timestamp })
      }
      added.set(`${name}/${partition}`, records)
    }
  }
  return added
}

/** Reads from the times of some records: what the time index says must not lead past the first at that time or after. */
async function checkTimes(log: Varve, name: string, partition: number, records: readonly Stored[]): Promise<void> {
  const last = records.length - 1
  for (const at of new Set([Math.floor(last / 2), Math.max(last - 1, 0), last])) {
    const { timestamp } = records[at]
    const { value } = await log.read(name, { partition, from: { timestamp } }).next()
    const first = records.find((record) => record.timestamp >= timestamp)
    same(value?.offset, first?.offset, `first record of ${name}-${partition} at ${timestamp}`)
  }
}
