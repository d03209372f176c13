/** CreateTopics: what a Kafka client can make, and what it is told of what it cannot. */
import { expect, test } from 'vitest'
import { createTopics } from '../../../src/kafka/apis/create-topics.ts'
import { ZERO_UUID, type Values } from '../../../src/kafka/protocol/schema.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'

type Topic = Values<typeof createTopics.request>['topics'][number]

function topic(name: string, more: Partial<Topic> = {}): Topic {
  return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...more }
}

async function create({ client }: KafkaSession, topics: Topic[], validateOnly = false) {
  return (await client.send(createTopics, 7, { topics, validateOnly })).topics
}

async function errorOf(session: KafkaSession, more: Partial<Topic>, name = 'orders') {
  return (await create(session, [topic(name, more)]))[0].errorCode
}

test('every version makes a topic for bytes and murmur2, and answers what it has room for', async () => {
  await using session = await KafkaSession.open()
  for (const version of versionsOf(createTopics)) {
    const name = `topic-${version}`
    const configs = [{ name: 'retention.ms', value: '1000' }]
    const answer = await session.client.send(createTopics, version, {
      topics: [topic(name, { numPartitions: 3, configs })],
    })
    const { topicId, config, partitions } = await session.log.describeTopic(name)
    expect(partitions).toHaveLength(3)
    expect(config).toMatchObject({ valueCodec: 'bytes', partitioner: 'murmur2', retentionMs: 1000 })
    const [made] = answer.topics
    expect(made).toMatchObject({ name, errorCode: 0, errorMessage: null, topicConfigErrorCode: 0 })
    expect(made.topicId).toBe(version >= 7 ? topicId : ZERO_UUID)
    expect([made.numPartitions, made.replicationFactor]).toEqual(version >= 5 ? [3, 1] : [-1, -1])
    if (version < 5) expect(made.configs).toBeNull()
    else {
      const retention = { name: 'retention.ms', value: '1000', readOnly: false, configSource: 1, isSensitive: false }
      expect(made.configs).toContainEqual(retention)
      const replicas = { name: 'min.insync.replicas', value: '1', readOnly: true, configSource: 5, isSensitive: false }
      expect(made.configs).toContainEqual(replicas)
    }
  }
})

test('-1 partitions are as many as the server is set to give', async () => {
  await using session = await KafkaSession.open({ defaultPartitions: 4 })
  const answer = await create(session, [topic('orders', { numPartitions: -1, replicationFactor: -1 })])
  expect(answer).toMatchObject([{ errorCode: 0, numPartitions: 4 }])
  expect((await session.log.describeTopic('orders')).partitions).toHaveLength(4)
})

test('validateOnly says what would come of it, and makes nothing', async () => {
  await using session = await KafkaSession.open()
  const bad = topic('bad', { configs: [{ name: 'segment.bytes', value: '1' }] })
  await session.log.createTopic({ name: 'there' })
  const others = [topic('there'), topic('__varve_catalog'), topic('no/name')]
  const answer = await create(session, [topic('orders', { numPartitions: 2 }), bad, ...others], true)
  expect(answer).toMatchObject([
    { name: 'orders', errorCode: 0, numPartitions: 2, topicId: ZERO_UUID },
    { name: 'bad', errorCode: 40, numPartitions: -1, configs: [] },
    { name: 'there', errorCode: 36 },
    { name: '__varve_catalog', errorCode: 17 },
    { name: 'no/name', errorCode: 17 },
  ])
  expect(await session.log.listTopics()).toHaveLength(1)
})

test('of several topics those that may be are made, and each of the others is told why not', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 'there' })
  const answer = await create(session, [
    topic('a'),
    topic('there'),
    topic('no/name'),
    topic(''),
    topic('none', { numPartitions: 0 }),
    topic('fewer', { numPartitions: -2 }),
    topic('copies', { replicationFactor: 2 }),
    topic('b'),
    topic('__consumer_offsets'),
    topic('__varve_catalog'),
  ])
  expect(answer.map(({ name, errorCode }) => [name, errorCode])).toEqual([
    ['a', 0],
    ['there', 36],
    ['no/name', 17],
    ['', 17],
    ['none', 37],
    ['fewer', 37],
    ['copies', 38],
    ['b', 0],
    ['__consumer_offsets', 17],
    ['__varve_catalog', 17],
  ])
  for (const { errorCode, errorMessage } of answer) expect(errorMessage === null).toBe(errorCode === 0)
  expect((await session.log.listTopics()).map(({ name }) => name)).toEqual(['a', 'b', 'there'])
  expect(session.warnings).toEqual([])
})

