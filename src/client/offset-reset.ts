import { refuseInternal } from '../engine/internal-topics.ts'
import type { LogEngine } from '../engine/log-engine.ts'
import type { Partition } from '../engine/partition.ts'
import { VarveError } from '../errors.ts'
import type { TopicPartition } from '../group/assignors/assignor.ts'
import { compareTopicPartitions } from '../group/consumer-protocol.ts'
import type { GroupImage } from '../group/group-log.ts'
import { boolean, checkOptions, integer, nonEmptyString, show } from '../options.ts'
import { offsetForTimestamp } from './batch-reader.ts'

/** Where a group is to go on: an edge, a time (ms since the epoch), an offset, or so many records from where it is. */
export type ResetTarget = 'earliest' | 'latest' | { timestamp: number } | { offset: number } | { shiftBy: number }

/** Options of `resetOffsets`: a target for topics or partitions, or an offset for each partition. */
export interface ResetOptions {
  to?: ResetTarget
  /** What the target is for. Default: every partition of each topic that the group has committed anything of. */
  topics?: readonly (string | TopicPartition)[]
  /** Instead of a target: an offset for each partition. */
  offsets?: readonly (TopicPartition & { offset: number })[]
  /** Only say what would be done. Default true. */
  dryRun?: boolean
}

/** What resetting does to one partition. */
export interface OffsetReset extends TopicPartition {
  /** The offset that is committed, or null. */
  from: number | null
  /** The offset that will be, within what the partition holds. */
  to: number
}

const checks = {
  to: (value: unknown) => (isTarget(value) ? null : TARGETS),
  topics: isList,
  offsets: isList,
  dryRun: boolean,
}

const TARGETS =
  "must be 'earliest', 'latest', { timestamp: ms }, { offset: integer of at least 0 } or { shiftBy: integer }"
const partitionChecks = { topic: nonEmptyString, partition: integer(0) }

/**
 * Says where a group will go on in each partition.
 *
 * @throws TypeError or RangeError for wrong options; VarveError UNKNOWN_TOPIC_OR_PARTITION, GROUP_ID_NOT_FOUND when no
 *         topics are named and the group has committed nothing
 */
export async function planReset(
  engine: LogEngine,
  groupId: string,
  image: GroupImage | undefined,
  options: ResetOptions,
): Promise<OffsetReset[]> {
  checkOptions('resetOffsets', options, checks)
  const { to, topics, offsets } = options
  if ((to === undefined) === (offsets === undefined)) {
    throw new TypeError("resetOffsets: give either 'to', a target, or 'offsets', one for each partition")
  }
  if (offsets !== undefined && topics !== undefined) {
    throw new TypeError("resetOffsets: 'offsets' name their partitions: leave 'topics' out")
  }
  for (const name of [...(topics ?? []), ...(offsets ?? [])]) {
    refuseInternal(typeof name === 'object' && name !== null ? name.topic : name)
  }
  const plan: OffsetReset[] = []
  const committed = (where: TopicPartition) => image?.offsets.get(where.topic)?.get(where.partition)?.offset ?? null
  if (offsets !== undefined) {
    for (const given of offsets) {
      checkOptions('resetOffsets: offsets', given, { ...partitionChecks, offset: integer(0) }, [
        'topic',
        'partition',
        'offset',
      ])
      const { topic, partition, offset } = given
      if (plan.some((other) => other.topic === topic && other.partition === partition)) {
        throw new TypeError(`resetOffsets: 'offsets' names ${topic}-${partition} twice`)
      }
      const target = within(engine.topic(topic).partition(partition), offset)
      plan.push({ topic, partition, from: committed(given), to: target })
    }
    return plan
  }
  if (topics === undefined && image === undefined) {
    const message = `there is no group '${groupId}': name the topics that it is to begin with, or correct the id`
    throw new VarveError('GROUP_ID_NOT_FOUND', message)
  }
  for (const found of partitionsNamed(engine, topics ?? [...(image?.offsets.keys() ?? [])])) {
    const where = { topic: found.topic, partition: found.partition }
    const from = committed(where)
    plan.push({ ...where, from, to: within(found, await resolve(found, from, to!)) })
  }
  return plan.sort(compareTopicPartitions)
}

function partitionsNamed(engine: LogEngine, names: readonly (string | TopicPartition)[]): Partition[] {
  const found = new Set<Partition>()
  for (const name of names) {
    if (typeof name === 'string') for (const partition of engine.topic(name).partitions) found.add(partition)
    else {
      checkOptions('resetOffsets: topics', name, partitionChecks, ['topic', 'partition'])
      found.add(engine.topic(name.topic).partition(name.partition))
    }
  }
  return [...found]
}

async function resolve(partition: Partition, from: number | null, to: ResetTarget): Promise<number> {
  if (typeof to === 'string') return partition.edge(to)
  if ('timestamp' in to) return offsetForTimestamp(partition, to.timestamp)
  if ('offset' in to) return to.offset
  return (from ?? partition.edge('earliest')) + to.shiftBy
}

/** Out of what a partition holds there is nothing to read. */
function within({ log, highWatermark }: Partition, offset: number): number {
  return Math.min(Math.max(offset, log.logStartOffset), highWatermark)
}

function isTarget(value: unknown): value is ResetTarget {
  if (value === 'earliest' || value === 'latest') return true
  if (typeof value !== 'object' || value === null) return false
  const [[key, number] = ['', null], ...others] = Object.entries(value) as [string, unknown][]
  if (others.length > 0) return false
  if (key === 'timestamp') return typeof number === 'number' && Number.isFinite(number)
  if (key === 'offset') return Number.isSafeInteger(number) && (number as number) >= 0
  return key === 'shiftBy' && Number.isSafeInteger(number)
}

/** @throws TypeError or RangeError where these are not partitions, at least one */
export function checkPartitions(call: string, partitions: readonly TopicPartition[]): void {
  const fault = isList(partitions)
  if (fault !== null) throw new TypeError(`${call}: the partitions ${fault}, and not ${show(partitions)}`)
  for (const where of partitions) checkOptions(`${call}: partitions`, where, partitionChecks, ['topic', 'partition'])
}

function isList(value: unknown): string | null {
  return Array.isArray(value) && value.length > 0 ? null : 'must be an array, not empty'
}
