/** Groups whose partitions the server divides (KIP-848). */
import { consumerGroupDescribe } from '../../../src/kafka/apis/consumer-group-describe.ts'
import { consumerGroupHeartbeat } from '../../../src/kafka/apis/consumer-group-heartbeat.ts'
import { deleteGroups } from '../../../src/kafka/apis/delete-groups.ts'
import { describeGroups } from '../../../src/kafka/apis/describe-groups.ts'
import { joinGroup } from '../../../src/kafka/apis/join-group.ts'
import { leaveGroup } from '../../../src/kafka/apis/leave-group.ts'
import { listGroups } from '../../../src/kafka/apis/list-groups.ts'
import { offsetFetch } from '../../../src/kafka/apis/offset-fetch.ts'
import { commit, joining } from './members.ts'
import type { Scenario, World } from './world.ts'

/** What a member says that joins; what it has not to say again is null. */
function joins(groupId: string, memberId: string, more: object = {}) {
  const begins = { memberEpoch: 0, rebalanceTimeoutMs: 30_000, subscribedTopicNames: ['modern'], topicPartitions: [] }
  return { groupId, memberId, ...begins, ...more }
}

const COORDINATOR_NOT_AVAILABLE = 15

const life: Scenario = {
  name: 'A newer group',
  async run(world) {
    const topicId = await world.createTopic('modern', 2)
    const beat = (question: string, memberId: string, memberEpoch: number, more: object = {}) =>
      world.ask(question, consumerGroupHeartbeat, 1, { groupId: 'new', memberId, memberEpoch, ...more })
    await untilAssigned(world, 'new')
    await world.ask('joins', consumerGroupHeartbeat, 1, joins('new', 'm1'))
    await describe(world, 'described after a join', 'new')
    await beat('has nothing to say', 'm1', 1)
    await beat('has all', 'm1', 1, { topicPartitions: [{ topicId, partitions: [0, 1] }] })
    await describe(world, 'described with all', 'new')
    await beat('a later epoch', 'm1', 5)
    await beat('an earlier epoch', 'm1', 0)
    await beat('a member that is not there', 'm9', 1)
    await beat('a member without an id', '', 1)
    await beat('epoch -3', 'm1', -3)
    await commit(world, 'commits', { groupId: 'new', memberId: 'm1', generationId: 1 }, {}, 9, { name: 'modern' })
    await commit(world, 'commits in a later epoch', { groupId: 'new', memberId: 'm1', generationId: 7 }, {}, 9, {
      name: 'modern',
    })
    await commit(world, 'commits for another', { groupId: 'new', memberId: 'm9', generationId: 1 }, {}, 9, {
      name: 'modern',
    })
    await commit(world, 'commits for nobody', { groupId: 'new', memberId: '', generationId: -1 }, {}, 9, {
      name: 'modern',
    })
    const fetched = (question: string, memberId: string | null, memberEpoch: number) =>
      world.ask(question, offsetFetch, 9, { groups: [{ groupId: 'new', memberId, memberEpoch, topics: null }] })
    await fetched('fetches offsets', 'm1', 1)
    await fetched('fetches offsets in a later epoch', 'm1', 9)
    await fetched('fetches offsets for another', 'm9', 1)
    await fetched('fetches offsets for nobody', null, -1)
    await world.ask('a second joins', consumerGroupHeartbeat, 1, joins('new', 'm2'))
    await describe(world, 'described with two', 'new')
    await beat('the first is to give up', 'm1', 1)
    await beat('the first has given up', 'm1', 1, { topicPartitions: [{ topicId, partitions: [0] }] })
    await beat('the second', 'm2', 2)
    await beat('the second has it', 'm2', 2, { topicPartitions: [{ topicId, partitions: [1] }] })
    await describe(world, 'described when it is settled', 'new')
    await world.ask('as a classic group', describeGroups, 5, { groups: ['new'] })
    await world.ask('as a classic group, in version 6', describeGroups, 6, { groups: ['new'] })
    const { groups } = await world.quietly(listGroups, 5, { typesFilter: ['consumer'] })
    world.note(
      'listed',
      groups.filter(({ groupId }) => groupId === 'new'),
    )
    await world.ask('deleted with members', deleteGroups, 2, { groupsNames: ['new'] })
    await beat('the second leaves', 'm2', -1)
    await beat('the second leaves again', 'm2', -1)
    await world.ask(
      'another subscription',
      consumerGroupHeartbeat,
      1,
      joins('new', 'm1', { memberEpoch: 2, subscribedTopicNames: ['none'] }),
    )
    await beat('the first leaves', 'm1', -1)
    await describe(world, 'described when empty', 'new')
    await world.ask('deleted', deleteGroups, 2, { groupsNames: ['new'] })
    await describe(world, 'described when gone', 'new')
  },
}

/** A coordinator knows a new topic a little later than its broker does. Leaves no group behind. */
async function untilAssigned(world: World, groupId: string): Promise<void> {
  await world.until(async () => {
    const { assignment } = await world.quietly(consumerGroupHeartbeat, 1, joins(groupId, 'scout'))
    await world.quietly(consumerGroupHeartbeat, 1, { groupId, memberId: 'scout', memberEpoch: -1 })
    await world.quietly(deleteGroups, 2, { groupsNames: [groupId] })
    return assignment !== null && assignment.topicPartitions.length > 0
  })
}

