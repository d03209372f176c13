import type { Group, GroupSnapshot, Member, SnapshotMember } from './group.ts'
import { PersistentMap } from './persistent-map.ts'

/** What is kept of a group. */
export function snapshotOf({ generation, protocolType, protocol, leader, members }: Group): GroupSnapshot {
  const kept = [...members.values()].map((member) => snapshotOfMember(member, protocol))
  return { generation, protocolType, protocol, leader, members: kept }
}

function snapshotOfMember(member: Readonly<Member>, protocol: string | null): SnapshotMember {
  const { memberId, instanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, assignment } = member
  const subscription = subscriptionOf(member, protocol)
  const who = { memberId, instanceId, clientId, clientHost }
  return { ...who, sessionTimeoutMs, rebalanceTimeoutMs, subscription, assignment }
}

/** What a member said about itself for a protocol; empty if it does not have it. */
export function subscriptionOf({ protocols }: Readonly<Member>, protocol: string | null): Uint8Array {
  return protocols.find(({ name }) => name === protocol)?.metadata ?? new Uint8Array(0)
}

/** The group that a snapshot is of, after a restart: nothing waits, nothing is under way, and every session starts anew. */
export function restoreGroup(groupId: string, snapshot: GroupSnapshot, nowMs: number): Group {
  const { generation, protocolType, protocol, leader } = snapshot
  const members = snapshot.members.map((kept): [string, Member] => [
    kept.memberId,
    restoreMember(kept, protocol, nowMs),
  ])
  return {
    groupId,
    state: members.length > 0 ? 'Stable' : 'Empty',
    generation,
    protocolType,
    protocol,
    leader,
    members: PersistentMap.of(members),
    pendingMembers: new Map(),
    stateDeadlineMs: Infinity,
    delayUntilMs: null,
    storing: [],
  }
}

function restoreMember({ subscription, ...kept }: SnapshotMember, protocol: string | null, nowMs: number): Member {
  return {
    ...kept,
    protocols: [{ name: protocol ?? '', metadata: subscription }],
    sessionDeadlineMs: nowMs + kept.sessionTimeoutMs,
    joining: null,
    syncing: null,
    pendingSync: false,
  }
}
