import { defineApi, outcomeOf } from '../api.ts'
import { array, int16, int32, int64, list, nullableString, string } from '../protocol/schema.ts'

/** Which idempotent producers have appended to partitions. The log keeps no state of producers, so there are none. */
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
    for (const { name, partitionIndexes } of topics) {
      const partitions = []
      for (const partitionIndex of partitionIndexes) {
        const outcome = await outcomeOf('DescribeProducers', call, async () => {
          call.broker.engine.topic(name).partition(partitionIndex)
        })
        partitions.push({ partitionIndex, ...outcome, activeProducers: [] })
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
