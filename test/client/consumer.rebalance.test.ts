/** Partitions change hands: in order, no more of them than must, and from those who hang or are gone as well. */
import { describe, expect, test } from 'vitest'
import type { Consumer } from '../../src/client/consumer.ts'
import type { ConsumerOptions } from '../../src/client/consumer-options.ts'
import type { Varve } from '../../src/client/varve.ts'
import type { TopicPartition } from '../../src/group/assignors/assignor.ts'
import type { AssignorName } from '../../src/group/assignors/assignors.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import {
  appendEach,
  committedBy,
  consumerOf,
  fakeLog,
  gate,
  GROUP,
  ORDERS,
  placeOf,
  take,
  until,
  untilCommitted,
  untilLater,
} from '../helpers/consuming.ts'
import { idle, rejection } from '../helpers/logs.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

const ASSIGNORS: AssignorName[] = ['range', 'roundrobin', 'sticky', 'cooperative-sticky']

const numbers = (partitions: readonly TopicPartition[]) =>
  partitions
    .map(({ partition }) => partition)
    .sort((a, b) => a - b)
    .join()
const at = (partition: number, offset = 0) => ({ topic: ORDERS, partition, offset })

/** A consumer that runs, and what has happened to it, in order. */
function running(log: Varve, name: string, events: string[], options: Partial<ConsumerOptions> = {}) {
  const note = (what: string) => (partitions: TopicPartition[]) =>
    void events.push(`${name} ${what} ${numbers(partitions)}`)
  const consumer = consumerOf(log, {
    onAssigned: note('assigned'),
    onRevoked: note('revoked'),
    onLost: note('lost'),
    ...options,
  })
  const seen: string[] = []
  const run = consumer.run(async (record) => {
    await idle(1)
    seen.push(placeOf(record))
  })
  run.catch(() => {})
  return { consumer, seen, run }
}

const sizes = (consumers: Consumer[]) => consumers.map((consumer) => consumer.assignment().length).sort((a, b) => a - b)

