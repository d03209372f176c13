import type { TopicPartition } from '../assignors/assignor.ts'
import { encodeAssignment, encodeSubscription } from '../consumer-protocol.ts'
import type { GroupSnapshot } from '../group.ts'
import { byTopicId, heldBy, MODERN_SESSION_TIMEOUT_MS, type PartitionKeys, type TopicSource } from './modern-group.ts'
import type { ModernGroup } from './modern-machine.ts'
import { preferredAssignor } from './target-assignment.ts'

/** Partitions by the names of their topics; those of topics that are no more are left out. */
export function namedPartitions(keys: PartitionKeys, topics: TopicSource): TopicPartition[] {
  return byTopicId(keys).flatMap(({ topicId, partitions }) => {
    const topic = topics.nameOf(topicId)
    return topic === undefined ? [] : partitions.map((partition) => ({ topic, partition }))
  })
}

/** A group as if its members had divided the partitions themselves, for whoever only looks. */
export function snapshotOfModern(group: ModernGroup, topics: TopicSource): GroupSnapshot {
  const members = [...group.members.values()].map((member) => {
    const { memberId, metadata, current } = member
    const { instanceId, clientId, clientHost, rebalanceTimeoutMs, rackId } = metadata
    const subscribed = group.topicsOf(member, topics)
    const subscription = encodeSubscription({
      topics: subscribed,
      ownedPartitions: [],
      generation: current.epoch,
      rackId,
      userData: null,
    })
    const assignment = encodeAssignment({ partitions: namedPartitions(heldBy(member), topics), userData: null })
    const sessionTimeoutMs = MODERN_SESSION_TIMEOUT_MS
    return {
      memberId,
      instanceId,
      clientId,
      clientHost,
      rebalanceTimeoutMs,
      sessionTimeoutMs,
      subscription,
      assignment,
    }
  })
  const protocol = preferredAssignor(group.members.values())
  return { generation: group.epoch, protocolType: 'consumer', protocol, leader: null, members }
}
