/** DescribeTopicPartitions: topics in pieces. */
import { expect, test } from 'vitest'
import { describeTopicPartitions } from '../../../src/kafka/apis/describe-topic-partitions.ts'
import { ZERO_UUID, type Values } from '../../../src/kafka/protocol/schema.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'

type Cursor = Values<typeof describeTopicPartitions.request>['cursor']

async function describe({ client }: KafkaSession, names: string[], limit = 2000, cursor: Cursor = null) {
  const topics = names.map((name) => ({ name }))
  return client.send(describeTopicPartitions, 0, { topics, responsePartitionLimit: limit, cursor })
}

/** What an answer is about, in short. */
function placesOf({ topics }: Awaited<ReturnType<typeof describe>>): string[] {
  return topics.flatMap(({ name, partitions }) => partitions.map(({ partitionIndex }) => `${name}-${partitionIndex}`))
}

async function openWithTopics(topics: Record<string, number>): Promise<KafkaSession> {
  const session = await KafkaSession.open()
  for (const [name, partitions] of Object.entries(topics)) await session.log.createTopic({ name, partitions })
  return session
}

test('every version describes a topic whole', async () => {
  await using session = await KafkaSession.open({ brokers: 2 })
  const { topicId } = await session.log.createTopic({ name: 'orders', partitions: 2 })
  for (const version of versionsOf(describeTopicPartitions)) {
    const answer = await session.client.send(describeTopicPartitions, version, { topics: [{ name: 'orders' }] })
    const { leaderEpoch } = (await session.log.describeTopic('orders')).partitions[0]
    const partition = (partitionIndex: number, leaderId: number) => ({
      errorCode: 0,
      partitionIndex,
      leaderId,
      leaderEpoch,
      replicaNodes: [leaderId],
      isrNodes: [leaderId],
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
      offlineReplicas: [],
    })
    const topic = { errorCode: 0, name: 'orders', topicId, isInternal: false, topicAuthorizedOperations: 3576 }
    const topics = [{ ...topic, partitions: [partition(0, 1), partition(1, 2)] }]
    expect(answer).toEqual({ throttleTimeMs: 0, topics, nextCursor: null })
  }
})

test('who names no topic gets all of them by name, the internal one marked, the catalog never', async () => {
  await using session = await openWithTopics({ b: 1, a: 1 })
  await session.makeOffsetsPartitions(3, 7)
  const answer = await describe(session, [])
  expect(answer.topics.map(({ name, isInternal }) => [name, isInternal])).toEqual([
    ['__consumer_offsets', true],
    ['a', false],
    ['b', false],
  ])
  expect(placesOf(answer).slice(0, 2)).toEqual(['__consumer_offsets-3', '__consumer_offsets-7'])
})

test.each([1, 2, 3, 4, 5, 6, 7, 0, -1])(
  'with at most %i partitions an answer, cursors lead through all once',
  async (limit) => {
    await using session = await openWithTopics({ a: 3, b: 1, c: 2 })
    const found: string[] = []
    let cursor: Cursor = null
    let answers = 0
    do {
      const answer: Awaited<ReturnType<typeof describe>> = await describe(session, ['c', 'a', 'b', 'a'], limit, cursor)
      expect(placesOf(answer).length).toBeLessThanOrEqual(Math.max(limit, 1))
      found.push(...placesOf(answer))
      cursor = answer.nextCursor
      answers++
    } while (cursor !== null && answers < 10)
    expect(found).toEqual(['a-0', 'a-1', 'a-2', 'b-0', 'c-0', 'c-1'])
  },
)

test('one answer has no more than 2,000 partitions, whatever is asked for', async () => {
  await using session = await openWithTopics({ a: 2001 })
  const answer = await describe(session, [], 2 ** 31 - 1)
  expect(answer.topics[0].partitions).toHaveLength(2000)
  expect(answer.nextCursor).toEqual({ topicName: 'a', partitionIndex: 2000 })
})

test('topics that are not there are told so among the others', async () => {
  await using session = await openWithTopics({ orders: 1 })
  const { topics } = await describe(session, ['missing', 'no/name', 'orders', '__varve_catalog'])
  expect(topics.map(({ name, errorCode, topicId }) => [name, errorCode, topicId === ZERO_UUID])).toEqual([
    ['__varve_catalog', 3, true],
    ['missing', 3, true],
    ['no/name', 17, true],
    ['orders', 0, false],
  ])
})

test('a cursor at a topic that is gone goes on with the next one', async () => {
  await using session = await openWithTopics({ a: 1, c: 1 })
  expect(placesOf(await describe(session, [], 10, { topicName: 'b', partitionIndex: 4 }))).toEqual(['c-0'])
})

test('a cursor that cannot be is refused', async () => {
  await using session = await openWithTopics({ a: 1, b: 1 })
  const codes = async (cursor: Cursor) =>
    (await describe(session, ['a'], 10, cursor)).topics.map((one) => one.errorCode)
  expect(await codes({ topicName: 'b', partitionIndex: 0 })).toEqual([42])
  expect(await codes({ topicName: 'a', partitionIndex: -1 })).toEqual([42])
  expect(await codes({ topicName: 'a', partitionIndex: 0 })).toEqual([0])
})
