/** Offsets that groups commit. */
import { deleteGroups } from '../../../src/kafka/apis/delete-groups.ts'
import { describeGroups } from '../../../src/kafka/apis/describe-groups.ts'
import { leaveGroup } from '../../../src/kafka/apis/leave-group.ts'
import { offsetCommit } from '../../../src/kafka/apis/offset-commit.ts'
import { offsetDelete } from '../../../src/kafka/apis/offset-delete.ts'
import { offsetFetch } from '../../../src/kafka/apis/offset-fetch.ts'
import { NO_TOPIC } from './produce.ts'
import type { Scenario } from './world.ts'
import { TOPIC, commit, joinAlone } from './members.ts'

const offsets: Scenario = {
  name: 'Committed offsets',
  async run(world) {
    const topicId = await world.createTopic('offsets', 3)
    const claim = { groupId: 'simple', memberId: '', generationId: -1 }
    const topic = { name: 'offsets' }
    await commit(world, 'without a group', claim, { committedMetadata: 'mine', committedLeaderEpoch: 0 }, 9, topic)
    await commit(world, 'null metadata', claim, { partitionIndex: 1, committedMetadata: null }, 9, topic)
    await commit(
      world,
      'metadata of 4096 bytes',
      claim,
      { committedMetadata: 'm'.repeat(4096), partitionIndex: 2 },
      9,
      topic,
    )
    await commit(
      world,
      'metadata of 4097 bytes',
      claim,
      { committedMetadata: 'm'.repeat(4097), partitionIndex: 2 },
      9,
      topic,
    )
    await commit(world, 'offset -1', claim, { committedOffset: -1 }, 9, topic)
    await commit(world, 'offset -2', claim, { committedOffset: -2 }, 9, topic)
    await commit(world, 'unknown topic', claim, {}, 9, { name: 'offsets-none' })
    await commit(world, 'empty topic', claim, {}, 9, { name: '' })
    await commit(world, 'unknown partition', claim, { partitionIndex: 7 }, 9, topic)
    await commit(world, 'partition -1', claim, { partitionIndex: -1 }, 9, topic)
    await commit(world, 'by id', { ...claim, groupId: 'simple-id' }, {}, 10, { topicId })
    await commit(world, 'by unknown id', { ...claim, groupId: 'simple-id' }, {}, 10, { topicId: NO_TOPIC })
    await commit(world, 'empty group', { ...claim, groupId: '' }, {}, 9, topic)
    await commit(
      world,
      'unknown group with a member',
      { ...claim, groupId: 'simple-none', memberId: 'm' },
      {},
      9,
      topic,
    )
    await commit(
      world,
      'unknown group with a generation',
      { ...claim, groupId: 'simple-none', generationId: 1 },
      {},
      9,
      topic,
    )
    await world.ask('no topics', offsetCommit, 9, { groupId: 'simple', generationIdOrMemberEpoch: -1 })
    const asked = [
      { ...topic, partitionIndexes: [0, 1, 7] },
      { name: 'offsets-none', partitionIndexes: [0] },
    ]
    for (let version = 1; version <= 7; version++)
      await world.ask(`fetch in version ${version}`, offsetFetch, version, { groupId: 'simple', topics: asked })
    for (const version of [8, 9])
      await world.ask(`fetch in version ${version}`, offsetFetch, version, {
        groups: [
          { groupId: 'simple', topics: asked },
          { groupId: 'simple-none', topics: asked },
        ],
      })
    const byId = (id: string) => [{ topicId: id, partitionIndexes: [0] }]
    await world.ask('fetch by id', offsetFetch, 10, { groups: [{ groupId: 'simple-id', topics: byId(topicId) }] })
    await world.ask('fetch by unknown id', offsetFetch, 10, {
      groups: [{ groupId: 'simple-id', topics: byId(NO_TOPIC) }],
    })
    await world.ask('fetch all', offsetFetch, 7, { groupId: 'simple', topics: null })
    await world.ask('fetch all of an unknown group', offsetFetch, 7, { groupId: 'simple-none', topics: null })
    await world.ask('fetch all in version 1', offsetFetch, 2, { groupId: 'simple', topics: null })
    await world.ask('fetch none', offsetFetch, 7, { groupId: 'simple', topics: [] })
    await world.ask('fetch of an empty group id', offsetFetch, 7, { groupId: '', topics: null })
    await world.ask('fetch of no groups', offsetFetch, 8)
    await world.ask('fetch as a member of none', offsetFetch, 9, {
      groups: [{ groupId: 'simple', memberId: 'x', memberEpoch: 1, topics: null }],
    })
    await world.ask('described', describeGroups, 5, { groups: ['simple', 'simple-nobody', ''] })
    const gone = (question: string, groupId: string, name: string, ...indexes: number[]) =>
      world.ask(question, offsetDelete, 0, {
        groupId,
        topics: [{ name, partitions: indexes.map((partitionIndex) => ({ partitionIndex })) }],
      })
    await gone('delete an offset', 'simple', 'offsets', 0)
    await gone('delete what is not there', 'simple', 'offsets', 0, 7)
    await gone('delete of an unknown topic', 'simple', 'offsets-none', 0)
    await gone('delete of an unknown group', 'simple-none', 'offsets', 0)
    await gone('delete of an empty group id', '', 'offsets', 0)
    const member = await joinAlone(world, 'offsets-used')
    await commit(world, 'commit of a member', member)
    await gone('delete what a member reads', 'offsets-used', TOPIC, 0)
    await gone('delete what no member reads', 'offsets-used', 'offsets', 0)
    await world.ask('fetch after all that', offsetFetch, 7, { groupId: 'simple', topics: null })
    await world.ask('delete groups', deleteGroups, 2, { groupsNames: ['simple', 'simple-nobody', 'offsets-used', ''] })
    await world.ask('delete a group twice', deleteGroups, 2, { groupsNames: ['simple-id', 'simple-id'] })
    await world.ask('delete no group', deleteGroups, 2)
    await world.ask('leaves', leaveGroup, 5, { groupId: 'offsets-used', members: [{ memberId: member.memberId }] })
  },
}

export const offsetScenarios = [offsets]
