import type { AssignorMember } from './assignor.ts'

/**
 * Orders members as Kafka does for range and roundrobin: static members by instance id, so that a restart under a new member
 * id changes nothing, then the others by member id.
 *
 * Source: Kafka's AbstractPartitionAssignor.MemberInfo.
 */
export function compareMembers(a: AssignorMember, b: AssignorMember): number {
  if (a.instanceId !== null && b.instanceId !== null) return compareText(a.instanceId, b.instanceId)
  if (a.instanceId !== null) return -1
  if (b.instanceId !== null) return 1
  return compareText(a.memberId, b.memberId)
}

/** Orders by UTF-16 units, as Java does. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The topics that anybody subscribes to, in order, and how many partitions they have; 0 for those that do not exist. */
export function subscribedTopics(
  members: readonly AssignorMember[],
  partitions: ReadonlyMap<string, number>,
): { topic: string; count: number }[] {
  const topics = [...new Set(members.flatMap((member) => member.topics))].sort(compareText)
  return topics.map((topic) => ({ topic, count: partitions.get(topic) ?? 0 }))
}
