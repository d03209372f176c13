/** DescribeLogDirs: how much a node keeps. */
import { expect, test } from 'vitest'
import { describeLogDirs } from '../../../src/kafka/apis/describe-log-dirs.ts'
import { KafkaTestClient } from '../../helpers/kafka-client.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'

test('every version tells the directory and the size of each partition', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 'orders', partitions: 2 })
  await session.log.append('orders', { value: 'x', partition: 1 })
  const { sizeBytes } = (await session.log.describeTopic('orders')).partitions[1]
  expect(sizeBytes).toBeGreaterThan(0)
  for (const version of versionsOf(describeLogDirs)) {
    const answer = await session.client.send(describeLogDirs, version, { topics: null })
    const of = (partitionIndex: number, partitionSize: number) => ({
      partitionIndex,
      partitionSize,
      offsetLag: 0,
      isFutureKey: false,
    })
    const volume = { totalBytes: -1, usableBytes: -1, isCordoned: false }
    const topics = [{ name: 'orders', partitions: [of(0, 0), of(1, sizeBytes)] }]
    const results = [{ errorCode: 0, logDir: session.log.directory, topics, ...volume }]
    expect(answer).toEqual({ throttleTimeMs: 0, errorCode: 0, results })
  }
})

test('of the partitions that are named those are told that are there', async () => {
  await using session = await KafkaSession.open()
  for (const name of ['orders', 'other']) await session.log.createTopic({ name, partitions: 3 })
  await session.makeOffsetsPartitions(4)
  const namesOf = async (topics: { topic: string; partitions: number[] }[] | null) => {
    const { results } = await session.client.send(describeLogDirs, 4, { topics })
    return results[0].topics.map(({ name, partitions }) => [name, ...partitions.map((one) => one.partitionIndex)])
  }
  const named = [
    { topic: 'orders', partitions: [2, 9, -1, 2] },
    { topic: 'missing', partitions: [0] },
    { topic: 'orders', partitions: [0] },
    { topic: '__consumer_offsets', partitions: [4, 5] },
    { topic: '__varve_catalog', partitions: [0] },
  ]
  expect(await namesOf(named)).toEqual([
    ['orders', 0, 2],
    ['__consumer_offsets', 4],
  ])
  expect(await namesOf([])).toEqual([])
  expect(await namesOf(null)).toHaveLength(3)
})

test('of several nodes each tells what it leads', async () => {
  await using session = await KafkaSession.open({ brokers: 2 })
  await session.log.createTopic({ name: 'orders', partitions: 3 })
  const told = []
  for (const server of session.server.bootstrapServers) {
    await using client = await KafkaTestClient.connect(server)
    const { results } = await client.send(describeLogDirs, 4, { topics: null })
    told.push(results[0].topics[0].partitions.map(({ partitionIndex }) => partitionIndex))
  }
  expect(told).toEqual([[0, 2], [1]])
})

test('a log that is closed is told so', async () => {
  await using session = await KafkaSession.open()
  await session.log.close()
  expect(await session.client.send(describeLogDirs, 4, { topics: null })).toMatchObject({ errorCode: 6, results: [] })
})
