import type { Topic } from '../../engine/topic.ts'
import { isInternalTopic } from '../../engine/internal-topics.ts'
import { defineApi, errorNumber, type Call } from '../api.ts'
import { UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION } from '../error-codes.ts'
import {
  array,
  boolean,
  int16,
  int32,
  list,
  nullableArray,
  nullableString,
  struct,
  uuid,
  ZERO_UUID,
  type Values,
} from '../protocol/schema.ts'

/** "Not asked for", where the operations that a client may do would stand. */
const NOT_ASKED = -(2 ** 31)

const partition = {
  errorCode: int16(),
  partitionIndex: int32(),
  leaderId: int32(),
  leaderEpoch: int32({ since: 7, default: -1 }),
  replicaNodes: array(int32()),
  isrNodes: array(int32()),
  offlineReplicas: array(int32(), { since: 5 }),
}

const topic = {
  errorCode: int16(),
  name: nullableString(),
  topicId: uuid({ since: 10 }),
  isInternal: boolean({ since: 1 }),
  partitions: list(partition),
  topicAuthorizedOperations: int32({ since: 8, default: NOT_ASKED }),
}

/**
 * Which nodes there are, and which of them leads which partition.
 *
 * A topic that is asked for by name and is not there is made, where both sides allow that. Clients ask for all topics with
 * null, in version 0 with an empty list.
 */
export const metadata = defineApi({
  key: 3,
  name: 'Metadata',
  versions: [0, 13],
  flexibleSince: 9,
  request: {
    topics: nullableArray(struct({ topicId: uuid({ since: 10 }), name: nullableString() })),
    allowAutoTopicCreation: boolean({ since: 4, default: true }),
    includeClusterAuthorizedOperations: boolean({ since: 8, until: 10 }),
    includeTopicAuthorizedOperations: boolean({ since: 8 }),
  },
  response: {
    throttleTimeMs: int32({ since: 3 }),
    brokers: list({ nodeId: int32(), host: nullableString(), port: int32(), rack: nullableString({ since: 1 }) }),
    clusterId: nullableString({ since: 2 }),
    controllerId: int32({ since: 1, default: -1 }),
    topics: list(topic),
    clusterAuthorizedOperations: int32({ since: 8, until: 10, default: NOT_ASKED }),
    errorCode: int16({ since: 13 }),
  },
  async handle({ topics, allowAutoTopicCreation }, call) {
    const { broker, version } = call
    const asksForAll = topics === null || (version === 0 && topics.length === 0)
    const described: Values<typeof topic>[] = []
    if (asksForAll) {
      for (const topic of [...broker.topics()]) {
        if (call.pace.isOver) await call.pace.rest()
        described.push(describe(topic, call))
      }
      return answer(call, described)
    }
    const seen = new Set<string>()
    for (const { topicId, name } of topics) {
      // one that is named twice is described once, as in Kafka: few bytes ask for many
      const key = `${topicId}/${name}`
      if (seen.has(key)) continue
      seen.add(key)
      if (call.pace.isOver) await call.pace.rest()
      if (topicId !== ZERO_UUID) {
        const found = broker.topicById(topicId)
        described.push(found === undefined ? missing(UNKNOWN_TOPIC_ID, null, topicId) : describe(found, call))
      } else described.push(await describeNamed(name ?? '', allowAutoTopicCreation, call))
    }
    return answer(call, described)
  },
  refuse: ({ topics }, errorCode, _message, call) => ({
    ...answer(
      call,
      (topics ?? []).map(({ name, topicId }) => missing(errorCode, name, topicId)),
    ),
    errorCode,
  }),
})

async function describeNamed(name: string, mayCreate: boolean, call: Call): Promise<Values<typeof topic>> {
  const { broker } = call
  const found = broker.topicNamed(name)
  if (found !== undefined) return describe(found, call)
  if (!mayCreate || !broker.settings.autoCreateTopics) return missing(UNKNOWN_TOPIC_OR_PARTITION, name, ZERO_UUID)
  try {
    return describe(await broker.createTopic(name), call)
  } catch (error) {
    // another client may have been faster
    const made = broker.topicNamed(name)
    return made === undefined ? missing(errorNumber(error), name, ZERO_UUID) : describe(made, call)
  }
}

function describe({ name, record, partitions }: Topic, { broker }: Call): Values<typeof topic> {
  return {
    errorCode: 0,
    name,
    topicId: record.topicId,
    isInternal: isInternalTopic(name),
    partitions: partitions.map(({ partition: index, log }) => {
      const leaderId = broker.leaderOf(index).nodeId
      const replicas = { replicaNodes: [leaderId], isrNodes: [leaderId], offlineReplicas: [] }
      return { errorCode: 0, partitionIndex: index, leaderId, leaderEpoch: log.leaderEpoch, ...replicas }
    }),
    topicAuthorizedOperations: NOT_ASKED,
  }
}

function missing(errorCode: number, name: string | null, topicId: string): Values<typeof topic> {
  const nothing = { isInternal: false, partitions: [], topicAuthorizedOperations: NOT_ASKED }
  return { errorCode, name, topicId, ...nothing }
}

function answer({ broker }: Call, topics: Values<typeof topic>[]) {
  return {
    throttleTimeMs: 0,
    brokers: broker.nodes.map((node) => ({ ...node, rack: null })),
    clusterId: broker.settings.clusterId,
    controllerId: broker.nodes[0].nodeId,
    topics,
    clusterAuthorizedOperations: NOT_ASKED,
    errorCode: 0,
  }
}
