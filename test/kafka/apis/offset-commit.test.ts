/** OffsetCommit over TCP: what is taken, from whom, and who reads it. */
import { expect, test } from 'vitest'
import { offsetCommit } from '../../../src/kafka/apis/offset-commit.ts'
import { offsetFetch } from '../../../src/kafka/apis/offset-fetch.ts'
import { appendEach, committedBy, consumerOf, GROUP, ORDERS, take, until } from '../../helpers/consuming.ts'
import { GroupServer, twoMembers } from '../../helpers/kafka-groups.ts'

const NO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

interface Commit {
  topic?: string
  topicId?: string
  partition?: number
  offset?: number
  metadata?: string | null
}

function topicOf({ topic = ORDERS, topicId = NO_TOPIC_ID, partition = 0, offset = 0, metadata = null }: Commit) {
  const partitions = [
    {
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: 0,
      commitTimestamp: -1,
      committedMetadata: metadata,
    },
  ]
  return { name: topic, topicId, partitions }
}

/** Commits from outside of any generation: the numbers of the errors. */
async function commitOutside(server: GroupServer, commits: Commit[], version = 9, groupId = GROUP) {
  const client = await server.connect()
  const answer = await client.send(offsetCommit, version, {
    groupId,
    generationIdOrMemberEpoch: -1,
    memberId: '',
    topics: commits.map(topicOf),
  })
  return answer.topics.map(({ partitions: [{ errorCode }] }) => errorCode)
}

const idOf = async (server: GroupServer) => (await server.log.describeTopic(ORDERS)).topicId

test('what a member commits in any version is what everybody reads', async () => {
  await using server = await GroupServer.start()
  const topicId = await idOf(server)
  for (let version = 1; version <= 10; version++) {
    const member = await (await server.member({ groupId: `group-${version}` })).joinAlone()
    const answer = await member.client.send(offsetCommit, version, {
      groupId: `group-${version}`,
      generationIdOrMemberEpoch: 1,
      memberId: member.memberId,
      topics: [topicOf({ topicId, partition: 1, offset: 7, metadata: 'größer' })],
    })
    expect(answer).toEqual({
      throttleTimeMs: 0,
      topics: [
        {
          name: version < 10 ? ORDERS : '',
          topicId: version < 10 ? NO_TOPIC_ID : topicId,
          partitions: [{ partitionIndex: 1, errorCode: 0 }],
        },
      ],
    })
    const { offsets } = await server.log.describeGroup(`group-${version}`)
    expect(offsets[1]).toMatchObject({ committed: 7, metadata: 'größer' })
  }
})

test('each offset is taken or refused for itself', async () => {
  await using server = await GroupServer.start()
  const commits = [
    { offset: 3 },
    { topic: 'nowhere' },
    { partition: 2 },
    { partition: -1 },
    { metadata: 'x'.repeat(4_097) },
    { partition: 1, offset: 1, metadata: 'x'.repeat(4_096) },
  ]
  expect(await commitOutside(server, commits)).toEqual([0, 3, 3, 3, 12, 0])
  expect(await committedBy(server.log)).toEqual([3, 1])
  const byId = [{ topicId: await idOf(server), offset: 4 }, { topicId: 'BBBBBBBBBBBBBBBBBBBBBA' }, {}]
  expect(await commitOutside(server, byId, 10)).toEqual([0, 100, 100])
  expect(await committedBy(server.log)).toEqual([4, 1])
})

test('only a member of this generation commits while there are members', async () => {
  await using server = await GroupServer.start()
  const [a, b] = await twoMembers(server)
  expect(await commitOutside(server, [{}, { topic: 'nowhere' }])).toEqual([25, 25])
  expect([await a.commit(0, 1), await b.commit(1, 2)]).toEqual([0, 0])
  a.generation--
  expect(await a.commit(0, 5)).toBe(22)
  b.memberId = 'nobody'
  expect(await b.commit(1, 5)).toBe(25)
  expect(await committedBy(server.log)).toEqual([1, 2])
})

test('while members come together again, what is given away is committed; between join and sync nothing is', async () => {
  await using server = await GroupServer.start()
  const [a, b] = await twoMembers(server)
  const joining = (async () => {
    const again = await server.member()
    return again.join()
  })()
  await until(() => server.group()!.state === 'PreparingRebalance')
  expect(await a.commit(0, 1)).toBe(0)
  await Promise.all([a.join(), b.join(), joining])
  expect(await a.commit(0, 2)).toBe(27)
  expect(await committedBy(server.log)).toEqual([1, null])
})

test('an embedded consumer goes on where a client has committed, and a client reads what the consumer commits', async () => {
  await using server = await GroupServer.start()
  const { log } = server
  await appendEach(log, 5)
  expect(await commitOutside(server, [{ offset: 3 }])).toEqual([0])
  const consumer = consumerOf(log)
  expect(await take(consumer, 1)).toEqual(['0/3'])
  await consumer.close()
  const second = consumerOf(log)
  const run = second.run(() => {})
  await until(async () => (await committedBy(log))[0] === 5)
  await second.close()
  await run
  const client = await server.connect()
  const answer = await client.send(offsetFetch, 7, {
    groupId: GROUP,
    topics: [{ name: ORDERS, partitionIndexes: [0] }],
  })
  expect(answer.topics[0].partitions).toMatchObject([{ committedOffset: 5, errorCode: 0 }])
})

test('an offset that the partition does not have is taken as Kafka takes it, and an embedded consumer begins anew', async () => {
  await using server = await GroupServer.start()
  await appendEach(server.log, 2)
  expect(await commitOutside(server, [{ offset: 1_000 }, { partition: 1, offset: -2 }])).toEqual([0, 0])
  expect(await committedBy(server.log)).toEqual([1_000, -2])
  const consumer = consumerOf(server.log)
  expect(await take(consumer, 1)).toEqual(['0/0'])
  await consumer.close()
})
