/** Sessions of clients that fetch: how many there are, and how large they may be. */
import { expect, test } from 'vitest'
import { systemClock, systemRandom } from '../../src/environment.ts'
import { FetchSessions } from '../../src/kafka/fetch-sessions.ts'
import { Pace } from '../../src/kafka/pace.ts'

function asking(sessionId: number, sessionEpoch: number, count: number) {
  const one = { topic: 't', topicId: '', fetchOffset: 0, currentLeaderEpoch: -1, partitionMaxBytes: 1 }
  const partitions = Array.from({ length: count }, (_, partition) => ({ ...one, partition }))
  return { sessionId, sessionEpoch, partitions, forgotten: [] }
}

async function idOf(sessions: FetchSessions, count: number): Promise<number> {
  const used = await sessions.use(asking(0, 0, count), new Pace(systemClock))
  return typeof used === 'number' ? used : used.session.id
}

async function isKept(sessions: FetchSessions, id: number): Promise<boolean> {
  return typeof (await sessions.use(asking(id, 1, 0), new Pace(systemClock))) !== 'number'
}

test('the sessions that were used least lately go when all together hold too many partitions', async () => {
  const sessions = new FetchSessions(systemRandom)
  const [first, second, third] = [
    await idOf(sessions, 40_000),
    await idOf(sessions, 40_000),
    await idOf(sessions, 40_000),
  ]
  expect(await isKept(sessions, first)).toBe(false)
  expect(await isKept(sessions, second)).toBe(true)
  expect(await isKept(sessions, third)).toBe(true)
})

test('one that holds too many by itself is not kept, and grows no further', async () => {
  const sessions = new FetchSessions(systemRandom)
  expect(await isKept(sessions, await idOf(sessions, 100_001))).toBe(false)
  const growing = await idOf(sessions, 60_000)
  const more = asking(growing, 1, 60_000)
  for (const one of more.partitions) one.partition += 60_000
  await sessions.use(more, new Pace(systemClock))
  expect(await sessions.use(asking(growing, 2, 0), new Pace(systemClock))).toBe(70)
})
