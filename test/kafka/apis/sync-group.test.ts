/** SyncGroup over TCP: who is assigned what, also where some members are part of the server's process. */
import { expect, test } from 'vitest'
import { decodeAssignment, decodeSubscription } from '../../../src/group/consumer-protocol.ts'
import { consumerOf, ORDERS, until } from '../../helpers/consuming.ts'
import { assignmentOf, GroupServer, twoMembers, type RawMember } from '../../helpers/kafka-groups.ts'
import { idle } from '../../helpers/logs.ts'

test('a leader brings its own assignment and gets it, in every version', async () => {
  await using server = await GroupServer.start()
  for (let version = 0; version <= 5; version++) {
    const member = await server.member({ groupId: `group-${version}` })
    await member.join()
    expect(await member.sync([[member, assignmentOf(0, 1)]], version)).toEqual({
      throttleTimeMs: 0,
      errorCode: 0,
      protocolType: version >= 5 ? 'consumer' : null,
      protocolName: version >= 5 ? 'range' : null,
      assignment: assignmentOf(0, 1),
    })
  }
})

test('a follower waits for the leader, and gets what that one gave it', async () => {
  await using server = await GroupServer.start()
  const [a, b] = await twoMembers(server)
  const kept = await Promise.all([a, b].map((member) => member.sync()))
  expect(kept.map(({ assignment }) => assignment)).toEqual([assignmentOf(0), assignmentOf(1)])
})

test('a sync of another generation, of nobody, with another protocol or without a group is refused', async () => {
  await using server = await GroupServer.start()
  const member = await (await server.member()).joinAlone()
  expect(await member.sync([], 5, { protocolName: 'sticky' })).toMatchObject({ errorCode: 23 })
  member.generation++
  expect(await member.sync()).toMatchObject({ errorCode: 22, assignment: Buffer.alloc(0) })
  member.memberId = 'nobody'
  expect(await member.sync()).toMatchObject({ errorCode: 25 })
  const nowhere = await server.member({ groupId: '' })
  expect(await nowhere.sync()).toMatchObject({ errorCode: 24 })
})

test('a sync that waits hears of the next rebalance; one whose connection closes is forgotten', async () => {
  await using server = await GroupServer.start()
  const [a, b] = await twoMembers(server)
  const waitsForLeader = async () => {
    const joining = a.join()
    await until(async () => (await b.heartbeat()) === 27)
    await Promise.all([joining, b.join()])
    return b.sync()
  }
  const syncing = waitsForLeader()
  await until(() => server.group()!.members.get(b.memberId)!.syncing !== null)
  const c = await server.member()
  const joining = c.join()
  expect(await syncing).toMatchObject({ errorCode: 27 })
  await Promise.all([a.join(), b.join(), joining])
  const gone = c.sync().catch(() => 'gone')
  await until(() => server.group()!.members.get(c.memberId)!.syncing !== null)
  c.client.socket.destroy()
  expect(await gone).toBe('gone')
  await until(() => server.group()!.members.get(c.memberId)!.syncing === null)
  expect(await a.sync([[a, assignmentOf(0, 1)]])).toMatchObject({ errorCode: 0, assignment: assignmentOf(0, 1) })
})

/** Does what a client does, until it has an assignment of its own that is its last. */
async function follow(member: RawMember): Promise<number[]> {
  for (;;) {
    const joined = await member.join()
    expect(joined.errorCode).toBe(0)
    expect(joined.leader).not.toBe(member.memberId)
    const { errorCode, assignment } = await member.sync()
    if (errorCode === 27) continue
    expect(errorCode).toBe(0)
    const partitions = decodeAssignment(assignment).partitions.map(({ partition }) => partition)
    if (partitions.length > 0) return partitions
    await until(async () => (await member.heartbeat()) === 27)
  }
}

test('an embedded consumer and a client over TCP share a group, whoever leads it', async () => {
  await using server = await GroupServer.start()
  const { log } = server
  const consumer = consumerOf(log, { assignors: ['range'], heartbeatIntervalMs: 20 })
  const run = consumer.run(() => {})
  await until(() => consumer.assignment().length === 2)
  const member = await server.member()
  const [owned] = await follow(member)
  await until(() => consumer.assignment().length === 1)
  expect([owned, consumer.assignment()[0].partition].sort((a, b) => a - b)).toEqual([0, 1])
  // now the other way round: the client leads, and reads what the consumer subscribes to
  await consumer.close()
  await run
  while ((await member.heartbeat()) !== 27) await idle()
  expect(await member.join()).toMatchObject({ leader: member.memberId })
  await member.sync([[member, assignmentOf(0, 1)]])
  const second = consumerOf(log, { assignors: ['range'], heartbeatIntervalMs: 20 })
  const secondRun = second.run(() => {})
  while ((await member.heartbeat()) !== 27) await idle()
  const lead = await member.join()
  const other = lead.members.find(({ memberId }) => memberId !== member.memberId)!
  expect(decodeSubscription(other.metadata).topics).toEqual([ORDERS])
  const stranger = { memberId: other.memberId } as RawMember
  await member.sync([
    [member, assignmentOf(0)],
    [stranger, assignmentOf(1)],
  ])
  await until(() => second.assignment().length === 1)
  expect(second.assignment()).toMatchObject([{ topic: ORDERS, partition: 1 }])
  await second.close()
  await secondRun
})

test('a client that says what nobody can read gets nothing, and does no harm to an embedded consumer that leads', async () => {
  await using server = await GroupServer.start()
  const consumer = consumerOf(server.log, { assignors: ['range'], heartbeatIntervalMs: 20 })
  const run = consumer.run(() => {})
  await until(() => consumer.assignment().length === 2)
  const member = await server.member({ metadata: Buffer.from([0xff]) })
  expect(await member.join()).toMatchObject({ errorCode: 0 })
  const { errorCode, assignment } = await member.sync()
  expect([errorCode, decodeAssignment(assignment).partitions]).toEqual([0, []])
  await until(() => consumer.assignment().length === 2)
  const described = await server.log.describeGroup('billing')
  expect(described.members).toContainEqual(expect.objectContaining({ memberId: member.memberId, topics: [] }))
  await consumer.close()
  await run
})

test('from version 5 on a member must say which protocol it means', async () => {
  await using server = await GroupServer.start()
  const member = await (await server.member()).joinAlone()
  expect((await member.sync([], 5, { protocolType: null })).errorCode).toBe(23)
  expect((await member.sync([], 5, { protocolName: null })).errorCode).toBe(23)
  expect((await member.sync([], 4, { protocolType: null })).errorCode).toBe(0)
})
