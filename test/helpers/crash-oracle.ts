import type { TopicDescription } from '../../src/client/topic-description.ts'
import { Varve } from '../../src/client/varve.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import { type Flush } from '../../src/engine/flush.ts'
import type { RecoveryReport } from '../../src/engine/open-options.ts'
import type { TopicConfig } from '../../src/engine/topic-config.ts'
import type { Storage } from '../../src/storage/storage.ts'
import type { SentBatch } from './crash-producer.ts'
import { FakeClock } from './fake-clock.ts'
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
  /** What an idempotent producer has handed in; later ones came after this moment. */
  sent: readonly SentBatch[]
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
  /** Greatest id that a producer was given, -1 when none. */
  producerId: number
  /** What an open must find: a log closed in order, one that was not, or either because it is being opened or closed. */
  expected: 'clean' | 'unclean' | 'either'
  /** All that was written is there, as after a kill: nothing that was acknowledged may be lost, in any mode. */
  isKill?: boolean
  /** A power cut before has taken what it has taken: which records, the open that is under way will tell. */
  isCut?: boolean
}

/** What is in a log that was opened again. */
export interface RecoveredLog {
  recovery: RecoveryReport
  topics: Map<string, RecoveredTopic>
}

export interface RecoveredTopic {
  description: TopicDescription
  /** All records, by partition. */
  partitions: ConsumerRecord[][]
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

// vitest's expect is too slow for what is checked some ten million times
export function must(holds: boolean, promise: () => string): void {
  if (!holds) throw new Error(`must hold: ${promise()}`)
}

export function same<T extends string | number | boolean | undefined>(found: T, wanted: T, what: string): void {
  if (found !== wanted) throw new Error(`${what}: must be ${wanted}, is ${found}`)
}

export function atLeast(found: number, least: number, what: string): void {
  if (!(found >= least)) throw new Error(`${what}: must be at least ${least}, is ${found}`)
}

export function atMost(found: number, most: number, what: string): void {
  if (!(found <= most)) throw new Error(`${what}: must be at most ${most}, is ${found}`)
}

/** Reads all that is in a log. */
export async function recoveredFrom(log: Varve): Promise<RecoveredLog> {
  const topics = new Map<string, RecoveredTopic>()
  for (const { name } of await log.listTopics()) {
    const description = await log.describeTopic(name)
    const partitions: ConsumerRecord[][] = []
    for (const { partition } of description.partitions) {
      const records: ConsumerRecord[] = []
      for await (const record of log.read(name, { partition, from: 'earliest' })) records.push(record)
      partitions.push(records)
    }
    topics.set(name, { description, partitions })
  }
  return { recovery: log.recovery, topics }
}

/** Checks a log that was opened after the power went at `moment`; returns what is left, by topic and partition. */
export async function checkRecovered(log: Varve, moment: Moment): Promise<Map<string, Survivors[]>> {
  return checkFound(await recoveredFrom(log), moment)
}

/** As {@link checkRecovered}, of what was read before: one disk may be what is left of several moments. */
export function checkFound({ recovery, topics }: RecoveredLog, moment: Moment): Map<string, Survivors[]> {
  if (moment.expected !== 'either') same(recovery.clean ? 'clean' : 'unclean', moment.expected, 'the stop')
  // a checkpoint that was being written is no damage to any partition
  const damage = recovery.damage.filter(({ path }) => !/\/checkpoint-[ab]$/.test(path))
  must(damage.length === 0, () => `no damage, found ${JSON.stringify(damage)}`)
  const found = new Map(topics)
  const survivors = new Map<string, Survivors[]>()
  for (const topic of moment.topics) {
    const recovered = found.get(topic.name)
    found.delete(topic.name)
    must(topic.state !== 'there' || recovered !== undefined, () => `topic ${topic.name} is there`)
    if (recovered === undefined) continue
    const { description } = recovered
    checkDescription(description, topic)
    const partitions = recovered.partitions.map((_, partition) => {
      const one = topic.partitions[partition] ?? inCreation(description.partitions[partition].leaderEpoch)
      return checkPartition(recovered, partition, one, moment, topic)
    })
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
  return { entries: [], count: 0, durableCount: 0, startMin: 0, startMax: 0, leaderEpoch, greatestSeen: -1, sent: [] }
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

function checkPartition(
  { description: { name, partitions }, partitions: found }: RecoveredTopic,
  partition: number,
  one: PartitionMoment,
  moment: Moment,
  topic: TopicMoment,
): Survivors {
  const { leaderEpoch, logStartOffset: start, logEndOffset: end } = partitions[partition]
  const records = found[partition]
  const where = `${name}-${partition}`
  if (moment.expected === 'clean') same(leaderEpoch, one.leaderEpoch, `epoch of ${where}`)
  if (moment.expected === 'unclean') atLeast(leaderEpoch, one.leaderEpoch + 1, `epoch of ${where}`)
  atLeast(leaderEpoch, one.leaderEpoch, `epoch of ${where}`)
  atLeast(start, one.startMin, `start of ${where}`)
  atMost(start, one.startMax, `start of ${where}`)

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
  must(!moment.isKill || lost.length === 0, () => `nothing lost of ${where} by a kill, lost ${lost.map(shown).join()}`)
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
