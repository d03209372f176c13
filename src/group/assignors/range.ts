import type { Assignor, AssignorMember, TopicPartition } from './assignor.ts'
import { subscribedTopics, compareMembers } from './member-order.ts'

/**
 * Divides each topic by itself: its partitions in order go to its members in order, as many to each; where that does not come
 * out even, the first members get one more. So equal topics are divided alike, and their partitions of one number meet in
 * one member.
 *
 * Source: Kafka's RangeAssignor. Its choice by racks asks for the racks of partitions, of which a log in one process has none.
 */
export const range: Assignor = {
  name: 'range',
  rebalanceProtocol: 'eager',

  assign(members: readonly AssignorMember[], partitions: ReadonlyMap<string, number>): Map<string, TopicPartition[]> {
    const assignment = new Map(members.map(({ memberId }) => [memberId, [] as TopicPartition[]]))
    const subscribers = new Map<string, AssignorMember[]>()
    for (const member of [...members].sort(compareMembers)) {
      for (const topic of new Set(member.topics)) {
        const others = subscribers.get(topic)
        if (others === undefined) subscribers.set(topic, [member])
        else others.push(member)
      }
    }
    for (const { topic, count } of subscribedTopics(members, partitions)) {
      const ofTopic = subscribers.get(topic)!
      const each = Math.floor(count / ofTopic.length)
      const withOneMore = count % ofTopic.length
      let partition = 0
      for (const [index, { memberId }] of ofTopic.entries()) {
        const end = partition + each + (index < withOneMore ? 1 : 0)
        const assigned = assignment.get(memberId)!
        for (; partition < end; partition++) assigned.push({ topic, partition })
      }
    }
    return assignment
  },

  userData: () => null,
}
