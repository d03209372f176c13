/** What a client may take, and what becomes of one that takes more: each limit, with little of everything. */
import { describe, expect, test, vi } from 'vitest'
import { Topic } from '../../src/engine/topic.ts'
import { apiVersions } from '../../src/kafka/apis/api-versions.ts'
import { createTopics } from '../../src/kafka/apis/create-topics.ts'
import { fetch } from '../../src/kafka/apis/fetch.ts'
import { metadata } from '../../src/kafka/apis/metadata.ts'
import { produce } from '../../src/kafka/apis/produce.ts'
import { ZERO_UUID } from '../../src/kafka/protocol/schema.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { clientBatch } from '../helpers/client-batch.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { KafkaTestClient } from '../helpers/kafka-client.ts'
import { KafkaSession } from '../helpers/kafka-session.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

const NEVER_MS = 600_000
const named = (...names: string[]) => names.map((name) => ({ name, topicId: ZERO_UUID }))

function connect({ server }: KafkaSession): Promise<KafkaTestClient> {
  return KafkaTestClient.connect(server.bootstrapServers[0])
}

function producing(...batches: Buffer[]) {
  const partitionData = batches.map((batch) => ({ index: 0, records: [batch] }))
  return { acks: -1, topicData: [{ name: 't', topicId: ZERO_UUID, partitionData }] }
}

/** A fetch of partition 0 from its end on, or from an offset. */
function fetching({ fetchOffset = 0, maxWaitMs = 0, minBytes = 1 } = {}) {
  const unused = { lastFetchedEpoch: -1, logStartOffset: -1, replicaDirectoryId: ZERO_UUID, highWatermark: -1 }
  const asked = { partition: 0, fetchOffset, currentLeaderEpoch: -1, partitionMaxBytes: 1 << 20, ...unused }
  return { maxWaitMs, minBytes, topics: [{ topic: 't', topicId: ZERO_UUID, partitions: [asked] }] }
}

/** Whether something stays unanswered for a while: what is wrong here shows as an answer, however loaded the machine is. */
async function staysUnanswered(answer: Promise<unknown>): Promise<boolean> {
  const quiet = new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 50))
  return Promise.race([answer.then(() => false), quiet])
}

