/** ConsumerGroupHeartbeat over TCP: groups whose partitions the server divides. */
import { describe, expect, test } from 'vitest'
import { internalsOf } from '../../../src/client/internals.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import { consumerGroupHeartbeat } from '../../../src/kafka/apis/consumer-group-heartbeat.ts'
import { consumerOf, ORDERS, until } from '../../helpers/consuming.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { GroupServer } from '../../helpers/kafka-groups.ts'
import { ModernMember, settleModern } from '../../helpers/kafka-modern.ts'
import { versionsOf } from '../../helpers/kafka-session.ts'

type Options = ConstructorParameters<typeof ModernMember>[2]

async function member(server: GroupServer, memberId: string, options: Options = {}): Promise<ModernMember> {
  return new ModernMember(await server.connect(), memberId, options)
}

async function joined(server: GroupServer, memberId: string, options: Options = {}): Promise<ModernMember> {
  const one = await member(server, memberId, options)
  expect(await one.join()).toMatchObject({ errorCode: 0 })
  return one
}

test('a member joins, is heard of and leaves in every version; before version 1 it is given its id', async () => {
  await using server = await GroupServer.start()
  const { topicId } = await server.log.describeTopic(ORDERS)
  for (const version of versionsOf(consumerGroupHeartbeat)) {
    const one = await member(server, version === 0 ? '' : 'mine')
    const assignment = { topicPartitions: [{ topicId, partitions: [0, 1] }] }
    expect(await one.join(version)).toEqual({
      throttleTimeMs: 0,
      errorCode: 0,
      errorMessage: null,
      memberId: version === 0 ? (expect.stringMatching(/^[0-9a-f]{32}$/) as string) : 'mine',
      memberEpoch: version * 2 + 2,
      heartbeatIntervalMs: 5_000,
      assignment,
    })
    expect(await one.beat(version)).toMatchObject({ memberEpoch: version * 2 + 2, assignment: null })
    // who says everything hears everything
    const everything = { rebalanceTimeoutMs: 9, subscribedTopicNames: [ORDERS], topicPartitions: [] }
    expect(await one.say(everything, version)).toMatchObject({ memberEpoch: version * 2 + 2, assignment })
    expect(await one.leave()).toMatchObject({ errorCode: 0, memberEpoch: -1, assignment: null })
  }
})

describe('a partition goes to another member', () => {
  test('when the one that had it says that it has given it up, and not before', async () => {
    await using server = await GroupServer.start()
    const a = await joined(server, 'a')
    expect(a.partitions).toEqual([0, 1])
    const b = await joined(server, 'b')
    expect([b.epoch, b.partitions]).toEqual([3, []])
    const before = a.owned
    expect(await a.beat()).toMatchObject({ memberEpoch: 2 })
    expect(a.partitions).toHaveLength(1)
    // it says nothing of what it has, then that it has all of it still
    await a.say({})
    const now = a.owned
    a.owned = before
    await a.beat()
    expect(await b.beat()).toMatchObject({ memberEpoch: 3, assignment: null })
    a.owned = now
    expect(await a.beat()).toMatchObject({ errorCode: 0, memberEpoch: 3, assignment: null })
    await b.beat()
    expect(new Set([...a.partitions, ...b.partitions])).toEqual(new Set([0, 1]))
  })

  test('when the one that had it leaves', async () => {
    await using server = await GroupServer.start()
    const [a, b] = [await joined(server, 'a'), await joined(server, 'b')]
    await settleModern(a, b)
    await a.leave()
    await b.beat()
    expect(b.partitions).toEqual([0, 1])
  })

  test('when the one that had it is not heard of for 45 s, or does not give it up in its time', async () => {
    const clock = new FakeClock()
    await using server = await GroupServer.start({ clock })
    const a = await joined(server, 'a')
    await clock.advanceSlowly(30_000)
    const b = await joined(server, 'b', { rebalanceTimeoutMs: 50_000 })
    await clock.advanceSlowly(14_999)
    await b.beat()
    expect(b.partitions).toEqual([])
    await clock.advanceSlowly(1)
    await b.beat()
    expect(b.partitions).toEqual([0, 1])
    expect(await a.beat()).toMatchObject({ errorCode: 25, errorMessage: expect.stringContaining("'a'") as string })
    const c = await joined(server, 'c')
    // told to give one up, it goes on, and says so
    for (let i = 0; i < 5; i++) {
      await b.say({})
      await clock.advanceSlowly(9_999)
      await c.beat()
    }
    expect(c.partitions).toEqual([])
    await clock.advanceSlowly(5)
    await c.beat()
    expect(c.partitions).toEqual([0, 1])
    expect(await b.beat()).toMatchObject({ errorCode: 25 })
  })

  test('of a topic that is made, grows or is deleted while members are heard of', async () => {
    await using server = await GroupServer.start()
    const a = await joined(server, 'a', { subscribedTopicNames: [ORDERS, 'later'] })
    await server.log.createTopic({ name: 'later', partitions: 1 })
    expect(await a.beat()).toMatchObject({ memberEpoch: 3 })
    expect(a.partitions).toEqual([0, 0, 1])
    await server.log.createPartitions('later', 2)
    await a.beat()
    expect(a.partitions).toEqual([0, 0, 1, 1])
    await server.log.deleteTopic('later')
    await settleModern(a)
    expect([a.partitions, a.epoch]).toEqual([[0, 1], 5])
  })
})

