import { partitionKey } from '../../engine/topic.ts'
import type { AssignorMember, TopicPartition } from '../assignors/assignor.ts'
import { range } from '../assignors/range.ts'
import { divide } from '../assignors/sticky.ts'
import { spellOut, stickyProblem } from '../assignors/sticky-problem.ts'
import { byTopicId, type ModernMember, type PartitionKeys } from './modern-group.ts'

/** The assignors that a server has, by Kafka's names of them; the first one is used where nobody asks for another. */
export const serverAssignors = ['uniform', 'range'] as const

/** A topic that somebody subscribes to, and that is there. */
export interface SubscribedTopic {
  topicId: string
  partitions: number
}

/** The assignor that most members ask for; of several the one first in {@link serverAssignors}. */
export function preferredAssignor(members: Iterable<ModernMember>): string {
  const votes = new Map<string, number>(serverAssignors.map((name) => [name, 0]))
  for (const { metadata } of members) {
    const { assignor } = metadata
    if (assignor !== null) votes.set(assignor, (votes.get(assignor) ?? 0) + 1)
  }
  return [...votes].reduce((best, one) => (one[1] > best[1] ? one : best))[0]
}

/**
 * Divides the partitions of all topics among the members that subscribe to them. `'uniform'` moves as few as an even division
 * takes; `'range'` divides topic by topic.
 *
 * @param topics by name, those that are there
 * @param subscribed the names of those that a member subscribes to
 */
export function targetAssignment(
  members: readonly ModernMember[],
  topics: ReadonlyMap<string, SubscribedTopic>,
  subscribed: (member: ModernMember) => readonly string[],
): Map<string, PartitionKeys> {
  const names = new Map([...topics].map(([name, { topicId }]) => [topicId, name]))
  const counts = new Map([...topics].map(([name, { partitions }]) => [name, partitions]))
  const described = members.map((member): AssignorMember => {
    const ownedPartitions = byTopicId(member.target).flatMap(({ topicId, partitions }) => {
      const topic = names.get(topicId)
      return topic === undefined ? [] : partitions.map((partition) => ({ topic, partition }))
    })
    const { memberId, metadata } = member
    const { instanceId, rackId } = metadata
    return { memberId, instanceId, rackId, topics: subscribed(member), ownedPartitions, generation: 0, userData: null }
  })
  const assigned = preferredAssignor(members) === 'range' ? range.assign(described, counts) : uniform(described, counts)
  const keyOf = ({ topic, partition }: TopicPartition) => partitionKey(topics.get(topic)!, partition)
  return new Map([...assigned].map(([memberId, partitions]) => [memberId, new Set(partitions.map(keyOf))]))
}

function uniform(members: readonly AssignorMember[], counts: ReadonlyMap<string, number>) {
  const problem = stickyProblem(members, counts, ({ ownedPartitions: partitions, generation }) => ({
    partitions,
    generation,
  }))
  return spellOut(problem, divide(problem))
}
