import { checkReceivedBatch, recordsWithoutKey } from '../../codec/received-batch.ts'
import { isCompacted } from '../../engine/topic-config.ts'
import { refuseInternal } from '../../engine/internal-topics.ts'
import type { Topic } from '../../engine/topic.ts'
import { VarveError } from '../../errors.ts'
import { defineApi, errorNumber, messageOf, type Call } from '../api.ts'
import { INVALID_RECORD, INVALID_REQUIRED_ACKS, UNKNOWN_TOPIC_ID } from '../error-codes.ts'
import {
  int16,
  int32,
  int64,
  list,
  nullableString,
  records,
  string,
  struct,
  uuid,
  type Values,
} from '../protocol/schema.ts'

const leader = struct({ leaderId: int32({ default: -1 }), leaderEpoch: int32({ default: -1 }) }, { since: 10, tag: 0 })

const partitionAnswer = {
  index: int32(),
  errorCode: int16(),
  baseOffset: int64(),
  logAppendTimeMs: int64({ since: 2, default: -1 }),
  logStartOffset: int64({ since: 5, default: -1 }),
  recordErrors: list({ batchIndex: int32(), batchIndexErrorMessage: nullableString() }, { since: 8 }),
  errorMessage: nullableString({ since: 8 }),
  currentLeader: leader,
}

const topicData = {
  name: string({ until: 12 }),
  topicId: uuid({ since: 13 }),
  partitionData: list({ index: int32(), records: records() }),
}

type PartitionData = Values<typeof topicData>['partitionData'][number]
type PartitionAnswer = Values<typeof partitionAnswer>

/** So many records of a batch are named as wrong. */
const RECORD_ERRORS_MAX = 100

/**
 * Appends batches as they are: one per partition, each checked by its header and checksum. Records are only looked into
 * where the topic is compacted: they must have keys.
 *
 * When it is answered is the topic's flush mode's matter: under `'group'` and `'each'` after the fdatasync, under a window
 * and `'os'` when it is written. acks=1 and acks=all are the same, for there are no other replicas; acks=0 is not answered,
 * and as Kafka does the connection is closed where something fails. The client's timeout is that of replication, and means
 * nothing here.
 *
 * The place of a batch in its partition is decided in the turn in which the request begins, or in that order where the
 * log's memory for appends is full: requests of one connection may be many at a time. Transactional batches are refused.
 *
 * Version 0 is advertised, as Kafka 4 does: older librdkafka compresses nothing where it is not.
 */
export const produce = defineApi({
  key: 0,
  name: 'Produce',
  versions: [3, 13],
  advertised: [0, 13],
  flexibleSince: 9,
  isPipelined: true,
  bringsRecords: true,
  isTransient: true,
  request: {
    transactionalId: nullableString({ since: 3 }),
    acks: int16(),
    timeoutMs: int32(),
    topicData: list(topicData),
  },
  response: {
    responses: list({
      name: string({ until: 12 }),
      topicId: uuid({ since: 13 }),
      partitionResponses: list(partitionAnswer),
    }),
    throttleTimeMs: int32({ since: 1 }),
    nodeEndpoints: list(
      { nodeId: int32(), host: string(), port: int32(), rack: nullableString() },
      { since: 10, tag: 0 },
    ),
  },
  async handle({ acks, topicData }, call) {
    const isKnown = acks === 0 || acks === 1 || acks === -1
    // all are queued before any is waited for
    const underWay = []
    for (const { name, topicId, partitionData } of topicData) {
      const partitions: Promise<PartitionAnswer>[] = []
      for (const data of partitionData) {
        if (isKnown) partitions.push(append(name, topicId, data, call))
        else partitions.push(Promise.resolve(failed(data, INVALID_REQUIRED_ACKS, `acks cannot be ${acks}`)))
        if (call.pace.isOver) await call.pace.rest()
      }
      underWay.push({ name, topicId, partitions })
    }
    call.begun()
    const responses = []
    for (const { name, topicId, partitions } of underWay) {
      responses.push({ name, topicId, partitionResponses: await Promise.all(partitions) })
    }
    if (acks !== 0) return { responses, throttleTimeMs: 0, nodeEndpoints: [] }
    const hasFailed = responses.some(({ partitionResponses: answers }) => answers.some((it) => it.errorCode !== 0))
    if (hasFailed) call.connection.destroy()
    return null
  },
  refuse({ acks, topicData }, errorCode, message, { connection }) {
    if (acks === 0) connection.destroy()
    if (acks === 0) return null
    const responses = topicData.map(({ name, topicId, partitionData }) => ({
      name,
      topicId,
      partitionResponses: partitionData.map((data) => failed(data, errorCode, message)),
    }))
    return { responses, throttleTimeMs: 0, nodeEndpoints: [] }
  },
})

/** Queues one batch in this turn; resolves, and never rejects, when it is acknowledged or refused. */
async function append(
  name: string,
  topicId: string,
  data: PartitionData,
  { version, broker }: Call,
): Promise<PartitionAnswer> {
  const topic = version < 13 ? broker.find(name, topicId) : (broker.topicById(topicId) ?? UNKNOWN_TOPIC_ID)
  try {
    broker.engine.throwIfNotWritable()
    refuseInternal(typeof topic === 'number' ? name : topic.name)
    if (typeof topic === 'number') return failed(data, topic, 'there is no such topic')
    const partition = topic.partition(data.index)
    const bytes = batchOf(data)
    const { maxBatchBytes } = broker.limits
    if (bytes.length > maxBatchBytes) {
      const message = `a batch of ${bytes.length} bytes is larger than the server's limit maxBatchBytes (${maxBatchBytes})`
      throw new VarveError('MESSAGE_TOO_LARGE', message)
    }
    const header = checkReceivedBatch(bytes, topic.config.maxMessageBytes, version >= 7)
    if (isCompacted(topic.config)) {
      const wrong = recordsWithoutKey(bytes, header, broker.limits.maxDecompressedBytes, RECORD_ERRORS_MAX)
      if (wrong.length > 0) return keysMissing(data, topic, wrong)
    }
    const { baseOffset, appendTime } = await topic.appendReceived(partition, bytes, header)
    const { logStartOffset } = partition.log
    return { ...failed(data, 0, null), baseOffset, logAppendTimeMs: appendTime, logStartOffset }
  } catch (error) {
    broker.reportUnexpected('Produce', error)
    return failed(data, errorNumber(error), messageOf(error))
  }
}

function batchOf({ records: pieces }: PartitionData): Buffer {
  const [bytes] = pieces ?? []
  if (bytes === undefined) throw new VarveError('INVALID_RECORD', 'there must be exactly one batch, and there is none')
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function failed({ index }: PartitionData, errorCode: number, errorMessage: string | null): PartitionAnswer {
  const nowhere = { baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1, currentLeader: leader.default }
  return { index, errorCode, recordErrors: [], errorMessage, ...nowhere }
}

function keysMissing(data: PartitionData, { name }: Topic, indexes: readonly number[]): PartitionAnswer {
  const why = `a record without a key is not taken: '${name}' is compacted`
  const recordErrors = indexes.map((batchIndex) => ({ batchIndex, batchIndexErrorMessage: why }))
  return { ...failed(data, INVALID_RECORD, why), recordErrors }
}