test('a topic that stands in the request twice is refused, once, and the others are made', async () => {
  await using session = await KafkaSession.open()
  const answer = await create(session, [topic('a'), topic('b'), topic('a')])
  expect(answer).toMatchObject([
    { name: 'a', errorCode: 42 },
    { name: 'b', errorCode: 0 },
  ])
  expect((await session.log.listTopics()).map(({ name }) => name)).toEqual(['b'])
})

test('a replication factor up to the number of nodes is accepted', async () => {
  await using session = await KafkaSession.open({ brokers: 3 })
  expect(await errorOf(session, { replicationFactor: 3 })).toBe(0)
  expect(await errorOf(session, { replicationFactor: 4 }, 'more')).toBe(38)
  expect(await errorOf(session, { replicationFactor: 0 }, 'none')).toBe(38)
  expect(await errorOf(session, { replicationFactor: -2 }, 'fewer')).toBe(38)
})

test('replicas may be assigned to nodes that are there, and say how many partitions there are', async () => {
  await using session = await KafkaSession.open({ brokers: 2 })
  const byHand = (...brokers: [partitionIndex: number, brokerIds: number[]][]): Partial<Topic> => ({
    numPartitions: -1,
    replicationFactor: -1,
    assignments: brokers.map(([partitionIndex, brokerIds]) => ({ partitionIndex, brokerIds })),
  })
  expect(await errorOf(session, byHand([1, [1, 2]], [0, [2, 1]]))).toBe(0)
  expect((await session.log.describeTopic('orders')).partitions).toHaveLength(2)
  expect(await errorOf(session, byHand([0, [7]]), 'stranger')).toBe(39)
  expect(await errorOf(session, byHand([0, []]), 'nobody')).toBe(39)
  expect(await errorOf(session, byHand([0, [1, 1]]), 'twice')).toBe(39)
  expect(await errorOf(session, byHand([0, [1]], [1, [1, 2]]), 'uneven')).toBe(39)
  expect(await errorOf(session, byHand([0, [1]], [2, [1]]), 'gap')).toBe(39)
  expect(await errorOf(session, byHand([0, [1]], [0, [2]]), 'again')).toBe(39)
  expect(await errorOf(session, { ...byHand([0, [1]]), numPartitions: 1 }, 'both')).toBe(42)
  expect(await session.log.listTopics()).toHaveLength(1)
})

test('a configuration that is unknown, malformed, without a value or given twice is refused', async () => {
  await using session = await KafkaSession.open()
  const withConfig = (...configs: [name: string, value: string | null][]) =>
    errorOf(session, { configs: configs.map(([name, value]) => ({ name, value })) })
  expect(await withConfig(['no.such', '1'])).toBe(40)
  expect(await withConfig(['retention.ms', 'soon'])).toBe(40)
  expect(await withConfig(['retention.ms', null])).toBe(40)
  expect(await withConfig(['min.insync.replicas', '2'])).toBe(40)
  expect(await withConfig(['retention.ms', '1'], ['retention.ms', '2'])).toBe(42)
  expect(await withConfig(['min.insync.replicas', '1'], ['retention.ms', '2'])).toBe(0)
})

test('one request makes no more than 10,000 partitions', async () => {
  await using session = await KafkaSession.open()
  const answer = await create(
    session,
    [topic('a', { numPartitions: 9_999 }), topic('b', { numPartitions: 2 }), topic('c')],
    true,
  )
  expect(answer.map(({ errorCode }) => errorCode)).toEqual([0, 44, 0])
  expect(await errorOf(session, { numPartitions: 2 ** 31 - 1 })).toBe(44)
})

test('a log that is closed refuses every topic', async () => {
  await using session = await KafkaSession.open()
  await session.log.close()
  expect(await create(session, [topic('a')])).toMatchObject([{ name: 'a', errorCode: 6 }])
})