describe('members come and go under load', () => {
  for (const assignor of ASSIGNORS) {
    test(`${assignor}: every record is processed once, and the partitions are shared`, async () => {
      const { log, clock } = await fakeLog(0, 7)
      const events: string[] = []
      const members: ReturnType<typeof running>[] = []
      let appended = 0
      const load = async (rounds: number) => {
        for (let round = 0; round < rounds; round++) {
          for (let partition = 0; partition < 7; partition++) await log.append(ORDERS, { value: appended++, partition })
          await clock.advanceSlowly(20)
        }
      }
      for (let i = 0; i < 5; i++) {
        members.push(running(log, String(i), events, { assignors: [assignor] }))
        await load(5)
      }
      await untilLater(clock, () => sizes(members.map(({ consumer }) => consumer)).join() === '1,1,1,2,2')
      const all = [...members]
      while (members.length > 1) {
        const leaving = members.shift()!.consumer.close()
        await load(5)
        await leaving
      }
      await untilLater(clock, () => all.flatMap(({ seen }) => seen).length >= appended)
      const seen = all.flatMap((member) => member.seen)
      expect(new Set(seen).size).toBe(appended)
      expect(seen).toHaveLength(appended)
      expect(sizes(members.map(({ consumer }) => consumer))).toEqual([7])
      expect(events.filter((event) => event.includes('lost'))).toEqual([])
      await log.close()
      expect(await Promise.all(all.map(({ run }) => run))).toHaveLength(5)
      expect([clock.timerCount, clock.holdCount]).toEqual([0, 0])
    })
  }

  test('cooperative-sticky moves only what must move, and the rest is processed meanwhile', async () => {
    const { log } = await fakeLog(0, 4)
    const events: string[] = []
    const reached = gate()
    const finish = gate()
    const first = consumerOf(log, {
      onAssigned: (partitions) => void events.push(`first assigned ${numbers(partitions)}`),
      onRevoked: (partitions) => void events.push(`first revoked ${numbers(partitions)}`),
    })
    const seen: string[] = []
    const run = first.run(
      async (record) => {
        seen.push(placeOf(record))
        // those that will go are held up
        if (record.partition >= 2) {
          reached.open()
          await finish.promise
        }
      },
      { concurrency: 4 },
    )
    await until(() => first.assignment().length === 4)
    await appendEach(log, 1, 2)
    await appendEach(log, 1, 3)
    await reached.promise
    const second = running(log, 'second', events)
    await idle(50)
    expect(events).toEqual(['first assigned 0,1,2,3'])
    await appendEach(log, 3, 0)
    await until(() => seen.includes('0/2'))
    finish.open()
    await until(() => second.consumer.assignment().length === 2)
    expect(events).toEqual(['first assigned 0,1,2,3', 'first revoked 2,3', 'second assigned 2,3'])
    await appendEach(log, 2, 3)
    await until(() => second.seen.includes('3/2'))
    expect(second.seen).toEqual(['3/1', '3/2'])
    await log.close()
    await run
  })

  test('an eager assignor has everybody give up everything first', async () => {
    const { log } = await fakeLog(1, 4)
    const events: string[] = []
    const first = running(log, 'first', events, { assignors: ['range'] })
    await until(() => first.seen.length === 4)
    const second = running(log, 'second', events, { assignors: ['range'] })
    await until(() => second.consumer.assignment().length === 2 && first.consumer.assignment().length === 2)
    expect(events.slice(0, 2)).toEqual(['first assigned 0,1,2,3', 'first revoked 0,1,2,3'])
    // whose id is the lesser one has the first partitions
    expect(
      events
        .slice(2)
        .map((event) => event.replace(/^.* assigned /, ''))
        .sort(),
    ).toEqual(['0,1', '2,3'])
    await log.close()
  })

  test('who is left over when there are more members than partitions takes over when another goes', async () => {
    const { log } = await fakeLog(1, 2)
    const events: string[] = []
    const members = ['a', 'b', 'c'].map((name) => running(log, name, events))
    await until(() => sizes(members.map(({ consumer }) => consumer)).join() === '0,1,1')
    await until(async () => (await log.describeGroup(GROUP)).members.length === 3)
    const busy = members.find(({ consumer }) => consumer.assignment().length === 1)!
    await busy.consumer.close()
    await until(() => sizes(members.map(({ consumer }) => consumer)).join() === '0,1,1')
    expect(members.flatMap(({ seen }) => seen).sort()).toEqual(['0/0', '1/0'])
    await log.close()
  })

  test('partitions that are added are picked up, also those of a topic that only a follower consumes', async () => {
    const { log, clock } = await fakeLog(1, 1)
    await log.createTopic({ name: 'refunds' })
    const leader = running(log, 'leader', [])
    await until(() => leader.seen.length === 1)
    const follower = running(log, 'follower', [], { topics: ['refunds'] })
    await untilLater(clock, () => follower.consumer.assignment().length === 1)
    const { generation } = await log.describeGroup(GROUP)
    await clock.advanceSlowly(20_000)
    expect((await log.describeGroup(GROUP)).generation).toBe(generation)
    await log.createPartitions('refunds', 3)
    await untilLater(clock, () => follower.consumer.assignment().length === 3)
    await log.createPartitions(ORDERS, 2)
    await log.append(ORDERS, { value: 1, partition: 1 })
    await untilLater(clock, () => leader.seen.includes('1/0'))
    await log.close()
  })
})

