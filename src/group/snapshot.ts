import type { Group, GroupSnapshot, Member, SnapshotMember } from './group.ts'
import { PersistentMap } from './persistent-map.ts'

/** What is kept of a group. */
export function snapshotOf({ generation, protocolType, protocol, leader, members }: Group): GroupSnapshot {
  const kept = [...members.values()].map((member) => snapshotOfMember(member, protocol))
  return { generation, protocolType, protocol, leader, members: kept }
}

function snapshotOfMember(member: Readonly<Member>, protocol: string | null): SnapshotMember {
  return {
    memberId: member.memberId,
    instanceId: member.instanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    sessionTimeoutMs: member.sessionTimeoutMs,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    subscription: subscriptionOf(member, protocol),
    assignment: member.assignment,
  }
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

function restoreMember(kept: SnapshotMember, protocol: string | null, nowMs: number): Member {
  return {
    memberId: kept.memberId,
    instanceId: kept.instanceId,
    clientId: kept.clientId,
    clientHost: kept.clientHost,
    sessionTimeoutMs: kept.sessionTimeoutMs,
    rebalanceTimeoutMs: kept.rebalanceTimeoutMs,
    protocols: [{ name: protocol ?? '', metadata: kept.subscription }],
    assignment: kept.assignment,
    sessionDeadlineMs: nowMs + kept.sessionTimeoutMs,
    joining: null,
    syncing: null,
    pendingSync: false,
  }
}
