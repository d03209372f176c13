/** What groups are answered over TCP where the log itself cannot do what they ask. */
import { expect, test } from 'vitest'
import { deleteGroups } from '../../src/kafka/apis/delete-groups.ts'
import { describeGroups } from '../../src/kafka/apis/describe-groups.ts'
import { leaveGroup } from '../../src/kafka/apis/leave-group.ts'
import { listGroups } from '../../src/kafka/apis/list-groups.ts'
import { offsetDelete } from '../../src/kafka/apis/offset-delete.ts'
import { offsetFetch } from '../../src/kafka/apis/offset-fetch.ts'
import { groupErrorNumber } from '../../src/kafka/group-calls.ts'
import { serveKafka } from '../../src/kafka/server.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { GROUP, ORDERS } from '../helpers/consuming.ts'
import { KafkaTestClient } from '../helpers/kafka-client.ts'
import { GroupServer, RawMember } from '../helpers/kafka-groups.ts'
import { openLog } from '../helpers/logs.ts'

const NO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA'
const topics = [{ name: ORDERS, topicId: NO_TOPIC_ID, partitionIndexes: [0] }]

test('what may pass is told as a coordinator that is away: members look for it again', () => {
  expect((['DISK_FULL', 'QUEUE_FULL', 'KAFKA_STORAGE_ERROR', 'CLOSED'] as const).map(groupErrorNumber)).toEqual([
    15, 15, 15, 15,
  ])
  expect([groupErrorNumber(null), groupErrorNumber('READ_ONLY'), groupErrorNumber('ILLEGAL_GENERATION')]).toEqual([
    0, -1, 22,
  ])
})

test('of a log that was closed under its server every answer says that the coordinator is away', async () => {
  await using server = await GroupServer.start()
  const member = await (await server.member()).joinAlone()
  const { client } = member
  await server.log.close()
  expect([await member.heartbeat(), await member.commit(0, 1)]).toEqual([15, 15])
  expect([(await member.join()).errorCode, (await member.sync()).errorCode]).toEqual([15, 15])
  expect(await client.send(leaveGroup, 2, { groupId: GROUP, memberId: member.memberId })).toMatchObject({
    errorCode: 15,
  })
  const old = await client.send(offsetFetch, 1, { groupId: GROUP, topics })
  expect(old.topics[0].partitions).toMatchObject([{ partitionIndex: 0, committedOffset: -1, errorCode: 15 }])
  expect(await client.send(offsetFetch, 7, { groupId: GROUP, topics })).toMatchObject({ errorCode: 15, topics: [] })
  const groups = [{ groupId: GROUP, memberId: null, memberEpoch: -1, topics: null }]
  expect((await client.send(offsetFetch, 8, { groups })).groups).toEqual([
    { groupId: GROUP, topics: [], errorCode: 15 },
  ])
  expect(await client.send(offsetDelete, 0, { groupId: GROUP, topics: [] })).toMatchObject({ errorCode: 15 })
  expect(await client.send(listGroups, 5)).toMatchObject({ errorCode: 15, groups: [] })
  expect((await client.send(describeGroups, 6, { groups: [GROUP] })).groups).toMatchObject([{ errorCode: 15 }])
  expect((await client.send(deleteGroups, 2, { groupsNames: [GROUP] })).results).toMatchObject([{ errorCode: 15 }])
  expect(server.warnings).toEqual([])
})

test('of a log that is only read offsets are told, and nobody joins', async () => {
  const storage = new MemoryStorage()
  await using server = await GroupServer.start({ storage })
  await (await (await server.member()).joinAlone()).commit(0, 7)
  await using reader = await openLog({ storage, readOnly: true })
  await using kafka = await serveKafka(reader)
  await using client = await KafkaTestClient.connect(kafka.bootstrapServers[0])
  const answer = await client.send(offsetFetch, 7, { groupId: GROUP, topics })
  expect(answer.topics[0].partitions).toMatchObject([{ committedOffset: 7 }])
  const member = new RawMember(client, {})
  expect([(await member.join()).errorCode, await member.heartbeat(), await member.commit(0, 1)]).toEqual([-1, -1, -1])
})
