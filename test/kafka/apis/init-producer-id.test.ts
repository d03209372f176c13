/** InitProducerId: ids for idempotent producers, each given out once. */
import { expect, test } from 'vitest'
import { initProducerId } from '../../../src/kafka/apis/init-producer-id.ts'
import { produce } from '../../../src/kafka/apis/produce.ts'
import { serveKafka } from '../../../src/kafka/server.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { clientBatch } from '../../helpers/client-batch.ts'
import { FaultyStorage } from '../../helpers/faulty-storage.ts'
import { KafkaTestClient } from '../../helpers/kafka-client.ts'
import { openLog } from '../../helpers/logs.ts'

const VERSIONS = [0, 1, 2, 3, 4, 5]

async function served(storage: Storage = new MemoryStorage()) {
  const log = await openLog({ storage })
  const kafka = await serveKafka(log)
  const client = await KafkaTestClient.connect(kafka.bootstrapServers[0])
  const ask = (version = 4, transactionalId: string | null = null) =>
    client.send(initProducerId, version, { transactionalId, transactionTimeoutMs: 1_000 })
  return {
    log,
    client,
    ask,
    async [Symbol.asyncDispose]() {
      client.socket.destroy()
      await kafka.close()
      await log.close()
    },
  }
}

test('every version gives a new id and the epoch 0', async () => {
  await using it = await served()
  for (const [i, version] of VERSIONS.entries()) {
    expect(await it.ask(version)).toEqual({ throttleTimeMs: 0, errorCode: 0, producerId: i, producerEpoch: 0 })
  }
})

test('an id is given once, also when many ask at a time, across blocks and after power cuts', async () => {
  const given = new Set<number>()
  let storage = new MemoryStorage()
  for (let round = 0; round < 3; round++) {
    await using it = await served(storage)
    const ids = await Promise.all(Array.from({ length: 1_100 }, () => it.log['engine'].producerIds.take()))
    for (const id of ids) given.add(id)
    storage = storage.crash()
    expect(given.size).toBe((round + 1) * 1_100)
  }
})

test('an id is not given again when a checkpoint, or both, are damaged', async () => {
  for (const damaged of [['checkpoint-a'], ['checkpoint-b'], ['checkpoint-a', 'checkpoint-b']]) {
    const storage = new MemoryStorage()
    {
      await using it = await served(storage)
      expect((await it.ask()).producerId).toBe(0)
    }
    for (const name of damaged) await storage.removeFile(`/data/events/${name}`)
    await using it = await served(storage)
    expect((await it.ask()).producerId).toBeGreaterThanOrEqual(1_000)
  }
})

test('an id is not given again when the only checkpoint that tells of it is lost in a power cut', async () => {
  const storage = new MemoryStorage()
  await (await openLog({ storage })).close()
  await using first = await served(storage)
  expect((await first.ask()).producerId).toBe(0)
  const crashed = storage.crash()
  const names = ['checkpoint-a', 'checkpoint-b'].map((name) => `/data/events/${name}`)
  const contents = await Promise.all(names.map(async (name) => String(await crashed.readFile(name))))
  const telling = names.filter((_, i) => contents[i].includes('producerIds'))
  expect(telling.length).toBe(1)
  await crashed.removeFile(telling[0])
  await using it = await served(crashed)
  expect((await it.ask()).producerId).toBeGreaterThanOrEqual(1_000)
})

test.each(VERSIONS)('a transactional id is refused in version %i', async (version) => {
  await using it = await served()
  expect(await it.ask(version, 'tx')).toMatchObject({ errorCode: 35, producerId: -1, producerEpoch: -1 })
  expect(await it.ask(version, '')).toMatchObject({ errorCode: 42 })
})

test('a batch of an idempotent producer that is sent again is answered with its offset, and is there once', async () => {
  await using it = await served()
  await it.log.createTopic({ name: 't', valueCodec: 'bytes' })
  const { producerId, producerEpoch } = await it.ask()
  const send = async (baseSequence: number, epoch = producerEpoch) => {
    const records = [clientBatch(['a', 'b'], { producerId, producerEpoch: epoch, baseSequence })]
    const topicData = [{ name: 't', topicId: '', partitionData: [{ index: 0, records }] }]
    const { responses } = await it.client.send(produce, 9, { transactionalId: null, acks: -1, timeoutMs: 1, topicData })
    const [{ errorCode, baseOffset }] = responses[0].partitionResponses
    return [errorCode, baseOffset]
  }
  expect(await Promise.all([send(0), send(2), send(0), send(2), send(6)])).toEqual([
    [0, 0],
    [0, 2],
    [0, 0],
    [0, 2],
    [45, -1],
  ])
  expect(await send(4)).toEqual([0, 4])
  expect(await send(0, producerEpoch + 1)).toEqual([0, 6])
  expect(await send(6, producerEpoch)).toEqual([47, -1])
  expect(it.log.offsets('t')[0].logEndOffset).toBe(8)
})

test('an id without an epoch, or an epoch without an id, is refused', async () => {
  await using it = await served()
  const ask = (producerId: number, producerEpoch: number) =>
    it.client.send(initProducerId, 4, { transactionalId: null, transactionTimeoutMs: 1_000, producerId, producerEpoch })
  expect((await ask(5, -1)).errorCode).toBe(42)
  expect((await ask(-1, 5)).errorCode).toBe(42)
  expect((await ask(5, 3)).errorCode).toBe(0)
})

test('a producer asks again where no id can be had now: the disk fails, or the log is closed under its server', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  await using it = await served(storage)
  const call = (kind: string, path: string) => kind === 'sync' && path.includes('checkpoint')
  storage.failAt({ call, code: 'ENOSPC' })
  expect(await it.ask()).toEqual({ throttleTimeMs: 0, errorCode: 14, producerId: -1, producerEpoch: -1 })
  expect(await it.ask()).toMatchObject({ errorCode: 0, producerId: 0 })
  await it.log.close()
  expect(await it.ask()).toMatchObject({ errorCode: 14, producerId: -1 })
})
