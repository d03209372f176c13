/** ConsumerGroupDescribe over TCP, and what the APIs of classic groups say of groups whose partitions the server divides. */
import { expect, test } from 'vitest'
import { consumerGroupDescribe } from '../../../src/kafka/apis/consumer-group-describe.ts'
import { deleteGroups } from '../../../src/kafka/apis/delete-groups.ts'
import { describeGroups } from '../../../src/kafka/apis/describe-groups.ts'
import { leaveGroup } from '../../../src/kafka/apis/leave-group.ts'
import { listGroups } from '../../../src/kafka/apis/list-groups.ts'
import { offsetCommit } from '../../../src/kafka/apis/offset-commit.ts'
import { offsetDelete } from '../../../src/kafka/apis/offset-delete.ts'
import { offsetFetch } from '../../../src/kafka/apis/offset-fetch.ts'
import { GROUP, ORDERS } from '../../helpers/consuming.ts'
import { GroupServer } from '../../helpers/kafka-groups.ts'
import { ModernMember, settleModern } from '../../helpers/kafka-modern.ts'
import { versionsOf } from '../../helpers/kafka-session.ts'

/** A group of two, of which one has both partitions, and is to give one up. */
async function groupOfTwo(server: GroupServer) {
  const a = new ModernMember(await server.connect(), 'a', { rackId: 'here' })
  const pattern = { subscribedTopicNames: null, subscribedTopicRegex: 'or.*' }
  const b = new ModernMember(await server.connect(), 'b', { ...pattern, instanceId: 'one' })
  await a.join()
  await b.join()
  return [a, b] as const
}

test('a group is described with what its members have and are to have, in every version', async () => {
  await using server = await GroupServer.start()
  const [a] = await groupOfTwo(server)
  const client = await server.connect()
  const { topicId } = await server.log.describeTopic(ORDERS)
  const partitions = (...numbers: number[]) => ({
    topicPartitions: numbers.length === 0 ? [] : [{ topicId, topicName: ORDERS, partitions: numbers }],
  })
  const who = { clientId: 'test', clientHost: '/127.0.0.1' }
  for (const version of versionsOf(consumerGroupDescribe)) {
    const asked = { groupIds: [GROUP, GROUP, 'nobody', ''], includeAuthorizedOperations: true }
    const memberType = version === 0 ? -1 : 1
    const { groups } = await client.send(consumerGroupDescribe, version, asked)
    expect(groups.map(({ groupId, errorCode }) => [groupId, errorCode])).toEqual([
      [GROUP, 0],
      ['nobody', 69],
      ['', 24],
    ])
    const { members, ...group } = groups[0]
    expect(group).toEqual({
      errorCode: 0,
      errorMessage: null,
      groupId: GROUP,
      groupState: 'Reconciling',
      groupEpoch: 3,
      assignmentEpoch: 3,
      assignorName: 'uniform',
      authorizedOperations: 0b110101001000,
    })
    const [first, second] = members
    expect(first).toEqual({
      ...who,
      memberId: 'a',
      instanceId: null,
      rackId: 'here',
      memberEpoch: 2,
      subscribedTopicNames: [ORDERS],
      subscribedTopicRegex: '',
      assignment: partitions(0, 1),
      targetAssignment: partitions(0),
      memberType,
    })
    expect(second).toEqual({
      ...who,
      memberId: 'b',
      instanceId: 'one',
      rackId: null,
      memberEpoch: 3,
      subscribedTopicNames: [],
      subscribedTopicRegex: 'or.*',
      assignment: partitions(),
      targetAssignment: partitions(1),
      memberType,
    })
  }
  await a.leave()
  const { groups } = await client.send(consumerGroupDescribe, 1, { groupIds: [GROUP] })
  expect(groups[0]).toMatchObject({ groupState: 'Assigning', groupEpoch: 4, assignmentEpoch: 3 })
  expect(groups[0].authorizedOperations).toBe(-(2 ** 31))
})

test('it is listed with its type and its state, and no classic group', async () => {
  await using server = await GroupServer.start()
  const [a, b] = await groupOfTwo(server)
  await (await server.member({ groupId: 'old' })).joinAlone()
  const client = await server.connect()
  const listed = async (asked: object = {}) =>
    (await client.send(listGroups, 5, asked)).groups.map(({ groupId, groupType, groupState }) =>
      [groupId, groupType, groupState].join(' '),
    )
  expect(await listed()).toEqual(['billing consumer Reconciling', 'old classic Stable'])
  expect(await listed({ typesFilter: ['Consumer'] })).toEqual(['billing consumer Reconciling'])
  expect(await listed({ typesFilter: ['classic'] })).toEqual(['old classic Stable'])
  await settleModern(a, b)
  expect(await listed({ statesFilter: ['stable'], typesFilter: ['consumer'] })).toEqual(['billing consumer Stable'])
  for (const one of [a, b]) await one.leave()
  expect(await listed({ statesFilter: ['Empty'] })).toEqual(['billing consumer Empty'])
})

test('for DescribeGroups it is none, for ConsumerGroupDescribe a classic one is none', async () => {
  await using server = await GroupServer.start()
  await groupOfTwo(server)
  await (await server.member({ groupId: 'old' })).joinAlone()
  const client = await server.connect()
  for (const version of versionsOf(describeGroups)) {
    const [described] = (await client.send(describeGroups, version, { groups: [GROUP] })).groups
    expect(described).toMatchObject({ errorCode: version < 6 ? 0 : 69, groupState: 'Dead', members: [] })
  }
  const [old] = (await client.send(consumerGroupDescribe, 1, { groupIds: ['old'] })).groups
  expect(old).toMatchObject({ errorCode: 69, errorMessage: expect.stringContaining('classic') as string })
})

