/** Produce: what a client's batches become, what is refused and how, and in which order. */
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { VarveOptions } from '../../../src/engine/open-options.ts'
import type { TopicConfig } from '../../../src/engine/topic-config.ts'
import { produce } from '../../../src/kafka/apis/produce.ts'
import { serveKafka, type ServeOptions } from '../../../src/kafka/server.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import { clientBatch, withoutPlace, type ClientBatch } from '../../helpers/client-batch.ts'
import { FaultyStorage } from '../../helpers/faulty-storage.ts'
import { KafkaTestClient } from '../../helpers/kafka-client.ts'
import { batchesOf, idle, openLog, recordsOf, segmentPath } from '../../helpers/logs.ts'
import { oldMessage, rawBatch } from '../../helpers/raw-batch.ts'
import { SyncGate } from '../../helpers/sync-gate.ts'

const VERSIONS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
const TOPIC = 't'

/** A server with a topic `t` of two partitions, and a client of it. */
async function served(
  config: Partial<TopicConfig> = {},
  options: Partial<VarveOptions> = {},
  serve: ServeOptions = {},
) {
  const storage = new FaultyStorage(options.storage ?? new MemoryStorage())
  const log = await openLog({ ...options, storage })
  const { topicId } = await log.createTopic({ name: TOPIC, partitions: 2, valueCodec: 'bytes', ...config })
  const warnings: string[] = []
  const kafka = await serveKafka(log, { onWarning: (message) => warnings.push(message), ...serve })
  const connect = () => KafkaTestClient.connect(kafka.bootstrapServers[0])
  const client = await connect()
  /** Asks for one batch, and gives what is said of it. */
  const send = async (
    records: Buffer | null,
    { version = 9, acks = -1, index = 0, name = TOPIC, by = client } = {},
  ) => {
    const partitionData = [{ index, records: records === null ? null : [records] }]
    const { responses } = await by.send(produce, version, request(acks, [{ name, topicId, partitionData }]))
    return responses[0].partitionResponses[0]
  }
  return {
    storage,
    log,
    topicId,
    client,
    connect,
    send,
    warnings,
    async [Symbol.asyncDispose]() {
      client.socket.destroy()
      await kafka.close()
      await log.close()
    },
  }
}

interface TopicData {
  name: string
  topicId: string
  partitionData: { index: number; records: Buffer[] | null }[]
}

const request = (acks: number, topicData: TopicData[]) => ({ transactionalId: null, acks, timeoutMs: 1_000, topicData })

