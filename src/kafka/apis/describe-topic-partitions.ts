import { isInternalTopic } from '../../engine/internal-topics.ts'
import type { Partition } from '../../engine/partition.ts'
import { checkTopicName } from '../../engine/topic-config.ts'
import type { Topic } from '../../engine/topic.ts'
import { defineApi, errorNumber, type Call } from '../api.ts'
import { OPERATIONS_NOT_ASKED, TOPIC_OPERATIONS } from '../authorized.ts'
import { INVALID_REQUEST, Refusal, UNKNOWN_TOPIC_OR_PARTITION } from '../error-codes.ts'
import {
  array,
  boolean,
  int16,
  int32,
  list,
  nullableArray,
  nullableString,
  nullableStruct,
  string,
  uuid,
  ZERO_UUID,
  type Values,
} from '../protocol/schema.ts'

/** Partitions of one answer. Kafka: max.request.partition.size.limit. */
const PARTITIONS_MAX = 2_000

const cursor = { topicName: string(), partitionIndex: int32() }

const describedPartition = {
  errorCode: int16(),
  partitionIndex: int32(),
  leaderId: int32(),
  leaderEpoch: int32({ default: -1 }),
  replicaNodes: array(int32()),
  isrNodes: array(int32()),
  eligibleLeaderReplicas: nullableArray(int32()),
  lastKnownElr: nullableArray(int32()),
  offlineReplicas: array(int32()),
}

const describedTopic = {
  errorCode: int16(),
  name: nullableString(),
  topicId: uuid(),
  isInternal: boolean(),
  partitions: list(describedPartition),
  topicAuthorizedOperations: int32({ default: OPERATIONS_NOT_ASKED }),
}

/**
 * Describes topics by their names, or all of them where none is named, in pieces: each answer but the last ends with a
 * cursor, with which the next request goes on.
 */
export const describeTopicPartitions = defineApi({
  key: 75,
  name: 'DescribeTopicPartitions',
  versions: [0, 0],
  flexibleSince: 0,
  request: {
    topics: list({ name: string() }),
    responsePartitionLimit: int32({ default: PARTITIONS_MAX }),
    cursor: nullableStruct(cursor),
  },
  response: {
    throttleTimeMs: int32(),
    topics: list(describedTopic),
    nextCursor: nullableStruct(cursor),
  },
  handle({ topics, responsePartitionLimit, cursor: from }, { broker }) {
    const asked = topics.map(({ name }) => name)
    const names = new Set(asked.length > 0 ? asked : [...broker.topics()].map(({ name }) => name))
    if (from !== null) checkCursor(from, asked)
    const later = [...names].filter((name) => from === null || name >= from.topicName).sort()
    let left = Math.max(Math.min(responsePartitionLimit, PARTITIONS_MAX), 1)
    const described: Values<typeof describedTopic>[] = []
    let nextCursor: Values<typeof cursor> | null = null
    for (const name of later) {
      if (left === 0) {
        nextCursor = { topicName: name, partitionIndex: 0 }
        break
      }
      const topic = broker.topicNamed(name)
      if (topic === undefined) {
        // one that was not named has just been deleted
        if (asked.length > 0) described.push(missing(name, faultOf(name)))
        continue
      }
      const first = name === from?.topicName ? from.partitionIndex : 0
      const partitions = topic.partitions.filter(({ partition }) => partition >= first)
      described.push(describe(topic, partitions.slice(0, left), broker))
      if (partitions.length > left) {
        nextCursor = { topicName: name, partitionIndex: partitions[left].partition }
        break
      }
      left -= partitions.length
    }
    return { throttleTimeMs: 0, topics: described, nextCursor }
  },
  refuse: ({ topics }, errorCode) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name }) => missing(name, errorCode)),
    nextCursor: null,
  }),
})

function checkCursor({ topicName, partitionIndex }: Values<typeof cursor>, asked: string[]): void {
  if (partitionIndex < 0) throw new Refusal(INVALID_REQUEST, `a cursor cannot be at partition ${partitionIndex}`)
  if (asked.length === 0 || asked.includes(topicName)) return
  throw new Refusal(INVALID_REQUEST, `the cursor is at topic '${topicName}', which is not asked for`)
}

function faultOf(name: string): number {
  try {
    checkTopicName(name)
    return UNKNOWN_TOPIC_OR_PARTITION
  } catch (error) {
    return errorNumber(error)
  }
}

function missing(name: string, errorCode: number): Values<typeof describedTopic> {
  const isInternal = isInternalTopic(name)
  return {
    errorCode,
    name,
    topicId: ZERO_UUID,
    isInternal,
    partitions: [],
    topicAuthorizedOperations: OPERATIONS_NOT_ASKED,
  }
}

function describe(
  { name, record }: Topic,
  partitions: readonly Partition[],
  broker: Call['broker'],
): Values<typeof describedTopic> {
  return {
    errorCode: 0,
    name,
    topicId: record.topicId,
    isInternal: isInternalTopic(name),
    partitions: partitions.map(({ partition, log }) => {
      const leaderId = broker.leaderOf(partition).nodeId
      return {
        errorCode: 0,
        partitionIndex: partition,
        leaderId,
        leaderEpoch: log.leaderEpoch,
        replicaNodes: [leaderId],
        isrNodes: [leaderId],
        eligibleLeaderReplicas: [],
        lastKnownElr: [],
        offlineReplicas: [],
      }
    }),
    topicAuthorizedOperations: TOPIC_OPERATIONS,
  }
}
