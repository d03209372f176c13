import type { ErrorCode } from '../errors.ts'
import { NEW_MEMBER_JOIN_TIMEOUT_MS, type Group, type JoinRequest, type Member, type RequestId } from './group.ts'
import { allSupport, completeOnceAllJoined, joinResponse, rebalance, voteProtocol } from './rebalance.ts'
import { snapshotOf } from './snapshot.ts'
import { claimError, staticMember, type Transition } from './transition.ts'

/** Each is compared with all of every other member's. */
const PROTOCOLS_MAX = 32

/** Ids that were given out and that nobody has joined with. */
const PENDING_MAX = 1_000

/** A member joins: it is new, or comes back under its id, or is a static one that comes back under a new id. */
export function join(transition: Transition, request: RequestId, join: JoinRequest): void {
  const error = joinError(transition, join)
  if (error !== null) transition.refuseJoin(request, join.memberId, error)
  else if (join.memberId === '') joinWithoutId(transition, request, join)
  else if (transition.group.pendingMembers.has(join.memberId) && join.instanceId === null)
    joinPending(transition, request, join)
  else rejoin(transition, request, join)
}

function joinError({ group, limits }: Transition, join: JoinRequest): ErrorCode | null {
  if (group.groupId === '') return 'INVALID_GROUP_ID'
  const { sessionTimeoutMs } = join
  if (!(sessionTimeoutMs >= limits.minSessionTimeoutMs && sessionTimeoutMs <= limits.maxSessionTimeoutMs))
    return 'INVALID_SESSION_TIMEOUT'
  if (group.state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
  return fits(group, join) ? null : 'INCONSISTENT_GROUP_PROTOCOL'
}

/** Whether there is a protocol that all members would have with this one among them. */
function fits({ members, protocolType }: Group, join: JoinRequest): boolean {
  const { length } = join.protocols
  if (join.protocolType === '' || length === 0 || length > PROTOCOLS_MAX) return false
  if (members.size === 0) return true
  return protocolType === join.protocolType && join.protocols.some(({ name }) => allSupport(members.values(), name))
}

function joinWithoutId(transition: Transition, request: RequestId, join: JoinRequest): void {
  const { group, nowMs } = transition
  const { newMemberId, instanceId } = join
  const replaced = staticMember(group.members.values(), instanceId)
  if (replaced !== undefined) return replaceStatic(transition, replaced, request, join)
  if (isFull(transition)) return transition.refuseJoin(request, '', 'GROUP_MAX_SIZE_REACHED')
  if (instanceId !== null || !join.requiresKnownMemberId) return addMember(transition, newMemberId, request, join)
  const pendingMembers = new Map(group.pendingMembers).set(newMemberId, nowMs + join.sessionTimeoutMs)
  // whoever asks for ids without end gets them at the cost of the eldest, which ask again
  if (pendingMembers.size > PENDING_MAX) pendingMembers.delete(pendingMembers.keys().next().value!)
  transition.change({ pendingMembers })
  transition.refuseJoin(request, newMemberId, 'MEMBER_ID_REQUIRED')
}

function joinPending(transition: Transition, request: RequestId, join: JoinRequest): void {
  transition.forgetPending([join.memberId])
  if (!isFull(transition)) return addMember(transition, join.memberId, request, join)
  transition.refuseJoin(request, '', 'GROUP_MAX_SIZE_REACHED')
  completeOnceAllJoined(transition)
}

function isFull({ group, limits }: Transition): boolean {
  return group.members.size >= limits.maxSize
}

function addMember(transition: Transition, memberId: string, request: RequestId, join: JoinRequest): void {
  const { group, nowMs, limits } = transition
  const { instanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols } = join
  transition.setMember({
    memberId,
    instanceId,
    clientId,
    clientHost,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    protocols,
    assignment: new Uint8Array(0),
    // if its caller has gone away meanwhile, it comes back as somebody else, and nobody would ever answer for this one
    sessionDeadlineMs: nowMs + NEW_MEMBER_JOIN_TIMEOUT_MS,
    joining: request,
    syncing: null,
    pendingSync: false,
  })
  transition.change({ protocolType: join.protocolType })
  if (group.delayUntilMs !== null)
    transition.change({ stateDeadlineMs: Math.min(nowMs + limits.initialRebalanceDelayMs, group.delayUntilMs) })
  rebalance(transition)
}

function rejoin(transition: Transition, request: RequestId, join: JoinRequest): void {
  const { group } = transition
  const error = claimError(group, join)
  const member = group.members.get(join.memberId)
  if (error !== null || member === undefined)
    return transition.refuseJoin(request, join.memberId, error ?? 'UNKNOWN_MEMBER_ID')
  // in Stable the leader asks for a rebalance by joining: it knows of changes, to the topics say, that nobody else sees
  const nothingNew =
    (group.state === 'CompletingRebalance' || (group.state === 'Stable' && group.leader !== member.memberId)) &&
    sameProtocols(member, join)
  // a call that still waits is given up: its caller has come again
  transition.dismiss(member, 'REBALANCE_IN_PROGRESS')
  if (nothingNew && member.joining === null) {
    transition.setMember(transition.heardOf({ ...member, syncing: null }))
    return transition.answerJoin(request, joinResponse(group, member.memberId))
  }
  // in Stable it waits for its new id to be stored
  if (nothingNew) return transition.setMember({ ...member, joining: request })
  const { protocols, sessionTimeoutMs, rebalanceTimeoutMs } = join
  const sessionDeadlineMs = member.joining === null ? Infinity : member.sessionDeadlineMs
  const said = { protocols, sessionTimeoutMs, rebalanceTimeoutMs }
  transition.setMember({ ...member, ...said, joining: request, syncing: null, sessionDeadlineMs })
  rebalance(transition)
}

function sameProtocols(member: Readonly<Member>, join: JoinRequest): boolean {
  return (
    member.protocols.length === join.protocols.length &&
    member.protocols.every(({ name, metadata }, at) => {
      const other = join.protocols[at]
      return name === other.name && Buffer.compare(metadata, other.metadata) === 0
    })
  )
}

/** A static member comes back under a new id: it takes the place of the old one, which is fenced from now on. */
function replaceStatic(transition: Transition, old: Readonly<Member>, request: RequestId, join: JoinRequest): void {
  const { group } = transition
  const { newMemberId: memberId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols } = join
  transition.dismiss(old, 'FENCED_INSTANCE_ID')
  const said = { memberId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols }
  const member = { ...old, ...said, joining: request, syncing: null, sessionDeadlineMs: Infinity }
  transition.change({
    members: group.members.replaceKey(old.memberId, memberId, member),
    leader: group.leader === old.memberId ? memberId : group.leader,
  })
  // while a leader assigns, it may know of the old id only: it has to start again
  if (group.state !== 'Stable' || voteProtocol(transition.group) !== group.protocol) return rebalance(transition)
  const snapshot = snapshotOf(transition.group)
  const before = { ...old, joining: null, syncing: null }
  const { supportsSkippingAssignment } = join
  const leader = group.leader ?? ''
  transition.store({ reason: 'static-member', snapshot, memberId, before, leader, supportsSkippingAssignment })
}
