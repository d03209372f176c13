/** A server that closes: what it was asked is answered, whoever waits is told at once, and who does not go is cut off. */
import { expect, test } from 'vitest'
import { apiVersions } from '../../src/kafka/apis/api-versions.ts'
import { fetch } from '../../src/kafka/apis/fetch.ts'
import { joinGroup } from '../../src/kafka/apis/join-group.ts'
import { produce } from '../../src/kafka/apis/produce.ts'
import { ZERO_UUID } from '../../src/kafka/protocol/schema.ts'
import { serveKafka } from '../../src/kafka/server.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { clientBatch } from '../helpers/client-batch.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { KafkaTestClient } from '../helpers/kafka-client.ts'
import { idle, openLog, valuesOf } from '../helpers/logs.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

const DRAIN_MS = 10_000
const NEVER_MS = 600_000

/** A server of a topic `t`, whose time stands still and whose syncs can be held. */
async function open() {
  const clock = new FakeClock()
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await openLog({ storage, clock })
  await log.createTopic({ name: 't', valueCodec: 'string' })
  await log.append('t', { value: 'first', partition: 0 })
  const warnings: string[] = []
  const kafka = await serveKafka(log, { onWarning: (message) => warnings.push(message) })
  return {
    clock,
    storage,
    log,
    kafka,
    warnings,
    connect: () => KafkaTestClient.connect(kafka.bootstrapServers[0]),
    async [Symbol.asyncDispose]() {
      await kafka.close()
      await log.close()
    },
  }
}

function producing(value: string) {
  const partitionData = [{ index: 0, records: [clientBatch([value])] }]
  return { acks: -1, topicData: [{ name: 't', topicId: ZERO_UUID, partitionData }] }
}

function polling() {
  const unused = { lastFetchedEpoch: -1, logStartOffset: -1, replicaDirectoryId: ZERO_UUID, highWatermark: -1 }
  const asked = { partition: 0, fetchOffset: 1, currentLeaderEpoch: -1, partitionMaxBytes: 1 << 20, ...unused }
  return { maxWaitMs: NEVER_MS, minBytes: 1, topics: [{ topic: 't', topicId: ZERO_UUID, partitions: [asked] }] }
}

test('a produce that is under way is answered when it is durable, and nothing is asked for after that', async () => {
  await using it = await open()
  await using client = await it.connect()
  const gate = new SyncGate()
  it.storage.syncGate = gate
  const answer = client.send(produce, 9, producing('under way'))
  await gate.arrived()
  let isClosed = false
  const closing = it.kafka.close().then(() => (isClosed = true))
  const late = client.send(produce, 9, producing('late'))
  late.catch(() => {})
  await idle()
  expect(isClosed).toBe(false)
  gate.open()
  expect((await answer).responses[0].partitionResponses[0]).toMatchObject({ errorCode: 0, baseOffset: 1 })
  await closing
  await expect(late).rejects.toThrow(/closed/)
  expect(await valuesOf(it.log, 't')).toEqual(['first', 'under way'])
  expect(it.warnings).toEqual([])
})

test('who waits for records or for other members is answered at once, in order', async () => {
  await using it = await open()
  await using poller = await it.connect()
  await using member = await it.connect()
  await using other = await it.connect()
  const order: string[] = []
  const poll = poller.send(fetch, 12, polling()).then((answer) => (order.push('poll'), answer))
  const behind = poller.send(apiVersions, 0).then((answer) => (order.push('behind'), answer))
  const request = { groupId: 'g', sessionTimeoutMs: 10_000, protocolType: 'consumer' }
  const join = { ...request, rebalanceTimeoutMs: NEVER_MS, protocols: [{ name: 'range', metadata: Buffer.alloc(0) }] }
  await member.send(joinGroup, 3, join)
  const joining = other.send(joinGroup, 3, join)
  // what was sent before is served before
  await (await it.connect()).send(apiVersions, 0)
  await idle(50)
  expect(order).toEqual([])
  await it.kafka.close()
  expect((await poll).responses[0].partitions[0].errorCode).toBe(0)
  expect((await joining).errorCode).toBe(15)
  expect((await behind).errorCode).toBe(0)
  expect(order).toEqual(['poll', 'behind'])
  expect(it.warnings).toEqual([])
})

test('who does not go is cut off when its time is over', async () => {
  await using it = await open()
  await using deaf = await it.connect()
  const gate = new SyncGate()
  it.storage.syncGate = gate
  const answer = deaf.send(produce, 9, producing('stuck'))
  answer.catch(() => {})
  await gate.arrived()
  let isClosed = false
  const closing = it.kafka.close().then(() => (isClosed = true))
  it.clock.advance(DRAIN_MS - 1)
  await idle()
  expect(isClosed).toBe(false)
  it.clock.advance(1)
  await closing
  await expect(answer).rejects.toThrow(/closed/)
  gate.open()
})

test('a peer that has begun a request, or keeps its half open, holds nobody up', async () => {
  await using it = await open()
  const half = await it.connect()
  half.socket.write(Buffer.from('000000640003', 'hex'))
  const silent = await it.connect()
  expect((await silent.send(apiVersions, 0)).errorCode).toBe(0)
  await it.kafka.close()
  await Promise.all([half.whenClosed(), silent.whenClosed()])
  expect(it.warnings).toEqual([])
})

test('nobody new is let in, and closing twice is closing once', async () => {
  await using it = await open()
  const [host, port] = it.kafka.bootstrapServers[0].split(':')
  await Promise.all([it.kafka.close(), it.kafka.close()])
  await expect(KafkaTestClient.connect(`${host}:${port}`)).rejects.toThrow(/ECONNREFUSED/)
})
