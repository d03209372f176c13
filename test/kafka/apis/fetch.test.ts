/** Records over TCP: the stored bytes, as many as were asked for, at once or as soon as they are there. */
import { expect, test, vi } from 'vitest'
import { readBatchHeader } from '../../../src/codec/record-batch.ts'
import { fetch } from '../../../src/kafka/apis/fetch.ts'
import { KafkaConnection } from '../../../src/kafka/connection.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import type { KafkaTestClient } from '../../helpers/kafka-client.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'
import { segmentPath } from '../../helpers/logs.ts'

const NEVER_MS = 600_000

async function withTopic(): Promise<{ session: KafkaSession; topicId: string; client: KafkaTestClient }> {
  const session = await KafkaSession.open()
  const { topicId } = await session.log.createTopic({ name: 't', partitions: 2, valueCodec: 'string' })
  return { session, topicId, client: session.client }
}

interface Asked {
  fetchOffset?: number
  partition?: number
  currentLeaderEpoch?: number
  partitionMaxBytes?: number
}

const nothing = {
  lastFetchedEpoch: -1,
  logStartOffset: -1,
  replicaDirectoryId: 'AAAAAAAAAAAAAAAAAAAAAA',
  highWatermark: -1,
}

function asking(topicId: string, ...partitions: Asked[]) {
  const asked = partitions.map((one) => {
    const base = { partition: 0, fetchOffset: 0, currentLeaderEpoch: -1, partitionMaxBytes: 1 << 20 }
    return { ...base, ...one, ...nothing }
  })
  return [{ topic: 't', topicId, partitions: asked }]
}

const bytesOf = (records: Uint8Array[] | null) => Buffer.concat(records ?? [])

/** The offsets that the batches in some bytes stand for. */
function offsetsIn(bytes: Buffer): [number, number][] {
  const found: [number, number][] = []
  for (let at = 0; at < bytes.length; at += readBatchHeader(bytes, at).sizeBytes) {
    const { baseOffset, lastOffset } = readBatchHeader(bytes, at)
    found.push([baseOffset, lastOffset])
  }
  return found
}

test('every version gives the stored batches, byte for byte', async () => {
  const { session, topicId, client } = await withTopic()
  await using _ = session
  for (let i = 0; i < 3; i++)
    await session.log.appendBatch('t', [
      { value: `a${i}`, partition: 0 },
      { value: `b${i}`, partition: 0 },
    ])
  const stored: Buffer[] = []
  for await (const { bytes } of session.log.readBatches('t', { partition: 0 })) stored.push(Buffer.from(bytes))
  for (const version of versionsOf(fetch)) {
    const { errorCode, responses } = await client.send(fetch, version, { topics: asking(topicId, {}) })
    expect([version, errorCode, responses.length]).toEqual([version, 0, 1])
    const [partition] = responses[0].partitions
    expect(bytesOf(partition.records), `version ${version}`).toEqual(Buffer.concat(stored))
    expect(partition).toMatchObject({ errorCode: 0, highWatermark: 6, lastStableOffset: 6 })
  }
})

test('an offset inside a batch gives the whole batch, and the first one whatever its size', async () => {
  const { session, topicId, client } = await withTopic()
  await using _ = session
  for (let i = 0; i < 4; i++)
    await session.log.appendBatch(
      't',
      Array.from({ length: 3 }, () => ({ value: 'x'.repeat(500), partition: 0 })),
    )
  const ask = async (values: Asked, maxBytes = 1 << 20) => {
    const { responses } = await client.send(fetch, 12, { topics: asking(topicId, values), maxBytes })
    return offsetsIn(bytesOf(responses[0].partitions[0].records))
  }
  expect(await ask({ fetchOffset: 4 })).toEqual([
    [3, 5],
    [6, 8],
    [9, 11],
  ])
  expect(await ask({ fetchOffset: 4, partitionMaxBytes: 1 })).toEqual([[3, 5]])
  expect(await ask({ fetchOffset: 4 }, 1)).toEqual([[3, 5]])
  expect(await ask({ fetchOffset: 4, partitionMaxBytes: 3_500 })).toEqual([
    [3, 5],
    [6, 8],
  ])
  expect(await ask({ fetchOffset: 12 })).toEqual([])
})

