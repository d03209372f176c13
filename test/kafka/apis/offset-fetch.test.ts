/** OffsetFetch over TCP: what was committed, of some partitions or of all, of one group or of several. */
import { expect, test } from 'vitest'
import { offsetFetch } from '../../../src/kafka/apis/offset-fetch.ts'
import { GROUP, ORDERS } from '../../helpers/consuming.ts'
import { GroupServer } from '../../helpers/kafka-groups.ts'

const NO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

/** A group that has committed 5 with the word 'mine' of partition 1. */
async function withCommit() {
  const server = await GroupServer.start()
  const member = await (await server.member()).joinAlone()
  await member.commit(1, 5)
  const { topicId } = await server.log.describeTopic(ORDERS)
  return { server, client: member.client, topicId }
}

const committed = (epoch = -1) => ({
  partitionIndex: 1,
  committedOffset: 5,
  committedLeaderEpoch: epoch,
  metadata: 'mine',
  errorCode: 0,
})
const none = (partitionIndex: number, errorCode = 0) => ({
  partitionIndex,
  committedOffset: -1,
  committedLeaderEpoch: -1,
  metadata: '',
  errorCode,
})

test('what was committed is told in every version, and -1 where nothing was', async () => {
  const { server, client, topicId } = await withCommit()
  await using _ = server
  for (let version = 1; version <= 10; version++) {
    const topics = [{ name: ORDERS, topicId, partitionIndexes: [0, 1, 7] }]
    const asked = version < 8 ? { groupId: GROUP, topics } : { groups: [{ ...NOBODY, groupId: GROUP, topics }] }
    const answer = await client.send(offsetFetch, version, asked)
    expect(answer.errorCode).toBe(0)
    const [topic] = version < 8 ? answer.topics : answer.groups[0].topics
    expect(topic.partitions).toEqual([none(0), committed(), none(7)])
    if (version === 9) expect(topic).toMatchObject({ name: ORDERS, topicId: NO_TOPIC_ID })
    if (version === 10) expect(topic).toMatchObject({ name: '', topicId })
  }
})

const NOBODY = { memberId: null, memberEpoch: -1 }

test('with null for the topics all that is committed is told', async () => {
  const { server, client, topicId } = await withCommit()
  await using _ = server
  for (let version = 2; version <= 10; version++) {
    const groups = [{ ...NOBODY, groupId: GROUP, topics: null }]
    const answer = await client.send(offsetFetch, version, version < 8 ? { groupId: GROUP, topics: null } : { groups })
    const topics = version < 8 ? answer.topics : answer.groups[0].topics
    expect(topics).toMatchObject([{ partitions: [committed()] }])
    expect(topics[0].name).toBe(version < 10 ? ORDERS : '')
    if (version === 10) expect(answer.groups[0].topics[0].topicId).toBe(topicId)
  }
})

test('several groups are answered at a time, each once; one that is not there has committed nothing', async () => {
  const { server, client } = await withCommit()
  await using _ = server
  const topics = [{ name: ORDERS, topicId: NO_TOPIC_ID, partitionIndexes: [1] }]
  const asked = [
    { ...NOBODY, groupId: GROUP, topics },
    { ...NOBODY, groupId: 'other', topics },
    { ...NOBODY, groupId: 'third', topics: null },
    { ...NOBODY, groupId: GROUP, topics },
  ]
  expect((await client.send(offsetFetch, 8, { groups: asked, requireStable: true })).groups).toMatchObject([
    { groupId: GROUP, errorCode: 0, topics: [{ partitions: [committed()] }] },
    { groupId: 'other', errorCode: 0, topics: [{ partitions: [none(1)] }] },
    { groupId: 'third', errorCode: 0, topics: [] },
  ])
  expect(await server.log.listGroups()).toHaveLength(1)
})

test('an id that no topic has is an error of its partitions', async () => {
  const { server, client, topicId } = await withCommit()
  await using _ = server
  const unknown = 'BBBBBBBBBBBBBBBBBBBBBA'
  const topics = [unknown, topicId].map((topicId) => ({ name: '', topicId, partitionIndexes: [1] }))
  const answer = await client.send(offsetFetch, 10, { groups: [{ ...NOBODY, groupId: GROUP, topics }] })
  expect(answer.groups[0].topics).toMatchObject([
    { topicId: unknown, partitions: [none(1, 100)] },
    { topicId, partitions: [committed()] },
  ])
})
