import { AnswerBuffers } from '../answer-buffers.ts'
import { defineApi } from '../api.ts'
import { keyOf } from '../fetch-sessions.ts'
import { FetchRound, type Fetched } from '../fetch-round.ts'
import {
  array,
  int16,
  int32,
  int64,
  int8,
  list,
  nullableArray,
  nullableString,
  optionalStruct,
  records,
  string,
  struct,
  uuid,
  ZERO_UUID,
  type Values,
} from '../protocol/schema.ts'

const partitionAnswer = {
  partitionIndex: int32(),
  errorCode: int16(),
  highWatermark: int64({ default: -1 }),
  lastStableOffset: int64({ since: 4, default: -1 }),
  logStartOffset: int64({ since: 5, default: -1 }),
  divergingEpoch: optionalStruct(
    { epoch: int32({ default: -1 }), endOffset: int64({ default: -1 }) },
    { since: 12, tag: 0 },
  ),
  currentLeader: optionalStruct(
    { leaderId: int32({ default: -1 }), leaderEpoch: int32({ default: -1 }) },
    { since: 12, tag: 1 },
  ),
  snapshotId: optionalStruct(
    { endOffset: int64({ default: -1 }), epoch: int32({ default: -1 }) },
    { since: 12, tag: 2 },
  ),
  abortedTransactions: nullableArray(struct({ producerId: int64(), firstOffset: int64() }), { since: 4 }),
  preferredReadReplica: int32({ since: 11, default: -1 }),
  records: records(),
}

/**
 * Records, as the batches that are stored, from each partition's offset on: the first batch may begin before it, and is
 * whole also where it is larger than what was asked for.
 *
 * Waits up to `maxWaitMs` until there are `minBytes`. From version 7 on a client may keep a session, and then says and
 * hears only what changes. Both isolation levels read alike as long as there are no transactions.
 */
export const fetch = defineApi({
  key: 1,
  name: 'Fetch',
  versions: [4, 18],
  flexibleSince: 12,
  request: {
    clusterId: nullableString({ since: 12, tag: 0 }),
    replicaId: int32({ until: 14, default: -1 }),
    replicaState: optionalStruct(
      { replicaId: int32({ default: -1 }), replicaEpoch: int64({ default: -1 }) },
      { since: 15, tag: 1 },
    ),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32({ since: 3, default: 0x7fffffff }),
    isolationLevel: int8({ since: 4 }),
    sessionId: int32({ since: 7 }),
    sessionEpoch: int32({ since: 7, default: -1 }),
    topics: list({
      topic: string({ until: 12 }),
      topicId: uuid({ since: 13 }),
      partitions: list({
        partition: int32(),
        currentLeaderEpoch: int32({ since: 9, default: -1 }),
        fetchOffset: int64(),
        lastFetchedEpoch: int32({ since: 12, default: -1 }),
        logStartOffset: int64({ since: 5, default: -1 }),
        partitionMaxBytes: int32(),
        replicaDirectoryId: uuid({ since: 17, tag: 0 }),
        highWatermark: int64({ since: 18, tag: 1, default: -1 }),
      }),
    }),
    forgottenTopicsData: list(
      { topic: string({ until: 12 }), topicId: uuid({ since: 13 }), partitions: array(int32()) },
      { since: 7 },
    ),
    rackId: string({ since: 11 }),
  },
  response: {
    throttleTimeMs: int32({ since: 1 }),
    errorCode: int16({ since: 7 }),
    sessionId: int32({ since: 7 }),
    responses: list({
      topic: string({ until: 12 }),
      topicId: uuid({ since: 13 }),
      partitions: list(partitionAnswer),
    }),
    nodeEndpoints: list(
      { nodeId: int32(), host: string(), port: int32(), rack: nullableString() },
      { since: 16, tag: 0 },
    ),
  },
  async handle(request, call) {
    const { broker, connection, pace } = call
    const partitions = request.topics.flatMap(({ topic, topicId, partitions: asked }) =>
      asked.map(({ partition, fetchOffset, currentLeaderEpoch, partitionMaxBytes }) => ({
        topic,
        topicId,
        partition,
        fetchOffset,
        currentLeaderEpoch,
        partitionMaxBytes,
      })),
    )
    const forgotten = request.forgottenTopicsData.flatMap(({ topic, topicId, partitions: gone }) =>
      gone.map((partition) => ({ topic, topicId, partition })),
    )
    if (pace.isOver) await pace.rest()
    const { sessionId, sessionEpoch } = request
    const used = await broker.fetchSessions.use({ sessionId, sessionEpoch, partitions, forgotten }, pace)
    if (typeof used === 'number') return answer(used, 0, [])
    const { session, isFull } = used
    const buffers = new AnswerBuffers(broker.buffers, (bytes) => call.hold(bytes))
    call.onAnswered(() => buffers.release())
    const round = new FetchRound(broker, [...session.partitions.values()], request, buffers, pace)
    await round.run((wake) => connection.onClosed(wake))
    const news = round.fetched.filter((one) => isFull || one.isNews)
    for (const { asked, highWatermark, logStartOffset, pieces } of round.fetched) {
      if (pace.isOver) await pace.rest()
      asked.highWatermark = highWatermark
      asked.logStartOffset = logStartOffset
      if (session.id === 0 || pieces.length === 0) continue
      // those that gave something come last the next time
      const key = keyOf(asked)
      if (session.partitions.delete(key)) session.partitions.set(key, asked)
    }
    if (pace.isOver) await pace.rest()
    return answer(0, session.id, news, request.isolationLevel === READ_COMMITTED)
  },
  refuse: ({ topics }, errorCode) => ({
    ...answer(errorCode, 0, []),
    responses: topics.map(({ topic, topicId, partitions }) => ({
      topic,
      topicId,
      partitions: partitions.map(({ partition }) => failed(partition, errorCode)),
    })),
  }),
})

const READ_COMMITTED = 1

function answer(errorCode: number, sessionId: number, fetched: Fetched[], isReadCommitted = false) {
  const responses = new Map<string, { topic: string; topicId: string; partitions: Values<typeof partitionAnswer>[] }>()
  for (const one of fetched) {
    const { topic, topicId, partition } = one.asked
    const key = topicId === ZERO_UUID ? topic : topicId
    const response = responses.get(key) ?? { topic, topicId, partitions: [] }
    responses.set(key, response)
    response.partitions.push({
      ...failed(partition, one.errorCode),
      highWatermark: one.highWatermark,
      lastStableOffset: one.highWatermark,
      logStartOffset: one.logStartOffset,
      abortedTransactions: isReadCommitted ? [] : null,
      records: one.pieces,
    })
  }
  return { throttleTimeMs: 0, errorCode, sessionId, responses: [...responses.values()], nodeEndpoints: [] }
}

function failed(partitionIndex: number, errorCode: number): Values<typeof partitionAnswer> {
  return {
    partitionIndex,
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    divergingEpoch: null,
    currentLeader: null,
    snapshotId: null,
    abortedTransactions: null,
    preferredReadReplica: -1,
    records: [],
  }
}
