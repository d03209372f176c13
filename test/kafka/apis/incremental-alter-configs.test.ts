/** IncrementalAlterConfigs: single configurations. */
import { expect, test } from 'vitest'
import { incrementalAlterConfigs } from '../../../src/kafka/apis/incremental-alter-configs.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'

const [SET, DELETE, APPEND, SUBTRACT] = [0, 1, 2, 3]

type Change = [name: string, configOperation: number, value: string | null]

async function alter(
  { client }: KafkaSession,
  changes: Change[],
  { version = 1, validateOnly = false, type = 2 } = {},
) {
  const configs = changes.map(([name, configOperation, value]) => ({ name, configOperation, value }))
  const resources = [{ resourceType: type, resourceName: 'orders', configs }]
  return (await client.send(incrementalAlterConfigs, version, { resources, validateOnly })).responses[0]
}

async function openWithTopic(): Promise<KafkaSession> {
  const session = await KafkaSession.open()
  await session.log.createTopic({ name: 'orders', segmentBytes: 1_000_000 })
  return session
}

async function configOf({ log }: KafkaSession) {
  return (await log.describeTopic('orders')).config
}

test('every version sets what is named, and leaves the rest', async () => {
  for (const version of versionsOf(incrementalAlterConfigs)) {
    await using session = await openWithTopic()
    const answer = await alter(session, [['retention.ms', SET, '5000']], { version })
    expect(answer).toEqual({ errorCode: 0, errorMessage: null, resourceType: 2, resourceName: 'orders' })
    expect(await configOf(session)).toMatchObject({ retentionMs: 5000, segmentBytes: 1_000_000 })
  }
})

test('DELETE gives a configuration its default', async () => {
  await using session = await openWithTopic()
  expect(await alter(session, [['segment.bytes', DELETE, null]])).toMatchObject({ errorCode: 0 })
  expect(await configOf(session)).toMatchObject({ segmentBytes: 1024 ** 3 })
})

test('APPEND and SUBTRACT change a list, which starts as its default, and must not become empty', async () => {
  await using session = await openWithTopic()
  const policyAfter = async (operation: number, value: string) => {
    const { errorCode } = await alter(session, [['cleanup.policy', operation, value]])
    return [errorCode, (await configOf(session)).cleanupPolicy]
  }
  expect(await policyAfter(APPEND, 'compact')).toEqual([0, 'compact,delete'])
  expect(await policyAfter(APPEND, 'compact')).toEqual([0, 'compact,delete'])
  expect(await policyAfter(SUBTRACT, 'delete')).toEqual([0, 'compact'])
  expect(await policyAfter(SUBTRACT, 'delete')).toEqual([0, 'compact'])
  expect(await policyAfter(SUBTRACT, 'compact')).toEqual([40, 'compact'])
  expect(await policyAfter(APPEND, 'shred')).toEqual([40, 'compact'])
  expect(await policyAfter(SET, 'delete, compact')).toEqual([0, 'compact,delete'])
})

test('validateOnly changes nothing', async () => {
  await using session = await openWithTopic()
  expect(await alter(session, [['retention.ms', SET, '1']], { validateOnly: true })).toMatchObject({ errorCode: 0 })
  expect(await alter(session, [['retention.ms', SET, '-5']], { validateOnly: true })).toMatchObject({ errorCode: 40 })
  expect(await configOf(session)).toMatchObject({ retentionMs: -1 })
})

test('what cannot be changed so is told why, and nothing of its resource changes', async () => {
  await using session = await openWithTopic()
  const good: Change = ['retention.ms', SET, '1']
  const codeOf = async (change: Change, options = {}) => (await alter(session, [good, change], options)).errorCode
  expect(await codeOf(['no.such', SET, '1'])).toBe(40)
  expect(await codeOf(['no.such', DELETE, null])).toBe(40)
  expect(await codeOf(['no.such', APPEND, '1'])).toBe(40)
  expect(await codeOf(['segment.bytes', APPEND, '1'])).toBe(40)
  expect(await codeOf(['unclean.leader.election.enable', SET, 'true'])).toBe(40)
  expect(await codeOf(['segment.bytes', SET, null])).toBe(42)
  expect(await codeOf(['segment.bytes', 4, '1'])).toBe(42)
  expect(await codeOf(['segment.bytes', -1, '1'])).toBe(42)
  expect(await codeOf(['retention.ms', SET, '2'])).toBe(42)
  expect(await codeOf(['segment.bytes', SET, '1000'], { type: 4 })).toBe(42)
  expect(await configOf(session)).toMatchObject({ retentionMs: -1, segmentBytes: 1_000_000 })
})

test('of several resources each has its own result', async () => {
  await using session = await openWithTopic()
  const configs = [{ name: 'retention.ms', configOperation: SET, value: '7' }]
  const names = ['missing', 'orders', '__consumer_offsets']
  const { responses } = await session.client.send(incrementalAlterConfigs, 1, {
    resources: names.map((resourceName) => ({ resourceType: 2, resourceName, configs })),
  })
  expect(responses.map(({ errorCode }) => errorCode)).toEqual([3, 0, 17])
  expect(await configOf(session)).toMatchObject({ retentionMs: 7 })
})
