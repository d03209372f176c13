/** Offsets by time, and the ends of partitions. */
import { expect, test } from 'vitest'
import { listOffsets } from '../../../src/kafka/apis/list-offsets.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'

const TIMES = [1_000, 5_000, 3_000, 9_000, 7_000]

async function withRecords(): Promise<KafkaSession> {
  const session = await KafkaSession.open()
  await session.log.createTopic({ name: 't', valueCodec: 'string', segmentBytes: 150 })
  for (const timestamp of TIMES) await session.log.append('t', { value: 'x'.repeat(40), timestamp })
  await session.log.deleteRecords('t', { partition: 0, beforeOffset: 1 })
  return session
}

async function look(session: KafkaSession, version: number, timestamp: number, more = {}) {
  const asked = { partitionIndex: 0, currentLeaderEpoch: -1, timestamp, ...more }
  const { topics } = await session.client.send(listOffsets, version, { topics: [{ name: 't', partitions: [asked] }] })
  const [{ errorCode, offset, timestamp: time }] = topics[0].partitions
  return [errorCode, offset, time]
}

test('every version finds the ends, and the first record that is not earlier', async () => {
  await using session = await withRecords()
  for (const version of versionsOf(listOffsets)) {
    expect(await look(session, version, -1), `version ${version}`).toEqual([0, 5, -1])
    expect(await look(session, version, -2)).toEqual([0, 1, -1])
    expect(await look(session, version, 4_000)).toEqual([0, 1, 5_000])
    expect(await look(session, version, 6_000)).toEqual([0, 3, 9_000])
    expect(await look(session, version, 9_001)).toEqual([0, -1, -1])
  }
})

test('the greatest time is found in whichever segment it is, also in the one that grows', async () => {
  await using session = await withRecords()
  expect(await look(session, 7, -3)).toEqual([0, 3, 9_000])
  await session.log.append('t', { value: 'x', timestamp: 20_000 })
  await session.log.append('t', { value: 'x', timestamp: 10_000 })
  expect(await look(session, 7, -3)).toEqual([0, 5, 20_000])
})

test('the greatest time is one of what can be read: not of a record that was deleted', async () => {
  await using session = await withRecords()
  await session.log.append('t', { value: 'x', timestamp: 20_000 })
  await session.log.append('t', { value: 'x', timestamp: 10_000 })
  await session.log.deleteRecords('t', { partition: 0, beforeOffset: 6 })
  expect(await look(session, 7, -3)).toEqual([0, 6, 10_000])
})

test('of tiers that are not here there is no offset', async () => {
  await using session = await withRecords()
  expect(await look(session, 8, -4)).toEqual([0, 1, -1])
  expect(await look(session, 9, -5)).toEqual([0, -1, -1])
  expect(await look(session, 11, -6)).toEqual([0, -1, -1])
})

test('a wrong topic, partition or leader epoch is told for the partition alone', async () => {
  await using session = await withRecords()
  expect(await look(session, 5, -1, { currentLeaderEpoch: 3 })).toEqual([75, -1, -1])
  expect(await look(session, 5, -1, { partitionIndex: 1 })).toEqual([3, -1, -1])
  const asked = { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }
  const topics = ['none', 't'].map((name) => ({ name, partitions: [asked] }))
  const answer = await session.client.send(listOffsets, 5, { topics })
  expect(answer.topics.map(({ partitions }) => partitions[0].errorCode)).toEqual([3, 0])
})

test.each([
  [-3, 7],
  [-4, 8],
  [-5, 9],
  [-6, 11],
])('the special timestamp %i is refused before version %i', async (timestamp, since) => {
  await using session = await withRecords()
  expect((await look(session, since - 1, timestamp))[0]).toBe(35)
  expect((await look(session, since, timestamp))[0]).toBe(0)
})

test('a partition that stands in a request twice is refused', async () => {
  await using session = await withRecords()
  const partitions = [-1, -2].map((timestamp) => ({ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }))
  const { topics } = await session.client.send(listOffsets, 7, { topics: [{ name: 't', partitions }] })
  expect(topics[0].partitions.map(({ errorCode, offset }) => [errorCode, offset])).toEqual([
    [42, -1],
    [42, -1],
  ])
})
