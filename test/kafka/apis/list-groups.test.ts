/** ListGroups over TCP. */
import { expect, test } from 'vitest'
import { listGroups } from '../../../src/kafka/apis/list-groups.ts'
import { consumerOf, ORDERS, until } from '../../helpers/consuming.ts'
import { GroupServer } from '../../helpers/kafka-groups.ts'

/** A group of each kind: embedded and over TCP, empty, and of something else than consumers. */
async function groups(brokers = 1) {
  const server = await GroupServer.start({}, brokers)
  const consumer = consumerOf(server.log, { groupId: 'embedded' })
  const run = consumer.run(() => {})
  await until(() => consumer.assignment().length === 2)
  await (await server.member({ groupId: 'embedded', protocols: ['cooperative-sticky'] })).join()
  await (await server.member({ groupId: 'workers', protocolType: 'connect', protocols: ['eager'] })).joinAlone()
  await (await (await server.member({ groupId: 'gone' })).joinAlone()).leave()
  const offsets = [{ topic: ORDERS, partition: 0, offset: 0 }]
  await server.log.resetOffsets('simple', { offsets, dryRun: false })
  return { server, run }
}

test('all groups are listed in every version, with their states and types', async () => {
  const { server, run } = await groups()
  const client = await server.connect()
  for (let version = 0; version <= 5; version++) {
    const groupType = version >= 5 ? 'classic' : ''
    const group = (groupId: string, protocolType: string, groupState: string) => ({
      groupId,
      protocolType,
      groupState: version >= 4 ? groupState : '',
      groupType,
    })
    expect(await client.send(listGroups, version)).toEqual({
      throttleTimeMs: 0,
      errorCode: 0,
      groups: [
        group('embedded', 'consumer', expect.any(String) as string),
        group('gone', 'consumer', 'Empty'),
        group('simple', '', 'Empty'),
        group('workers', 'connect', 'Stable'),
      ],
    })
  }
  const idsOf = async (asked: object) => (await client.send(listGroups, 5, asked)).groups.map(({ groupId }) => groupId)
  expect(await idsOf({ statesFilter: ['empty', 'DEAD'] })).toEqual(['gone', 'simple'])
  expect(await idsOf({ statesFilter: ['Stable'], typesFilter: ['Classic'] })).toContain('workers')
  expect(await idsOf({ statesFilter: ['nonsense'] })).toEqual([])
  expect(await idsOf({ typesFilter: ['consumer', 'share'] })).toEqual([])
  await server[Symbol.asyncDispose]()
  await run
})

test('each group is listed by one node', async () => {
  const { server, run } = await groups(3)
  const counts = []
  for (const node of [0, 1, 2]) counts.push((await (await server.connect(node)).send(listGroups, 5)).groups.length)
  expect(counts).toEqual([4, 0, 0])
  await server[Symbol.asyncDispose]()
  await run
})
