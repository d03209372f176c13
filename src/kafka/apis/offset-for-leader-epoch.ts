import type { Partition } from '../../engine/partition.ts'
import { defineApi, outcomeOf, type Call } from '../api.ts'
import { leaderEpochFault } from '../broker.ts'
import { Refusal } from '../error-codes.ts'
import { int16, int32, int64, list, string } from '../protocol/schema.ts'

/** Where nothing is known of an epoch. */
const NONE = { leaderEpoch: -1, endOffset: -1 }

/**
 * Where leader epochs end: a client that has read further in one than it reaches has read what was never durable.
 *
 * Answered is the greatest epoch there is up to the one that is asked for, and the offset with which the next one begins.
 */
export const offsetForLeaderEpoch = defineApi({
  key: 23,
  name: 'OffsetForLeaderEpoch',
  versions: [2, 4],
  flexibleSince: 4,
  request: {
    replicaId: int32({ since: 3, default: -2 }),
    topics: list({
      topic: string(),
      partitions: list({ partition: int32(), currentLeaderEpoch: int32({ default: -1 }), leaderEpoch: int32() }),
    }),
  },
  response: {
    throttleTimeMs: int32(),
    topics: list({
      topic: string(),
      partitions: list({
        errorCode: int16(),
        partition: int32(),
        leaderEpoch: int32({ default: -1 }),
        endOffset: int64({ default: -1 }),
      }),
    }),
  },
  async handle({ topics }, call) {
    const answered = []
    for (const { topic, partitions } of topics) {
      const ends = []
      for (const { partition, currentLeaderEpoch, leaderEpoch } of partitions) {
        let end = NONE
        const { errorCode } = await outcomeOf('OffsetForLeaderEpoch', call, async () => {
          end = lookUp(call, topic, partition, currentLeaderEpoch, leaderEpoch)
        })
        ends.push({ errorCode, partition, ...end })
      }
      answered.push({ topic, partitions: ends })
    }
    return { throttleTimeMs: 0, topics: answered }
  },
  refuse: ({ topics }, errorCode) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition }) => ({ errorCode, partition, ...NONE })),
    })),
  }),
})

function lookUp({ broker }: Call, topic: string, index: number, currentLeaderEpoch: number, leaderEpoch: number) {
  const partition = broker.engine.topic(topic).partition(index)
  const fault = leaderEpochFault(partition, currentLeaderEpoch)
  if (fault !== 0) throw new Refusal(fault, `epoch ${currentLeaderEpoch} is not that of the partition`)
  return endOf(partition, leaderEpoch)
}

function endOf({ log, highWatermark }: Partition, asked: number) {
  if (asked < 0 || asked > log.leaderEpoch) return NONE
  if (asked === log.leaderEpoch) return { leaderEpoch: asked, endOffset: highWatermark }
  const next = log.epochs.find(({ epoch }) => epoch > asked)
  // an epoch in which nothing was appended yet begins where the last one ends
  const endOffset = Math.max(next?.startOffset ?? highWatermark, log.logStartOffset)
  const known = log.epochs.findLast(({ epoch }) => epoch <= asked)
  return { leaderEpoch: known?.epoch ?? asked, endOffset }
}
