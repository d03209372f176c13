/** One course of administration for the clients of other languages. */
import { expect } from 'vitest'
import { startKafka } from '../../src/kafka/start.ts'
import type { Json } from '../helpers/run-cli.ts'
import { Driven, type Driver } from './driver.ts'

/**
 * What Kafka answers, with its error codes, step by step.
 *
 * @param beyond what the client makes of a time after the last record, for which Kafka answers -1
 */
export async function administer(driver: Driver, beyond = -1): Promise<void> {
  await using kafka = await startKafka()
  const append = async () => {
    for (let i = 0; i < 10; i++)
      await kafka.log.append('t', { partition: 0, value: Buffer.from('x'), timestamp: 1_000 * (i + 1) })
  }
  const servers = kafka.bootstrapServers.join()
  const admin = async (...steps: unknown[][]) => {
    const driven = new Driven(driver, { do: 'admin', servers, steps })
    await driven.finish()
    return driven.said.map(({ error, result }): Json => (error === undefined ? result : { error }))
  }
  expect(
    await admin(
      ['createTopics', ['t', 2, { 'retention.ms': '5000000' }], ['u', -1, {}]],
      ['createTopics', ['t', 2, {}]],
      ['createTopics', ['v', 0, {}]],
      ['createTopics', ['v', 1, { 'retention.ms': 'soon' }]],
      ['createPartitions', 't', 3],
      ['createPartitions', 't', 2],
      ['describeTopics', 't', 'u'],
      ['describeTopics', 'nowhere'],
      ['alterConfigs', 't', { 'cleanup.policy': 'compact', 'max.message.bytes': '2000000' }],
      ['describeConfigs', 't', 'cleanup.policy', 'max.message.bytes', 'retention.ms', 'compression.type'],
      ['alterConfigs', 't', { 'cleanup.policy': 'delete' }],
      ['describeCluster'],
    ),
  ).toEqual([
    null,
    { error: 36 },
    { error: 37 },
    { error: 40 },
    null,
    { error: 37 },
    { t: [0, 1, 2], u: [0] },
    { error: 3 },
    null,
    {
      'cleanup.policy': 'compact',
      'max.message.bytes': '2000000',
      'retention.ms': '5000000',
      'compression.type': 'producer',
    },
    null,
    { nodes: [1], controller: 1 },
  ])
  await append()
  expect(
    await admin(
      ['listOffsets', 't', 0, 'earliest', 'latest', 'max', 4_500, 4_000, 10_001],
      ['deleteRecords', 't', 0, 6],
      ['deleteRecords', 't', 0, 60],
      ['listOffsets', 't', 0, 'earliest'],
      ['alterOffsets', 'g', 't', 0, 8],
      ['listGroupOffsets', 'g'],
      ['listGroups'],
      ['describeGroup', 'g'],
      ['deleteGroups', 'g'],
      ['deleteGroups', 'g'],
      ['listGroups'],
      ['deleteTopics', 't', 'u'],
      ['deleteTopics', 't'],
      ['listTopics'],
    ),
  ).toEqual([
    [0, 10, 9, 4, 3, beyond],
    6,
    { error: 1 },
    [6],
    [[0, 8]],
    [['t', 0, 8]],
    [['g', 'EMPTY']],
    { state: 'EMPTY', assignor: '', members: 0 },
    null,
    { error: 69 },
    [],
    null,
    { error: 3 },
    ['__consumer_offsets'],
  ])
}
