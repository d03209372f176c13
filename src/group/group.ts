import type { ErrorCode } from '../errors.ts'
import type { PersistentMap } from './persistent-map.ts'

/**
 * A consumer group as the coordinator knows it, and what can happen to it.
 *
 * Everything here is data. `step` in group-machine.ts is the only code that changes a group: it takes one of these
 * states, an event and the time, and gives the next state and what is to be done about it.
 */

/** Kafka's classic states. */
export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

/** An assignor that a member can use, and what that one is told of the member: a ConsumerProtocolSubscription. */
export interface MemberProtocol {
  name: string
  metadata: Uint8Array
}

/** Names one call that waits for an answer. Unique while it waits. */
export type RequestId = number

/** One member of a group. */
export interface Member {
  memberId: string
  /** Kafka's group.instance.id of a static member, which keeps its place over a restart; null for a dynamic one. */
  instanceId: string | null
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  /** In order of preference. */
  protocols: readonly MemberProtocol[]
  /** A ConsumerProtocolAssignment, as the leader gave it; empty for none. */
  assignment: Uint8Array
  /** When it is taken for dead unless it is heard of (monotonic ms); Infinity while it waits, but in its first join. */
  sessionDeadlineMs: number
  /** The join that waits for the rebalance to complete, or null. */
  joining: RequestId | null
  /** The sync that waits for the leader's assignment, or null. */
  syncing: RequestId | null
  /** Has not synced in this generation yet, and is removed if it does not before the state ends. */
  pendingSync: boolean
}

/** A group. Never changed in place. */
export interface Group {
  readonly groupId: string
  readonly state: GroupState
  /** Grows with every rebalance that completes; 0 before the first. */
  readonly generation: number
  /** `'consumer'` for consumers; null as long as the group had no member. */
  readonly protocolType: string | null
  /** The assignor that was chosen for this generation, or null. */
  readonly protocol: string | null
  /** Member id of the one who assigns, or null. */
  readonly leader: string | null
  /** By member id, in the order in which they joined. */
  readonly members: PersistentMap<string, Readonly<Member>>
  /** Member ids that were given out with MEMBER_ID_REQUIRED and have not joined, and until when they count. */
  readonly pendingMembers: ReadonlyMap<string, number>
  /** When the state that it is in ends by itself (monotonic ms), or Infinity. */
  readonly stateDeadlineMs: number
  /** From Empty only: until when a rebalance may be put off for further members (monotonic ms), or null. */
  readonly delayUntilMs: number | null
  /** What is being made durable and what waits for it, in the order of the `store` effects. A rebalance drops it. */
  readonly storing: readonly Storing[]
}

/** A snapshot that is being made durable. */
export type Storing =
  /** The syncs wait for it. */
  | { reason: 'assignment'; snapshot: GroupSnapshot }
  /** Nobody waits for it; it is tried again until it succeeds or a member joins. */
  | { reason: 'empty'; snapshot: GroupSnapshot }
  /** The join of a static member that came back under a new id waits for it. */
  | {
      reason: 'static-member'
      snapshot: GroupSnapshot
      memberId: string
      /** What it replaces, and becomes again should the store fail. */
      before: Readonly<Member>
      /** Who led before that. */
      leader: string
      supportsSkippingAssignment: boolean
    }

/** What is kept of a group in `__consumer_offsets`: Kafka's GroupMetadataValue but for its timestamp. */
export interface GroupSnapshot {
  generation: number
  protocolType: string | null
  protocol: string | null
  leader: string | null
  members: readonly SnapshotMember[]
}

/** What is kept of a member. */
export interface SnapshotMember {
  memberId: string
  instanceId: string | null
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  /** Of the chosen protocol. */
  subscription: Uint8Array
  assignment: Uint8Array
}

