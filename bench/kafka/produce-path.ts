import { BatchEncoder } from '../../src/codec/batch-encoder.ts'
import { Varve } from '../../src/index.ts'
import { listOffsets } from '../../src/kafka/apis/list-offsets.ts'
import { metadata } from '../../src/kafka/apis/metadata.ts'
import { produce } from '../../src/kafka/apis/produce.ts'
import { KafkaTestClient } from '../../test/helpers/kafka-client.ts'
import { withDirectory } from '../harness.ts'
import { payloads } from '../payloads.ts'
import { startVarve } from './servers.ts'

const BATCH_BYTES = 16 * 1024
/** What a record has around its value, at most. */
const AROUND_BYTES = 12
const IN_FLIGHT = 16
const NO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

/** Records per second of batches of 16 KiB, 16 in flight and nothing synced: by `appendBatch`, and by Produce over TCP. */
export async function measureProducePath(recordBytes: number, batches: number): Promise<{ door: number; own: number }> {
  const perBatch = Math.floor(BATCH_BYTES / (recordBytes + AROUND_BYTES))
  const records = payloads(recordBytes)
    .slice(0, perBatch)
    .map((value) => ({ value }))
  const own = await withDirectory((directory) => embedded(directory, records, batches))
  const door = await withDirectory((directory) => overTcp(directory, records, batches))
  return { own, door }
}

type Records = readonly { value: Buffer }[]

async function embedded(directory: string, records: Records, batches: number): Promise<number> {
  const log = await Varve.open({ directory, flush: 'os' })
  try {
    await log.createTopic({ name: 't', valueCodec: 'bytes' })
    return await timed(records.length * batches, batches, async () => void (await log.appendBatch('t', records)))
  } finally {
    await log.close()
  }
}

async function overTcp(directory: string, records: Records, batches: number): Promise<number> {
  const server = await startVarve(directory, false)
  try {
    await using client = await KafkaTestClient.connect(server.bootstrap)
    const now = () => Date.now()
    const encoder = new BatchEncoder({ batchBytes: 1 << 20, compressionType: 'none', timestampType: 'CreateTime', now })
    for (const { value } of records) encoder.append(null, value, [], now())
    const partitionData = [{ index: 0, records: [Buffer.from(encoder.finish().bytes)] }]
    const request = { acks: -1, timeoutMs: 30_000, topicData: [{ name: 't', topicId: NO_TOPIC_ID, partitionData }] }
    const frame = client.encode(produce, 9, request, 0)
    await client.send(metadata, 9, { topics: [{ topicId: NO_TOPIC_ID, name: 't' }], allowAutoTopicCreation: true })
    let id = 0
    const send = async () => {
      const answer = client.answerTo(++id)
      frame.writeInt32BE(id, 8)
      client.socket.write(Buffer.from(frame))
      await answer
    }
    const rate = await timed(records.length * batches, batches, send)
    const asked = { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }
    const { topics } = await client.send(listOffsets, 5, { topics: [{ name: 't', partitions: [asked] }] })
    const { offset } = topics[0].partitions[0]
    if (offset !== records.length * batches) throw new Error(`${offset} records arrived`)
    return rate
  } finally {
    await server.stop()
  }
}

async function timed(records: number, batches: number, append: () => Promise<void>): Promise<number> {
  let left = batches
  const started = performance.now()
  const inTurn = async () => {
    while (left-- > 0) await append()
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, inTurn))
  return records / ((performance.now() - started) / 1000)
}
