/** DescribeGroups over TCP. */
import { expect, test } from 'vitest'
import { describeGroups } from '../../../src/kafka/apis/describe-groups.ts'
import { decodeAssignment, decodeSubscription } from '../../../src/group/consumer-protocol.ts'
import { consumerOf, GROUP, ORDERS, until } from '../../helpers/consuming.ts'
import { assignmentOf, GroupServer, SUBSCRIPTION, twoMembers } from '../../helpers/kafka-groups.ts'

const NOT_ASKED = -(2 ** 31)

test('a group is described in every version, and one that is not there as dead or not found', async () => {
  await using server = await GroupServer.start()
  const [a, b] = await twoMembers(server, [{ instanceId: 'one' }, {}])
  const client = await server.connect()
  for (let version = 0; version <= 6; version++) {
    const member = { clientId: 'test', clientHost: '/127.0.0.1', memberMetadata: SUBSCRIPTION }
    const answer = await client.send(describeGroups, version, {
      groups: [GROUP, 'other', GROUP],
      includeAuthorizedOperations: true,
    })
    const authorizedOperations = version >= 3 ? 3400 : NOT_ASKED
    expect(answer).toEqual({
      throttleTimeMs: 0,
      groups: [
        {
          errorCode: 0,
          errorMessage: null,
          groupId: GROUP,
          groupState: 'Stable',
          protocolType: 'consumer',
          protocolData: 'range',
          members: [
            {
              ...member,
              memberId: a.memberId,
              groupInstanceId: version >= 4 ? 'one' : null,
              memberAssignment: assignmentOf(0),
            },
            { ...member, memberId: b.memberId, groupInstanceId: null, memberAssignment: assignmentOf(1) },
          ],
          authorizedOperations,
        },
        {
          errorCode: version >= 6 ? 69 : 0,
          errorMessage: version >= 6 ? expect.stringContaining("'other'") : null,
          groupId: 'other',
          groupState: 'Dead',
          protocolType: '',
          protocolData: '',
          members: [],
          authorizedOperations,
        },
      ],
    })
  }
  const [{ authorizedOperations }] = (await client.send(describeGroups, 5, { groups: [GROUP] })).groups
  expect(authorizedOperations).toBe(NOT_ASKED)
})

test('while a group rebalances its members are told, and nothing of what they were given', async () => {
  await using server = await GroupServer.start()
  const [a] = await twoMembers(server)
  const joining = a.join().catch(() => 'the server closed')
  await until(() => server.group()!.state === 'PreparingRebalance')
  const [group] = (await (await server.connect()).send(describeGroups, 5, { groups: [GROUP] })).groups
  const nothing = { memberMetadata: Buffer.alloc(0), memberAssignment: Buffer.alloc(0) }
  expect(group).toMatchObject({ groupState: 'PreparingRebalance', protocolData: '', members: [nothing, nothing] })
  await server.kafka.close()
  expect(await joining).toMatchObject({ errorCode: 15 })
})

test('an embedded consumer is a member like any other, and so is a client in the embedded description', async () => {
  const server = await GroupServer.start()
  const consumer = consumerOf(server.log, { assignors: ['range'] })
  const run = consumer.run(() => {})
  await until(() => consumer.assignment().length === 2)
  const client = await server.connect()
  const describe = async () => (await client.send(describeGroups, 6, { groups: [GROUP] })).groups[0]
  const [embedded] = (await describe()).members
  expect(embedded).toMatchObject({ clientHost: 'embedded' })
  expect(decodeSubscription(embedded.memberMetadata).topics).toEqual([ORDERS])
  expect(decodeAssignment(embedded.memberAssignment).partitions).toHaveLength(2)
  const member = await server.member()
  await member.join()
  await member.sync()
  expect((await describe()).members.map(({ clientHost }) => clientHost)).toEqual(['embedded', '/127.0.0.1'])
  const { members } = await server.log.describeGroup(GROUP)
  expect(members.map(({ clientHost, topics, assignment }) => [clientHost, topics, assignment.length])).toEqual([
    ['embedded', [ORDERS], 1],
    ['/127.0.0.1', [ORDERS], 1],
  ])
  await server[Symbol.asyncDispose]()
  await run
})
