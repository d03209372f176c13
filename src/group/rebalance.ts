import type { Group, JoinResponse, Member } from './group.ts'
import { snapshotOf, subscriptionOf } from './snapshot.ts'
import type { Transition } from './transition.ts'

/** Starts a rebalance, unless one has started; and completes it, if nobody is missing. */
export function rebalance(transition: Transition): void {
  const { state } = transition.group
  if (state === 'Dead') return
  if (state !== 'PreparingRebalance') prepare(transition)
  completeOnceAllJoined(transition)
}

/** Completes a rebalance, if one is on and nobody is missing. */
export function completeOnceAllJoined(transition: Transition): void {
  const { state, members, pendingMembers, delayUntilMs, stateDeadlineMs } = transition.group
  if (state !== 'PreparingRebalance') return
  // nobody can be missing from a group that only forms: it waits for its time
  const complete =
    delayUntilMs === null
      ? pendingMembers.size === 0 && !members.some(({ joining }) => joining === null)
      : stateDeadlineMs <= transition.nowMs
  if (complete || members.size === 0) completeRebalance(transition)
}

/** Completes a rebalance with those who have joined; of the others only static members stay. */
export function completeRebalance(transition: Transition): void {
  transition.remove(({ joining, instanceId }) => joining === null && instanceId === null)
  const { members } = transition.group
  const leader = electLeader(transition.group)
  if (members.size === 0) becomeEmpty(transition)
  else if (leader !== null) startGeneration(transition, leader)
  // there are static members only and all of them are away: until one is back or their sessions end
  else
    transition.change({ stateDeadlineMs: transition.nowMs + rebalanceTimeoutMs(transition.group), delayUntilMs: null })
}

/**
 * The protocol that most members put first among those that all of them have, or null if there is none.
 * Of two with as many votes it is the one that was voted for first.
 */
export function voteProtocol({ members }: Group): string | null {
  const [first] = members.values()
  if (first === undefined) return null
  const names = first.protocols.map(({ name }) => name).filter((name) => allSupport(members.values(), name))
  const votes = new Map<string, number>()
  for (const { protocols } of members.values()) {
    const vote = protocols.find(({ name }) => names.includes(name))?.name
    if (vote !== undefined) votes.set(vote, (votes.get(vote) ?? 0) + 1)
  }
  const most = Math.max(...votes.values())
  return [...votes].find(([, count]) => count === most)?.[0] ?? null
}

export function allSupport(members: Iterable<Readonly<Member>>, protocol: string): boolean {
  for (const { protocols } of members) if (!protocols.some(({ name }) => name === protocol)) return false
  return true
}

/** What a member of the current generation is told of it. */
export function joinResponse(group: Group, memberId: string): JoinResponse {
  const { generation, protocolType, protocol, leader } = group
  const members = memberId === leader ? subscriptions(group) : []
  return {
    error: null,
    memberId,
    generation,
    protocolType,
    protocol,
    leader: leader ?? '',
    skipAssignment: false,
    members,
  }
}

function subscriptions({ members, protocol }: Group): JoinResponse['members'] {
  return [...members.values()].map((member) => {
    const { memberId, instanceId } = member
    return { memberId, instanceId, metadata: subscriptionOf(member, protocol) }
  })
}

function prepare(transition: Transition): void {
  const { group, nowMs, limits } = transition
  const members = group.members.map((member) => {
    if (member.syncing === null) return member
    transition.refuseSync(member.syncing, 'REBALANCE_IN_PROGRESS')
    return transition.heardOf({ ...member, syncing: null })
  })
  const forms = group.state === 'Empty'
  const timeoutMs = rebalanceTimeoutMs(group)
  transition.change({
    state: 'PreparingRebalance',
    members,
    stateDeadlineMs: nowMs + (forms ? limits.initialRebalanceDelayMs : timeoutMs),
    delayUntilMs: forms ? nowMs + Math.max(limits.initialRebalanceDelayMs, timeoutMs) : null,
    storing: [],
  })
}

function startGeneration(transition: Transition, leader: string): void {
  const joined = transition.group.members
  transition.change({
    state: 'CompletingRebalance',
    generation: transition.group.generation + 1,
    protocol: voteProtocol(transition.group),
    leader,
    members: joined.map((member) => transition.heardOf({ ...member, joining: null, pendingSync: true })),
    stateDeadlineMs: transition.nowMs + rebalanceTimeoutMs(transition.group),
    delayUntilMs: null,
  })
  for (const { memberId, joining } of joined.values())
    if (joining !== null) transition.answerJoin(joining, joinResponse(transition.group, memberId))
}

function becomeEmpty(transition: Transition): void {
  const generation = transition.group.generation + 1
  const ended = { protocol: null, leader: null, stateDeadlineMs: Infinity, delayUntilMs: null }
  transition.change({ state: 'Empty', generation, ...ended })
  transition.store({ reason: 'empty', snapshot: snapshotOf(transition.group) })
}

/** Who leads: whoever did if it has joined, else the first that has, or null if none has. */
function electLeader({ members, leader }: Group): string | null {
  const joined = (member: Readonly<Member>) => member.joining !== null
  const elected = members.find((member) => member.memberId === leader && joined(member)) ?? members.find(joined)
  return elected?.memberId ?? null
}

/** How long a rebalance waits for members: as long as the most patient of them. Never 0, or it might never end. */
function rebalanceTimeoutMs({ members }: Group): number {
  let longestMs = 1
  for (const member of members.values()) longestMs = Math.max(longestMs, member.rebalanceTimeoutMs)
  return longestMs
}
