/** Memory of requests and answers is used again, and never while anybody still needs what is in it. */
import { expect, test } from 'vitest'
import { fetch } from '../../src/kafka/apis/fetch.ts'
import { produce } from '../../src/kafka/apis/produce.ts'
import { clientBatch, withoutPlace } from '../helpers/client-batch.ts'
import { KafkaTestClient } from '../helpers/kafka-client.ts'
import { KafkaSession } from '../helpers/kafka-session.ts'

const MIB = 1024 * 1024
const PARTITIONS = 4
const NO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA'
const nothing = { lastFetchedEpoch: -1, logStartOffset: -1, replicaDirectoryId: NO_TOPIC_ID, highWatermark: -1 }

const batchOf = (name: string) => clientBatch([name.repeat(MIB / 2 / name.length)])

function fetching(partition: number) {
  const asked = { partition, fetchOffset: 0, currentLeaderEpoch: -1, partitionMaxBytes: 8 * MIB, ...nothing }
  return { maxBytes: 8 * MIB, minBytes: 1, topics: [{ topic: 't', topicId: NO_TOPIC_ID, partitions: [asked] }] }
}

function producing(partition: number, batch: Buffer) {
  const partitionData = [{ index: partition, records: [batch] }]
  return { acks: -1, timeoutMs: 1000, topicData: [{ name: 't', topicId: NO_TOPIC_ID, partitionData }] }
}

async function storedIn(session: KafkaSession, partition: number): Promise<Buffer[]> {
  const stored: Buffer[] = []
  for await (const { bytes } of session.log.readBatches('t', { partition })) stored.push(Buffer.from(bytes))
  return stored
}

test('an answer that its client has not taken yet stays as it is while others are answered', async () => {
  await using session = await KafkaSession.open()
  const { client, log, server } = session
  await log.createTopic({ name: 't', partitions: PARTITIONS, valueCodec: 'bytes' })
  for (let i = 0; i < PARTITIONS * 16; i++) await client.send(produce, 9, producing(i % PARTITIONS, batchOf(`b${i} `)))
  await using slow = await KafkaTestClient.connect(server.bootstrapServers[0])
  slow.socket.pause()
  const answers = Array.from({ length: 3 }, () => slow.send(fetch, 4, fetching(0)))
  for (let i = 0; i < 12; i++) await client.send(fetch, 4, fetching(1 + (i % (PARTITIONS - 1))))
  slow.socket.resume()
  const stored = Buffer.concat(await storedIn(session, 0)).subarray(0, 8 * MIB)
  for (const { responses } of await Promise.all(answers)) {
    const bytes = Buffer.concat(responses[0].partitions[0].records ?? [])
    expect(bytes.length).toBeGreaterThan(7 * MIB)
    expect(bytes.equals(stored.subarray(0, bytes.length))).toBe(true)
  }
})

test('requests that wait for their sync are stored as they came, whatever comes after them', async () => {
  await using session = await KafkaSession.open()
  const { client, log } = session
  await log.createTopic({ name: 't', partitions: PARTITIONS, valueCodec: 'bytes' })
  const batches = Array.from({ length: 40 }, (_, i) => batchOf(`c${i} `))
  await Promise.all(batches.map((batch, i) => client.send(produce, 9, producing(i % PARTITIONS, batch))))
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const sent = batches.filter((_, i) => i % PARTITIONS === partition)
    const stored = await storedIn(session, partition)
    expect(stored.map(withoutPlace)).toEqual(sent.map(withoutPlace))
  }
})