describe('listeners', () => {
  test('onAssigned is over before the first record, and may move', async () => {
    const { log } = await fakeLog(5, 2)
    const mayGoOn = gate()
    const consumer = consumerOf(log, {
      onAssigned: async (partitions) => {
        for (const partition of partitions) await consumer.seek(partition, 3)
        consumer.pause([at(1)])
        consumer.resume([at(1)])
        await mayGoOn.promise
      },
    })
    const seen: string[] = []
    const run = consumer.run((record) => void seen.push(placeOf(record)))
    await idle(100)
    expect(seen).toEqual([])
    mayGoOn.open()
    await until(() => seen.length === 4)
    expect(seen.sort()).toEqual(['0/3', '0/4', '1/3', '1/4'])
    await log.close()
    await run
  })

  test('onRevoked comes after the last record, and what it commits counts for who is next', async () => {
    const { log, clock } = await fakeLog(10, 2)
    const events: string[] = []
    const gathered = new Map<number, number>()
    const first = consumerOf(log, {
      onRevoked: async (partitions) => {
        events.push(`revoked ${numbers(partitions)}`)
        await idle(5)
        for (const { partition } of partitions) await first.commit(at(partition, gathered.get(partition)! + 1))
      },
    })
    const loop = (async () => {
      for await (const { partition, offset } of first) {
        await idle(2)
        events.push(`${partition}/${offset}`)
        gathered.set(partition, offset)
      }
    })()
    await until(() => events.length > 12)
    const second = running(log, 'second', [])
    await until(() => second.consumer.assignment().length === 1)
    const [{ partition: moved }] = second.consumer.assignment()
    await until(() => second.seen.length + events.filter((event) => event.startsWith(String(moved))).length === 10)
    const revoked = events.indexOf(`revoked ${moved}`)
    expect(events.slice(revoked).filter((event) => event.startsWith(`${moved}/`))).toEqual([])
    await until(() => gathered.get(1 - moved) === 9)
    // closing hands over in the same way
    await first.close()
    await loop
    expect(events.at(-1)).toBe(`revoked ${1 - moved}`)
    await untilCommitted(clock, log, [10, 10])
    await log.close()
  })

  test('a commit that comes while the group rebalances waits for the end of it', async () => {
    const { log } = await fakeLog(5, 2)
    const first = consumerOf(log)
    await take(first, 1)
    await until(() => first.assignment().length === 2)
    const records = first[Symbol.asyncIterator]()
    const { value: record } = await records.next()
    const outcomes: Promise<void>[] = []
    const second = running(log, 'second', [])
    // at every step of it
    for (let turn = 0; turn < 20; turn++) {
      for (let step = 0; step < 200; step++) {
        const kept = first.assignment().some(({ partition }) => partition === record!.partition)
        if (kept) outcomes.push(first.commit(record))
        await Promise.resolve()
      }
      await idle(1)
    }
    expect((await Promise.allSettled(outcomes)).filter(({ status }) => status === 'rejected')).toEqual([])
    await records.return?.()
    await until(() => second.consumer.assignment().length === 1)
    await log.close()
  })

  test('a commit that is on its way when its partition changes hands counts for who is next', async () => {
    const storage = new MemoryStorage()
    const { log } = await fakeLog(5, 1, { storage })
    const first = consumerOf(log)
    const records = first[Symbol.asyncIterator]()
    await records.next()
    const { value: record } = await records.next()
    const gate = new SyncGate()
    storage.syncDelay = (path) => (path.includes('__consumer_offsets') ? gate.pass(path) : undefined)
    const commit = first.commit(record)
    await gate.arrived()
    const closing = first.close()
    const next = take(consumerOf(log), 1)
    await idle(20)
    gate.open()
    expect(await next).toEqual(['0/2'])
    await Promise.all([commit, closing])
    await log.close()
  })

  test('a listener may close its consumer, and one that takes for ever keeps nobody from closing', async () => {
    const { log, clock } = await fakeLog(1, 2)
    const closing = consumerOf(log, { onAssigned: () => closing.close() })
    expect(await take(closing, 1)).toEqual([])
    const hanging = consumerOf(log, { onAssigned: () => new Promise(() => {}) })
    const loop = take(hanging, 1)
    await until(() => hanging.assignment().length === 2)
    // it is heard of all the while
    await clock.advanceSlowly(100_000)
    expect((await log.describeGroup(GROUP)).members).toHaveLength(1)
    await hanging.close()
    expect(await loop).toEqual([])
    await log.close()
    expect([clock.timerCount, clock.holdCount]).toEqual([0, 0])
  })

  test('a listener that throws fails its consumer, and the others take over', async () => {
    const { log, clock } = await fakeLog(1, 2)
    const consumer = consumerOf(log, {
      onAssigned: () => {
        throw new Error('no room')
      },
    })
    const other = running(log, 'other', [])
    expect((await rejection(consumer.run(() => {}))).message).toBe('no room')
    await untilLater(clock, () => other.seen.length === 2)
    expect(consumer.health()).toMatchObject({ status: 'failed', error: { message: 'no room' } })
    await log.close()
  })
})

