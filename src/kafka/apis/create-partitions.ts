import { refuseInternal } from '../../engine/internal-topics.ts'
import { VarveError } from '../../errors.ts'
import { defineApi, outcomeOf, repeated, type Call } from '../api.ts'
import { INVALID_REPLICA_ASSIGNMENT, INVALID_REQUEST, Refusal } from '../error-codes.ts'
import { checkAssignments, checkPartitionCount, PartitionBudget } from '../partition-requests.ts'
import {
  array,
  boolean,
  int16,
  int32,
  list,
  nullableArray,
  nullableString,
  string,
  struct,
  type Values,
} from '../protocol/schema.ts'

const growing = {
  name: string(),
  count: int32(),
  assignments: nullableArray(struct({ brokerIds: array(int32()) })),
}

/** Gives topics more partitions, `count` in all. */
export const createPartitions = defineApi({
  key: 37,
  name: 'CreatePartitions',
  versions: [0, 3],
  flexibleSince: 2,
  request: {
    topics: list(growing),
    timeoutMs: int32(),
    validateOnly: boolean(),
  },
  response: {
    throttleTimeMs: int32(),
    results: list({ name: string(), errorCode: int16(), errorMessage: nullableString() }),
  },
  async handle({ topics, validateOnly }, call) {
    const twice = repeated(topics.map(({ name }) => name))
    const answered = new Set<string>()
    const budget = new PartitionBudget()
    const results = []
    for (const topic of topics) {
      const { name, count } = topic
      // each of them is answered once
      if (answered.has(name)) continue
      answered.add(name)
      const outcome = await outcomeOf('CreatePartitions', call, async () => {
        if (twice.has(name)) throw new Refusal(INVALID_REQUEST, `topic '${name}' stands in the request more than once`)
        check(topic, budget, call)
        if (!validateOnly) await call.broker.log.varve.createPartitions(name, count)
      })
      results.push({ name, ...outcome })
    }
    return { throttleTimeMs: 0, results }
  },
  refuse: ({ topics }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    results: topics.map(({ name }) => ({ name, errorCode, errorMessage })),
  }),
})

function check({ name, count, assignments }: Values<typeof growing>, budget: PartitionBudget, { broker }: Call): void {
  refuseInternal(name)
  const { partitions } = broker.engine.topic(name).record
  checkPartitionCount(count)
  if (count <= partitions) {
    const message = `topic '${name}' has ${partitions} partitions and can only get more, not ${count}`
    throw new VarveError('INVALID_PARTITIONS', message, { details: { topic: name } })
  }
  const added = count - partitions
  budget.take(added)
  if (assignments === null) return
  if (assignments.length !== added)
    throw new Refusal(INVALID_REPLICA_ASSIGNMENT, `${added} partitions are added, and ${assignments.length} assigned`)
  const indexed = assignments.map(({ brokerIds }, i) => ({ partitionIndex: partitions + i, brokerIds }))
  checkAssignments(indexed, partitions, broker)
}
