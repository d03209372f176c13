import type { ErrorCode } from '../../errors.ts'

/**
 * A consumer group of Kafka's newer protocol (KIP-848) as the coordinator knows it: the server divides the partitions, and
 * members learn of it with their heartbeats. Kafka's own code calls these groups modern.
 *
 * Everything here is data; what is in it is never changed in place.
 */

/** Partitions, each as {@link partitionKey} of the engine gives it: `<topic id>/<partition>`. */
export type PartitionKeys = ReadonlySet<string>

/** Kafka's states. */
export type ModernState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable'

/** What a member has said of itself: Kafka's ConsumerGroupMemberMetadataValue. */
export interface MemberMetadata {
  /** Of a static member, else null. */
  instanceId: string | null
  rackId: string | null
  clientId: string
  clientHost: string
  topics: readonly string[]
  /** A regular expression that names of topics match, see TopicPattern, or null. */
  pattern: string | null
  /** How long it may take to give up partitions. */
  rebalanceTimeoutMs: number
  /** The assignor that it would like, or null. */
  assignor: string | null
}

/** What a member has, and is to give up: Kafka's ConsumerGroupCurrentMemberAssignmentValue. */
export interface CurrentAssignment {
  /** The epoch that it has reached, and says with each heartbeat; {@link STATIC_LEAVE_EPOCH} for one that is to come back. */
  epoch: number
  /** The one before, which it says where an answer was lost. */
  previousEpoch: number
  /** `'unrevoked'`: it has partitions to give up first. `'unreleased'`: others have to give up some of its partitions. */
  state: 'stable' | 'unrevoked' | 'unreleased'
  /** Its own. */
  assigned: PartitionKeys
  /** Those that it has yet to give up. */
  revoking: PartitionKeys
}

/** One member. */
export interface ModernMember {
  memberId: string
  metadata: MemberMetadata
  current: CurrentAssignment
  /** What it is to have. */
  target: PartitionKeys
  /** When it is taken for dead unless it is heard of (monotonic ms). */
  sessionDeadlineMs: number
  /** Until when it must have given up what it has to (monotonic ms), or Infinity. */
  revocationDeadlineMs: number
}

/** What a member says with a heartbeat; null stands for what has not changed since the last one. */
export interface HeartbeatRequest {
  memberId: string
  /** The epoch that it has reached, {@link JOIN_EPOCH}, {@link LEAVE_EPOCH} or {@link STATIC_LEAVE_EPOCH}. */
  epoch: number
  instanceId: string | null
  rackId: string | null
  clientId: string
  clientHost: string
  rebalanceTimeoutMs: number | null
  topics: readonly string[] | null
  pattern: string | null
  assignor: string | null
  /** What it owns. */
  owned: PartitionKeys | null
  /** ConsumerGroupHeartbeat v1 and later: a member makes its id itself. */
  requiresMemberId: boolean
}

/** What a heartbeat is answered with. */
export interface HeartbeatAnswer {
  memberId: string
  epoch: number
  /** When to be heard of again. */
  heartbeatIntervalMs: number
  /** What it may use from now on, and nothing else; null where that has not changed. */
  assigned: PartitionKeys | null
}

/** What is kept of a group in `__consumer_offsets`. */
export interface StoredModern {
  epoch: number
  assignmentEpoch: number
  /** By member id; what is absent was never stored, or is gone. */
  members: Map<string, Partial<Pick<ModernMember, 'metadata' | 'current' | 'target'>>>
}

/** Says who commits or fetches offsets, and in which epoch. */
export interface EpochClaim {
  memberId: string
  /** Below 0 for whoever is no member. */
  epoch: number
}

/** The topics of the log. */
export interface TopicSource {
  find(name: string): { topicId: string; partitions: number } | undefined
  /** The names that a pattern may match. */
  names(): Iterable<string>
  /** The name of a topic that is there. */
  nameOf(topicId: string): string | undefined
}

/** The limits of a group. */
export interface ModernLimits {
  /** Members of one group. */
  maxSize: number
}

export const JOIN_EPOCH = 0
export const LEAVE_EPOCH = -1
/** A static member goes, and whoever comes with its instance id takes its place. */
export const STATIC_LEAVE_EPOCH = -2

/** A member that is not heard of for so long is gone. Kafka: group.consumer.session.timeout.ms. */
export const MODERN_SESSION_TIMEOUT_MS = 45_000
/** How often members are told to be heard of. Kafka: group.consumer.heartbeat.interval.ms. */
export const MODERN_HEARTBEAT_INTERVAL_MS = 5_000

export const NO_PARTITIONS: PartitionKeys = new Set()

/** Why a member may not commit or fetch, or null if it may. */
export type EpochError = Extract<ErrorCode, 'UNKNOWN_MEMBER_ID' | 'STALE_MEMBER_EPOCH'> | null

/** What a member may be at, with what it has yet to give up. */
export function heldBy({ current }: ModernMember): PartitionKeys {
  return new Set([...current.assigned, ...current.revoking])
}

/** Sorts partitions by topic id, and by partition in each. */
export function byTopicId(keys: PartitionKeys): { topicId: string; partitions: number[] }[] {
  const byId = new Map<string, number[]>()
  for (const key of keys) {
    const at = key.indexOf('/')
    const topicId = key.slice(0, at)
    const partitions = byId.get(topicId) ?? []
    partitions.push(Number(key.slice(at + 1)))
    byId.set(topicId, partitions)
  }
  return [...byId].map(([topicId, partitions]) => ({ topicId, partitions: partitions.sort((a, b) => a - b) }))
}

export function sameKeys(a: PartitionKeys, b: PartitionKeys): boolean {
  return a.size === b.size && isSubset(a, b)
}

export function isSubset(part: PartitionKeys, of: PartitionKeys): boolean {
  for (const key of part) if (!of.has(key)) return false
  return true
}
