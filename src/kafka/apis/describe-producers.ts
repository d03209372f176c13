import type { ActiveProducer } from '../../storage/producer-state.ts'
import { defineApi, outcomeOf } from '../api.ts'
import { INVALID_REQUEST, Refusal } from '../error-codes.ts'
import { array, int16, int32, int64, list, nullableString, string } from '../protocol/schema.ts'

/**
 * Which idempotent producers have appended to partitions, each with its last batch, as far as they are remembered. There
 * are no transactions, and so no coordinators of any. A partition that is asked for twice is told of once.
 */
export const describeProducers = defineApi({
  key: 61,
  name: 'DescribeProducers',
  versions: [0, 0],
  flexibleSince: 0,
  request: {
    topics: list({ name: string(), partitionIndexes: array(int32()) }),
  },
  response: {
    throttleTimeMs: int32(),
    topics: list({
      name: string(),
      partitions: list({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: nullableString(),
        activeProducers: list({
          producerId: int64(),
          producerEpoch: int32(),
          lastSequence: int32({ default: -1 }),
          lastTimestamp: int64({ default: -1 }),
          coordinatorEpoch: int32(),
          currentTxnStartOffset: int64({ default: -1 }),
        }),
      }),
    }),
  },
  async handle({ topics }, call) {
    const answered = []
    const told = new Set<string>()
    for (const { name, partitionIndexes } of topics) {
      const partitions = []
      for (const partitionIndex of partitionIndexes) {
        let producers: ActiveProducer[] = []
        const outcome = await outcomeOf('DescribeProducers', call, async () => {
          const key = `${name}-${partitionIndex}`
          if (told.has(key)) throw new Refusal(INVALID_REQUEST, `${key} is asked for more than once`)
          told.add(key)
          producers = await call.broker.engine.topic(name).partition(partitionIndex).producers()
        })
        partitions.push({ partitionIndex, ...outcome, activeProducers: producers.map(describe) })
      }
      answered.push({ name, partitions })
    }
    return { throttleTimeMs: 0, topics: answered }
  },
  refuse: ({ topics }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({
        partitionIndex,
        errorCode,
        errorMessage,
        activeProducers: [],
      })),
    })),
  }),
})

const NONE = -1

function describe({ producerId, epoch, lastSequence, lastTimestamp }: ActiveProducer) {
  const own = { producerId, producerEpoch: epoch, lastSequence, lastTimestamp }
  return { ...own, coordinatorEpoch: NONE, currentTxnStartOffset: NONE }
}
