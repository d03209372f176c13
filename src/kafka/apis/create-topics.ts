import { refuseInternal } from '../../engine/internal-topics.ts'
import { checkTopicName } from '../../engine/topic-config.ts'
import type { TopicRecord } from '../../engine/topic.ts'
import { VarveError } from '../../errors.ts'
import { defineApi, outcomeOf, repeated, type Call } from '../api.ts'
import { CLIENT_TOPIC } from '../broker.ts'
import { configSources } from '../config-resources.ts'
import { INVALID_REQUEST, INVALID_REPLICATION_FACTOR, Refusal } from '../error-codes.ts'
import { checkAssignments, checkPartitionCount, PartitionBudget } from '../partition-requests.ts'
import {
  array,
  boolean,
  int16,
  int32,
  int8,
  list,
  nullableArray,
  nullableString,
  string,
  struct,
  uuid,
  ZERO_UUID,
  type Values,
} from '../protocol/schema.ts'
import { describeTopicConfigs, parseTopicConfigs } from '../topic-configs.ts'

const creatable = {
  name: string(),
  numPartitions: int32(),
  replicationFactor: int16(),
  assignments: list({ partitionIndex: int32(), brokerIds: array(int32()) }),
  configs: list({ name: string(), value: nullableString() }),
}

const created = {
  name: string(),
  topicId: uuid({ since: 7 }),
  errorCode: int16(),
  errorMessage: nullableString({ since: 1 }),
  topicConfigErrorCode: int16({ since: 5, tag: 0 }),
  numPartitions: int32({ since: 5, default: -1 }),
  replicationFactor: int16({ since: 5, default: -1 }),
  configs: nullableArray(
    struct({
      name: string(),
      value: nullableString(),
      readOnly: boolean(),
      configSource: int8({ default: -1 }),
      isSensitive: boolean(),
    }),
    { since: 5 },
  ),
}

/**
 * Makes topics, or says what would come of it. There is one copy of each partition, whatever replication is asked for and
 * whoever is to have it: only what could not be in a cluster of this many nodes is refused.
 */
export const createTopics = defineApi({
  key: 19,
  name: 'CreateTopics',
  versions: [0, 7],
  flexibleSince: 5,
  request: {
    topics: list(creatable),
    timeoutMs: int32({ default: 60_000 }),
    validateOnly: boolean({ since: 1 }),
  },
  response: {
    throttleTimeMs: int32({ since: 2 }),
    topics: list(created),
  },
  async handle({ topics, validateOnly }, call) {
    const twice = repeated(topics.map(({ name }) => name))
    const answered = new Set<string>()
    const budget = new PartitionBudget()
    const results: Values<typeof created>[] = []
    for (const topic of topics) {
      const { name } = topic
      // each of them is answered once
      if (answered.has(name)) continue
      answered.add(name)
      let made = nothing
      const outcome = await outcomeOf('CreateTopics', call, async () => {
        if (twice.has(name)) throw new Refusal(INVALID_REQUEST, `topic '${name}' stands in the request more than once`)
        made = await create(topic, budget, validateOnly, call)
      })
      results.push({ name, ...outcome, topicConfigErrorCode: 0, ...made })
    }
    return { throttleTimeMs: 0, topics: results }
  },
  refuse: ({ topics }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name }) => ({ name, errorCode, errorMessage, topicConfigErrorCode: 0, ...nothing })),
  }),
})

type Made = Pick<Values<typeof created>, 'topicId' | 'numPartitions' | 'replicationFactor' | 'configs'>

const nothing: Made = { topicId: ZERO_UUID, numPartitions: -1, replicationFactor: -1, configs: [] }

async function create(
  { name, numPartitions, replicationFactor, assignments, configs }: Values<typeof creatable>,
  budget: PartitionBudget,
  validateOnly: boolean,
  { broker }: Call,
): Promise<Made> {
  checkTopicName(name)
  refuseInternal(name)
  if (broker.topicNamed(name) !== undefined)
    throw new VarveError('TOPIC_ALREADY_EXISTS', `topic '${name}' exists already`, { details: { topic: name } })
  const partitions = partitionsOf(numPartitions, replicationFactor, assignments, broker)
  budget.take(partitions)
  for (const config of configs) {
    if (config.value !== null) continue
    throw new VarveError('INVALID_CONFIG', `configuration '${config.name}' of a new topic must have a value`)
  }
  const twice = [...repeated(configs.map((config) => config.name))]
  if (twice.length > 0) throw new Refusal(INVALID_REQUEST, `configuration '${twice[0]}' is given more than once`)
  const { set } = parseTopicConfigs(configs.map((config) => [config.name, config.value] as const))
  if (validateOnly) return describe(ZERO_UUID, partitions, set)
  await broker.log.varve.createTopic({ ...CLIENT_TOPIC, ...set, name, partitions })
  const { record } = broker.engine.topic(name)
  return describe(record.topicId, record.partitions, record.config)
}

function partitionsOf(
  numPartitions: number,
  replicationFactor: number,
  assignments: Values<typeof creatable>['assignments'],
  broker: Call['broker'],
): number {
  if (assignments.length > 0) {
    if (numPartitions !== -1 || replicationFactor !== -1) {
      const message = 'with replicas assigned, the number of partitions and the replication factor must be -1'
      throw new Refusal(INVALID_REQUEST, message)
    }
    checkAssignments(assignments, 0, broker)
    return assignments.length
  }
  const { length } = broker.nodes
  if (replicationFactor !== -1 && (replicationFactor < 1 || replicationFactor > length)) {
    const message = `the replication factor must be -1 or from 1 to the number of nodes, ${length}, not ${replicationFactor}`
    throw new Refusal(INVALID_REPLICATION_FACTOR, message)
  }
  const partitions = numPartitions === -1 ? broker.settings.defaultPartitions : numPartitions
  checkPartitionCount(partitions)
  return partitions
}

function describe(topicId: string, numPartitions: number, config: TopicRecord['config']): Made {
  const configs = describeTopicConfigs(config).map(({ name, value, field, isSet }) => ({
    name,
    value,
    readOnly: field === null,
    configSource: isSet ? configSources.topic : configSources.default,
    isSensitive: false,
  }))
  return { topicId, numPartitions, replicationFactor: 1, configs }
}