describe('a request', () => {
  test('of more bytes than are allowed costs its connection, and brings no more when it brings no records', async () => {
    await using session = await KafkaSession.open({ limits: { maxRequestBytes: 2_000, maxPlainRequestBytes: 1_000 } })
    await session.log.createTopic({ name: 't', valueCodec: 'bytes' })
    const { client, warnings } = session
    const answer = await client.send(produce, 9, producing(clientBatch(['x'.repeat(1_500)])))
    expect(answer.responses[0].partitionResponses[0].errorCode).toBe(0)
    await using large = await connect(session)
    await expect(large.send(produce, 9, producing(clientBatch(['x'.repeat(2_000)])))).rejects.toThrow(/closed/)
    await using plain = await connect(session)
    await expect(plain.send(metadata, 9, { topics: named('x'.repeat(1_000)) })).rejects.toThrow(/closed/)
    expect(warnings).toEqual([
      expect.stringMatching(/a request of 21\d\d bytes is none of Kafka's/),
      expect.stringMatching(/a request of 10\d\d bytes brings no records; 1000 are allowed/),
    ])
  })

  test('with more items in all its lists than are allowed is refused before they are read', async () => {
    await using session = await KafkaSession.open({ limits: { maxRequestItems: 10 } })
    const names = Array.from({ length: 11 }, (_, i) => `t${i}`)
    const ask = (topics: string[], client: KafkaTestClient) =>
      client.send(metadata, 9, { topics: named(...topics), allowAutoTopicCreation: false })
    expect((await ask(names.slice(1), session.client)).topics).toHaveLength(10)
    await expect(ask(names, session.client)).rejects.toThrow(/closed/)
    await using other = await connect(session)
    const topicData = Array.from(
      { length: 3 },
      () => producing(...Array<Buffer>(3).fill(clientBatch(['x']))).topicData[0],
    )
    await expect(other.send(produce, 9, { acks: -1, topicData })).rejects.toThrow(/closed/)
    expect(session.warnings).toEqual([
      expect.stringMatching(/it has 11 more items where 10 more are allowed/),
      expect.stringMatching(/it has 3 more items where 1 more are allowed/),
    ])
  })

  test('with a batch that is larger than the server allows is refused, also where its topic would take it', async () => {
    await using session = await KafkaSession.open({ limits: { maxBatchBytes: 1_000 } })
    await session.log.createTopic({ name: 't', valueCodec: 'bytes' })
    const codeOf = async (length: number) => {
      const { responses } = await session.client.send(produce, 9, producing(clientBatch(['x'.repeat(length)])))
      return responses[0].partitionResponses[0].errorCode
    }
    expect([await codeOf(1_100), await codeOf(800)]).toEqual([10, 0])
    expect(session.log.offsets('t')[0].logEndOffset).toBe(1)
  })

  test('that names a topic over and over is told of it once', async () => {
    await using session = await KafkaSession.open()
    const { topicId } = await session.log.createTopic({ name: 't', partitions: 100 })
    const again = Array.from({ length: 1_000 }, () => ({ name: 't', topicId: ZERO_UUID }))
    const { topics } = await session.client.send(metadata, 12, { topics: [...again, { name: null, topicId }] })
    expect(topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([['t', 100]])
  })

  test('with names so long that no message could hold them is answered all the same', async () => {
    await using session = await KafkaSession.open()
    const topic = { name: 'x'.repeat(32_767), numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
    const { topics } = await session.client.send(createTopics, 7, { topics: [topic, topic] })
    expect(topics).toMatchObject([{ errorCode: 42, errorMessage: expect.stringMatching(/^topic 'x{990}/) }])
    expect(session.warnings).toEqual([])
  })
})

test('requests are begun while others wait for their answers, up to as many as are allowed', async () => {
  const gate = new SyncGate()
  const storage = new FaultyStorage(new MemoryStorage())
  await using session = await KafkaSession.open({ limits: { maxInFlightRequests: 2 } }, { storage })
  await session.log.createTopic({ name: 't', valueCodec: 'bytes' })
  using begun = vi.spyOn(Topic.prototype, 'appendReceived')
  storage.syncGate = gate
  const answers = [1, 2, 3].map((i) => session.client.send(produce, 9, producing(clientBatch([`${i}`]))))
  expect(await staysUnanswered(Promise.race(answers))).toBe(true)
  expect(begun).toHaveBeenCalledTimes(2)
  gate.open()
  const offsets = (await Promise.all(answers)).map(({ responses }) => responses[0].partitionResponses[0].baseOffset)
  expect(offsets).toEqual([0, 1, 2])
})

describe('bytes of all connections together', () => {
  const limits = { maxQueuedBytes: 100_000, maxRequestBytes: 1_000_000, stallMs: 500 }
  /** The beginning of a request that fills the memory there is. */
  const flood = Buffer.concat([Buffer.from('000f4240', 'hex'), Buffer.alloc(200_000)])

  test('hold everybody up while they are too many, and nobody when they are gone', async () => {
    await using session = await KafkaSession.open({ limits })
    await using hostile = await connect(session)
    const gone = hostile.whenClosed()
    hostile.socket.write(flood)
    // one that has been read by then is answered
    let second: Promise<unknown>
    do second = session.client.send(apiVersions, 0)
    while (!(await staysUnanswered(second)))
    await second
    expect(session.warnings).toEqual([expect.stringMatching(/more than 500 ms for a request/)])
    await gone
    expect((await session.client.send(apiVersions, 0)).errorCode).toBe(0)
  })

  test('are counted no more when a connection ends, whatever it had asked for', async () => {
    await using session = await KafkaSession.open({ limits })
    await session.log.createTopic({ name: 't', valueCodec: 'bytes' })
    for (let i = 0; i < 8; i++) {
      await using gone = await connect(session)
      const poll = gone.encode(fetch, 12, fetching({ maxWaitMs: NEVER_MS }), 1)
      gone.socket.write(Buffer.concat([poll, gone.encode(metadata, 9, { topics: named('x'.repeat(30_000)) }, 2)]))
      await staysUnanswered(gone.answerTo(1)).catch(() => {})
    }
    for (let i = 0; i < 3; i++) expect((await session.client.send(apiVersions, 0)).errorCode).toBe(0)
  })

  test('who has to wait for room as well as for an answer goes on after both', async () => {
    await using session = await KafkaSession.open({ limits })
    await session.log.createTopic({ name: 't', valueCodec: 'bytes' })
    const { client } = session
    const polling = client.answerTo(7)
    client.socket.write(client.encode(fetch, 12, fetching({ maxWaitMs: NEVER_MS }), 7))
    // more than is read ahead of the answer
    const text = 'x'.repeat(30_000)
    const answers = [1, 2, 3].map(() => client.send(apiVersions, 3, { clientSoftwareName: text }))
    expect(await staysUnanswered(Promise.race([polling, ...answers]))).toBe(true)
    await using hostile = await connect(session)
    hostile.socket.write(flood)
    await using third = await connect(session)
    while (!(await staysUnanswered(third.send(apiVersions, 0))));
    await session.log.append('t', { value: Buffer.from('x') })
    await polling
    await hostile[Symbol.asyncDispose]()
    await Promise.all(answers)
  })

  test('include answers: when memory is short one holds a single batch, and whoever reads comes through', async () => {
    await using session = await KafkaSession.open({ limits: { ...limits, maxQueuedBytes: 100 } })
    await session.log.createTopic({ name: 't', valueCodec: 'bytes' })
    for (let i = 0; i < 5; i++) await session.log.append('t', { value: Buffer.alloc(400, 'x') })
    const sizes: number[] = []
    for (let fetchOffset = 0; fetchOffset < 5; fetchOffset++) {
      const { responses } = await session.client.send(fetch, 12, fetching({ fetchOffset, minBytes: 5_000 }))
      sizes.push(Buffer.concat(responses[0].partitions[0].records ?? []).length)
    }
    expect(sizes).toEqual(Array(5).fill(sizes[0]))
  })
})

test('who takes no answers gets no more of them, and is gone in its time', async () => {
  await using session = await KafkaSession.open({ limits: { stallMs: 100 } })
  await session.log.createTopic({ name: 't', valueCodec: 'bytes', maxMessageBytes: 1 << 20 })
  await session.log.append('t', { value: Buffer.alloc(900_000) })
  await using deaf = await connect(session)
  deaf.socket.pause()
  for (let id = 1; id <= 50; id++) deaf.socket.write(deaf.encode(fetch, 12, fetching(), id))
  while (session.warnings.length === 0) expect((await session.client.send(apiVersions, 0)).errorCode).toBe(0)
  expect(session.warnings).toEqual([expect.stringMatching(/more than 100 ms for a request, or to take an answer/)])
})

test('a client that leaves while it waits for an answer is noticed, though it had more to ask', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 't', valueCodec: 'bytes' })
  const leaving = await connect(session)
  leaving.socket.write(leaving.encode(fetch, 12, fetching({ maxWaitMs: NEVER_MS }), 1))
  leaving.socket.write(leaving.encode(apiVersions, 0, {}, 2))
  await staysUnanswered(leaving.answerTo(1))
  const closed = leaving.whenClosed()
  // half of the connection: the other half ends when the server has noticed
  leaving.socket.end()
  leaving.socket.resume()
  await closed
  expect(session.warnings).toEqual([])
})