test('one waits for records, and is answered as soon as there are enough of them', async () => {
  const { session, topicId, client } = await withTopic()
  await using _ = session
  const topics = asking(topicId, { partition: 0 }, { partition: 1 })
  const waiting = client.send(fetch, 12, { topics, maxWaitMs: NEVER_MS, minBytes: 300 })
  let isAnswered = false
  void waiting.then(() => (isAnswered = true))
  await session.log.append('t', { value: 'x', partition: 1 })
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(isAnswered).toBe(false)
  await session.log.append('t', { value: 'y'.repeat(300), partition: 0 })
  const [{ partitions }] = (await waiting).responses
  expect(partitions.map(({ records }) => offsetsIn(bytesOf(records)))).toEqual([[[0, 0]], [[0, 0]]])
})

test('what has no room for more does not wait for it, however much was wanted', async () => {
  const { session, topicId, client } = await withTopic()
  await using _ = session
  for (let i = 0; i < 3; i++) await session.log.append('t', { value: 'x'.repeat(500), partition: 0 })
  const ask = async (values: Asked, maxBytes: number) => {
    const topics = asking(topicId, values)
    const { responses } = await client.send(fetch, 12, { topics, maxBytes, maxWaitMs: NEVER_MS, minBytes: 5_000 })
    return offsetsIn(bytesOf(responses[0].partitions[0].records))
  }
  expect(await ask({}, 1_000)).toEqual([[0, 0]])
  expect(await ask({ partitionMaxBytes: 1_200 }, 1 << 20)).toEqual([
    [0, 0],
    [1, 1],
  ])
  expect(await ask({ fetchOffset: 2, partitionMaxBytes: -1 }, 1 << 20)).toEqual([[2, 2]])
})

test('a connection keeps nothing of what it has waited for', async () => {
  const { session, topicId, client } = await withTopic()
  await using _ = session
  let listening = 0
  using spy = vi.spyOn(KafkaConnection.prototype, 'onClosed').mockImplementation(() => {
    listening++
    return () => void listening--
  })
  for (let i = 0; i < 3; i++) await client.send(fetch, 12, { topics: asking(topicId, {}), maxWaitMs: 1, minBytes: 1 })
  expect(spy).toHaveBeenCalledTimes(3)
  expect(listening).toBe(0)
})

test('a wait ends with its time, with the server, and with an error', async () => {
  const { session, topicId, client } = await withTopic()
  await using _ = session
  const short = await client.send(fetch, 12, { topics: asking(topicId, {}), maxWaitMs: 20, minBytes: 1 })
  expect(short.responses[0].partitions[0]).toMatchObject({ errorCode: 0, records: [Buffer.alloc(0)] })
  const wrong = await client.send(fetch, 12, {
    topics: asking(topicId, { partition: 7 }),
    maxWaitMs: NEVER_MS,
    minBytes: 1,
  })
  expect(wrong.responses[0].partitions[0].errorCode).toBe(3)
  const last = client.send(fetch, 12, { topics: asking(topicId, {}), maxWaitMs: NEVER_MS, minBytes: 1 })
  await new Promise((resolve) => setTimeout(resolve, 20))
  await session.server.close()
  expect((await last).responses[0].partitions[0].errorCode).toBe(0)
})

test('what cannot be read is told for its partition alone', async () => {
  const { session, topicId, client } = await withTopic()
  await using _ = session
  for (let i = 0; i < 5; i++) await session.log.append('t', { value: 'x', partition: 0 })
  await session.log.deleteRecords('t', { partition: 0, beforeOffset: 2 })
  const ask = async (one: Asked, id = topicId) => {
    const topics = asking(id, one, { partition: 1 })
    const { responses } = await client.send(fetch, 13, { topics })
    return responses[0].partitions.map(({ errorCode }) => errorCode)
  }
  expect(await ask({ fetchOffset: 1 })).toEqual([1, 0])
  expect(await ask({ fetchOffset: 6 })).toEqual([1, 0])
  expect(await ask({ fetchOffset: 5 })).toEqual([0, 0])
  expect(await ask({ fetchOffset: 3, currentLeaderEpoch: 9 })).toEqual([75, 0])
  expect(await ask({}, 'BBBBBBBBBBBBBBBBBBBBBA')).toEqual([100, 100])
})

