/** DescribeConfigs: every configuration, its value, and where it comes from. */
import { expect, test } from 'vitest'
import { describeConfigs } from '../../../src/kafka/apis/describe-configs.ts'
import { topicConfigs } from '../../../src/kafka/topic-configs.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'

async function describe(
  { client }: KafkaSession,
  resourceType: number,
  resourceName: string,
  configurationKeys: string[] | null = null,
) {
  const request = { resources: [{ resourceType, resourceName, configurationKeys }], includeSynonyms: true }
  return (await client.send(describeConfigs, 4, { ...request, includeDocumentation: true })).results[0]
}

test('every version tells all that it has room for', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 'orders', retentionMs: 1000 })
  for (const version of versionsOf(describeConfigs)) {
    const { results } = await session.client.send(describeConfigs, version, {
      resources: [{ resourceType: 2, resourceName: 'orders', configurationKeys: null }],
      includeSynonyms: true,
      includeDocumentation: true,
    })
    expect(results).toMatchObject([{ errorCode: 0, errorMessage: null, resourceType: 2, resourceName: 'orders' }])
    const [{ configs }] = results
    expect(configs.map(({ name }) => name)).toEqual([...topicConfigs.keys()])
    const config = (wanted: string) => configs.find(({ name }) => name === wanted)!
    const [set, unset] = [config('retention.ms'), config('segment.ms')]
    expect([set.value, unset.value]).toEqual(['1000', '604800000'])
    if (version === 0) expect([set.isDefault, unset.isDefault]).toEqual([false, true])
    else {
      expect([set.configSource, unset.configSource]).toEqual([1, 5])
      expect(set.synonyms).toEqual([
        { name: 'retention.ms', value: '1000', source: 1 },
        { name: 'log.retention.ms', value: '-1', source: 5 },
      ])
      expect(unset.synonyms).toEqual([{ name: 'log.roll.ms', value: '604800000', source: 5 }])
    }
    expect([set.configType, config('segment.bytes').configType]).toEqual(version >= 3 ? [5, 3] : [0, 0])
    for (const { documentation } of configs) expect(Boolean(documentation)).toBe(version >= 3)
  }
})

test('synonyms and documentation are told only where they are asked for', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 'orders', retentionMs: 1000 })
  const { results } = await session.client.send(describeConfigs, 4, {
    resources: [{ resourceType: 2, resourceName: 'orders', configurationKeys: ['retention.ms', 'no.such'] }],
  })
  expect(results[0].configs).toMatchObject([{ name: 'retention.ms', synonyms: [], documentation: null }])
})

test('a node tells what tools look for, and the defaults of topics; all nodes together have changed nothing', async () => {
  await using session = await KafkaSession.open({ brokers: 2, defaultPartitions: 3 })
  const { errorCode, configs } = await describe(session, 4, '2')
  expect(errorCode).toBe(0)
  const values = Object.fromEntries(configs.map(({ name, value }) => [name, value]))
  expect(values).toMatchObject({
    'node.id': '2',
    'num.partitions': '3',
    'default.replication.factor': '1',
    'log.retention.ms': '-1',
    'message.max.bytes': '1048588',
    'advertised.listeners': `PLAINTEXT://${session.server.bootstrapServers[1]}`,
    'log.dirs': session.log.directory,
  })
  expect(configs.every(({ readOnly }) => readOnly)).toBe(true)
  expect(new Set(configs.map(({ name }) => name)).size).toBe(configs.length)
  const partitions = configs.find(({ name }) => name === 'num.partitions')!
  expect(partitions.synonyms).toEqual([{ name: 'num.partitions', value: '3', source: 4 }])
  expect(await describe(session, 4, '')).toMatchObject({ errorCode: 0, configs: [] })
})

test('each resource that is not there is told so, and the others are described', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 'orders' })
  const resources = (
    [
      [2, 'missing'],
      [2, 'no/name'],
      [2, '__varve_catalog'],
      [4, '9'],
      [4, 'one'],
      [8, '1'],
      [99, 'orders'],
      [2, 'orders'],
    ] as const
  ).map(([resourceType, resourceName]) => ({ resourceType, resourceName, configurationKeys: [] }))
  const { results } = await session.client.send(describeConfigs, 4, { resources })
  expect(results.map(({ errorCode }) => errorCode)).toEqual([3, 17, 3, 42, 42, 42, 42, 0])
  expect(results.map(({ configs }) => configs.length > 0)).toEqual(results.map(({ errorCode }) => errorCode === 0))
})

test('a resource that stands in the request twice is refused', async () => {
  await using session = await KafkaSession.open()
  for (const name of ['orders', 'other']) await session.log.createTopic({ name })
  const resources = ['orders', 'other', 'orders'].map((resourceName) => ({
    resourceType: 2,
    resourceName,
    configurationKeys: null,
  }))
  const { results } = await session.client.send(describeConfigs, 4, { resources })
  expect(results.map(({ errorCode, configs }) => [errorCode, configs.length])).toEqual([
    [42, 0],
    [0, topicConfigs.size],
    [42, 0],
  ])
})

test('__consumer_offsets is described once it is there', async () => {
  await using session = await KafkaSession.open()
  expect(await describe(session, 2, '__consumer_offsets')).toMatchObject({ errorCode: 3 })
  await session.makeOffsetsPartitions(7)
  expect(await describe(session, 2, '__consumer_offsets', ['cleanup.policy'])).toMatchObject({
    errorCode: 0,
    configs: [{ name: 'cleanup.policy', value: 'compact', configSource: 1 }],
  })
})
