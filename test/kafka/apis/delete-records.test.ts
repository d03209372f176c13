/** DeleteRecords: where partitions begin. */
import { expect, test } from 'vitest'
import { deleteRecords } from '../../../src/kafka/apis/delete-records.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'

async function openWithRecords(count: number): Promise<KafkaSession> {
  const session = await KafkaSession.open()
  await session.log.createTopic({ name: 'orders', partitions: 2 })
  for (let i = 0; i < count; i++) await session.log.append('orders', { value: i, partition: 0 })
  return session
}

test('every version moves the start of a partition, and answers where it is', async () => {
  await using session = await openWithRecords(5)
  for (const version of versionsOf(deleteRecords)) {
    const partitions = [{ partitionIndex: 0, offset: version + 1 }]
    const answer = await session.client.send(deleteRecords, version, { topics: [{ name: 'orders', partitions }] })
    const results = [{ partitionIndex: 0, lowWatermark: version + 1, errorCode: 0 }]
    expect(answer).toEqual({ throttleTimeMs: 0, topics: [{ name: 'orders', partitions: results }] })
    expect((await session.log.describeTopic('orders')).partitions[0].logStartOffset).toBe(version + 1)
  }
})

test('-1 deletes all, and an offset before the start nothing', async () => {
  await using session = await openWithRecords(5)
  const send = async (offset: number) => {
    const topics = [{ name: 'orders', partitions: [{ partitionIndex: 0, offset }] }]
    return (await session.client.send(deleteRecords, 2, { topics })).topics[0].partitions[0]
  }
  expect(await send(3)).toMatchObject({ errorCode: 0, lowWatermark: 3 })
  expect(await send(1)).toMatchObject({ errorCode: 0, lowWatermark: 3 })
  expect(await send(-1)).toMatchObject({ errorCode: 0, lowWatermark: 5 })
})

test('each partition that cannot is told why, and the others lose what they were told to', async () => {
  await using session = await openWithRecords(5)
  await session.log.createTopic({ name: 'latest', cleanupPolicy: 'compact' })
  await session.makeOffsetsPartitions(0)
  await session.log.createTopic({ name: 'both', cleanupPolicy: 'compact,delete' })
  const { topics } = await session.client.send(deleteRecords, 2, {
    topics: [
      {
        name: 'orders',
        partitions: [
          { partitionIndex: 0, offset: 6 },
          { partitionIndex: 0, offset: -2 },
          { partitionIndex: 9, offset: 0 },
          { partitionIndex: -1, offset: 0 },
          { partitionIndex: 0, offset: 2 },
        ],
      },
      { name: 'missing', partitions: [{ partitionIndex: 0, offset: 0 }] },
      { name: 'latest', partitions: [{ partitionIndex: 0, offset: 0 }] },
      { name: 'both', partitions: [{ partitionIndex: 0, offset: 0 }] },
      { name: '__consumer_offsets', partitions: [{ partitionIndex: 0, offset: 0 }] },
      { name: '__varve_catalog', partitions: [{ partitionIndex: 0, offset: 0 }] },
    ],
  })
  const codes = topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
  expect(codes).toEqual([[1, 1, 3, 3, 0], [3], [44], [0], [17], [3]])
  for (const { errorCode, lowWatermark } of topics.flatMap(({ partitions }) => partitions))
    expect(lowWatermark < 0).toBe(errorCode !== 0)
  expect((await session.log.describeTopic('orders')).partitions[0].logStartOffset).toBe(2)
})