async function describe(world: World, question: string, ...groupIds: string[]): Promise<void> {
  const answer = await world.quietly(consumerGroupDescribe, 1, { groupIds })
  for (const { members } of answer.groups) members.sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  world.note(question, answer)
}

const refusals: Scenario = {
  name: 'ConsumerGroupHeartbeat',
  async run(world) {
    const ask = (question: string, groupId: string, memberId: string, more: object = {}, version = 1) =>
      world.ask(question, consumerGroupHeartbeat, version, joins(groupId, memberId, more))
    await ask('empty group id', '', 'm')
    await ask('empty member id', 'cgh', '')
    await ask('no subscription', 'cgh', 'm', { subscribedTopicNames: null })
    await ask('no rebalance timeout', 'cgh', 'm', { rebalanceTimeoutMs: -1 })
    await ask('no partitions', 'cgh', 'm', { topicPartitions: null })
    await ask('some partitions', 'cgh', 'm', {
      topicPartitions: [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partitions: [0] }],
    })
    await ask('unknown assignor', 'cgh', 'm', { serverAssignor: 'mine' })
    await ask('range', 'cgh-range', 'm', { serverAssignor: 'range' })
    await ask('uniform', 'cgh-uniform', 'm', { serverAssignor: 'uniform' })
    await ask('empty instance id', 'cgh', 'm', { instanceId: '' })
    await ask('empty rack', 'cgh', 'm', { rackId: '' })
    await ask('broken pattern', 'cgh', 'm', { subscribedTopicNames: null, subscribedTopicRegex: '(' })
    await ask('static leave without an instance', 'cgh', 'm', { memberEpoch: -2 })
    await ask('a member of nothing leaves', 'cgh-none', 'm', { memberEpoch: -1 })
    await ask('a member of nothing goes on', 'cgh-none', 'm', { memberEpoch: 3 })
    await ask('a topic that is not there', 'cgh-topic', 'm', { subscribedTopicNames: ['cgh-none'] })
    await describe(world, 'described', 'cgh-range', 'cgh-uniform', 'cgh-nobody', 'j-0')
    await world.ask('a static member joins', consumerGroupHeartbeat, 1, joins('cgh-static', 's1', { instanceId: 'i' }))
    await world.ask(
      'another of its name joins',
      consumerGroupHeartbeat,
      1,
      joins('cgh-static', 's2', { instanceId: 'i' }),
    )
    await world.ask('it goes for a while', consumerGroupHeartbeat, 1, {
      groupId: 'cgh-static',
      memberId: 's1',
      memberEpoch: -2,
      instanceId: 'i',
    })
    await world.ask(
      'another of its name comes',
      consumerGroupHeartbeat,
      1,
      joins('cgh-static', 's2', { instanceId: 'i' }),
    )
    await world.ask('the old one speaks', consumerGroupHeartbeat, 1, {
      groupId: 'cgh-static',
      memberId: 's1',
      memberEpoch: 1,
      instanceId: 'i',
    })
    await world.ask('it goes', consumerGroupHeartbeat, 1, {
      groupId: 'cgh-static',
      memberId: 's2',
      memberEpoch: -1,
      instanceId: 'i',
    })
    for (const [groupId, memberId] of [
      ['cgh-range', 'm'],
      ['cgh-uniform', 'm'],
      ['cgh-topic', 'm'],
    ] as const)
      await world.ask(`${groupId} leaves`, consumerGroupHeartbeat, 1, { groupId, memberId, memberEpoch: -1 })
  },
}

const mixed: Scenario = {
  name: 'Newer and classic members',
  async run(world) {
    await world.ask('a newer one', consumerGroupHeartbeat, 1, joins('mixed-new', 'm'))
    await world.ask(
      'a classic one of another type joins it',
      joinGroup,
      9,
      joining('mixed-new', { protocolType: 'connect' }),
    )
    await world.ask('the newer one leaves', consumerGroupHeartbeat, 1, {
      groupId: 'mixed-new',
      memberId: 'm',
      memberEpoch: -1,
    })
    const { memberId } = await world.quietly(joinGroup, 3, joining('mixed-connect', { protocolType: 'connect' }))
    await world.ask('a newer one joins a group of another type', consumerGroupHeartbeat, 1, joins('mixed-connect', 'm'))
    await world.ask('that of the other type leaves', leaveGroup, 5, {
      groupId: 'mixed-connect',
      members: [{ memberId }],
    })
    // what the classic group has still to store comes first
    await world.until(async () => {
      const { errorCode } = await world.quietly(consumerGroupHeartbeat, 1, joins('mixed-connect', 'm'))
      return errorCode !== COORDINATOR_NOT_AVAILABLE
    })
    await world.ask('a newer one joins it when it is empty', consumerGroupHeartbeat, 1, joins('mixed-connect', 'm'))
    await world.ask('and leaves it', consumerGroupHeartbeat, 1, {
      groupId: 'mixed-connect',
      memberId: 'm',
      memberEpoch: -1,
    })
  },
}

export const modernScenarios = [life, refusals, mixed]
