import type { ErrorCode } from '../errors.ts'
import type { Group, GroupEvent, MemberClaim, RequestId } from './group.ts'
import { completeOnceAllJoined, rebalance } from './rebalance.ts'
import { claimError, staticMember, type Transition } from './transition.ts'

/** A member says that it is alive, and hears whether it has to join again. */
export function heartbeat(transition: Transition, request: RequestId, claim: MemberClaim): void {
  const { group } = transition
  const error = group.groupId === '' ? 'INVALID_GROUP_ID' : generationError(group, claim)
  if (error !== null) return transition.answer(request, error)
  hear(transition, claim)
  transition.answer(request, group.state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : null)
}

/** Says whether a commit may be made. */
export function commit(transition: Transition, request: RequestId, claim: MemberClaim): void {
  const { group } = transition
  // whoever keeps its position here without being a member may do so as long as there are none
  if (group.state === 'Empty' && claim.generation < 0) return transition.answer(request, null)
  const error = generationError(group, claim)
  if (error !== null) return transition.answer(request, error)
  hear(transition, claim)
  // before the next generation starts, a member commits what it is about to give away; after that it is too late
  transition.answer(request, group.state === 'CompletingRebalance' ? 'REBALANCE_IN_PROGRESS' : null)
}

function generationError(group: Group, claim: MemberClaim): ErrorCode | null {
  if (group.state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
  const error = claimError(group, claim)
  if (error !== null) return error
  return claim.generation === group.generation ? null : 'ILLEGAL_GENERATION'
}

function hear(transition: Transition, { memberId }: MemberClaim): void {
  const member = transition.group.members.get(memberId)
  if (member !== undefined) transition.setMember(transition.heardOf(member))
}

/** Members leave, by id or, static ones, by instance id. */
export function leave(transition: Transition, { request, members }: Extract<GroupEvent, { type: 'leave' }>): void {
  const { groupId, state, members: before } = transition.group
  const error = groupId === '' ? 'INVALID_GROUP_ID' : state === 'Dead' ? 'COORDINATOR_NOT_AVAILABLE' : null
  const left = error === null ? members.map((leaver) => ({ ...leaver, error: leaveOne(transition, leaver) })) : []
  transition.effects.push({ type: 'left', request, response: { error, members: left } })
  if (transition.group.members !== before) rebalance(transition)
  // a member that had only been given an id may have been the last that was missing
  else completeOnceAllJoined(transition)
}

function leaveOne(
  transition: Transition,
  { memberId, instanceId }: { memberId: string; instanceId: string | null },
): ErrorCode | null {
  const { group } = transition
  if (group.pendingMembers.has(memberId)) {
    transition.forgetPending([memberId])
    return null
  }
  const leaving = memberId === '' ? staticMember(group.members.values(), instanceId)?.memberId : memberId
  if (leaving === undefined) return 'UNKNOWN_MEMBER_ID'
  const error = claimError(group, { memberId: leaving, instanceId })
  if (error === null) transition.remove((member) => member.memberId === leaving)
  return error
}

/** The group is deleted, if nobody is in it. */
export function remove(transition: Transition, request: RequestId): void {
  const { state } = transition.group
  if (state === 'Dead') return transition.answer(request, 'GROUP_ID_NOT_FOUND')
  if (state !== 'Empty') return transition.answer(request, 'NON_EMPTY_GROUP')
  transition.change({ state: 'Dead', pendingMembers: new Map(), stateDeadlineMs: Infinity, storing: [] })
  transition.answer(request, null)
}
