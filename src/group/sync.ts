import type { ErrorCode } from '../errors.ts'
import type { Group, GroupSnapshot, RequestId, Storing, SyncRequest } from './group.ts'
import { joinResponse, rebalance } from './rebalance.ts'
import { snapshotOf } from './snapshot.ts'
import { claimError, type Transition } from './transition.ts'

/** How long it takes until a group that became empty is stored again after that failed. */
const STORE_AGAIN_MS = 1_000

/** A member asks for its assignment, and the leader brings all of them. */
export function sync(transition: Transition, request: RequestId, sync: SyncRequest): void {
  const { group } = transition
  const error = syncError(group, sync)
  const member = group.members.get(sync.memberId)
  if (error !== null || member === undefined) return transition.refuseSync(request, error ?? 'UNKNOWN_MEMBER_ID')
  const synced = { ...member, pendingSync: false }
  if (group.state === 'Stable') {
    transition.setMember(transition.heardOf(synced))
    if (!transition.group.members.some(({ pendingSync }) => pendingSync))
      transition.change({ stateDeadlineMs: Infinity })
    return transition.answerSync(request, { ...chosen(group), assignment: member.assignment })
  }
  if (member.syncing !== null) transition.refuseSync(member.syncing, 'REBALANCE_IN_PROGRESS')
  transition.setMember({ ...synced, syncing: request, sessionDeadlineMs: Infinity })
  // what a leader says twice is not stored twice: the two might differ, and one generation has one assignment
  if (group.leader === member.memberId && group.storing.length === 0) storeAssignment(transition, sync.assignments)
}

function syncError(group: Group, sync: SyncRequest): ErrorCode | null {
  if (group.groupId === '') return 'INVALID_GROUP_ID'
  if (group.state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
  const error = claimError(group, sync)
  if (error !== null) return error
  if (sync.generation !== group.generation) return 'ILLEGAL_GENERATION'
  const { protocolType, protocol } = sync
  const contradicts =
    (protocolType !== null && protocolType !== group.protocolType) || (protocol !== null && protocol !== group.protocol)
  if (contradicts) return 'INCONSISTENT_GROUP_PROTOCOL'
  return group.state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : null
}

function chosen({ protocolType, protocol }: Group) {
  return { error: null, protocolType, protocol }
}

function storeAssignment(transition: Transition, assignments: ReadonlyMap<string, Uint8Array>): void {
  const { group } = transition
  // a member that the leader left out gets none
  const assigned = group.members.map((member) => {
    return { ...member, assignment: assignments.get(member.memberId) ?? new Uint8Array(0) }
  })
  const snapshot = snapshotOf({ ...group, members: assigned })
  transition.store({ reason: 'assignment', snapshot })
}

/** A snapshot is durable, or is not: whoever waits for it is answered. */
export function stored(transition: Transition, snapshot: GroupSnapshot, error: ErrorCode | null): void {
  const storing = transition.group.storing.find((one) => one.snapshot === snapshot)
  if (storing === undefined) return
  if (storing.reason === 'empty' && error !== null)
    return transition.change({ stateDeadlineMs: transition.nowMs + STORE_AGAIN_MS })
  transition.change({ storing: transition.group.storing.filter((one) => one !== storing) })
  if (storing.reason === 'assignment') assignmentStored(transition, snapshot, error)
  else if (storing.reason === 'static-member') staticMemberStored(transition, storing, error)
}

function assignmentStored(transition: Transition, snapshot: GroupSnapshot, error: ErrorCode | null): void {
  const { group } = transition
  const assignments = new Map(snapshot.members.map(({ memberId, assignment }) => [memberId, assignment]))
  const members = group.members.map((member) => {
    const assignment = (error === null ? assignments.get(member.memberId) : undefined) ?? member.assignment
    if (member.syncing !== null && error !== null) transition.refuseSync(member.syncing, error)
    else if (member.syncing !== null) transition.answerSync(member.syncing, { ...chosen(group), assignment })
    const answered = { ...member, assignment, syncing: null }
    return member.syncing === null ? answered : transition.heardOf(answered)
  })
  transition.change({ members })
  if (error !== null) return rebalance(transition)
  const allSynced = !members.some(({ pendingSync }) => pendingSync)
  transition.change({ state: 'Stable', stateDeadlineMs: allSynced ? Infinity : group.stateDeadlineMs })
}

function staticMemberStored(
  transition: Transition,
  { memberId, before, leader, supportsSkippingAssignment }: Extract<Storing, { reason: 'static-member' }>,
  error: ErrorCode | null,
): void {
  const { group } = transition
  const member = group.members.get(memberId)
  if (error !== null) {
    if (member !== undefined) {
      transition.dismiss(member, error)
      transition.change({
        members: group.members.replaceKey(memberId, before.memberId, transition.heardOf(before)),
        leader: group.leader === memberId ? before.memberId : group.leader,
      })
    }
    // snapshots that are still under way hold the replacement: only a new generation makes them agree with the group
    if (group.storing.length > 0) rebalance(transition)
    return
  }
  if (member === undefined || member.joining === null) return
  transition.setMember(transition.heardOf({ ...member, joining: null }))
  const response = joinResponse(transition.group, memberId)
  const skips = supportsSkippingAssignment && response.leader === memberId
  // an old client that hears that it leads would assign, and nobody would listen: it hears of the leader before it
  const told = supportsSkippingAssignment ? { skipAssignment: skips } : { leader, members: [] }
  transition.answerJoin(member.joining, { ...response, ...told })
}
