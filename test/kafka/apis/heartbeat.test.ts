/** Heartbeat over TCP: who is heard of, and what they hear. */
import { expect, test } from 'vitest'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { GroupServer, twoMembers } from '../../helpers/kafka-groups.ts'
import { until } from '../../helpers/consuming.ts'

test('a member is heard of in every version', async () => {
  await using server = await GroupServer.start()
  const member = await (await server.member()).joinAlone()
  for (let version = 0; version <= 4; version++) expect(await member.heartbeat(version)).toBe(0)
})

test('whoever is no member, or of another generation, or names no group hears so', async () => {
  await using server = await GroupServer.start()
  const member = await (await server.member()).joinAlone()
  expect([await member.heartbeat(4, 0), await member.heartbeat(4, 2)]).toEqual([22, 22])
  member.memberId = 'nobody'
  expect(await member.heartbeat()).toBe(25)
  expect(await (await server.member({ groupId: 'other' })).heartbeat()).toBe(25)
  expect(await (await server.member({ groupId: '' })).heartbeat()).toBe(24)
})

test('a member that is not heard of for as long as its session is out of the group, and the others rebalance', async () => {
  const clock = new FakeClock()
  await using server = await GroupServer.start({ clock })
  const [a, b] = await twoMembers(server)
  await clock.advanceSlowly(9_000)
  expect([await a.heartbeat(), await b.heartbeat()]).toEqual([0, 0])
  await clock.advanceSlowly(9_000)
  expect(await a.heartbeat()).toBe(0)
  await clock.advanceSlowly(1_000)
  expect([await a.heartbeat(), await b.heartbeat()]).toEqual([27, 25])
  expect((await a.join()).members).toHaveLength(1)
  const joining = b.join()
  expect(await joining).toMatchObject({ errorCode: 25 })
  b.memberId = ''
  const again = b.join()
  await until(() => server.group()!.state === 'PreparingRebalance')
  expect((await a.join()).members).toHaveLength(2)
  expect(await again).toMatchObject({ errorCode: 0, leader: a.memberId })
})
