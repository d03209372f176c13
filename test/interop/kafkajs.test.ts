/** kafkajs, the client that most Node.js programs use, against a server of this process. */
import { CompressionTypes, Kafka, logLevel, type Consumer, type KafkaMessage } from 'kafkajs'
import { afterEach, expect, test } from 'vitest'
import { startKafka, type KafkaServer } from '../../src/kafka/index.ts'
import { Varve } from '../../src/client/varve.ts'
import { serveKafka } from '../../src/kafka/server.ts'
import { temporaryDirectory } from '../helpers/run-cli.ts'

process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1'

interface Closing {
  disconnect(): Promise<void>
}

const open: Closing[] = []

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.disconnect()
})

function using<T extends Closing>(client: T): T {
  open.push(client)
  return client
}

function clientOf(kafka: KafkaServer): Kafka {
  return new Kafka({ clientId: 'test', brokers: kafka.bootstrapServers, logLevel: logLevel.NOTHING })
}

/** Consumes until `count` messages have come. */
async function take(
  consumer: Consumer,
  topic: string,
  count: number,
): Promise<{ partition: number; message: KafkaMessage }[]> {
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const taken: { partition: number; message: KafkaMessage }[] = []
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachMessage: async ({ partition, message }) => {
          taken.push({ partition, message })
          if (taken.length === count) resolve()
        },
      })
      .catch(reject)
  })
  return taken
}

test(
  'what it produces, plain or gzipped, with headers and nulls, it and the log itself read back',
  { timeout: 60_000 },
  async () => {
    await using kafka = await startKafka({ topics: [{ name: 't', partitions: 3 }] })
    const client = clientOf(kafka)
    const producer = using(client.producer())
    await producer.connect()
    const messages = Array.from({ length: 200 }, (_, i) => ({
      key: i % 7 === 0 ? null : `k${i % 20}`,
      value: i % 11 === 0 ? null : `v${i}`,
      headers: { at: String(i), twice: ['a', 'b'] },
      timestamp: String(1_700_000_000_000 + i),
    }))
    await producer.send({ topic: 't', messages: messages.slice(0, 100) })
    await producer.send({ topic: 't', messages: messages.slice(100), compression: CompressionTypes.GZIP })
    const told = (at: string, key: string | null, value: string | null) => `${at} ${key} ${value}`
    const sent = messages.map(({ key, value, headers }) => told(headers.at, key, value)).sort()
    const taken = await take(using(client.consumer({ groupId: 'g' })), 't', 200)
    const text = (bytes: Buffer | null | undefined) => bytes?.toString() ?? null
    const seen = taken.map(({ message: { key, value, headers } }) =>
      told(text(headers!['at'] as Buffer)!, text(key), text(value)),
    )
    expect(seen.sort()).toEqual(sent)
    expect(taken[0].message.headers!['twice']).toEqual([Buffer.from('a'), Buffer.from('b')])
    const read: string[] = []
    for await (const { key, valueBytes, headers } of kafka.log.read('t'))
      read.push(told(headers['at']!, key, text(valueBytes)))
    expect(read.sort()).toEqual(sent)
  },
)

test('two consumers share a group, and one takes over what the other leaves', { timeout: 60_000 }, async () => {
  await using kafka = await startKafka({ topics: [{ name: 't', partitions: 4 }] })
  const client = clientOf(kafka)
  const producer = using(client.producer())
  await producer.connect()
  const seen = new Set<string>()
  const owners = new Map<string, number[]>()
  const start = async (name: string) => {
    const consumer = client.consumer({
      groupId: 'g',
      heartbeatInterval: 100,
      sessionTimeout: 6_000,
      maxWaitTimeInMs: 100,
    })
    consumer.on('consumer.group_join', ({ payload }) => void owners.set(name, payload.memberAssignment['t'] ?? []))
    await consumer.connect()
    await consumer.subscribe({ topic: 't', fromBeginning: true })
    await consumer.run({ eachMessage: async ({ message }) => void seen.add(message.value!.toString()) })
    return consumer
  }
  const one = await start('one')
  const other = using(await start('other'))
  void other
  const until = async (holds: () => boolean) => {
    for (let i = 0; i < 600 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 25))
    expect(holds()).toBe(true)
  }
  const send = (from: number) =>
    producer.send({
      topic: 't',
      messages: Array.from({ length: 40 }, (_, i) => ({ key: `k${i}`, value: `${from + i}` })),
    })
  await until(() => owners.get('one')?.length === 2 && owners.get('other')?.length === 2)
  await send(0)
  await until(() => seen.size === 40)
  await one.disconnect()
  await until(() => owners.get('other')?.length === 4)
  await send(40)
  await until(() => seen.size === 80)
  expect((await kafka.log.lag('g')).map(({ partition }) => partition)).toEqual([0, 1, 2, 3])
})

