import { refuseInternal } from '../../engine/internal-topics.ts'
import { isRetained } from '../../engine/topic-config.ts'
import { defineApi, outcomeOf, type Call } from '../api.ts'
import { OFFSET_OUT_OF_RANGE, POLICY_VIOLATION, Refusal } from '../error-codes.ts'
import { int16, int32, int64, list, string } from '../protocol/schema.ts'

/** "All that is there", for an offset. */
const HIGH_WATERMARK = -1

/** "There is none", for the first offset that is left. */
const NONE = -1

/** Moves the start of partitions: what lies before it is gone. */
export const deleteRecords = defineApi({
  key: 21,
  name: 'DeleteRecords',
  versions: [0, 2],
  flexibleSince: 2,
  request: {
    topics: list({ name: string(), partitions: list({ partitionIndex: int32(), offset: int64() }) }),
    timeoutMs: int32(),
  },
  response: {
    throttleTimeMs: int32(),
    topics: list({
      name: string(),
      partitions: list({ partitionIndex: int32(), lowWatermark: int64(), errorCode: int16() }),
    }),
  },
  async handle({ topics }, call) {
    const answered = []
    for (const { name, partitions } of topics) {
      const results = []
      for (const { partitionIndex, offset } of partitions) {
        let lowWatermark = NONE
        const { errorCode } = await outcomeOf('DeleteRecords', call, async () => {
          lowWatermark = await deleteBefore(name, partitionIndex, offset, call)
        })
        results.push({ partitionIndex, lowWatermark, errorCode })
      }
      answered.push({ name, partitions: results })
    }
    return { throttleTimeMs: 0, topics: answered }
  },
  refuse: ({ topics }, errorCode) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, lowWatermark: NONE, errorCode })),
    })),
  }),
})

async function deleteBefore(name: string, index: number, offset: number, { broker }: Call): Promise<number> {
  const topic = broker.engine.topic(name)
  const { highWatermark } = topic.partition(index)
  refuseInternal(name)
  if (!isRetained(topic.config))
    throw new Refusal(POLICY_VIOLATION, `topic '${name}' is only compacted: its cleanup.policy has no 'delete'`)
  if (offset < HIGH_WATERMARK) throw new Refusal(OFFSET_OUT_OF_RANGE, `there is no offset ${offset}`)
  const beforeOffset = offset === HIGH_WATERMARK ? highWatermark : offset
  const { logStartOffset } = await broker.log.varve.deleteRecords(name, { partition: index, beforeOffset })
  return logStartOffset
}
