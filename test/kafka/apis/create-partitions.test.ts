/** CreatePartitions: topics grow, and never shrink. */
import { expect, test } from 'vitest'
import { createPartitions } from '../../../src/kafka/apis/create-partitions.ts'
import type { Values } from '../../../src/kafka/protocol/schema.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'

type Topic = Values<typeof createPartitions.request>['topics'][number]

async function grow({ client }: KafkaSession, topics: Topic[], validateOnly = false) {
  return (await client.send(createPartitions, 3, { topics, validateOnly })).results
}

async function partitionsOf({ log }: KafkaSession, name: string): Promise<number> {
  return (await log.describeTopic(name)).partitions.length
}

test('every version adds partitions', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 'orders' })
  for (const version of versionsOf(createPartitions)) {
    const count = version + 2
    const answer = await session.client.send(createPartitions, version, {
      topics: [{ name: 'orders', count, assignments: null }],
    })
    const results = [{ name: 'orders', errorCode: 0, errorMessage: null }]
    expect(answer).toEqual({ throttleTimeMs: 0, results })
    expect(await partitionsOf(session, 'orders')).toBe(count)
  }
})

test('validateOnly adds none', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 'orders' })
  const topics = [
    { name: 'orders', count: 3, assignments: null },
    { name: 'missing', count: 3, assignments: null },
  ]
  expect((await grow(session, topics, true)).map(({ errorCode }) => errorCode)).toEqual([0, 3])
  expect(await partitionsOf(session, 'orders')).toBe(1)
})

test('each topic that cannot grow so is told why, and the others grow', async () => {
  await using session = await KafkaSession.open()
  for (const name of ['same', 'fewer', 'none', 'orders', 'twice', 'many'])
    await session.log.createTopic({ name, partitions: 2 })
  const results = await grow(session, [
    { name: 'same', count: 2, assignments: null },
    { name: 'fewer', count: 1, assignments: null },
    { name: 'none', count: -1, assignments: null },
    { name: 'missing', count: 3, assignments: null },
    { name: '__consumer_offsets', count: 60, assignments: null },
    { name: 'twice', count: 3, assignments: null },
    { name: 'twice', count: 4, assignments: null },
    { name: 'many', count: 2 ** 31 - 1, assignments: null },
    { name: 'orders', count: 3, assignments: null },
  ])
  expect(results.map(({ errorCode }) => errorCode)).toEqual([37, 37, 37, 3, 17, 42, 44, 0])
  expect(await partitionsOf(session, 'orders')).toBe(3)
  expect(await partitionsOf(session, 'twice')).toBe(2)
})

test('new partitions may be assigned to nodes that are there, each of them', async () => {
  await using session = await KafkaSession.open({ brokers: 2 })
  await session.log.createTopic({ name: 'orders' })
  const assign = async (count: number, ...brokerIds: number[][]) =>
    (await grow(session, [{ name: 'orders', count, assignments: brokerIds.map((ids) => ({ brokerIds: ids })) }]))[0]
      .errorCode
  expect(await assign(3, [1])).toBe(39)
  expect(await assign(2, [9])).toBe(39)
  expect(await assign(2, [])).toBe(39)
  expect(await assign(3, [2], [1])).toBe(0)
  expect(await partitionsOf(session, 'orders')).toBe(3)
})
