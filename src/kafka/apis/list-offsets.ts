import { findTimestamp } from '../../client/batch-reader.ts'
import { PartitionCursor } from '../../engine/partition-cursor.ts'
import type { Partition } from '../../engine/partition.ts'
import { defineApi, errorNumber, repeated, type Call } from '../api.ts'
import { leaderEpochFault } from '../broker.ts'
import { INVALID_REQUEST, UNSUPPORTED_VERSION } from '../error-codes.ts'
import { int16, int32, int64, int8, list, string } from '../protocol/schema.ts'

/** Special timestamps. Those of storage tiers that are not here have no offset. What is below them is a time before 1970. */
const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const EARLIEST_LOCAL = -4
const LATEST_TIERED = -5
const EARLIEST_PENDING_UPLOAD = -6

/** The first versions that know them. */
const KNOWN_SINCE = new Map([
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
])

const NONE = { timestamp: -1, offset: -1, leaderEpoch: -1 }

/** Offsets by time, and the ends of a partition. Version 0 went out of use with Kafka 4.0. */
export const listOffsets = defineApi({
  key: 2,
  name: 'ListOffsets',
  versions: [1, 11],
  flexibleSince: 6,
  request: {
    replicaId: int32({ default: -1 }),
    isolationLevel: int8({ since: 2 }),
    topics: list({
      name: string(),
      partitions: list({
        partitionIndex: int32(),
        currentLeaderEpoch: int32({ since: 4, default: -1 }),
        timestamp: int64(),
      }),
    }),
    timeoutMs: int32({ since: 10 }),
  },
  response: {
    throttleTimeMs: int32({ since: 2 }),
    topics: list({
      name: string(),
      partitions: list({
        partitionIndex: int32(),
        errorCode: int16(),
        timestamp: int64({ default: -1 }),
        offset: int64({ default: -1 }),
        leaderEpoch: int32({ since: 4, default: -1 }),
      }),
    }),
  },
  async handle({ topics }, call) {
    const answered = []
    for (const { name, partitions } of topics) {
      const twice = repeated(partitions.map((one) => String(one.partitionIndex)))
      const found = []
      for (const { partitionIndex, currentLeaderEpoch, timestamp } of partitions) {
        if (call.pace.isOver) await call.pace.rest()
        const errorCode = twice.has(String(partitionIndex)) ? INVALID_REQUEST : timestampFault(timestamp, call)
        const answer = errorCode === 0 ? await look(call, name, partitionIndex, currentLeaderEpoch, timestamp) : NONE
        found.push({ partitionIndex, errorCode, ...answer })
      }
      answered.push({ name, partitions: found })
    }
    return { throttleTimeMs: 0, topics: answered }
  },
  refuse: ({ topics }, errorCode) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode, ...NONE })),
    })),
  }),
})

/** Kafka's number of what is wrong with a special timestamp in this version; 0: nothing. */
function timestampFault(timestamp: number, { version }: Call): number {
  return version < (KNOWN_SINCE.get(timestamp) ?? 0) ? UNSUPPORTED_VERSION : 0
}

async function look({ broker }: Call, topic: string, index: number, leaderEpoch: number, timestamp: number) {
  try {
    const partition = broker.engine.topic(topic).partition(index)
    const fault = leaderEpochFault(partition, leaderEpoch)
    if (fault !== 0) return { errorCode: fault, ...NONE }
    return {
      errorCode: 0,
      ...(await broker.engine.lookAt(partition, () =>
        offsetAt(partition, timestamp, broker.limits.maxDecompressedBytes),
      )),
    }
  } catch (error) {
    broker.reportUnexpected('ListOffsets', error)
    return { errorCode: errorNumber(error), ...NONE }
  }
}

async function offsetAt(partition: Partition, timestamp: number, maxBytes: number) {
  const { log, highWatermark } = partition
  const at = (offset: number) => ({ timestamp: -1, offset, leaderEpoch: log.epochAt(offset) ?? log.leaderEpoch })
  switch (timestamp) {
    case LATEST:
      return { ...at(highWatermark), leaderEpoch: log.leaderEpoch }
    case EARLIEST:
    case EARLIEST_LOCAL:
      return at(log.logStartOffset)
    case MAX_TIMESTAMP: {
      const times = log.segments.map((segment) => segment.greatestTimestamp(segment !== log.active))
      const greatest = (await Promise.all(times)).reduce((most, time) => Math.max(most, time), -1)
      const found = await findTimestamp(partition, greatest, highWatermark, maxBytes)
      // it may be that of a record that is not visible yet, or not any more: then the batches tell
      return (
        found ??
        (await findTimestamp(partition, await greatestIn(partition, highWatermark), highWatermark, maxBytes)) ??
        NONE
      )
    }
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD:
      return NONE
    default:
      return (await findTimestamp(partition, timestamp, highWatermark, maxBytes)) ?? NONE
  }
}

/** The greatest timestamp of what can be read: only segments of which a part cannot are gone through. */
async function greatestIn(partition: Partition, endOffset: number): Promise<number> {
  const { log } = partition
  const segments = [...log.segments]
  let greatest = -1
  for (const [i, segment] of segments.entries()) {
    const isWhole = segment !== log.active && segment.baseOffset >= log.logStartOffset
    const end = Math.min(segments[i + 1]?.baseOffset ?? endOffset, endOffset)
    const start = Math.max(segment.baseOffset, log.logStartOffset)
    greatest = Math.max(
      greatest,
      await (isWhole ? segment.greatestTimestamp(true) : greatestBetween(partition, start, end)),
    )
  }
  return greatest
}

async function greatestBetween(partition: Partition, start: number, end: number): Promise<number> {
  let greatest = -1
  const cursor = new PartitionCursor(partition, start, end)
  while (await cursor.fill())
    for (let batch = cursor.take(); batch !== null; batch = cursor.take())
      greatest = Math.max(greatest, batch.maxTimestamp)
  return greatest
}
