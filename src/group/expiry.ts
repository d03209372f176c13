import type { Group, Member, RequestId } from './group.ts'
import { completeOnceAllJoined, completeRebalance, rebalance } from './rebalance.ts'
import { snapshotOf } from './snapshot.ts'
import type { Transition } from './transition.ts'

/** When something is due the next time, or Infinity for never. */
export function nextDeadlineMs({ stateDeadlineMs, members, pendingMembers }: Group): number {
  let earliestMs = stateDeadlineMs
  for (const { sessionDeadlineMs } of members.values()) earliestMs = Math.min(earliestMs, sessionDeadlineMs)
  for (const deadlineMs of pendingMembers.values()) earliestMs = Math.min(earliestMs, deadlineMs)
  return earliestMs
}

/** Whatever is due happens. */
export function tick(transition: Transition): void {
  expirePending(transition)
  const { members } = transition.group
  transition.remove(({ sessionDeadlineMs }) => sessionDeadlineMs <= transition.nowMs)
  if (transition.group.members !== members) rebalance(transition)
  if (transition.group.stateDeadlineMs <= transition.nowMs) endState(transition)
}

function expirePending(transition: Transition): void {
  const due = [...transition.group.pendingMembers].filter(([, deadlineMs]) => deadlineMs <= transition.nowMs)
  if (due.length === 0) return
  transition.forgetPending(due.map(([memberId]) => memberId))
  completeOnceAllJoined(transition)
}

function endState(transition: Transition): void {
  switch (transition.group.state) {
    case 'PreparingRebalance':
      return completeRebalance(transition)
    case 'CompletingRebalance':
    case 'Stable':
      return endSync(transition)
    case 'Empty':
      transition.change({ stateDeadlineMs: Infinity, storing: [] })
      return transition.store({ reason: 'empty', snapshot: snapshotOf(transition.group) })
    case 'Dead':
  }
}

/** Whoever has not synced by now goes; in Stable too, since the leader may have brought the assignment long ago. */
function endSync(transition: Transition): void {
  transition.change({ stateDeadlineMs: Infinity })
  if (!transition.group.members.some(({ pendingSync }) => pendingSync)) return
  transition.remove(({ pendingSync }) => pendingSync)
  rebalance(transition)
}

/** The process stood still, and could hear nobody meanwhile. */
export function stalled(transition: Transition, ms: number): void {
  const { members, pendingMembers, stateDeadlineMs, delayUntilMs } = transition.group
  transition.change({
    members: members.map((member) => ({ ...member, sessionDeadlineMs: member.sessionDeadlineMs + ms })),
    pendingMembers: new Map([...pendingMembers].map(([memberId, deadlineMs]) => [memberId, deadlineMs + ms])),
    stateDeadlineMs: stateDeadlineMs + ms,
    delayUntilMs: delayUntilMs === null ? null : delayUntilMs + ms,
  })
}

/** Whoever made a call is gone. What the call has brought about stays. */
export function abandon(transition: Transition, request: RequestId): void {
  const waiting = ({ joining, syncing }: Readonly<Member>) => joining === request || syncing === request
  const member = transition.group.members.find(waiting)
  if (member === undefined) return
  const joining = member.joining === request ? null : member.joining
  const syncing = member.syncing === request ? null : member.syncing
  transition.setMember(transition.heardOf({ ...member, joining, syncing }))
}
