/** A server over TCP: who may speak, and what becomes of those who do not speak Kafka. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { apiVersions } from '../../src/kafka/apis/api-versions.ts'
import { fetch } from '../../src/kafka/apis/fetch.ts'
import { listOffsets } from '../../src/kafka/apis/list-offsets.ts'
import { metadata } from '../../src/kafka/apis/metadata.ts'
import { produce } from '../../src/kafka/apis/produce.ts'
import { ZERO_UUID } from '../../src/kafka/protocol/schema.ts'
import { serveKafka } from '../../src/kafka/server.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { clientBatch } from '../helpers/client-batch.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { KafkaSession } from '../helpers/kafka-session.ts'
import { KafkaTestClient } from '../helpers/kafka-client.ts'
import { idle, openLog } from '../helpers/logs.ts'

test('a client is told which APIs there are, in every version of the question', async () => {
  await using log = await openLog({ storage: new MemoryStorage() })
  await using kafka = await serveKafka(log)
  await using client = await KafkaTestClient.connect(kafka.bootstrapServers[0])
  for (const version of [0, 1, 2, 3, 4]) {
    const answer = await client.send(apiVersions, version, { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' })
    expect(answer).toMatchObject({
      errorCode: 0,
      apiKeys: expect.arrayContaining([{ apiKey: 18, minVersion: 0, maxVersion: 4 }]),
    })
  }
})

/** Sends bytes on a connection of its own; resolves when the server has closed it. */
async function attack(session: KafkaSession, bytes: Buffer | string): Promise<void> {
  await using client = await KafkaTestClient.connect(session.server.bootstrapServers[0])
  const closed = closingOf(client)
  client.socket.write(bytes)
  await closed
}

const frame = (...bytes: number[]) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), Buffer.from(bytes)])

describe('costs its sender the connection, and the server one line', () => {
  test.each<[what: string, bytes: Buffer | string, line: RegExp]>([
    ['an HTTP request', 'GET / HTTP/1.1\r\n\r\n', /speaks HTTP/],
    ['a TLS greeting', Buffer.from('16030100f8010000f4', 'hex'), /speaks TLS/],
    ['a length of 2 GiB', Buffer.from('7fffffff00000000', 'hex'), /2147483647 bytes/],
    ['a length below 0', Buffer.from('ffffffff00000000', 'hex'), /-1 bytes/],
    ['a request without a header', frame(0, 3, 0, 1), /4 bytes/],
    ['an API that there is none of', frame(3, 232, 0, 0, 0, 0, 0, 1, 255, 255), /no API 1000/],
    ['a version that is not served', frame(0, 3, 0, 99, 0, 0, 0, 1, 255, 255), /Metadata version 99 is not served/],
    ['a list of 2^31 - 1 topics', frame(0, 3, 0, 1, 0, 0, 0, 1, 255, 255, 127, 255, 255, 255), /cannot hold a list/],
    ['a client name beyond the request', frame(0, 3, 0, 1, 0, 0, 0, 1, 127, 255), /cannot read a request/],
  ])('%s', async (_what, bytes, line) => {
    await using session = await KafkaSession.open()
    await attack(session, bytes)
    expect(session.warnings).toEqual([expect.stringMatching(line)])
    expect(session.warnings[0]).toMatch(/^connection of 127\.0\.0\.1:\d+ closed: /)
    // the others go on
    expect((await session.client.send(apiVersions, 0)).errorCode).toBe(0)
  })
})

test('bytes behind a request are not looked at, as in Kafka: librdkafka leaves some', async () => {
  await using session = await KafkaSession.open()
  const request = session.client.encode(metadata, 13, { topics: null }, 1_000)
  const longer = Buffer.concat([request, Buffer.from([1, 0, 0])])
  longer.writeInt32BE(longer.length - 4)
  const answer = session.client.answerTo(1_000)
  session.client.socket.write(longer)
  expect((await answer).length).toBeGreaterThan(10)
  expect(session.warnings).toEqual([])
})

test('a request that comes byte by byte, and an answer that nobody takes, end in their time', async () => {
  await using session = await KafkaSession.open({ limits: { stallMs: 60 } })
  await using slow = await KafkaTestClient.connect(session.server.bootstrapServers[0])
  const closed = closingOf(slow)
  const request = slow.encode(apiVersions, 0, {}, 1)
  const sending = (async () => {
    for (const byte of request) {
      slow.socket.write(Buffer.from([byte]))
      await new Promise((resolve) => setTimeout(resolve, 15))
    }
  })()
  await closed
  await sending
  expect(session.warnings).toEqual([expect.stringMatching(/more than 60 ms/)])
})

test('a connection that says nothing is closed in its time, without a word', async () => {
  await using session = await KafkaSession.open({ limits: { idleMs: 40 } })
  await using quiet = await KafkaTestClient.connect(session.server.bootstrapServers[0])
  await closingOf(quiet)
  expect(session.warnings).toEqual([])
})

test('one connection too many is refused, and one that ends makes room', async () => {
  await using session = await KafkaSession.open({ limits: { maxConnections: 2 } })
  const [server] = session.server.bootstrapServers
  const second = await KafkaTestClient.connect(server)
  const third = await KafkaTestClient.connect(server)
  await closingOf(third)
  expect(session.warnings).toEqual([expect.stringMatching(/there are 2 already/)])
  await second[Symbol.asyncDispose]()
  // the server hears of it in its own time
  for (let isServed = false; !isServed;) {
    await using fourth = await KafkaTestClient.connect(server)
    isServed = await fourth.send(apiVersions, 0).then(
      ({ errorCode }) => errorCode === 0,
      () => false,
    )
  }
})

