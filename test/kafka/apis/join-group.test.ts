/** JoinGroup over TCP: who becomes a member, and who waits for whom. */
import { expect, test } from 'vitest'
import { joinGroup } from '../../../src/kafka/apis/join-group.ts'
import { GROUP, until } from '../../helpers/consuming.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { GroupServer, SUBSCRIPTION, twoMembers } from '../../helpers/kafka-groups.ts'
import { idle, rejection } from '../../helpers/logs.ts'

test('a member that is alone leads in every version; from version 4 on it is told its id first', async () => {
  await using server = await GroupServer.start()
  for (let version = 0; version <= 9; version++) {
    const member = await server.member({ groupId: `group-${version}` })
    const first = await member.askToJoin(version)
    if (version >= 4) {
      expect(first).toMatchObject({ errorCode: 79, generationId: -1, members: [] })
      expect(first.protocolName).toBe(version < 7 ? '' : null)
    }
    const answer = version >= 4 ? await member.askToJoin(version) : first
    expect(answer).toEqual({
      throttleTimeMs: 0,
      errorCode: 0,
      generationId: 1,
      protocolType: version >= 7 ? 'consumer' : null,
      protocolName: 'range',
      leader: member.memberId,
      skipAssignment: false,
      memberId: expect.stringMatching(/^test-[0-9a-f]{32}$/),
      members: [{ memberId: member.memberId, groupInstanceId: null, metadata: SUBSCRIPTION }],
    })
  }
})

test('a second member starts a rebalance: the leader is told of both, and the other of none', async () => {
  await using server = await GroupServer.start()
  const [a, b] = [await server.member(), await server.member()]
  await a.joinAlone()
  const joining = b.join()
  while ((await a.heartbeat()) === 0);
  const lead = await a.join()
  const follow = await joining
  expect(lead).toMatchObject({ generationId: 2, leader: a.memberId, memberId: a.memberId })
  expect(lead.members.map(({ memberId }) => memberId)).toEqual([a.memberId, b.memberId])
  expect(follow).toMatchObject({ errorCode: 0, generationId: 2, leader: a.memberId, memberId: b.memberId, members: [] })
})

test('in version 0 a rebalance waits as long as the session lasts', async () => {
  await using server = await GroupServer.start()
  for (const [version, waitsMs] of [
    [0, 10_000],
    [1, 60_000],
  ]) {
    const member = await server.member({ groupId: `group-${version}` })
    await member.join(version)
    expect(server.group(`group-${version}`)!.members.get(member.memberId)).toMatchObject({
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: waitsMs,
      clientId: 'test',
      clientHost: '/127.0.0.1',
    })
  }
})

test('a static member comes back under a new id without a rebalance, and the old one is fenced', async () => {
  await using server = await GroupServer.start()
  const [a, b] = await twoMembers(server, [{ instanceId: 'one' }, { instanceId: 'two' }])
  const again = await server.member({ instanceId: 'one' })
  const answer = await again.join()
  expect(answer).toMatchObject({ errorCode: 0, generationId: 2, skipAssignment: true, leader: again.memberId })
  expect(again.memberId).not.toBe(a.memberId)
  expect(answer.members.map(({ groupInstanceId }) => groupInstanceId)).toEqual(['one', 'two'])
  expect([await a.heartbeat(), await b.heartbeat(), await again.heartbeat()]).toEqual([82, 0, 0])
  expect([await a.commit(0, 1), (await a.join()).errorCode, (await a.sync()).errorCode]).toEqual([82, 82, 82])
})

test('an old client whose static member leads and comes back is told who led before', async () => {
  await using server = await GroupServer.start()
  const [a] = await twoMembers(server, [{ instanceId: 'one' }, { instanceId: 'two' }])
  const again = await server.member({ instanceId: 'one' })
  expect(await again.join(5)).toMatchObject({ errorCode: 0, generationId: 2, leader: a.memberId, members: [] })
})

test('what cannot be a member is refused, each for its reason', async () => {
  await using server = await GroupServer.start()
  await (await server.member()).joinAlone()
  const many = Array.from({ length: 33 }, (_, i) => `protocol-${i}`)
  const refused: [number, object][] = [
    [24, { groupId: '' }],
    [26, { sessionTimeoutMs: 5_999 }],
    [26, { sessionTimeoutMs: 1_800_001 }],
    [23, { protocols: [] }],
    [23, { protocols: ['roundrobin'] }],
    [23, { protocolType: 'connect' }],
    [23, { groupId: 'other', protocolType: '' }],
    [23, { groupId: 'other', protocols: many }],
  ]
  for (const [errorCode, options] of refused) {
    const answer = await (await server.member(options)).askToJoin()
    expect(answer, JSON.stringify(options)).toMatchObject({ errorCode, generationId: -1, memberId: '', members: [] })
  }
  const stranger = await server.member()
  stranger.memberId = 'nobody'
  expect(await stranger.askToJoin()).toMatchObject({ errorCode: 25, memberId: 'nobody' })
  expect(server.warnings).toEqual([])
})

test('a name that would not fit when it is told to others costs its connection, and nobody else', async () => {
  await using server = await GroupServer.start()
  const client = await server.connect()
  const protocols = [{ name: 'range', metadata: SUBSCRIPTION }]
  // each byte that is no UTF-8 becomes three
  const id = Buffer.alloc(20_000, 'a').toString()
  const frame = client.encode(joinGroup, 5, { groupId: id, sessionTimeoutMs: 10_000, protocols }, 1)
  frame.fill(0xff, frame.indexOf('aaaa'), frame.indexOf('aaaa') + 20_000)
  const answer = client.answerTo(1)
  client.socket.write(frame)
  await rejection(answer)
  expect(server.warnings).toHaveLength(1)
  await (await server.member()).joinAlone()
})

test('a connection that closes while its join waits: the member stays for a while, and the others go on', async () => {
  const clock = new FakeClock()
  await using server = await GroupServer.start({ clock })
  const [a, b] = [await server.member(), await server.member({ sessionTimeoutMs: 8_000 })]
  await a.joinAlone()
  const joining = rejection(b.join())
  await until(() => server.group()!.state === 'PreparingRebalance')
  b.client.socket.destroy()
  await joining
  await until(() => server.group()!.members.get(b.memberId)!.joining === null)
  expect(server.group()!.members.size).toBe(2)
  const again = a.join()
  await until(() => server.group()!.members.get(a.memberId)!.joining !== null)
  await clock.advanceSlowly(8_000)
  expect((await again).members.map(({ memberId }) => memberId)).toEqual([a.memberId])
})

test('a server that closes answers what waits', async () => {
  await using server = await GroupServer.start()
  const [a, b] = [await server.member(), await server.member()]
  await a.joinAlone()
  const joining = b.join()
  while ((await a.heartbeat()) === 0);
  await server.kafka.close()
  expect(await joining).toMatchObject({ errorCode: 15, memberId: b.memberId })
  await idle()
  expect(server.group(GROUP)!.members.get(b.memberId)).toMatchObject({ joining: null })
})
