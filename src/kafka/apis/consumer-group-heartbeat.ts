import { partitionKey } from '../../engine/topic.ts'
import { byTopicId, type HeartbeatAnswer } from '../../group/modern/modern-group.ts'
import { defineApi } from '../api.ts'
import { askCoordinator } from '../group-calls.ts'
import {
  array,
  int16,
  int32,
  list,
  nullableArray,
  nullableString,
  nullableStruct,
  string,
  struct,
  uuid,
} from '../protocol/schema.ts'

const topicPartitions = { topicId: uuid(), partitions: array(int32()) }

/**
 * A member of a group whose partitions the server divides (KIP-848) joins, is heard of, leaves, and hears what it may have:
 * one API does it all. What has not changed is not said.
 */
export const consumerGroupHeartbeat = defineApi({
  key: 68,
  name: 'ConsumerGroupHeartbeat',
  versions: [0, 1],
  flexibleSince: 0,
  request: {
    groupId: string(),
    /** From version 1 on the member makes it itself. */
    memberId: string(),
    /** 0 to join, -1 to leave, -2 to leave and come back as the same static member. */
    memberEpoch: int32(),
    instanceId: nullableString(),
    rackId: nullableString(),
    rebalanceTimeoutMs: int32({ default: -1 }),
    subscribedTopicNames: nullableArray(string()),
    subscribedTopicRegex: nullableString({ since: 1 }),
    serverAssignor: nullableString(),
    topicPartitions: nullableArray(struct(topicPartitions)),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: nullableString(),
    memberId: nullableString(),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    assignment: nullableStruct({ topicPartitions: list(topicPartitions) }),
  },
  async handle(request, call) {
    const { groupId, memberId, memberEpoch: epoch, instanceId, rackId, rebalanceTimeoutMs } = request
    const { clientId, clientHost, version, broker } = call
    const owned = request.topicPartitions?.flatMap((topic) =>
      topic.partitions.map((number) => partitionKey(topic, number)),
    )
    const heartbeat = {
      memberId,
      epoch,
      instanceId,
      rackId,
      clientId,
      clientHost,
      rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? null : rebalanceTimeoutMs,
      topics: request.subscribedTopicNames,
      pattern: request.subscribedTopicRegex,
      assignor: request.serverAssignor,
      owned: owned === undefined ? null : new Set(owned),
      requiresMemberId: version >= 1,
    }
    return answer(await askCoordinator(call, () => broker.log.coordinator.modernHeartbeat(groupId, heartbeat)))
  },
  refuse: (_request, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    errorCode,
    errorMessage,
    memberId: null,
    memberEpoch: 0,
    heartbeatIntervalMs: 0,
    assignment: null,
  }),
})

function answer({ memberId, epoch: memberEpoch, heartbeatIntervalMs, assigned }: HeartbeatAnswer) {
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    memberId,
    memberEpoch,
    heartbeatIntervalMs,
    assignment: assigned === null ? null : { topicPartitions: byTopicId(assigned) },
  }
}
