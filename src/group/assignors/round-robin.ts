import type { Assignor, AssignorMember, TopicPartition } from './assignor.ts'
import { subscribedTopics, compareMembers } from './member-order.ts'

/**
 * Deals all partitions in order to the members in order, one to each in turn, passing over members that do not subscribe to
 * the topic.
 *
 * Source: Kafka's RoundRobinAssignor.
 */
export const roundRobin: Assignor = {
  name: 'roundrobin',
  rebalanceProtocol: 'eager',

  assign(members: readonly AssignorMember[], partitions: ReadonlyMap<string, number>): Map<string, TopicPartition[]> {
    const assignment = new Map(members.map(({ memberId }) => [memberId, [] as TopicPartition[]]))
    const circle = [...members].sort(compareMembers).map(({ memberId, topics }) => {
      return { topics: new Set(topics), assigned: assignment.get(memberId)! }
    })
    let turn = 0
    for (const { topic, count } of subscribedTopics(members, partitions)) {
      for (let partition = 0; partition < count; partition++) {
        while (!circle[turn].topics.has(topic)) turn = (turn + 1) % circle.length
        circle[turn].assigned.push({ topic, partition })
        turn = (turn + 1) % circle.length
      }
    }
    return assignment
  },

  userData: () => null,
}