describe('batches', () => {
  test.each(VERSIONS)(
    'are appended in version %i, with the offset of the first record in the answer',
    async (version) => {
      await using it = await served()
      expect(await it.send(clientBatch(['a', 'b']), { version })).toMatchObject({ errorCode: 0, baseOffset: 0 })
      expect(await it.send(clientBatch(['c']), { version })).toEqual({
        index: 0,
        errorCode: 0,
        baseOffset: 2,
        logAppendTimeMs: -1,
        logStartOffset: version >= 5 ? 0 : -1,
        recordErrors: [],
        errorMessage: null,
        currentLeader: { leaderId: -1, leaderEpoch: -1 },
      })
      const values = (await recordsOf(it.log, TOPIC)).map(({ value }) => String(value))
      expect(values).toEqual(['a', 'b', 'c'])
    },
  )

  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'of compression %s get to the segment byte for byte, but for offset and epoch',
    async (compression) => {
      await using it = await served()
      const sent = [clientBatch(['a', 'b'], { compression }), clientBatch(['c'.repeat(9_000)], { compression })]
      for (const batch of sent) expect((await it.send(Buffer.from(batch))).errorCode).toBe(0)
      const file = await it.storage.readFile(segmentPath(TOPIC, 0, 0, '.log'))
      expect(file.length).toBe(sent[0].length + sent[1].length)
      const stored = [file.subarray(0, sent[0].length), file.subarray(sent[0].length)]
      expect(stored.map(withoutPlace)).toEqual(sent.map(withoutPlace))
      expect(stored.map((batch) => batch.readBigInt64BE(0))).toEqual([0n, 2n])
      expect((await recordsOf(it.log, TOPIC)).map(({ value }) => String(value)[0])).toEqual(['a', 'b', 'c'])
    },
  )

  test('get their offsets from the log, whatever offset and epoch the client has filled in', async () => {
    await using it = await served()
    for (const baseOffset of [0, 77, -1, 2 ** 60]) {
      const answer = await it.send(clientBatch(['a', 'b'], { baseOffset, leaderEpoch: 99 }))
      expect(answer.errorCode).toBe(0)
    }
    expect((await recordsOf(it.log, TOPIC)).map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  test('of several partitions and topics are answered together, each with its own outcome', async () => {
    await using it = await served()
    await it.log.createTopic({ name: 'u', valueCodec: 'bytes' })
    const good = { records: [clientBatch(['a'])] }
    const { responses } = await it.client.send(
      produce,
      9,
      request(-1, [
        {
          name: TOPIC,
          topicId: '',
          partitionData: [
            { index: 0, ...good },
            { index: 7, ...good },
            { index: 1, ...good },
          ],
        },
        { name: 'nowhere', topicId: '', partitionData: [{ index: 0, ...good }] },
        { name: 'u', topicId: '', partitionData: [{ index: 0, ...good }] },
      ]),
    )
    const told = responses.map(({ name, partitionResponses }) => [name, partitionResponses.map((one) => one.errorCode)])
    expect(told).toEqual([
      [TOPIC, [0, 3, 0]],
      ['nowhere', [3]],
      ['u', [0]],
    ])
  })
})

describe('a topic with LogAppendTime', () => {
  test('gives a batch the time of the append, in its header and in the answer, under a checksum that is right', async () => {
    await using it = await served({ messageTimestampType: 'LogAppendTime' })
    const { errorCode, logAppendTimeMs } = await it.send(clientBatch(['a', 'b'], { compression: 'gzip' }))
    expect(errorCode).toBe(0)
    expect(logAppendTimeMs).toBeGreaterThan(1_600_000_000_000)
    const records = await recordsOf(it.log, TOPIC)
    expect(records.map(({ timestamp }) => timestamp)).toEqual([logAppendTimeMs, logAppendTimeMs])
    const [batch] = await batchesOf(it.log, TOPIC)
    expect(batch.maxTimestamp).toBe(logAppendTimeMs)
  })
})
describe('what is refused', () => {
  const broken = clientBatch(['a'])
  broken[broken.length - 1] ^= 1
  const tooShort = clientBatch(['a'])
  tooShort.writeInt32BE(20, 8)
  const batch = (fields: ClientBatch) => clientBatch(['a', 'b'], fields)
  const ofFormat = (magic: number) => {
    const bytes = batch({})
    bytes.writeInt8(magic, 16)
    return bytes
  }
  const large = clientBatch(['x'.repeat(2_000)])
  const cases: [what: string, errorCode: number, records: Buffer | null, version?: number][] = [
    ['no records at all', 87, null],
    ['an empty set of records', 87, Buffer.alloc(0)],
    ['two batches', 87, Buffer.concat([batch({}), batch({})])],
    ['a batch with something behind it', 87, Buffer.concat([batch({}), Buffer.from('x')])],
    ['half a batch', 87, batch({}).subarray(0, 70)],
    ['half a header', 87, batch({}).subarray(0, 40)],
    ['a batch of a format to come', 2, ofFormat(3)],
    ['a batch of a negative format', 2, ofFormat(-1)],
    ['a message of format 1', 87, oldMessage(1, 'x'.repeat(60))],
    ['a batch that is smaller than its header', 2, tooShort],
    ['a wrong checksum', 2, broken],
    ['a batch larger than max.message.bytes', 10, large],
    ['a batch without records', 87, rawBatch(Buffer.alloc(0), { recordCount: 0, lastOffsetDelta: 0 })],
    ['a count of records that is not that of the offsets', 87, batch({ lastOffsetDelta: 2 })],
    ['offsets that go backwards', 87, batch({ lastOffsetDelta: -1 })],
    ['a control batch', 87, batch({ attributes: 1 << 5 })],
    ['a delete horizon', 87, batch({ attributes: 1 << 6 })],
    ['a producer without a sequence', 87, batch({ producerId: 5, producerEpoch: 0 })],
    ['a transactional batch', 48, batch({ attributes: 1 << 4, producerId: 5, producerEpoch: 0, baseSequence: 0 })],
    ['LogAppendTime set by the client', 32, batch({ attributes: 1 << 3 })],
    ['a timestamp that is no safe integer', 32, batch({ maxTimestamp: 2 ** 60 })],
    ['zstd before version 7', 76, batch({ compression: 'zstd' }), 6],
    ['a compression that there is not', 76, batch({ attributes: 5 })],
  ]
  test.each(cases)('%s: error %i, and the next batch is taken', async (_, errorCode, records, version = 9) => {
    await using it = await served({ maxMessageBytes: 1_000 })
    const answer = await it.send(records, { version })
    expect(answer).toMatchObject({ errorCode, baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1 })
    if (version >= 8) expect(answer.errorMessage).toMatch(/.../)
    expect(await it.send(clientBatch(['good']))).toMatchObject({ errorCode: 0, baseOffset: 0 })
    expect(it.warnings).toEqual([])
  })

  test.each(VERSIONS)('a topic that is not there, in version %i', async (version) => {
    await using it = await served()
    const partitionData = [{ index: 0, records: [clientBatch(['a'])] }]
    const topicData = [{ name: 'nowhere', topicId: 'Zm9vYmFyZm9vYmFyZm9vYg', partitionData }]
    const { responses } = await it.client.send(produce, version, request(-1, topicData))
    expect(responses[0].partitionResponses[0].errorCode).toBe(version >= 13 ? 100 : 3)
    const unnamed = await it.client.send(produce, 13, request(-1, [{ ...topicData[0], topicId: 'A'.repeat(22) }]))
    expect(unnamed.responses[0].partitionResponses[0].errorCode).toBe(100)
  })

  test("the log's own topics", async () => {
    await using it = await served()
    for (const name of ['__varve_catalog', '__consumer_offsets']) {
      expect((await it.send(clientBatch(['a']), { name })).errorCode).toBe(17)
    }
  })

  test('records without a key on a compacted topic, each by its index, also within a compressed batch', async () => {
    await using it = await served({ cleanupPolicy: 'compact' })
    for (const compression of ['none', 'gzip'] as const) {
      const records = clientBatch(['a', 'b', 'c'], { compression }, [null, 'k', null])
      const answer = await it.send(records)
      expect(answer).toMatchObject({ errorCode: 87, recordErrors: [{ batchIndex: 0 }, { batchIndex: 2 }] })
      expect((await it.send(records, { version: 7 })).errorCode).toBe(87)
      expect((await it.send(clientBatch(['a'], { compression }))).errorCode).toBe(0)
    }
    // what cannot be compacted must not get in
    expect((await it.send(rawBatch(Buffer.from('nonsense'), { recordCount: 1 }))).errorCode).toBe(87)
    expect((await it.send(rawBatch(Buffer.from('nonsense'), { attributes: 1 }))).errorCode).toBe(2)
  })

  test('a batch of a compacted topic that swells beyond the limit', async () => {
    const limits = { maxDecompressedBytes: 1_000 }
    await using it = await served({ cleanupPolicy: 'compact' }, {}, { limits })
    expect((await it.send(clientBatch(['x'.repeat(500)], { compression: 'gzip' }))).errorCode).toBe(0)
    expect((await it.send(clientBatch(['x'.repeat(5_000)], { compression: 'gzip' }))).errorCode).toBe(2)
  })

  test('acks that there are not', async () => {
    await using it = await served()
    for (const acks of [2, -2, 100]) expect((await it.send(clientBatch(['a']), { acks })).errorCode).toBe(21)
    expect(it.log.offsets(TOPIC)[0].logEndOffset).toBe(0)
  })
})

describe('acks', () => {
  const data = (batch: Buffer, index = 0) => [
    { name: TOPIC, topicId: '', partitionData: [{ index, records: [batch] }] },
  ]

  test.each([1, -1])(
    "%i is answered after the fdatasync under 'group', and when it is written under 'os'",
    async (acks) => {
      for (const flush of ['group', 'os'] as const) {
        const gate = new SyncGate()
        await using it = await served({ flush })
        // the first append reserves offsets, which syncs something else
        await it.send(clientBatch(['first']))
        it.storage.syncGate = {
          pass: (path: string) => (path.endsWith('.log') ? gate.pass(path) : undefined),
        } as SyncGate
        let isAnswered = false
        const answer = it.send(clientBatch(['a']), { acks }).then(({ errorCode }) => {
          isAnswered = true
          return errorCode
        })
        if (flush === 'group') {
          await gate.arrived()
          await idle()
          expect(isAnswered).toBe(false)
          gate.open()
        }
        expect(await answer).toBe(0)
        gate.open()
      }
    },
  )

  test('0 is not answered, and what was sent is there', async () => {
    await using it = await served()
    it.client.socket.write(it.client.encode(produce, 9, request(0, data(clientBatch(['a', 'b']))), 1_000))
    // answered in order: the next answer is the first that comes
    expect(await it.send(clientBatch(['c']))).toMatchObject({ errorCode: 0, baseOffset: 2 })
  })

  test('0 closes the connection where something fails, as Kafka does', async () => {
    await using it = await served()
    it.client.socket.write(it.client.encode(produce, 9, request(0, data(clientBatch(['a']), 99)), 1_000))
    await once(it.client.socket, 'close')
    await using other = await it.connect()
    expect(await it.send(clientBatch(['a']), { by: other })).toMatchObject({ errorCode: 0 })
  })
})

describe('many requests at a time', () => {
  test('of one connection keep their order in each partition, and share their syncs', async () => {
    const gate = new SyncGate()
    await using it = await served()
    await it.send(clientBatch(['first']))
    const isLog = (path: string) => path.endsWith('.log') && path.includes(`/${TOPIC}-`)
    it.storage.syncGate = { pass: (path: string) => (isLog(path) ? gate.pass(path) : undefined) } as SyncGate
    const before = it.storage.calls.length
    const answers = Array.from({ length: 40 }, (_, i) => it.send(clientBatch([String(i)]), { version: 3 + (i % 10) }))
    for (let held = true; held;) {
      await Promise.race([gate.arrived(), Promise.all(answers)])
      held = gate.paths.length > 0
      await idle()
      gate.release()
    }
    const offsets = (await Promise.all(answers)).map(({ baseOffset }) => baseOffset)
    expect(offsets).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
    const values = (await recordsOf(it.log, TOPIC)).slice(1).map(({ value }) => String(value))
    expect(values).toEqual(Array.from({ length: 40 }, (_, i) => String(i)))
    const syncs = it.storage.calls.slice(before).filter(({ kind, path }) => kind === 'sync' && isLog(path)).length
    // 16 requests of a connection are served at a time
    expect(syncs).toBeLessThanOrEqual(6)
  })

  test('of many connections share one sync, also with appends of this process', async () => {
    const gate = new SyncGate()
    await using it = await served()
    await it.send(clientBatch(['first']))
    const isLog = (path: string) => path.endsWith('.log') && path.includes(`/${TOPIC}-0`)
    it.storage.syncGate = { pass: (path: string) => (isLog(path) ? gate.pass(path) : undefined) } as SyncGate
    const clients = await Promise.all(Array.from({ length: 10 }, () => it.connect()))
    const held = it.send(clientBatch(['held']))
    await gate.arrived()
    const before = it.storage.calls.length
    const answers = clients.map((by) => it.send(clientBatch(['x']), { by }))
    const own = it.log.append(TOPIC, { value: Buffer.from('own'), partition: 0 })

    await idle(50)
    gate.release()
    await held
    await gate.arrived()
    gate.open()
    const offsets = (await Promise.all(answers)).map(({ baseOffset }) => baseOffset)
    expect([...offsets, (await own).offset].sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    const syncs = it.storage.calls.slice(before).filter(({ kind, path }) => kind === 'sync' && isLog(path)).length
    expect(syncs).toBeLessThanOrEqual(2)
    for (const client of clients) client.socket.destroy()
  })
})

test('a full disk refuses a batch with a number that clients try again, and takes the next one when there is room', async () => {
  await using it = await served()
  await it.send(clientBatch(['first']))
  it.storage.failAt({ call: (kind, path) => kind === 'write' && path.endsWith('.log'), code: 'ENOSPC' })
  expect(await it.send(clientBatch(['a']))).toMatchObject({ errorCode: 56 })
  expect(await it.send(clientBatch(['b']))).toMatchObject({ errorCode: 0, baseOffset: 1 })
})
