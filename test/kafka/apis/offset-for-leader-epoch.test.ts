/** OffsetForLeaderEpoch: where leader epochs end. */
import { expect, test } from 'vitest'
import { offsetForLeaderEpoch } from '../../../src/kafka/apis/offset-for-leader-epoch.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'

interface Asked {
  partition?: number
  currentLeaderEpoch?: number
  leaderEpoch: number
}

async function ask({ client }: KafkaSession, asked: Asked[], version = 4, topic = 'orders') {
  const partitions = asked.map((one) => ({ partition: 0, currentLeaderEpoch: -1, ...one }))
  return (await client.send(offsetForLeaderEpoch, version, { topics: [{ topic, partitions }] })).topics[0].partitions
}

async function epochOf({ log }: KafkaSession): Promise<number> {
  return (await log.describeTopic('orders')).partitions[0].leaderEpoch
}

test('every version tells where the current epoch ends', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 'orders' })
  for (const version of versionsOf(offsetForLeaderEpoch)) {
    await session.log.append('orders', { value: 1 })
    const leaderEpoch = await epochOf(session)
    const answer = await ask(session, [{ leaderEpoch, currentLeaderEpoch: leaderEpoch }], version)
    expect(answer).toEqual([{ errorCode: 0, partition: 0, leaderEpoch, endOffset: version - 1 }])
  }
})

test('each epoch ends where the next one begins, and one that left nothing is answered with the one before', async () => {
  let storage = new MemoryStorage()
  const epochs: number[] = []
  for (const appends of [2, 0, 3]) {
    await using session = await KafkaSession.open({}, { storage })
    if (epochs.length === 0) await session.log.createTopic({ name: 'orders' })
    epochs.push(await epochOf(session))
    for (let i = 0; i < appends; i++) await session.log.append('orders', { value: i })
    // only what was not closed begins a new epoch
    storage = storage.clone()
  }
  await using session = await KafkaSession.open({}, { storage })
  epochs.push(await epochOf(session))
  expect(new Set(epochs).size).toBe(4)
  const [first, idle, second, current] = epochs
  const codes = await ask(
    session,
    [first, idle, second, current].map((leaderEpoch) => ({ leaderEpoch })),
  )
  expect(codes.map(({ leaderEpoch, endOffset }) => [leaderEpoch, endOffset])).toEqual([
    [first, 2],
    [first, 2],
    [second, 5],
    [current, 5],
  ])
  await session.log.deleteRecords('orders', { partition: 0, beforeOffset: 4 })
  expect(await ask(session, [{ leaderEpoch: first }])).toMatchObject([{ errorCode: 0, endOffset: 4 }])
})

test('an epoch that is not known has no end', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 'orders' })
  const current = await epochOf(session)
  expect(await ask(session, [{ leaderEpoch: current + 1 }, { leaderEpoch: -1 }])).toMatchObject([
    { errorCode: 0, leaderEpoch: -1, endOffset: -1 },
    { errorCode: 0, leaderEpoch: -1, endOffset: -1 },
  ])
})

test('who believes in another current epoch, or in another partition, is told so, each by itself', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 'orders' })
  const leaderEpoch = await epochOf(session)
  const answer = await ask(session, [
    { leaderEpoch, currentLeaderEpoch: leaderEpoch + 1 },
    { leaderEpoch, partition: 1 },
    { leaderEpoch, partition: -1 },
    { leaderEpoch },
  ])
  expect(answer.map(({ errorCode, endOffset }) => [errorCode, endOffset])).toEqual([
    [75, -1],
    [3, -1],
    [3, -1],
    [0, 0],
  ])
  expect(await ask(session, [{ leaderEpoch }], 4, 'missing')).toMatchObject([{ errorCode: 3 }])
})
