/** LeaveGroup over TCP: who is out, and what the others hear of it. */
import { expect, test } from 'vitest'
import { leaveGroup } from '../../../src/kafka/apis/leave-group.ts'
import { GROUP } from '../../helpers/consuming.ts'
import { GroupServer, twoMembers } from '../../helpers/kafka-groups.ts'

test('a member leaves in every version, and is none any more', async () => {
  await using server = await GroupServer.start()
  for (let version = 0; version <= 5; version++) {
    const member = await (await server.member({ groupId: `group-${version}` })).joinAlone()
    expect(await member.leave(version)).toEqual({
      throttleTimeMs: 0,
      errorCode: 0,
      members: version < 3 ? [] : [{ memberId: member.memberId, groupInstanceId: null, errorCode: 0 }],
    })
    expect(await member.heartbeat()).toBe(25)
    const again = await member.leave(version)
    expect(version < 3 ? again.errorCode : again.members[0].errorCode).toBe(25)
  }
})

test('when one leaves the others rebalance', async () => {
  await using server = await GroupServer.start()
  const [a, b] = await twoMembers(server)
  await a.leave()
  expect(await b.heartbeat()).toBe(27)
  expect(await b.join()).toMatchObject({ errorCode: 0, generationId: 3, leader: b.memberId })
})

test('an administrator takes out members by id and by instance id, each that is there', async () => {
  await using server = await GroupServer.start()
  const [a, b] = await twoMembers(server, [{}, { instanceId: 'two' }])
  const client = await server.connect()
  const members = [
    { memberId: a.memberId, groupInstanceId: null, reason: null },
    { memberId: '', groupInstanceId: 'two', reason: null },
    { memberId: '', groupInstanceId: 'three', reason: null },
    { memberId: b.memberId, groupInstanceId: 'two', reason: null },
  ]
  const answer = await client.send(leaveGroup, 5, { groupId: GROUP, members })
  expect(answer.members.map(({ errorCode }) => errorCode)).toEqual([0, 0, 25, 25])
  expect(server.group()!.members.size).toBe(0)
  const fenced = [{ memberId: 'old', groupInstanceId: 'two', reason: null }]
  await (await server.member({ instanceId: 'two' })).joinAlone()
  expect((await client.send(leaveGroup, 5, { groupId: GROUP, members: fenced })).members[0].errorCode).toBe(82)
})

test('without a group, or with more members than any group has, nobody leaves', async () => {
  await using server = await GroupServer.start()
  const client = await server.connect()
  expect(await client.send(leaveGroup, 5, { groupId: '' })).toMatchObject({ errorCode: 24, members: [] })
  const many = Array.from({ length: 10_001 }, () => ({ memberId: '', groupInstanceId: 'x', reason: null }))
  expect(await client.send(leaveGroup, 5, { groupId: GROUP, members: many })).toMatchObject({ errorCode: 42 })
})