test('a session is told what is new, and only that', async () => {
  const { session, topicId, client } = await withTopic()
  await using _ = session
  const full = asking(topicId, { partition: 0 }, { partition: 1 })
  const opened = await client.send(fetch, 12, { topics: full, sessionId: 0, sessionEpoch: 0 })
  expect(opened.sessionId).toBeGreaterThan(0)
  expect(opened.responses[0].partitions).toHaveLength(2)
  const { sessionId } = opened
  const next = (sessionEpoch: number, topics: ReturnType<typeof asking> = []) =>
    client.send(fetch, 12, { topics, sessionId, sessionEpoch })
  expect((await next(1)).responses).toEqual([])
  await session.log.append('t', { value: 'x', partition: 1 })
  const news = await next(2)
  expect(news.responses[0].partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([1])
  expect((await next(3, asking(topicId, { partition: 1, fetchOffset: 1 }))).responses).toEqual([])
  // out of turn, unknown, closed
  expect((await next(3)).errorCode).toBe(71)
  expect((await client.send(fetch, 12, { sessionId: sessionId + 1, sessionEpoch: 1 })).errorCode).toBe(70)
  await client.send(fetch, 12, { topics: full, sessionId, sessionEpoch: -1 })
  expect((await next(4)).errorCode).toBe(70)
})

test('a partition that a session forgets is not told of any more', async () => {
  const { session, topicId, client } = await withTopic()
  await using _ = session
  const opened = await client.send(fetch, 12, { topics: asking(topicId, {}, { partition: 1 }), sessionEpoch: 0 })
  const forgottenTopicsData = [{ topic: 't', topicId, partitions: [1] }]
  await client.send(fetch, 12, { sessionId: opened.sessionId, sessionEpoch: 1, forgottenTopicsData })
  for (const partition of [0, 1]) await session.log.append('t', { value: 'x', partition })
  const { responses } = await client.send(fetch, 12, { sessionId: opened.sessionId, sessionEpoch: 2 })
  expect(responses[0].partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([0])
})

test('only one who reads what is committed is told of aborted transactions; an error comes without offsets', async () => {
  const { session, topicId, client } = await withTopic()
  await using _ = session
  const ask = async (isolationLevel: number, one: Asked = {}) => {
    const { responses } = await client.send(fetch, 13, { topics: asking(topicId, one), isolationLevel })
    const { abortedTransactions, highWatermark } = responses[0].partitions[0]
    return [abortedTransactions, highWatermark]
  }
  expect(await ask(0)).toEqual([null, 0])
  expect(await ask(1)).toEqual([[], 0])
  expect(await ask(0, { currentLeaderEpoch: 9 })).toEqual([null, -1])
})

test('no client is given a damaged batch: what is before it, and then an error, which the server tells of once', async () => {
  const storage = new MemoryStorage()
  await using session = await KafkaSession.open({}, { storage })
  const { topicId } = await session.log.createTopic({ name: 't', valueCodec: 'string' })
  for (const value of ['first', 'second', 'third']) await session.log.append('t', { value })
  const path = segmentPath('t', 0, 0, '.log')
  const file = await storage.openFile(path, 'write')
  file.write(Buffer.from('S'), (await storage.readFile(path)).indexOf('second'))
  const poll = (fetchOffset: number) =>
    session.client.send(fetch, 12, {
      maxWaitMs: 1,
      minBytes: 1,
      maxBytes: 1 << 20,
      topics: asking(topicId, { fetchOffset }),
    })
  const [sound] = (await poll(0)).responses[0].partitions
  expect([sound.errorCode, offsetsIn(bytesOf(sound.records))]).toEqual([0, [[0, 0]]])
  for (let i = 0; i < 2; i++) {
    const [damaged] = (await poll(1)).responses[0].partitions
    expect([damaged.errorCode, bytesOf(damaged.records).length]).toEqual([2, 0])
  }
  expect(session.warnings).toEqual([
    expect.stringMatching(/^Fetch: '.*\.log' is damaged \(checksum\) at byte \d+: offsets 1 to 1 /),
  ])
  expect(offsetsIn(bytesOf((await poll(2)).responses[0].partitions[0].records))).toEqual([[2, 2]])
})
