/** Groups with the classic protocol. */
import { deleteGroups } from '../../../src/kafka/apis/delete-groups.ts'
import { describeGroups } from '../../../src/kafka/apis/describe-groups.ts'
import { findCoordinator } from '../../../src/kafka/apis/find-coordinator.ts'
import { heartbeat } from '../../../src/kafka/apis/heartbeat.ts'
import { joinGroup } from '../../../src/kafka/apis/join-group.ts'
import { leaveGroup } from '../../../src/kafka/apis/leave-group.ts'
import { listGroups } from '../../../src/kafka/apis/list-groups.ts'
import { offsetCommit } from '../../../src/kafka/apis/offset-commit.ts'
import { syncGroup } from '../../../src/kafka/apis/sync-group.ts'
import type { Scenario, World } from './world.ts'
import { TOPIC, PROTOCOL, assignment, commit, commits, joinAlone, joining, subscription } from './members.ts'

const coordinators: Scenario = {
  name: 'FindCoordinator',
  async run(world) {
    await world.createTopic(TOPIC, 2)
    // the first makes the topic, and is answered before it is there
    await world.until(async () => (await world.quietly(findCoordinator, 2, { key: 'g' })).errorCode === 0)
    const partitions = [{ partitionIndex: 0, committedOffset: 5 }]
    const commits = { groupId: 'g', generationIdOrMemberEpoch: -1, topics: [{ name: TOPIC, partitions }] }
    await world.until(async () => {
      const { topics } = await world.quietly(offsetCommit, 9, commits)
      return topics[0].partitions[0].errorCode === 0
    })
    await world.untilKnown('__consumer_offsets')
    for (const version of [0, 1, 2, 3]) await world.ask(`version ${version}`, findCoordinator, version, { key: 'g' })
    for (const version of [4, 5, 6])
      await world.ask(`version ${version}`, findCoordinator, version, { coordinatorKeys: ['g', 'h'] })
    await world.ask('empty key', findCoordinator, 4, { coordinatorKeys: [''] })
    await world.ask('no key', findCoordinator, 4)
    await world.ask('twice', findCoordinator, 4, { coordinatorKeys: ['g', 'g'] })
    await world.ask('type 9', findCoordinator, 4, { keyType: 9, coordinatorKeys: ['g'] })
    await world.ask('type 2, before its version', findCoordinator, 4, { keyType: 2, coordinatorKeys: ['g'] })
    await world.ask('a share group that is none', findCoordinator, 6, { keyType: 2, coordinatorKeys: ['g'] })
  },
}

const life: Scenario = {
  name: 'A group of one',
  async run(world) {
    const first = await world.ask('asks', joinGroup, 9, joining('one'))
    const { memberId } = first!
    await world.ask('joins', joinGroup, 9, joining('one', { memberId }))
    const claim = { groupId: 'one', memberId, generationId: 1 }
    await world.ask('while it syncs', describeGroups, 5, { groups: ['one'] })
    await world.ask('heartbeat before sync', heartbeat, 4, claim)
    await commit(world, 'commit before sync', claim)
    await world.ask('joins again', joinGroup, 9, joining('one', { memberId }))
    await world.ask('sync of a later generation', syncGroup, 5, { ...PROTOCOL, ...claim, generationId: 2 })
    await world.ask('sync with another type', syncGroup, 5, {
      ...claim,
      protocolType: 'connect',
      protocolName: 'range',
    })
    await world.ask('sync with another protocol', syncGroup, 5, {
      ...claim,
      protocolType: 'consumer',
      protocolName: 'sticky',
    })
    await world.ask('sync', syncGroup, 5, { ...PROTOCOL, ...claim, assignments: [{ memberId, assignment }] })
    for (const version of [0, 1, 2, 3, 4, 5])
      await world.ask(`sync again in version ${version}`, syncGroup, version, { ...PROTOCOL, ...claim })
    await world.ask('sync without a type', syncGroup, 5, { ...claim, protocolName: 'range' })
    await world.ask('sync without a protocol', syncGroup, 5, { ...claim, protocolType: 'consumer' })
    for (const version of [0, 1, 2, 3, 4]) await world.ask(`heartbeat in version ${version}`, heartbeat, version, claim)
    await world.ask('heartbeat of an earlier generation', heartbeat, 4, { ...claim, generationId: 0 })
    await world.ask('heartbeat of another', heartbeat, 4, { ...claim, memberId: 'x' })
    await world.ask('heartbeat of nobody', heartbeat, 4, { ...claim, memberId: '' })
    await world.ask('heartbeat of a static member', heartbeat, 4, { ...claim, groupInstanceId: 'static' })
    for (let version = 0; version <= 6; version++)
      await world.ask(`described in version ${version}`, describeGroups, version, {
        groups: ['one'],
        includeAuthorizedOperations: false,
      })
    await world.ask('authorized operations', describeGroups, 5, { groups: ['one'], includeAuthorizedOperations: true })
    await world.ask('delete', deleteGroups, 2, { groupsNames: ['one'] })
    await commits(world, claim)
    await world.ask('leaves', leaveGroup, 5, { groupId: 'one', members: [{ memberId }] })
    await world.ask('leaves again', leaveGroup, 5, { groupId: 'one', members: [{ memberId }] })
    await world.ask('heartbeat afterwards', heartbeat, 4, claim)
    await world.ask('joins with the old id', joinGroup, 9, joining('one', { memberId }))
    await world.ask('described when empty', describeGroups, 6, { groups: ['one'] })
    await world.ask('delete when empty', deleteGroups, 2, { groupsNames: ['one'] })
    await world.ask('described when gone', describeGroups, 5, { groups: ['one'] })
    await world.ask('described when gone, in version 6', describeGroups, 6, { groups: ['one'] })
    await world.ask('delete when gone', deleteGroups, 2, { groupsNames: ['one'] })
  },
}

