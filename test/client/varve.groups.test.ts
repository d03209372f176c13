/** Administration of groups: what is told of them, and what may be changed of those without members. */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import {
  appendEach,
  committedBy,
  consumerOf,
  fakeLog,
  GROUP,
  ORDERS,
  ordersLog,
  take,
  until,
  untilCommitted,
  untilLater,
} from '../helpers/consuming.ts'
import { idle, outcomesOf, rejection } from '../helpers/logs.ts'

const P0 = { topic: ORDERS, partition: 0 }
const P1 = { topic: ORDERS, partition: 1 }

const reset = (log: Varve, options: object) => log.resetOffsets(GROUP, { dryRun: false, ...options })

/** A group that has members, of which two have something to do. */
async function withMembers() {
  const { log, clock } = await fakeLog(4, 2)
  const consumers = ['a', 'b', 'c'].map((clientId) => consumerOf(log, { clientId }))
  const runs = consumers.map((consumer) => consumer.run(() => {}))
  await untilCommitted(clock, log, [4, 4])
  await untilLater(clock, async () => (await log.describeGroup(GROUP)).members.length === 3)
  await untilLater(clock, () => consumers.filter((consumer) => consumer.assignment().length === 1).length === 2)
  return { log, clock, consumers, runs }
}

test('a group with members is described: who owns what, how far it is, and who has nothing to do', async () => {
  const { log, clock, runs, consumers } = await withMembers()
  await clock.advanceSlowly(5_000)
  consumers.forEach((consumer) => consumer.pause())
  const before = clock.now()
  await appendEach(log, 2, 1)
  const group = await log.describeGroup(GROUP)
  expect(group).toMatchObject({ groupId: GROUP, state: 'Stable', assignor: 'cooperative-sticky' })
  expect(group.members.map(({ clientId }) => clientId).sort()).toEqual(['a', 'b', 'c'])
  expect(group.members.map(({ assignment }) => assignment.length).sort((a, b) => a - b)).toEqual([0, 1, 1])
  for (const { topics, clientHost, instanceId } of group.members)
    expect({ topics, clientHost, instanceId }).toEqual({ topics: [ORDERS], clientHost: 'embedded', instanceId: null })
  const ownerOf = (partition: number) =>
    group.members.find(({ assignment }) => assignment.some((one) => one.partition === partition))!.memberId
  expect(group.offsets).toMatchObject([
    { ...P0, committed: 4, end: 4, lag: 0, owner: ownerOf(0), oldestTimestamp: null },
    { ...P1, committed: 4, end: 6, lag: 2, owner: ownerOf(1), oldestTimestamp: before },
  ])
  expect(await log.listGroups()).toEqual([{ groupId: GROUP, state: 'Stable', members: 3 }])
  await log.close()
  await Promise.all(runs)
})

test('a group with members is changed by nobody but them', async () => {
  const { log, runs } = await withMembers()
  const refused = [
    reset(log, { to: 'earliest' }),
    log.resetOffsets(GROUP, { to: 'earliest' }),
    log.deleteGroup(GROUP),
    log.deleteOffsets(GROUP, [P0]),
  ]
  expect(await outcomesOf(refused)).toEqual([
    'NON_EMPTY_GROUP',
    'NON_EMPTY_GROUP',
    'NON_EMPTY_GROUP',
    'GROUP_SUBSCRIBED_TO_TOPIC',
  ])
  expect(await committedBy(log)).toEqual([4, 4])
  await log.createTopic({ name: 'other' })
  await log.deleteOffsets(GROUP, [{ topic: 'other', partition: 0 }])
  await log.close()
  await Promise.all(runs)
})

test('lag counts from what is committed, or from the beginning; what is gone does not count', async () => {
  const log = await ordersLog(8, 3)
  await reset(log, {
    offsets: [
      { ...P0, offset: 5 },
      { ...P1, offset: 2 },
    ],
  })
  await log.deleteRecords(ORDERS, { partition: 1, beforeOffset: 6 })
  expect(await log.lag(GROUP)).toEqual([
    { ...P0, committed: 5, end: 8, lag: 3 },
    { ...P1, committed: 2, end: 8, lag: 2 },
    { topic: ORDERS, partition: 2, committed: null, end: 8, lag: 8 },
  ])
  const consumer = consumerOf(log)
  await take(consumer, 1)
  await until(() => consumer.assignment().length === 3)
  expect((await log.lag(GROUP))[2]).toEqual({ topic: ORDERS, partition: 2, committed: null, end: 8, lag: 8 })
  await log.close()
})