describe('a handler that does not return', () => {
  async function hanging(options: Partial<ConsumerOptions> = {}) {
    const { log, clock } = await fakeLog(3, 2)
    const events: string[] = []
    const finish = gate()
    const signals: AbortSignal[] = []
    const seen: string[] = []
    const consumer = consumerOf(log, {
      maxPollIntervalMs: 60_000,
      stalledAfterMs: 10_000,
      onLost: (partitions) => void events.push(`lost ${numbers(partitions)}`),
      ...options,
    })
    const run = consumer.run(async (record, { signal }) => {
      seen.push(placeOf(record))
      if (seen.length > 2) return
      signals.push(signal)
      if (seen.length === 2) await finish.promise
    })
    run.catch(() => {})
    await until(() => seen.length === 2)
    return { log, clock, consumer, run, events, finish, signals, seen }
  }

  test('is told by health, with the place', async () => {
    const { log, clock, consumer, finish, seen } = await hanging()
    expect(consumer.health()).toMatchObject({ status: 'running', stuck: null })
    const since = clock.now()
    await clock.advanceSlowly(14_000)
    const { status, stuck } = consumer.health()
    expect(status).toBe('stalled')
    expect(placeOf(stuck!)).toBe(seen[1])
    expect(stuck!.since - since).toBeLessThanOrEqual(3_000)
    finish.open()
    await until(() => seen.length === 6)
    await clock.advanceSlowly(3_000)
    expect(consumer.health()).toMatchObject({ status: 'running', stuck: null })
    await log.close()
  })

  for (const assignor of ASSIGNORS) {
    test(`${assignor}: after maxPollIntervalMs others take over, and it joins again when it is done`, async () => {
      const { log, clock, consumer, finish, events, signals, seen, run } = await hanging({ assignors: [assignor] })
      const other = running(log, 'other', [], { assignors: [assignor], maxPollIntervalMs: 60_000 })
      await clock.advanceSlowly(70_000)
      await until(() => other.consumer.assignment().length === 2)
      await until(() => new Set([...seen, ...other.seen]).size === 6)
      expect(events.length).toBeGreaterThan(0)
      expect(signals[1].aborted).toBe(true)
      expect(consumer.health().status).toBe('stalled')
      expect(consumer.assignment()).toEqual([])
      await clock.advanceSlowly(70_000)
      expect((await log.describeGroup(GROUP)).members).toHaveLength(1)
      finish.open()
      await untilLater(clock, () => consumer.assignment().length === 1 && other.consumer.assignment().length === 1)
      expect(consumer.health().status).toBe('running')
      await log.close()
      await run
    })
  }

  test('what it throws because it was told to stop does not end the run', async () => {
    const { log, clock } = await fakeLog(2, 1)
    const consumer = consumerOf(log, { maxPollIntervalMs: 20_000 })
    let calls = 0
    const run = consumer.run(({ offset }, { signal }) => {
      calls++
      if (calls > 1) return offset
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    })
    await untilLater(clock, () => calls === 1)
    await clock.advanceSlowly(30_000)
    await untilLater(clock, () => calls === 3)
    await untilCommitted(clock, log, [2])
    await log.close()
    await run
  })

  test('a zombie commits nothing', async () => {
    const { log, clock } = await fakeLog(5, 1)
    const zombie = consumerOf(log, { maxPollIntervalMs: 20_000 })
    const records = zombie[Symbol.asyncIterator]()
    const { value: record } = await records.next()
    await clock.advanceSlowly(30_000)
    const other = running(log, 'other', [])
    await untilLater(clock, () => other.seen.length === 5)
    await untilCommitted(clock, log, [5])
    expect((await rejection(zombie.commit(record))).code).toBe('ILLEGAL_GENERATION')
    expect(await committedBy(log)).toEqual([5])
    await records.return?.()
    await log.close()
  })
})

describe('a consumer that nobody consumes', () => {
  test('takes part in rebalances, gives its partitions up after maxPollIntervalMs, and is back when it is consumed', async () => {
    const { log, clock } = await fakeLog(4, 2)
    const idler = consumerOf(log, { maxPollIntervalMs: 60_000 })
    await take(idler, 1)
    await untilLater(clock, () => idler.assignment().length === 2)
    const other = running(log, 'other', [])
    await untilLater(clock, () => other.consumer.assignment().length === 1)
    await untilLater(clock, () => other.seen.length === 4)
    expect(idler.assignment()).toHaveLength(1)
    await clock.advanceSlowly(65_000)
    await untilLater(clock, () => other.seen.length === 8)
    expect(idler.assignment()).toEqual([])
    expect(idler.health().status).toBe('idle')
    const loop = take(idler, 1)
    await untilLater(clock, () => idler.assignment().length === 1)
    for (const partition of [0, 1]) await log.append(ORDERS, { value: 1, partition })
    expect(await loop).toHaveLength(1)
    await log.close()
  })

  test('one whose session has ended meanwhile does not join before it is consumed again', async () => {
    const { log, clock } = await fakeLog(4, 1)
    const idler = consumerOf(log)
    await take(idler, 1)
    // so much at once that nothing it says is heard in between
    clock.advance(60_000)
    await idle(20)
    await clock.advanceSlowly(10_000)
    expect(idler.assignment()).toEqual([])
    expect((await log.listGroups())[0]).toMatchObject({ state: 'Empty', members: 0 })
    const loop = take(idler, 4)
    await clock.advanceSlowly(1_000)
    expect(await loop).toEqual(['0/0', '0/1', '0/2', '0/3'])
    await log.close()
  })
})

