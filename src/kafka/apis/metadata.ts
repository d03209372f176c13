import type { Topic } from '../../engine/topic.ts'
import { isInternalTopic } from '../../engine/internal-topics.ts'
import { checkTopicName } from '../../engine/topic-config.ts'
import { defineApi, errorNumber, type Call } from '../api.ts'
import { CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED, TOPIC_OPERATIONS } from '../authorized.ts'
import { POLICY_VIOLATION, UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION } from '../error-codes.ts'
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
  topicAuthorizedOperations: int32({ since: 8, default: OPERATIONS_NOT_ASKED }),
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
    clusterAuthorizedOperations: int32({ since: 8, until: 10, default: OPERATIONS_NOT_ASKED }),
    errorCode: int16({ since: 13 }),
  },
  async handle(request, call) {
    const { topics, includeClusterAuthorizedOperations, includeTopicAuthorizedOperations } = request
    const asksForAll = topics === null || (call.version === 0 && topics.length === 0)
    const described = asksForAll
      ? await describeAll(call)
      : await describeAsked(topics, request.allowAutoTopicCreation, call)
    if (includeTopicAuthorizedOperations)
      for (const one of described) if (one.errorCode === 0) one.topicAuthorizedOperations = TOPIC_OPERATIONS
    const operations = includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : OPERATIONS_NOT_ASKED
    return { ...answer(call, described), clusterAuthorizedOperations: operations }
  },
  refuse: ({ topics }, errorCode, _message, call) => ({
    ...answer(
      call,
      (topics ?? []).map(({ name, topicId }) => missing(errorCode, name, topicId)),
    ),
    errorCode,
  }),
})

async function describeAll(call: Call): Promise<Values<typeof topic>[]> {
  const described: Values<typeof topic>[] = []
  // as they are now: some may come or go meanwhile
  const topics = [...call.broker.topics()]
  for (const one of topics) {
    if (call.pace.isOver) await call.pace.rest()
    described.push(describe(one, call))
  }
  return described
}

/** Topics that one request may make. */
const CREATED_MAX = 1_000

/** Each once, however often it is asked for, as in Kafka: few bytes ask for many. */
async function describeAsked(
  topics: readonly { name: string | null; topicId: string }[],
  mayCreate: boolean,
  call: Call,
): Promise<Values<typeof topic>[]> {
  const described = new Map<string, Values<typeof topic>>()
  let created = 0
  for (const { topicId, name } of topics) {
    const found = topicId === ZERO_UUID ? undefined : call.broker.topicById(topicId)
    const key = found?.name ?? (topicId === ZERO_UUID ? (name ?? '') : topicId)
    if (described.has(key)) continue
    if (call.pace.isOver) await call.pace.rest()
    if (found !== undefined) described.set(key, describe(found, call))
    else if (topicId !== ZERO_UUID) described.set(key, missing(UNKNOWN_TOPIC_ID, null, topicId))
    else if (call.broker.topicNamed(key) === undefined && mayCreate && ++created > CREATED_MAX)
      described.set(key, missing(POLICY_VIOLATION, key, ZERO_UUID))
    else described.set(key, await describeNamed(key, mayCreate, call))
  }
  return [...described.values()]
}

async function describeNamed(name: string, mayCreate: boolean, call: Call): Promise<Values<typeof topic>> {
  const { broker } = call
  const found = broker.topicNamed(name)
  if (found !== undefined) return describe(found, call)
  try {
    checkTopicName(name)
    if (!mayCreate || !broker.settings.autoCreateTopics) return missing(UNKNOWN_TOPIC_OR_PARTITION, name, ZERO_UUID)
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
    topicAuthorizedOperations: OPERATIONS_NOT_ASKED,
  }
}

function missing(errorCode: number, name: string | null, topicId: string): Values<typeof topic> {
  const nothing = { isInternal: false, partitions: [], topicAuthorizedOperations: OPERATIONS_NOT_ASKED }
  return { errorCode, name, topicId, ...nothing }
}

function answer({ broker }: Call, topics: Values<typeof topic>[]) {
  return {
    throttleTimeMs: 0,
    brokers: broker.nodes.map((node) => ({ ...node, rack: null })),
    clusterId: broker.settings.clusterId,
    controllerId: broker.nodes[0].nodeId,
    topics,
    clusterAuthorizedOperations: OPERATIONS_NOT_ASKED,
    errorCode: 0,
  }
}