describe('resetOffsets', () => {
  test('to edges, times, offsets and by so many, never out of what there is', async () => {
    const { log, clock } = await fakeLog(0, 2)
    for (let i = 0; i < 5; i++) {
      clock.advance(1_000)
      await log.append(ORDERS, { value: i, partition: 0 })
    }
    await appendEach(log, 2, 1)
    await log.deleteRecords(ORDERS, { partition: 0, beforeOffset: 1 })
    const outcomes = []
    const targets = [
      'latest',
      'earliest',
      { timestamp: clock.now() - 1_500 },
      { offset: 3 },
      { offset: 0 },
      { shiftBy: 2 },
      { shiftBy: -1 },
      { shiftBy: 100 },
      { shiftBy: -100 },
    ]
    for (const to of targets) {
      const plan = await reset(log, { to, topics: [ORDERS] })
      expect(await committedBy(log)).toEqual(plan.map((one) => one.to))
      outcomes.push(plan.map((one) => one.to))
    }
    expect(outcomes).toEqual([
      [5, 2],
      [1, 0],
      [3, 0],
      [3, 2],
      [1, 0],
      [3, 2],
      [2, 1],
      [5, 2],
      [1, 0],
    ])
    await log.close()
  })

  test('only says what it would do unless told otherwise, and names one partition or many', async () => {
    const log = await ordersLog(5, 2)
    expect(await log.resetOffsets(GROUP, { to: 'latest', topics: [P1] })).toEqual([{ ...P1, from: null, to: 5 }])
    expect(await log.listGroups()).toEqual([])
    await reset(log, { to: 'latest', topics: [P1] })
    await reset(log, { offsets: [{ ...P0, offset: 99 }] })
    // without topics: what it has committed of
    expect(await log.resetOffsets(GROUP, { to: 'earliest' })).toEqual([
      { ...P0, from: 5, to: 0 },
      { ...P1, from: 5, to: 0 },
    ])
    await log.close()
  })

  test('what cannot be meant is refused', async () => {
    const log = await ordersLog(5)
    const wrong = [
      {},
      { to: 'middle' },
      { to: { offset: -1 } },
      { to: { timestamp: Infinity } },
      { to: { offset: 1, shiftBy: 1 } },
      { to: 'latest', topics: [] },
      { to: 'latest', topics: [3] },
      { to: 'latest', offsets: [{ ...P0, offset: 1 }] },
      { offsets: [{ ...P0 }] },
      { offsets: [{ ...P0, offset: 1 }], topics: [ORDERS] },
      { to: 'latest', dryRun: 'no' },
      { to: 'latest', extra: 1 },
    ]
    for (const options of wrong) {
      const { constructor } = await rejection(reset(log, options))
      expect([TypeError, RangeError], JSON.stringify(options)).toContain(constructor)
    }
    for (const id of ['', null, 3]) expect(await rejection(log.lag(id as never))).toBeInstanceOf(TypeError)
    expect((await rejection(reset(log, { to: 'latest' }))).code).toBe('GROUP_ID_NOT_FOUND')
    for (const topics of [['no'], [P1]])
      expect((await rejection(reset(log, { to: 'latest', topics }))).code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    for (const topics of [['__consumer_offsets'], [{ topic: '__consumer_offsets', partition: 0 }]])
      expect(await outcomesOf([reset(log, { to: 'latest', topics })])).not.toEqual(['done'])
    expect(await log.listGroups()).toEqual([])
    await log.close()
  })
})

describe('deleteGroup and deleteOffsets', () => {
  test('what is deleted is gone, and a group of that id begins anew', async () => {
    const log = await ordersLog(5, 2)
    const member = consumerOf(log)
    await take(member, 1)
    await member.close()
    await reset(log, { to: 'latest', topics: [ORDERS] })
    await log.deleteOffsets(GROUP, [P0])
    expect(await log.lag(GROUP)).toMatchObject([
      { ...P0, committed: null },
      { ...P1, committed: 5 },
    ])
    await log.deleteGroup(GROUP)
    expect(await log.listGroups()).toEqual([])
    expect((await rejection(log.deleteGroup(GROUP))).code).toBe('GROUP_ID_NOT_FOUND')
    expect((await rejection(log.deleteOffsets(GROUP, [P0]))).code).toBe('GROUP_ID_NOT_FOUND')
    const next = consumerOf(log)
    expect((await take(next, 1))[0]).toMatch(/\/0$/)
    expect((await log.describeGroup(GROUP)).generation).toBe(1)
    await log.close()
  })

  test('partitions that are none are refused', async () => {
    const log = await ordersLog(5)
    await reset(log, { to: 'latest', topics: [ORDERS] })
    for (const wrong of [null, 'orders', [null], [{ topic: ORDERS }], [{ ...P0, offset: 1 }]]) {
      const { constructor } = await rejection(log.deleteOffsets(GROUP, wrong as never))
      expect([TypeError, RangeError], JSON.stringify(wrong)).toContain(constructor)
    }
    await log.close()
  })

  test('a group that is deleted while a consumer of it is idle is joined again when that is consumed', async () => {
    const { log, clock } = await fakeLog(3, 2)
    const idler = consumerOf(log, { maxPollIntervalMs: 60_000 })
    await take(idler, 1)
    await clock.advanceSlowly(70_000)
    await log.deleteGroup(GROUP)
    const next = take(idler, 1)
    await clock.advanceSlowly(1_000)
    expect(await next).toHaveLength(1)
    // and it hears at once of who joins
    const other = consumerOf(log)
    const run = other.run(() => {})
    await until(() => other.assignment().length === 1)
    await log.close()
    await run
  })
})

test('a log that is closed tells nothing of groups, and changes none', async () => {
  const log = await ordersLog(1)
  await log.close()
  const refused = [
    log.listGroups(),
    log.describeGroup(GROUP),
    log.lag(GROUP),
    reset(log, { to: 'latest', topics: [ORDERS] }),
    log.deleteGroup(GROUP),
    log.deleteOffsets(GROUP, [P0]),
  ]
  expect(await outcomesOf(refused)).toEqual(Array(6).fill('CLOSED'))
})

test('many groups at once are each complete: none is dropped while it begins', async () => {
  const log = await ordersLog(1)
  const consumers = Array.from({ length: 1_100 }, (_, i) => consumerOf(log, { groupId: `group ${i}` }))
  await Promise.all(consumers.map((consumer) => take(consumer, 1)))
  await idle(5)
  const listed = await log.listGroups()
  expect(listed.filter(({ state, members }) => state === 'Stable' && members === 1)).toHaveLength(1_100)
  await log.close()
})
