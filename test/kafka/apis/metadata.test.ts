/** Which nodes and topics there are, as every client asks first. */
import { expect, test } from 'vitest'
import { metadata } from '../../../src/kafka/apis/metadata.ts'
import { ZERO_UUID } from '../../../src/kafka/protocol/schema.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'

const named = (...names: string[]) => names.map((name) => ({ name, topicId: ZERO_UUID }))

test('every version tells the nodes and the partitions, whose leaders take turns', async () => {
  await using session = await KafkaSession.open({ brokers: 3, nodeId: 5 })
  const { topicId } = await session.log.createTopic({ name: 't', partitions: 4 })
  for (const version of versionsOf(metadata)) {
    const answer = await session.client.send(metadata, version, { topics: named('t') })
    expect(
      answer.brokers.map(({ nodeId }) => nodeId),
      `version ${version}`,
    ).toEqual([5, 6, 7])
    expect(answer.brokers.map(({ host, port }) => `${host}:${port}`)).toEqual(session.server.bootstrapServers)
    const [{ errorCode, name, partitions, topicId: told }] = answer.topics
    expect([errorCode, name, told]).toEqual([0, 't', version >= 10 ? topicId : ZERO_UUID])
    expect(partitions.map(({ leaderId }) => leaderId)).toEqual([5, 6, 7, 5])
    if (version >= 1) expect(answer.controllerId).toBe(5)
    if (version >= 2) expect(answer.clusterId).toHaveLength(22)
  }
})

test('all topics are told where none is named: by null, in version 0 by an empty list', async () => {
  await using session = await KafkaSession.open()
  for (const name of ['a', 'b']) await session.log.createTopic({ name })
  const names = async (version: number, topics: ReturnType<typeof named> | null) =>
    (await session.client.send(metadata, version, { topics })).topics.map(({ name }) => name)
  expect(await names(0, [])).toEqual(['a', 'b'])
  expect(await names(1, [])).toEqual([])
  expect(await names(1, null)).toEqual(['a', 'b'])
  expect(await names(13, null)).toEqual(['a', 'b'])
})

test('a topic that is not there is made where both sides allow it, once, with murmur2 for its keys', async () => {
  await using session = await KafkaSession.open({ defaultPartitions: 4 })
  const ask = async (name: string, allowAutoTopicCreation: boolean) =>
    (await session.client.send(metadata, 9, { topics: named(name), allowAutoTopicCreation })).topics[0]
  expect(await ask('new', false)).toMatchObject({ errorCode: 3, partitions: [] })
  const [one, other] = await Promise.all([ask('new', true), ask('new', true)])
  expect([one.errorCode, one.partitions.length, other.errorCode]).toEqual([0, 4, 0])
  expect((await session.log.describeTopic('new')).config.partitioner).toBe('murmur2')
  expect((await ask('no/name', true)).errorCode).toBe(17)
  await using closed = await KafkaSession.open({ autoCreateTopics: false })
  const { topics } = await closed.client.send(metadata, 9, { topics: named('new'), allowAutoTopicCreation: true })
  expect(topics[0].errorCode).toBe(3)
})

test('a topic is found by its id, and an id that none has is told', async () => {
  await using session = await KafkaSession.open()
  const { topicId } = await session.log.createTopic({ name: 't' })
  const unknown = 'BBBBBBBBBBBBBBBBBBBBBA'
  const topics = [topicId, unknown].map((id) => ({ name: null, topicId: id }))
  const answer = await session.client.send(metadata, 12, { topics })
  expect(answer.topics).toMatchObject([
    { errorCode: 0, name: 't', topicId },
    { errorCode: 100, name: null, topicId: unknown },
  ])
})

test('a name that no topic may have is told, whether it is to be made or not', async () => {
  await using session = await KafkaSession.open()
  for (const allowAutoTopicCreation of [false, true]) {
    const names = ['', '..', 'a b', 'a'.repeat(250)]
    const { topics } = await session.client.send(metadata, 9, { topics: named(...names), allowAutoTopicCreation })
    expect(topics.map(({ errorCode }) => errorCode)).toEqual([17, 17, 17, 17])
  }
})

test('a topic is told of once, however often it is asked for', async () => {
  await using session = await KafkaSession.open()
  const { topicId } = await session.log.createTopic({ name: 't' })
  const topics = [...named('t', 't', 'u', 'u'), { name: null, topicId }]
  const answer = await session.client.send(metadata, 12, { topics, allowAutoTopicCreation: false })
  expect(answer.topics.map(({ name }) => name)).toEqual(['t', 'u'])
})

test('what a client may do is told where it asks', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 't' })
  const asked = { includeClusterAuthorizedOperations: true, includeTopicAuthorizedOperations: true }
  const answer = await session.client.send(metadata, 8, { topics: named('t'), ...asked })
  expect([answer.clusterAuthorizedOperations, answer.topics[0].topicAuthorizedOperations]).toEqual([8096, 3576])
})

test('one request makes no more than 1,000 topics', async () => {
  await using session = await KafkaSession.open()
  const topics = Array.from({ length: 1_003 }, (_, i) => ({ topicId: ZERO_UUID, name: `t${i}` }))
  const answer = await session.client.send(metadata, 9, { topics, allowAutoTopicCreation: true })
  expect(answer.topics.filter(({ errorCode }) => errorCode === 0)).toHaveLength(1_000)
  expect(answer.topics.filter(({ errorCode }) => errorCode === 44)).toHaveLength(3)
})
