/** AlterConfigs: a whole new configuration. */
import { expect, test } from 'vitest'
import { alterConfigs } from '../../../src/kafka/apis/alter-configs.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'

test('every version sets what is named, and gives the rest its default', async () => {
  await using session = await KafkaSession.open()
  for (const version of versionsOf(alterConfigs)) {
    const name = `topic-${version}`
    await session.log.createTopic({ name, segmentBytes: 1_000_000, valueCodec: 'bytes', flush: 'each' })
    const configs = [{ name: 'retention.ms', value: '5000' }]
    const answer = await session.client.send(alterConfigs, version, {
      resources: [{ resourceType: 2, resourceName: name, configs }],
    })
    const responses = [{ errorCode: 0, errorMessage: null, resourceType: 2, resourceName: name }]
    expect(answer).toEqual({ throttleTimeMs: 0, responses })
    const { config } = await session.log.describeTopic(name)
    expect(config).toMatchObject({ retentionMs: 5000, segmentBytes: 1024 ** 3, valueCodec: 'bytes', flush: 'each' })
  }
})

test('validateOnly changes nothing', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 'orders', segmentBytes: 1_000_000 })
  const alter = async (value: string, resourceName = 'orders') => {
    const resources = [{ resourceType: 2, resourceName, configs: [{ name: 'retention.ms', value }] }]
    return (await session.client.send(alterConfigs, 2, { resources, validateOnly: true })).responses[0].errorCode
  }
  expect(await alter('5000')).toBe(0)
  expect(await alter('soon')).toBe(40)
  expect(await alter('5000', '__consumer_offsets')).toBe(17)
  expect(await alter('5000', 'missing')).toBe(3)
  expect((await session.log.describeTopic('orders')).config).toMatchObject({ retentionMs: -1, segmentBytes: 1_000_000 })
})

test('each resource that cannot be changed is told why, whole, and the others are changed', async () => {
  await using session = await KafkaSession.open()
  for (const name of ['orders', 'half', 'twice']) await session.log.createTopic({ name })
  const good = { name: 'retention.ms', value: '5000' }
  const resource = (
    resourceType: number,
    resourceName: string,
    ...configs: { name: string; value: string | null }[]
  ) => ({
    resourceType,
    resourceName,
    configs: configs.length > 0 ? configs : [good],
  })
  const { responses } = await session.client.send(alterConfigs, 2, {
    resources: [
      resource(2, 'missing'),
      resource(2, 'no/name'),
      resource(2, '__consumer_offsets'),
      resource(2, '__varve_catalog'),
      resource(2, 'half', good, { name: 'no.such', value: '1' }),
      resource(2, 'half2', good, good),
      resource(2, 'twice'),
      resource(2, 'twice'),
      resource(4, '1'),
      resource(32, 'group'),
      resource(2, 'orders'),
    ],
  })
  expect(responses.map(({ errorCode }) => errorCode)).toEqual([3, 17, 17, 17, 40, 42, 42, 42, 42, 42, 0])
  expect((await session.log.describeTopic('half')).config.retentionMs).toBe(-1)
  expect((await session.log.describeTopic('twice')).config.retentionMs).toBe(-1)
  expect((await session.log.describeTopic('orders')).config.retentionMs).toBe(5000)
  const none = await session.client.send(alterConfigs, 2, {
    resources: [resource(2, 'half', { name: 'retention.ms', value: null })],
  })
  expect(none.responses[0].errorCode).toBe(42)
})

test('what goes back to its default stays so after the log is opened again', async () => {
  const storage = new MemoryStorage()
  {
    await using session = await KafkaSession.open({}, { storage })
    await session.log.createTopic({ name: 'orders', retentionMs: 1000 })
    await session.client.send(alterConfigs, 2, {
      resources: [{ resourceType: 2, resourceName: 'orders', configs: [] }],
    })
  }
  await using again = await KafkaSession.open({}, { storage })
  expect((await again.log.describeTopic('orders')).config.retentionMs).toBe(-1)
})
