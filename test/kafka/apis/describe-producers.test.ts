/** DescribeProducers: whose state a partition keeps. */
import { expect, test } from 'vitest'
import { describeProducers } from '../../../src/kafka/apis/describe-producers.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'

test('every version tells of each partition that it has no producers, or that it is not there', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 'orders', partitions: 2 })
  for (const version of versionsOf(describeProducers)) {
    const { topics } = await session.client.send(describeProducers, version, {
      topics: [
        { name: 'orders', partitionIndexes: [1, 2, -1, 0] },
        { name: 'missing', partitionIndexes: [0] },
        { name: '__varve_catalog', partitionIndexes: [0] },
      ],
    })
    expect(topics.map(({ name }) => name)).toEqual(['orders', 'missing', '__varve_catalog'])
    const told = topics.map(({ partitions }) => partitions.map((one) => [one.partitionIndex, one.errorCode]))
    expect(told).toEqual([
      [
        [1, 0],
        [2, 3],
        [-1, 3],
        [0, 0],
      ],
      [[0, 3]],
      [[0, 3]],
    ])
    for (const { errorCode, errorMessage, activeProducers } of topics.flatMap(({ partitions }) => partitions)) {
      expect(errorMessage === null).toBe(errorCode === 0)
      expect(activeProducers).toEqual([])
    }
  }
})