test('requests that were sent at once are answered in their order', async () => {
  await using session = await KafkaSession.open()
  const { client } = session
  const ids = Array.from({ length: 50 }, (_, i) => i + 100)
  const answers = ids.map((id) => client.answerTo(id))
  client.socket.write(Buffer.concat(ids.map((id) => client.encode(apiVersions, 0, {}, id))))
  const order: number[] = []
  await Promise.all(answers.map(async (answer) => order.push((await answer).readInt32BE(0))))
  expect(order).toEqual(ids)
})

test('a directory has the same cluster id over restarts, another one has another', async () => {
  const storage = new MemoryStorage()
  const ids: (string | null)[] = []
  for (const own of [storage, storage, new MemoryStorage()]) {
    await using session = await KafkaSession.open({}, { storage: own })
    ids.push((await session.client.send(metadata, 12, { topics: [] })).clusterId)
    expect(session.warnings).toEqual([])
  }
  expect(ids[0]).toMatch(/^[\w-]{22}$/)
  expect(ids[1]).toBe(ids[0])
  expect(ids[2]).not.toBe(ids[0])
})

test('a cluster id that cannot be stored is told of, and served all the same', async () => {
  const storage = new MemoryStorage()
  await (await openLog({ storage })).close()
  await using session = await KafkaSession.open({}, { storage, readOnly: true })
  expect((await session.client.send(metadata, 12, { topics: [] })).clusterId).toHaveLength(22)
  expect(session.warnings).toEqual([expect.stringMatching(/^the cluster id '.{22}' could not be stored/)])
})

test('where the log was closed under its server, a client is told to look for the leader again', async () => {
  const storage = new MemoryStorage()
  await using session = await KafkaSession.open({}, { storage })
  const { topicId } = await session.log.createTopic({ name: 't', valueCodec: 'bytes' })
  const { client } = session
  const at = { partition: 0, currentLeaderEpoch: -1, fetchOffset: 0, lastFetchedEpoch: -1, logStartOffset: -1 }
  const nothing = { partitionMaxBytes: 99, replicaDirectoryId: 'AAAAAAAAAAAAAAAAAAAAAA', highWatermark: -1 }
  const asked = [{ topic: 't', topicId, partitions: [{ ...at, ...nothing }] }]
  const bounds = { maxWaitMs: 600_000, minBytes: 1, maxBytes: 1_000 }
  const poll = (by = client) => by.send(fetch, 12, { ...bounds, topics: asked })
  await using other = await KafkaTestClient.connect(session.server.bootstrapServers[0])
  const waiting = poll(other)
  await client.send(apiVersions, 0)
  const closing = session.log.close()
  const partition = { index: 0, records: [clientBatch(['a'])] }
  const topicData = [{ name: 't', topicId, partitionData: [partition] }]
  const request = { transactionalId: null, acks: -1, timeoutMs: 1_000, topicData }
  const refused = (await client.send(produce, 9, request)).responses[0].partitionResponses[0]
  expect(refused).toMatchObject({ errorCode: 6, baseOffset: -1 })
  await closing
  for (const { responses } of [await waiting, await poll()]) expect(responses[0].partitions[0].errorCode).toBe(6)
  const times = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: 1_000 }]
  const listed = await client.send(listOffsets, 5, { topics: [{ name: 't', partitions: times }] })
  expect(listed.topics[0].partitions[0].errorCode).toBe(6)
})

test('a server that ends does not wait for a client that has its answers and does not look', async () => {
  const clock = new FakeClock()
  await using session = await KafkaSession.open({}, { clock })
  const [host, port] = session.server.bootstrapServers[0].split(':')
  const blind = connect({ host, port: Number(port), allowHalfOpen: true })
  await once(blind, 'connect')
  const request = session.client.encode(apiVersions, 0, {}, 1)
  blind.write(request)
  await once(blind, 'data')
  const closing = session.server.close()
  await once(blind.resume(), 'end')
  // well below what one that awaits an answer may take
  for (let ms = 0; ms < 5_000; ms += 100) {
    clock.advance(100)
    await idle(1)
  }
  await closing
  blind.destroy()
})

/** Resolves when the connection is gone, in order or not. */
function closingOf({ socket }: KafkaTestClient): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

test('what was asked for before the other side closed is done, though it may wait for its turn', async () => {
  await using session = await KafkaSession.open({ limits: { maxInFlightRequests: 2 } })
  await session.log.createTopic({ name: 't', valueCodec: 'bytes' })
  await using other = await KafkaTestClient.connect(session.server.bootstrapServers[0])
  const records = (i: number) => ({ index: 0, records: [clientBatch([`${i}`])] })
  const requests = Array.from({ length: 50 }, (_, i) => {
    const topicData = [{ name: 't', topicId: ZERO_UUID, partitionData: [records(i)] }]
    return other.encode(produce, 9, { acks: 0, topicData }, i)
  })
  const closed = closingOf(other)
  other.socket.end(Buffer.concat(requests))
  await closed
  expect(session.log.offsets('t')[0].logEndOffset).toBe(50)
  expect(session.warnings).toEqual([])
})
