import { resolve } from 'node:path'
import type { Topic } from '../../engine/topic.ts'
import { defineApi, type Call } from '../api.ts'
import { array, boolean, int16, int32, int64, list, nullableArray, string, struct } from '../protocol/schema.ts'

/** How much a node keeps, and where: of all topics, or of those that are named and that it has. */
export const describeLogDirs = defineApi({
  key: 35,
  name: 'DescribeLogDirs',
  versions: [0, 5],
  flexibleSince: 2,
  request: {
    topics: nullableArray(struct({ topic: string(), partitions: array(int32()) })),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16({ since: 3 }),
    results: list({
      errorCode: int16(),
      logDir: string(),
      topics: list({
        name: string(),
        partitions: list({
          partitionIndex: int32(),
          partitionSize: int64(),
          offsetLag: int64(),
          isFutureKey: boolean(),
        }),
      }),
      // of the volume: not known here
      totalBytes: int64({ since: 4, default: -1 }),
      usableBytes: int64({ since: 4, default: -1 }),
      isCordoned: boolean({ since: 5 }),
    }),
  },
  handle({ topics }, call) {
    const { broker } = call
    broker.engine.throwIfClosed()
    const wanted = new Map<string, Set<number>>()
    for (const { topic, partitions } of topics ?? []) {
      const indexes = wanted.get(topic) ?? new Set()
      for (const index of partitions) indexes.add(index)
      wanted.set(topic, indexes)
    }
    const found = []
    for (const topic of broker.topics()) {
      const indexes = wanted.get(topic.name)
      if (topics !== null && indexes === undefined) continue
      const partitions = partitionsOf(topic, call).filter(({ partitionIndex }) => indexes?.has(partitionIndex) ?? true)
      if (partitions.length > 0) found.push({ name: topic.name, partitions })
    }
    const volume = { totalBytes: -1, usableBytes: -1, isCordoned: false }
    const results = [{ errorCode: 0, logDir: resolve(broker.engine.directory), topics: found, ...volume }]
    return { throttleTimeMs: 0, errorCode: 0, results }
  },
  refuse: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode, results: [] }),
})

/** Those that the node leads: it has no others. */
function partitionsOf({ partitions }: Topic, { broker, nodeId }: Call) {
  const own = partitions.filter(({ partition }) => broker.leaderOf(partition).nodeId === nodeId)
  return own.map(({ partition, log }) => ({
    partitionIndex: partition,
    partitionSize: log.sizeBytes,
    offsetLag: 0,
    isFutureKey: false,
  }))
}