describe('who may be a member', () => {
  test('of two with one instanceId the later one stays', async () => {
    const { log, clock } = await fakeLog(2, 2)
    const events: string[] = []
    const first = running(log, 'first', events, { instanceId: 'a' })
    await until(() => first.seen.length === 4)
    const second = running(log, 'second', [], { instanceId: 'a' })
    await untilLater(clock, () => second.consumer.assignment().length === 2)
    await untilLater(clock, () => first.consumer.health().status === 'failed')
    expect((await rejection(first.run)).code).toBe('FENCED_INSTANCE_ID')
    expect(first.consumer.assignment()).toEqual([])
    expect(events).toEqual(['first assigned 0,1', 'first lost 0,1'])
    await first.consumer.close()
    await clock.advanceSlowly(10_000)
    expect(second.consumer.assignment()).toHaveLength(2)
    expect(second.consumer.health().status).toBe('running')
    await log.close()
  })

  test('closing one that has never been consumed takes nothing away from another of its instanceId', async () => {
    const { log, clock } = await fakeLog(2, 2)
    const first = running(log, 'first', [], { instanceId: 'a' })
    await until(() => first.seen.length === 4)
    await consumerOf(log, { instanceId: 'a' }).close()
    await clock.advanceSlowly(10_000)
    expect((await log.describeGroup(GROUP)).generation).toBe(1)
    await log.close()
  })

  test('a static member that closes keeps its place for the next one of its instanceId, for the session timeout', async () => {
    const { log, clock } = await fakeLog(2, 2)
    const dynamic = running(log, 'dynamic', [])
    const first = running(log, 'first', [], { instanceId: 'a' })
    await untilLater(
      clock,
      () => first.consumer.assignment().length === 1 && dynamic.consumer.assignment().length === 1,
    )
    await clock.advanceSlowly(5_000)
    const { generation } = await log.describeGroup(GROUP)
    await first.consumer.close()
    await clock.advanceSlowly(20_000)
    expect(dynamic.consumer.assignment()).toHaveLength(1)
    const second = running(log, 'second', [], { instanceId: 'a' })
    await untilLater(clock, () => second.consumer.assignment().length === 1)
    expect((await log.describeGroup(GROUP)).generation).toBe(generation)
    await second.consumer.close()
    await clock.advanceSlowly(50_000)
    await untilLater(clock, () => dynamic.consumer.assignment().length === 2)
    await log.close()
  })

  test('a full group, assignors that not all have, and session timeouts out of limits are refused, with advice', async () => {
    const { log } = await fakeLog(1, 2, {
      groups: { maxSize: 1, minSessionTimeoutMs: 10_000, maxSessionTimeoutMs: 20_000 },
    })
    const options = { sessionTimeoutMs: 15_000, assignors: ['range'] as const }
    const member = running(log, 'member', [], options)
    await until(() => member.seen.length === 2)
    const refusal = async (more: Partial<ConsumerOptions>) => {
      const consumer = consumerOf(log, { ...options, ...more })
      const error = await rejection(consumer.run(() => {}))
      expect(consumer.health()).toMatchObject({ status: 'failed', assignment: [], error })
      await consumer.close()
      return error
    }
    expect(await refusal({})).toMatchObject({
      code: 'GROUP_MAX_SIZE_REACHED',
      message: expect.stringContaining('groups.maxSize') as string,
    })
    expect(await refusal({ assignors: ['sticky'] })).toMatchObject({ code: 'INCONSISTENT_GROUP_PROTOCOL' })
    for (const sessionTimeoutMs of [9_999, 20_001]) {
      expect((await refusal({ sessionTimeoutMs })).code).toBe('INVALID_SESSION_TIMEOUT')
    }
    for (const sessionTimeoutMs of [10_000, 20_000]) {
      const consumer = consumerOf(log, { ...options, groupId: `g${sessionTimeoutMs}`, sessionTimeoutMs })
      expect(await take(consumer, 1)).toHaveLength(1)
    }
    expect(member.consumer.health().status).toBe('running')
    await log.close()
  })
})

describe('a topic that is deleted', () => {
  test('ends its consumers with an error that says so', async () => {
    const { log, clock } = await fakeLog(1, 1)
    const member = running(log, 'member', [])
    await until(() => member.seen.length === 1)
    await log.deleteTopic(ORDERS)
    let error: unknown = null
    member.run.catch((reason: unknown) => (error = reason))
    await untilLater(clock, () => error !== null)
    expect(error).toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      message: expect.stringContaining(ORDERS) as string,
    })
    await member.consumer.close().catch(() => {})
    await log.close()
  })
})