const refusals: Scenario = {
  name: 'JoinGroup',
  async run(world) {
    const ask = (question: string, groupId: string, more: object = {}, version = 9) =>
      world.ask(question, joinGroup, version, joining(groupId, more))
    await ask('empty group id', '')
    await ask('unknown member', 'j-none', { memberId: 'x' })
    await ask('session too short', 'j-none', { sessionTimeoutMs: 5_999 })
    await ask('session too long', 'j-none', { sessionTimeoutMs: 1_800_001 })
    await ask('session 0', 'j-none', { sessionTimeoutMs: 0 })
    await ask('no protocols', 'j-none', { protocols: [] })
    await ask('empty protocol type', 'j-none', { protocolType: '' })
    await ask('unknown member, no protocols', 'j-none', { protocols: [], memberId: 'x' })
    for (const version of [0, 1, 2, 3]) await ask(`version ${version} joins at once`, `j-${version}`, {}, version)
    for (const version of [4, 5, 6, 7, 8, 9])
      await ask(`version ${version} is given an id`, `j-${version}`, {}, version)
    await ask('another type', 'j-0', { protocolType: 'connect' })
    await ask('no common protocol', 'j-0', { protocols: [{ name: 'mine', metadata: Buffer.alloc(0) }] })
    await ask('a protocol twice', 'j-twice', {
      protocols: ['range', 'range'].map((name) => ({ name, metadata: Buffer.alloc(0) })),
    })
    const other = { groupId: 'j-nobody', generationId: 1, memberId: 'x', ...PROTOCOL }
    await world.ask('sync of an unknown group', syncGroup, 5, other)
    await world.ask('sync of an empty group id', syncGroup, 5, { ...other, groupId: '' })
    await world.ask('heartbeat of an unknown group', heartbeat, 4, other)
    await world.ask('heartbeat of an empty group id', heartbeat, 4, { ...other, groupId: '' })
    for (const version of [0, 1, 2])
      await world.ask(`leave of an unknown group in version ${version}`, leaveGroup, version, other)
    for (const version of [3, 4, 5])
      await world.ask(`leave of an unknown group in version ${version}`, leaveGroup, version, {
        groupId: 'j-none',
        members: [{ memberId: 'x' }],
      })
    await world.ask('leave of an empty group id', leaveGroup, 5, { groupId: '', members: [{ memberId: 'x' }] })
    await world.ask('leave of nobody', leaveGroup, 5, { groupId: 'j-none', members: [] })
    await world.ask('leave of unknown members', leaveGroup, 5, {
      groupId: 'j-0',
      members: [{ memberId: 'x' }, { memberId: '', groupInstanceId: 'i' }, { memberId: '' }],
    })
    await world.ask('leave of an unknown member in version 2', leaveGroup, 2, { groupId: 'j-0', memberId: 'x' })
    for (const version of [0, 1, 2, 3, 4, 5])
      await world.ask(`groups that are, in version ${version}`, describeGroups, version, {
        groups: ['j-nobody'],
      })
  },
}