describe('a member that subscribes to a regular expression', () => {
  test('has the topics whose whole names match, also those that come later', async () => {
    await using server = await GroupServer.start()
    const a = await joined(server, 'a', { subscribedTopicNames: null, subscribedTopicRegex: 'ord.*|.*_offsets' })
    await server.log.createTopic({ name: 'order-lines', partitions: 1 })
    await server.log.createTopic({ name: 'disorder', partitions: 1 })
    await a.beat()
    expect(a.partitions).toEqual([0, 0, 1])
    // an empty one takes it back
    await a.say({ subscribedTopicRegex: '', subscribedTopicNames: ['disorder'], topicPartitions: [] })
    await settleModern(a)
    expect(a.partitions).toEqual([0])
  })

  test('is refused one that cannot be understood, and stays what it is', async () => {
    await using server = await GroupServer.start()
    const a = await joined(server, 'a')
    expect(await a.say({ subscribedTopicRegex: '(' })).toMatchObject({ errorCode: 128 })
    expect(await a.beat()).toMatchObject({ errorCode: 0, memberEpoch: 2 })
  })
})

describe('a static member', () => {
  const instanceId = 'one'

  test('that goes for a while and comes back under another id has what it had, and nobody else notices', async () => {
    await using server = await GroupServer.start()
    const a = await joined(server, 'a', { instanceId })
    const b = await joined(server, 'b')
    await settleModern(a, b)
    const { epoch, owned } = a
    expect(await a.leave(-2)).toMatchObject({ errorCode: 0, memberEpoch: -2 })
    await b.beat()
    expect(b.partitions).toHaveLength(1)
    const again = await joined(server, 'a2', { instanceId })
    expect([again.epoch, again.owned]).toEqual([epoch, owned])
    a.epoch = epoch
    expect(await a.beat()).toMatchObject({ errorCode: 82 })
    expect(await a.leave()).toMatchObject({ errorCode: 82 })
  })

  test('keeps its instance id until it leaves, or its session ends', async () => {
    const clock = new FakeClock()
    await using server = await GroupServer.start({ clock })
    const a = await joined(server, 'a', { instanceId })
    const b = await member(server, 'b', { instanceId })
    expect(await b.join()).toMatchObject({ errorCode: 111 })
    expect(await a.beat()).toMatchObject({ errorCode: 0 })
    await clock.advanceSlowly(45_000)
    expect(await b.join()).toMatchObject({ errorCode: 0 })
    await b.leave(-2)
    await clock.advanceSlowly(45_000)
    expect(await b.beat()).toMatchObject({ errorCode: 25 })
  })
})