test(
  'its administration works: topics, configurations, partitions, records, groups, offsets by time',
  { timeout: 60_000 },
  async () => {
    await using kafka = await startKafka()
    const client = clientOf(kafka)
    const admin = using(client.admin())
    await admin.connect()
    expect(
      await admin.createTopics({
        topics: [{ topic: 't', numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '5000000' }] }],
      }),
    ).toBe(true)
    expect(await admin.createTopics({ topics: [{ topic: 't' }] })).toBe(false)
    expect(await admin.listTopics()).toEqual(['t'])
    await admin.createPartitions({ topicPartitions: [{ topic: 't', count: 3 }] })
    expect((await admin.fetchTopicMetadata({ topics: ['t'] })).topics[0].partitions).toHaveLength(3)
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name: 't' }] })
    expect(resources[0].configEntries.find(({ configName }) => configName === 'retention.ms')?.configValue).toBe(
      '5000000',
    )
    const configEntries = [{ name: 'cleanup.policy', value: 'compact' }]
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: 't', configEntries }] })
    // what this call does not name goes back to its default
    expect((await kafka.log.describeTopic('t')).config).toMatchObject({
      cleanupPolicy: 'compact',
      retentionMs: -1,
    })
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: 't', configEntries: [] }] })
    for (let i = 0; i < 10; i++)
      await kafka.log.append('t', { partition: 0, value: Buffer.from('x'), timestamp: 1_000 * (i + 1) })
    expect(
      (await admin.fetchTopicOffsetsByTimestamp('t', 4_500)).find(({ partition }) => partition === 0)?.offset,
    ).toBe('4')
    await admin.deleteTopicRecords({ topic: 't', partitions: [{ partition: 0, offset: '6' }] })
    expect((await admin.fetchTopicOffsets('t'))[0]).toMatchObject({ low: '6', high: '10' })
    await admin.setOffsets({ groupId: 'g', topic: 't', partitions: [{ partition: 0, offset: '8' }] })
    expect((await kafka.log.lag('g')).find(({ partition }) => partition === 0)).toMatchObject({ committed: 8 })
    expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).toEqual(['g'])
    expect((await admin.describeGroups(['g', 'nobody'])).groups.map(({ state }) => state)).toEqual(['Empty', 'Dead'])
    expect(await admin.fetchOffsets({ groupId: 'g', topics: ['t'] })).toEqual([
      {
        topic: 't',
        partitions: [0, 1, 2].map((partition) =>
          expect.objectContaining({ partition, offset: partition === 0 ? '8' : '-1' }),
        ),
      },
    ])
    await admin.deleteGroups(['g'])
    expect((await admin.listGroups()).groups).toEqual([])
    await admin.deleteTopics({ topics: ['t'] })
    expect(await admin.listTopics()).toEqual(['__consumer_offsets'])
  },
)

test('an idempotent producer loses and doubles nothing over restarts of the server', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory()
  let log = await Varve.open({ directory })
  await log.createTopic({ name: 't', partitions: 2, valueCodec: 'string' })
  let server = await serveKafka(log)
  const port = Number(server.bootstrapServers[0].split(':')[1])
  const client = new Kafka({
    brokers: server.bootstrapServers,
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, retries: 50, maxRetryTime: 200 },
  })
  const producer = using(client.producer({ idempotent: true }))
  await producer.connect()
  const producing = (async () => {
    for (let i = 0; i < 200; i++)
      await producer.send({ topic: 't', messages: [{ partition: i % 2, value: String(i) }] })
  })()
  for (let restart = 0; restart < 3; restart++) {
    await new Promise((resolve) => setTimeout(resolve, 40))
    await server.close()
    await log.close()
    log = await Varve.open({ directory })
    server = await serveKafka(log, { port })
  }
  await producing
  const values: number[] = []
  for await (const { value } of log.read('t')) values.push(Number(value))
  expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i))
  await producer.disconnect()
  await server.close()
  await log.close()
})