/** What a member says when it joins. */
export interface JoinRequest {
  /** Empty when it has none yet. */
  memberId: string
  /** The id that it gets where it has none: made by the coordinator, since the machine draws no random numbers. */
  newMemberId: string
  instanceId: string | null
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocolType: string
  protocols: readonly MemberProtocol[]
  /** JoinGroup v4 and later: a dynamic member without an id is given one and has to join again. */
  requiresKnownMemberId: boolean
  /** JoinGroup v9 and later: a static leader that comes back may be told to leave the assignment as it is. */
  supportsSkippingAssignment: boolean
}

export interface JoinResponse {
  error: ErrorCode | null
  /** The member's id; with MEMBER_ID_REQUIRED the one to join with. */
  memberId: string
  generation: number
  protocolType: string | null
  protocol: string | null
  leader: string
  skipAssignment: boolean
  /** For the leader: all members with their subscriptions. Else empty. */
  members: readonly { memberId: string; instanceId: string | null; metadata: Uint8Array }[]
}

export interface SyncRequest {
  memberId: string
  instanceId: string | null
  generation: number
  /** Null where the caller does not say (before SyncGroup v5). */
  protocolType: string | null
  protocol: string | null
  /** By member id, from the leader; empty from all others. */
  assignments: ReadonlyMap<string, Uint8Array>
}

export interface SyncResponse {
  error: ErrorCode | null
  protocolType: string | null
  protocol: string | null
  assignment: Uint8Array
}

/** Who speaks, and in which generation it believes to be. */
export interface MemberClaim {
  memberId: string
  instanceId: string | null
  generation: number
}

export interface LeaveResponse {
  error: ErrorCode | null
  members: readonly { memberId: string; instanceId: string | null; error: ErrorCode | null }[]
}

/** What happens to a group. */
export type GroupEvent =
  | { type: 'join'; request: RequestId; join: JoinRequest }
  | { type: 'sync'; request: RequestId; sync: SyncRequest }
  | { type: 'heartbeat'; request: RequestId; claim: MemberClaim }
  /** Asks whether this member may commit; a generation below 0 is a commit from outside of the group. */
  | { type: 'commit'; request: RequestId; claim: MemberClaim }
  | { type: 'leave'; request: RequestId; members: readonly { memberId: string; instanceId: string | null }[] }
  /** Whoever made a join or sync is gone and waits for no answer; it stays a member until its session ends. */
  | { type: 'abandon'; request: RequestId }
  /** The snapshot of a `store` effect, the very object, is durable, or surely is not. In the order of the effects. */
  | { type: 'stored'; snapshot: GroupSnapshot; error: ErrorCode | null }
  /** Time has passed: whatever is due happens. */
  | { type: 'tick' }
  /** This process stood still for so long, and could hear nobody: all sessions go on for as much longer. */
  | { type: 'stalled'; ms: number }
  /** The group is deleted, if it is empty. */
  | { type: 'delete'; request: RequestId }

/** What is to be done, in this order. */
export type GroupEffect =
  | { type: 'joined'; request: RequestId; response: JoinResponse }
  | { type: 'synced'; request: RequestId; response: SyncResponse }
  | { type: 'left'; request: RequestId; response: LeaveResponse }
  /** The answer to a heartbeat, a commit or a deletion. */
  | { type: 'answered'; request: RequestId; error: ErrorCode | null }
  /** Make this durable, then say `stored`. */
  | { type: 'store'; snapshot: GroupSnapshot }

/** The limits of all groups. */
export interface GroupLimits {
  /** How long the first rebalance of an empty group waits for further members. Kafka: group.initial.rebalance.delay.ms. */
  initialRebalanceDelayMs: number
  minSessionTimeoutMs: number
  maxSessionTimeoutMs: number
  /** Members of one group. Kafka: group.max.size. */
  maxSize: number
}

/** How long a member that is new may wait in its first join, whatever its session timeout. Source: Kafka's GroupCoordinator. */
export const NEW_MEMBER_JOIN_TIMEOUT_MS = 300_000