test('what an answer that was lost has told is told again, and any other epoch is fenced', async () => {
  await using server = await GroupServer.start()
  const a = await joined(server, 'a')
  expect(await a.join()).toMatchObject({ errorCode: 0, memberEpoch: 2 })
  const b = await joined(server, 'b')
  await settleModern(a, b)
  expect([a.epoch, b.epoch]).toEqual([3, 3])
  a.epoch = 2
  expect(await a.beat()).toMatchObject({ errorCode: 0, memberEpoch: 3 })
  for (const epoch of [2, 4, 99]) {
    a.epoch = epoch
    expect(await a.say({})).toMatchObject({ errorCode: 110 })
  }
  a.epoch = 2
  a.owned = new Set([...a.owned, ...b.owned])
  expect(await a.beat()).toMatchObject({ errorCode: 110 })
})

test('what makes no sense is refused, and changes nothing', async () => {
  await using server = await GroupServer.start({ groups: { maxSize: 2 } })
  const a = await joined(server, 'a')
  const says = async (said: object, version = 1) => (await (await member(server, 'x')).say(said, version)).errorCode
  const join = { memberEpoch: 0, rebalanceTimeoutMs: 1, subscribedTopicNames: [ORDERS], topicPartitions: [] }
  expect(await says({ ...join, groupId: '' })).toBe(42)
  expect(await says({ ...join, memberId: '' })).toBe(42)
  expect(await says({ ...join, memberId: '', memberEpoch: 1 }, 0)).toBe(42)
  expect(await says({ ...join, instanceId: '' })).toBe(42)
  expect(await says({ ...join, rackId: '' })).toBe(42)
  expect(await says({ ...join, rebalanceTimeoutMs: -1 })).toBe(42)
  expect(await says({ ...join, subscribedTopicNames: null })).toBe(42)
  expect(await says({ ...join, topicPartitions: null })).toBe(42)
  const topicPartitions = [{ topicId: 'A'.repeat(22), partitions: [0] }]
  expect(await says({ ...join, topicPartitions })).toBe(42)
  expect(await says({ ...join, memberEpoch: -2 })).toBe(42)
  expect(await says({ ...join, memberEpoch: -3 })).toBe(42)
  expect(await says({ ...join, serverAssignor: 'mine' })).toBe(112)
  expect(await says({ memberEpoch: 5 })).toBe(25)
  expect(await says({ memberEpoch: -1 })).toBe(25)
  expect(await says({ memberEpoch: -1, groupId: 'nobody' })).toBe(69)
  await joined(server, 'b')
  expect(await says(join)).toBe(81)
  await settleModern(a)
  expect([a.epoch, a.partitions.length]).toEqual([3, 1])
})

test('the assignor is the one that most members ask for', async () => {
  await using server = await GroupServer.start()
  for (const name of ['p', 'q']) await server.log.createTopic({ name, partitions: 1 })
  const subscribedTopicNames = ['p', 'q']
  const options = { subscribedTopicNames, serverAssignor: 'range' }
  const members = [await joined(server, 'a', options), await joined(server, 'b', options)]
  await settleModern(...members)
  expect(members.map(({ partitions }) => partitions)).toEqual([[0, 0], []])
  const more = { subscribedTopicNames, serverAssignor: 'uniform' }
  for (const id of ['c', 'd', 'e']) members.push(await joined(server, id, more))
  await settleModern(...members)
  expect(Math.max(...members.map(({ owned }) => owned.size))).toBe(1)
})

