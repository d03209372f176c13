/** OffsetDelete over TCP. */
import { expect, test } from 'vitest'
import { offsetDelete } from '../../../src/kafka/apis/offset-delete.ts'
import { committedBy, GROUP, ORDERS } from '../../helpers/consuming.ts'
import { GroupServer } from '../../helpers/kafka-groups.ts'

const topics = [ORDERS, 'nowhere'].map((name) => ({ name, partitions: [{ partitionIndex: 0 }, { partitionIndex: 9 }] }))

const errorsOf = (answer: { topics: { partitions: { errorCode: number }[] }[] }) =>
  answer.topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode))

test('offsets are deleted of topics that no member subscribes to', async () => {
  await using server = await GroupServer.start()
  const member = await (await server.member()).joinAlone()
  await member.commit(0, 3)
  await member.commit(1, 4)
  const client = await server.connect()
  const refused = await client.send(offsetDelete, 0, { groupId: GROUP, topics })
  expect([refused.errorCode, errorsOf(refused)]).toEqual([
    0,
    [
      [86, 3],
      [3, 3],
    ],
  ])
  expect(await committedBy(server.log)).toEqual([3, 4])
  await member.leave()
  const answer = await client.send(offsetDelete, 0, { groupId: GROUP, topics })
  expect([answer.errorCode, errorsOf(answer)]).toEqual([
    0,
    [
      [0, 3],
      [3, 3],
    ],
  ])
  expect(await committedBy(server.log)).toEqual([null, 4])
})

test('a group that is not there, or whose members are no consumers, is refused as a whole', async () => {
  await using server = await GroupServer.start()
  const client = await server.connect()
  expect(await client.send(offsetDelete, 0, { groupId: GROUP, topics })).toMatchObject({ errorCode: 69, topics: [] })
  expect(await client.send(offsetDelete, 0, { groupId: '', topics })).toMatchObject({ errorCode: 24, topics: [] })
  await (await server.member({ protocolType: 'connect', metadata: Buffer.from('?') })).joinAlone()
  expect(await client.send(offsetDelete, 0, { groupId: GROUP, topics })).toMatchObject({ errorCode: 68, topics: [] })
})
