/** DescribeProducers: whose state a partition keeps. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import { describeProducers } from '../../../src/kafka/apis/describe-producers.ts'
import { produce } from '../../../src/kafka/apis/produce.ts'
import { clientBatch } from '../../helpers/client-batch.ts'
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

test('each producer is told of with its last batch, also after a restart and before it sends again', async () => {
  const storage = new MemoryStorage()
  const expected = [
    { producerId: 7, producerEpoch: 2, lastSequence: 5, lastTimestamp: 1_000 },
    { producerId: 8, producerEpoch: 0, lastSequence: 0, lastTimestamp: 1_000 },
  ].map((one) => ({ ...one, coordinatorEpoch: -1, currentTxnStartOffset: -1 }))
  const ask = async ({ client }: KafkaSession) => {
    const topics = [{ name: 't', partitionIndexes: [1, 0] }]
    const [{ partitions }] = (await client.send(describeProducers, 0, { topics })).topics
    return partitions.map(({ activeProducers }) => activeProducers)
  }
  {
    await using session = await KafkaSession.open({}, { storage })
    const { topicId } = await session.log.createTopic({ name: 't', partitions: 2, valueCodec: 'bytes' })
    for (const batch of [
      clientBatch(['a', 'b'], { producerId: 7, producerEpoch: 2, baseSequence: 4 }),
      clientBatch(['c'], { producerId: 8, producerEpoch: 0, baseSequence: 0 }),
      clientBatch(['d']),
    ]) {
      const topicData = [{ name: 't', topicId, partitionData: [{ index: 1, records: [batch] }] }]
      await session.client.send(produce, 9, { transactionalId: null, acks: -1, timeoutMs: 1_000, topicData })
    }
    expect(await ask(session)).toEqual([expected, []])
  }
  await using session = await KafkaSession.open({}, { storage })
  expect(await ask(session)).toEqual([expected, []])
})

test('a partition that is asked for again and again is told of once', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 't' })
  const topic = { name: 't', partitionIndexes: [0, 0] }
  const { topics } = await session.client.send(describeProducers, 0, { topics: [topic, topic] })
  expect(topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))).toEqual([0, 42, 42, 42])
})