describe('classic members and these', () => {
  test('are never in one group at a time; one without members takes either', async () => {
    await using server = await GroupServer.start()
    const classic = await server.member()
    await classic.joinAlone()
    const modern = await member(server, 'a')
    expect(await modern.join()).toMatchObject({
      errorCode: 69,
      errorMessage: expect.stringContaining('members of the classic protocol') as string,
    })
    await classic.leave()
    expect(await modern.join()).toMatchObject({ errorCode: 0, memberEpoch: 2 })
    classic.memberId = ''
    expect(await classic.join()).toMatchObject({ errorCode: 23 })
    expect(await classic.heartbeat()).toBe(25)
    expect(await classic.commit(0, 0)).toBe(25)
    await modern.leave()
    await classic.joinAlone()
    expect(await classic.heartbeat()).toBe(0)
    expect(await server.log.describeGroup('billing')).toMatchObject({
      state: 'Stable',
      assignor: 'range',
      generation: 3,
    })
    await classic.leave()
    // it is a group of its own again
    expect(await modern.join()).toMatchObject({ errorCode: 0, memberEpoch: 2 })
    expect(server.warnings).toEqual([])
  })

  test('a consumer of this process hears why it cannot join', async () => {
    await using server = await GroupServer.start()
    await joined(server, 'a')
    const consumer = consumerOf(server.log)
    await expect(consumer.run(() => {})).rejects.toMatchObject({
      code: 'INCONSISTENT_GROUP_PROTOCOL',
      message: expect.stringContaining('group.protocol=consumer') as string,
    })
  })
})

describe('a restart', () => {
  test('goes unnoticed by members: they have what they had, and go on with their epochs', async () => {
    const storage = new MemoryStorage()
    const options = { storage }
    let first: { owned: Set<string>; epoch: number; instance: Set<string> }
    {
      await using server = await GroupServer.start(options)
      const a = await joined(server, 'a')
      const b = await joined(server, 'b', { instanceId: 'one' })
      await settleModern(a, b)
      first = { owned: a.owned, epoch: a.epoch, instance: b.owned }
      await b.leave(-2)
    }
    await using server = await GroupServer.start(options, 1, false)
    const { coordinator } = internalsOf('a test', server.log)
    expect(await coordinator.fetchError('billing', { memberId: 'a', epoch: 99 })).toBe('STALE_MEMBER_EPOCH')
    const a = await member(server, 'a')
    Object.assign(a, first)
    const c = await joined(server, 'c', { instanceId: 'one' })
    expect(c.owned).toEqual(first.instance)
    await a.beat()
    expect(a.owned).toEqual(first.owned)
    expect(a.epoch).toBeGreaterThan(first.epoch)
  })

  test('finds a group of the protocol that it had last', async () => {
    const storage = new MemoryStorage()
    {
      await using server = await GroupServer.start({ storage })
      await (await (await server.member()).joinAlone()).leave()
      await (await joined(server, 'a')).leave()
    }
    {
      await using server = await GroupServer.start({ storage }, 1, false)
      expect(await server.log.describeGroup('billing')).toMatchObject({ assignor: 'uniform', generation: 3 })
      await (await server.member()).joinAlone()
    }
    await using server = await GroupServer.start({ storage }, 1, false)
    expect(await server.log.describeGroup('billing')).toMatchObject({ assignor: 'range', generation: 1 })
    expect(await (await member(server, 'a')).join()).toMatchObject({ errorCode: 69 })
  })

  test('is told from a group that was deleted: that begins with its first epoch', async () => {
    const storage = new MemoryStorage()
    {
      await using server = await GroupServer.start({ storage })
      const a = await joined(server, 'a')
      await expect(server.log.deleteGroup('billing')).rejects.toMatchObject({ code: 'NON_EMPTY_GROUP' })
      await a.leave()
      expect(await server.log.describeGroup('billing')).toMatchObject({ state: 'Empty', generation: 3 })
      await server.log.deleteGroup('billing')
      await until(() => server.group() === undefined)
    }
    await using server = await GroupServer.start({ storage }, 1, false)
    expect((await joined(server, 'a')).epoch).toBe(2)
  })
})