const two: Scenario = {
  name: 'A group of two',
  async run(world) {
    const first = await joinAlone(world, 'two')
    await using other = world.beside()
    const { memberId } = await other.quietly(joinGroup, 9, joining('two'))
    world.call(first.memberId, 'first')
    world.call(memberId, 'second')
    const joins = other.ask('the second joins', joinGroup, 9, joining('two', { memberId }))
    await world.until(async () => (await world.quietly(heartbeat, 4, first)).errorCode !== 0)
    await world.ask('heartbeat while it does', heartbeat, 4, first)
    await commit(world, 'commit while it does', first)
    await world.ask('described while it does', describeGroups, 5, { groups: ['two'] })
    await world.ask('sync while it does', syncGroup, 5, { ...PROTOCOL, ...first })
    await world.ask('the first joins again', joinGroup, 9, joining('two', { memberId: first.memberId }))
    await joins
    const second = { groupId: 'two', memberId, generationId: 2 }
    const syncs = other.ask('the second syncs', syncGroup, 5, { ...PROTOCOL, ...second })
    const leads = { ...first, generationId: 2 }
    await world.ask('the first syncs', syncGroup, 5, {
      ...PROTOCOL,
      ...leads,
      assignments: [{ memberId: first.memberId, assignment }],
    })
    await syncs
    await world.ask('described', describeGroups, 5, { groups: ['two'] })
    await world.ask('a follower joins again', joinGroup, 9, joining('two', { memberId }))
    await world.ask('a follower syncs again', syncGroup, 5, { ...PROTOCOL, ...second })
    await world.ask('of the old generation', heartbeat, 4, first)
    await world.ask('the second leaves', leaveGroup, 5, { groupId: 'two', members: [{ memberId }] })
    await world.ask('heartbeat of the first', heartbeat, 4, leads)
    await world.ask('the first joins alone', joinGroup, 9, joining('two', { memberId: first.memberId }))
    await world.ask('the first leaves', leaveGroup, 5, { groupId: 'two', members: [{ memberId: first.memberId }] })
  },
}

const statics: Scenario = {
  name: 'Static members',
  async run(world) {
    const more = { groupInstanceId: 'i' }
    const first = await world.ask('joins', joinGroup, 9, joining('static', more))
    const claim = { groupId: 'static', generationId: 1, memberId: first!.memberId, ...more }
    await world.ask('syncs', syncGroup, 5, {
      ...PROTOCOL,
      ...claim,
      assignments: [{ memberId: claim.memberId, assignment }],
    })
    const again = await world.ask('comes back', joinGroup, 9, joining('static', more))
    await world.ask('heartbeat of the old id', heartbeat, 4, claim)
    await commit(world, 'commit of the old id', claim)
    await world.ask('sync of the old id', syncGroup, 5, { ...PROTOCOL, ...claim })
    const now = { ...claim, memberId: again!.memberId, generationId: again!.generationId }
    await world.ask('sync of the new id', syncGroup, 5, { ...PROTOCOL, ...now })
    await world.ask('heartbeat of the new id', heartbeat, 4, now)
    await world.ask('the old id joins', joinGroup, 9, joining('static', { ...more, memberId: claim.memberId }))
    await world.ask('heartbeat under another instance', heartbeat, 4, { ...now, groupInstanceId: 'other' })
    await world.ask('described', describeGroups, 5, { groups: ['static'] })
    await world.ask(
      'another subscription',
      joinGroup,
      9,
      joining('static', {
        ...more,
        memberId: now.memberId,
        protocols: [{ name: 'range', metadata: subscription('other') }],
      }),
    )
    await world.ask('empty instance id', joinGroup, 9, joining('static-empty', { groupInstanceId: '' }))
    await world.ask('leaves under the old id', leaveGroup, 5, {
      groupId: 'static',
      members: [{ memberId: claim.memberId, ...more }],
    })
    await world.ask('leaves', leaveGroup, 5, { groupId: 'static', members: [{ memberId: '', ...more }] })
  },
}

const listing: Scenario = {
  name: 'ListGroups',
  async run(world) {
    const member = await joinAlone(world, 'listed')
    await commit(world, 'another group', { groupId: 'listed-simple', memberId: '', generationId: -1 })
    const { memberId } = await world.quietly(joinGroup, 3, joining('listed-connect', { protocolType: 'connect' }))
    for (let version = 0; version <= 5; version++) await list(world, `version ${version}`, version)
    for (const state of ['Stable', 'Empty', 'stable', 'CompletingRebalance', 'Dead', 'Nonsense', ''])
      await list(world, `state '${state}'`, 5, { statesFilter: [state] })
    for (const type of ['classic', 'Classic', 'consumer', 'nonsense', ''])
      await list(world, `type '${type}'`, 5, { typesFilter: [type] })
    await world.ask('leaves', leaveGroup, 5, { groupId: 'listed', members: [{ memberId: member.memberId }] })
    await world.ask('the other leaves', leaveGroup, 5, { groupId: 'listed-connect', members: [{ memberId }] })
    await world.ask('described when empty', describeGroups, 5, {
      groups: ['listed', 'listed-connect', 'listed-simple'],
    })
  },
}

async function list(world: World, question: string, version: number, filters: object = {}): Promise<void> {
  const answer = await world.quietly(listGroups, version, filters)
  world.note(question, { ...answer, groups: answer.groups.filter(({ groupId }) => groupId.startsWith('listed')) })
}

/** The first makes `__consumer_offsets`, which others need. */
/** The first makes `__consumer_offsets`, which others need. */
export const groupScenarios = [coordinators, life, refusals, two, statics, listing]