test('the log itself shows it like any other', async () => {
  await using server = await GroupServer.start()
  const [a, b] = await groupOfTwo(server)
  await settleModern(a, b)
  expect(await server.log.listGroups()).toEqual([{ groupId: GROUP, state: 'Stable', members: 2 }])
  const described = await server.log.describeGroup(GROUP)
  expect(described).toMatchObject({ state: 'Stable', generation: 3, assignor: 'uniform' })
  expect(described.members.map(({ memberId, topics, assignment }) => [memberId, topics, assignment])).toEqual([
    ['a', [ORDERS], [{ topic: ORDERS, partition: 0 }]],
    ['b', [ORDERS], [{ topic: ORDERS, partition: 1 }]],
  ])
  const reset = server.log.resetOffsets(GROUP, { to: 'earliest', dryRun: false })
  await expect(reset).rejects.toMatchObject({
    code: 'NON_EMPTY_GROUP',
    message: expect.stringContaining('2') as string,
  })
})

test('members commit and fetch offsets with their epochs, and nobody else does', async () => {
  await using server = await GroupServer.start()
  const [a, b] = await groupOfTwo(server)
  const client = await server.connect()
  const { topicId } = await server.log.describeTopic(ORDERS)
  const commit = async (memberId: string, epoch: number, version: number, committedOffset = 1) => {
    const partition = { partitionIndex: 0, committedOffset, committedLeaderEpoch: 0, commitTimestamp: -1 }
    const partitions = [{ ...partition, committedMetadata: 'm' }]
    const topics = [{ name: ORDERS, topicId, partitions }]
    const who = { groupId: GROUP, memberId, generationIdOrMemberEpoch: epoch, groupInstanceId: null }
    const answer = await client.send(offsetCommit, version, { ...who, topics })
    return answer.topics[0].partitions[0].errorCode
  }
  const fetch = async (memberId: string | null, memberEpoch: number, version: number) => {
    const topics = [{ name: ORDERS, topicId, partitionIndexes: [0] }]
    const { groups } = await client.send(offsetFetch, version, {
      groups: [{ groupId: GROUP, memberId, memberEpoch, topics }],
    })
    const [{ errorCode, topics: fetched }] = groups
    return errorCode === 0 ? fetched[0].partitions[0].committedOffset : -errorCode
  }
  for (const version of [9, 10]) {
    expect(await commit('a', 2, version, version)).toBe(0)
    expect(await fetch('a', 2, version)).toBe(version)
    expect(await fetch(null, -1, version)).toBe(version)
    for (const epoch of [1, 3]) {
      expect(await commit('a', epoch, version)).toBe(113)
      expect(await fetch('a', epoch, version)).toBe(-113)
    }
    expect(await commit('nobody', 1, version)).toBe(25)
    expect(await commit('', -1, version)).toBe(25)
    expect(await fetch('nobody', 1, version)).toBe(-25)
  }
  for (let version = 1; version < 9; version++) expect(await commit('a', 2, version)).toBe(35)
  for (const one of [a, b]) await one.leave()
  expect(await commit('', -1, 9, 5)).toBe(0)
  expect(await commit('a', 2, 9)).toBe(25)
  // the group that is empty knows no members
  expect(await fetch('a', 2, 9)).toBe(-25)
  expect(await fetch(null, -1, 9)).toBe(5)
})

test('with members it is not deleted, nor are offsets of what they subscribe to', async () => {
  await using server = await GroupServer.start()
  const [a, b] = await groupOfTwo(server)
  const client = await server.connect()
  const deleted = async () =>
    (await client.send(deleteGroups, 2, { groupsNames: [GROUP] })).results.map(({ errorCode }) => errorCode)
  expect(await deleted()).toEqual([68])
  const topics = [{ name: ORDERS, partitions: [{ partitionIndex: 0 }] }]
  const offsets = await client.send(offsetDelete, 0, { groupId: GROUP, topics })
  expect(offsets.topics[0].partitions[0].errorCode).toBe(86)
  for (const one of [a, b]) await one.leave()
  expect(await deleted()).toEqual([0])
  expect(await deleted()).toEqual([69])
  const { groups } = await client.send(consumerGroupDescribe, 1, { groupIds: [GROUP] })
  expect(groups[0].errorCode).toBe(69)
})

test('an administrator takes members out, by their ids or their instance ids', async () => {
  await using server = await GroupServer.start()
  const [a, b] = await groupOfTwo(server)
  const client = await server.connect()
  const leave = async (memberId: string, groupInstanceId: string | null) => {
    const left = await client.send(leaveGroup, 5, {
      groupId: GROUP,
      members: [{ memberId, groupInstanceId, reason: null }],
    })
    return left.members[0].errorCode
  }
  expect(await leave('nobody', null)).toBe(25)
  expect(await leave('', 'two')).toBe(25)
  expect(await leave('a', 'one')).toBe(82)
  expect(await leave('', 'one')).toBe(0)
  expect([await b.beat(), await a.beat()]).toMatchObject([{ errorCode: 25 }, { errorCode: 0, memberEpoch: 4 }])
  expect(await leave('a', null)).toBe(0)
  expect(await a.beat()).toMatchObject({ errorCode: 25 })
})
