/** Commits: what they say, when they are acknowledged, when they are refused, and what becomes of them when storage fails. */
import { describe, expect, test } from 'vitest'
import type { Committable } from '../../src/client/consumer.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import type { Flush } from '../../src/engine/flush.ts'
import type { VarveOptions } from '../../src/engine/open-options.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import {
  appendEach,
  committedBy,
  consumerOf,
  fakeLog,
  gate,
  GROUP,
  ORDERS,
  ordersLog,
  take,
  until,
  untilLater,
} from '../helpers/consuming.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { idle, openLog, outcomesOf, rejection } from '../helpers/logs.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

/** A consumer that has its partitions, and is at the first record of each batch. */
async function atWork(partitions = 1, options: Partial<VarveOptions> = {}) {
  const log = await ordersLog(5, partitions, options)
  const consumer = consumerOf(log)
  await take(consumer, 1)
  await until(() => consumer.assignment().length === partitions)
  return { log, consumer }
}

const at = (partition: number, offset: number) => ({ topic: ORDERS, partition, offset })

describe('what is committed', () => {
  test('a record, some records, a batch: everything up to and with it', async () => {
    const { log, consumer } = await atWork(2)
    const records: ConsumerRecord[] = []
    for await (const record of consumer) {
      records.push(record)
      if (records.length === 10) break
    }
    const of = (partition: number) => records.filter((record) => record.partition === partition)
    await consumer.commit(of(0)[1])
    expect(await committedBy(log)).toEqual([2, null])
    // in whatever order they come, it is the furthest that counts
    await consumer.commit([of(1)[3], of(0)[2], of(1)[0]])
    expect(await committedBy(log)).toEqual([3, 4])
    await consumer.commit(new Set([of(0)[4]]))
    await consumer.commit([])
    expect(await committedBy(log)).toEqual([5, 4])
    await log.close()
  })

  test('explicit offsets, with words of their own, which may also go back', async () => {
    const { log, consumer } = await atWork()
    await consumer.commit({ ...at(0, 4), metadata: 'page 7' })
    const { offsets } = await log.describeGroup(GROUP)
    expect(offsets).toMatchObject([{ committed: 4, metadata: 'page 7', end: 5, lag: 1 }])
    await consumer.commit(at(0, 1))
    expect((await log.describeGroup(GROUP)).offsets).toMatchObject([{ committed: 1, metadata: '' }])
    await log.close()
  })
})

describe('what is refused', () => {
  test('what is beyond the end, or has too many words, and nothing is committed', async () => {
    const { log, consumer } = await atWork()
    await consumer.commit({ ...at(0, 2), metadata: 'é'.repeat(2_048) })
    const refused = [
      at(0, 6),
      { ...at(0, 3), metadata: 'é'.repeat(2_048) + 'x' },
      at(1, 0),
      { ...at(0, 0), topic: 'no' },
    ]
    expect(await outcomesOf(refused.map((offset) => consumer.commit(offset)))).toEqual([
      'OFFSET_OUT_OF_RANGE',
      'OFFSET_METADATA_TOO_LARGE',
      'ILLEGAL_GENERATION',
      'ILLEGAL_GENERATION',
    ])
    expect(await committedBy(log)).toEqual([2])
    await consumer.commit(at(0, 5))
    await log.close()
  })

  test('what is no place', async () => {
    const { log, consumer } = await atWork()
    const wrong: unknown[] = [
      null,
      undefined,
      3,
      'orders',
      {},
      { topic: ORDERS, partition: 0 },
      { ...at(0, 1), extra: 1 },
      { ...at(0, -1) },
      { ...at(0, 1.5) },
      { ...at(0, 1), metadata: 3 },
      [at(0, 1), null],
      [at(0, 1), 'x'],
      new Map([['a', 1]]),
    ]
    for (const what of wrong) {
      const error = await rejection(consumer.commit(what as Committable))
      expect([TypeError, RangeError], String(what)).toContain(error.constructor)
    }
    expect(await committedBy(log)).toEqual([null])
    await log.close()
  })

  test('a commit of a consumer that is closed', async () => {
    const { log, consumer } = await atWork()
    await consumer.close()
    expect((await rejection(consumer.commit(at(0, 1)))).code).toBe('CLOSED')
    await log.close()
  })
})

describe('autoCommit', () => {
  test('never commits the record that the loop is at', async () => {
    const { log, clock } = await fakeLog(5)
    const consumer = consumerOf(log, { autoCommit: true })
    const seen: number[] = []
    for await (const { offset } of consumer) {
      seen.push(offset)
      await clock.advanceSlowly(50)
      await idle()
      expect((await committedBy(log))[0] ?? 0).toBe(offset)
      if (offset === 3) break
    }
    await clock.advanceSlowly(50)
    await idle()
    expect(await committedBy(log)).toEqual([3])
    await consumer.close()
    expect(await committedBy(log)).toEqual([3])
    await log.close()
  })

  test('is off: a loop commits nothing by itself, nor does one that follows a run', async () => {
    const { log, clock } = await fakeLog(9)
    const consumer = consumerOf(log)
    const stop = new AbortController()
    await consumer.run(({ offset }) => void (offset === 2 && stop.abort()), { signal: stop.signal })
    expect(await committedBy(log)).toEqual([3])
    await take(consumer, 5)
    await clock.advanceSlowly(100)
    await idle()
    expect(await committedBy(log)).toEqual([3])
    await log.close()
    expect(clock.timerCount).toBe(0)
  })

  test('commits a record after which the next one was asked for, whatever comes of asking', async () => {
    const { log, clock } = await fakeLog(3)
    const consumer = consumerOf(log, { autoCommit: true })
    const records = consumer[Symbol.asyncIterator]()
    await records.next()
    consumer.pause()
    clock.advance(20)
    const next = records.next()
    await consumer.close()
    expect((await next).done).toBe(true)
    expect(await committedBy(log)).toEqual([1])
    await log.close()
  })

  test('waits commitIntervalMs from one commit to the next', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const { log, clock } = await fakeLog(0, 1, { storage })
    const consumer = consumerOf(log, { commitIntervalMs: 1_000 })
    const run = consumer.run(() => {})
    await until(() => consumer.assignment().length === 1)
    await idle(20)
    const commits: number[] = []
    for (let ms = 0; ms < 3_000; ms += 50) {
      await log.append(ORDERS, { value: 1 })
      const { sync } = storage.counts
      await clock.advanceSlowly(50)
      await idle(8)
      if (storage.counts.sync > sync) commits.push(clock.monotonicMs())
    }
    expect(commits.length).toBe(3)
    expect(commits[2] - commits[1]).toBe(1_000)
    await log.close()
    await run
  })
})

test('a handler may commit by itself, and what it says counts at once', async () => {
  const { log } = await fakeLog(3)
  const consumer = consumerOf(log)
  const committed: (number | null)[] = []
  const run = consumer.run(async (record) => {
    await consumer.commit(record)
    committed.push((await committedBy(log))[0])
  })
  await until(() => committed.length === 3)
  expect(committed).toEqual([1, 2, 3])
  await log.close()
  await run
})

describe('acknowledgement', () => {
  test('many commits in flight share one sync', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const { log, consumer } = await atWork(4, { storage })
    await consumer.commit(at(0, 1))
    const before = storage.counts.sync
    await Promise.all(Array.from({ length: 100 }, (_, i) => consumer.commit(at(i % 4, (i % 5) + 1))))
    expect(storage.counts.sync - before).toBeLessThanOrEqual(2)
    await log.close()
  })

  const modes: [string, Flush, boolean][] = [
    ["'each'", 'each', true],
    ["'group'", 'group', true],
    ['a window', { ms: 1_000 }, false],
    ["'os'", 'os', false],
  ]
  for (const [name, flush, isDurable] of modes) {
    test(`under ${name} a commit is acknowledged ${isDurable ? 'when it is on the disk' : 'before it is'}`, async () => {
      const inner = new MemoryStorage()
      const storage = new FaultyStorage(inner)
      const { log, consumer } = await atWork(1, { storage, flush })
      await log.flush()
      storage.syncGate = new SyncGate()
      let isDone = false
      const commit = consumer.commit(at(0, 3)).then(() => (isDone = true))
      await idle(50)
      expect(isDone).toBe(!isDurable)
      storage.syncGate.open()
      await commit
      // the power is cut as soon as it is acknowledged
      if (isDurable) {
        const after = await openLog({ storage: inner.crash() })
        expect(await committedBy(after)).toEqual([3])
        await after.close()
      }
      await log.close()
    })
  }

  test('of two that race the later one in the log counts, in memory and after a replay', async () => {
    const storage = new MemoryStorage()
    const { log, consumer } = await atWork(1, { storage })
    const commits = [4, 1, 3, 2].map((offset) => consumer.commit(at(0, offset)))
    await Promise.all(commits)
    expect(await committedBy(log)).toEqual([2])
    await log.close()
    const again = await openLog({ storage })
    expect(await committedBy(again)).toEqual([2])
    await again.close()
  })
})

describe('when storage fails', () => {
  test('a full disk: automatic commits are tried until there is room, and health tells', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const { log, clock } = await fakeLog(5, 1, { storage })
    const consumer = consumerOf(log)
    let handled = 0
    const run = consumer.run(() => void handled++)
    await untilLater(clock, () => handled === 5)
    await clock.advanceSlowly(50)
    await idle(20)
    const offsetsLog = (kind: string, path: string) => kind === 'write' && path.includes('__consumer_offsets')
    const free = storage.failAt({ call: offsetsLog, code: 'ENOSPC', sticky: true })
    // the records' own partition has room
    await appendEach(log, 5)
    await untilLater(clock, () => handled === 10 && consumer.health().error !== null)
    expect(consumer.health()).toMatchObject({ status: 'running', error: { code: 'DISK_FULL' } })
    await clock.advanceSlowly(1_000)
    expect(await committedBy(log)).toEqual([5])
    free()
    await untilLater(clock, () => consumer.health().error === null)
    expect(await committedBy(log)).toEqual([10])
    await log.close()
    await run
  })

  test('a full disk: a commit by hand and the last one of close fail with it', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const { log, consumer } = await atWork(1, { storage })
    await consumer.close()
    const second = consumerOf(log)
    const inHandler = gate()
    const finish = gate()
    const run = second.run(async () => {
      inHandler.open()
      await finish.promise
    })
    await inHandler.promise
    const offsetsLog = (kind: string, path: string) => kind === 'write' && path.includes('__consumer_offsets')
    const free = storage.failAt({ call: offsetsLog, code: 'ENOSPC', sticky: true })
    expect((await rejection(second.commit(at(0, 1)))).code).toBe('DISK_FULL')
    const closing = second.close()
    finish.open()
    expect((await rejection(closing)).code).toBe('DISK_FULL')
    expect((await rejection(run)).code).toBe('DISK_FULL')
    free()
    await log.close()
  })

  test('a partition that failed fails the consumer, and the group is told', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const { log, clock } = await fakeLog(5, 1, { storage })
    const consumer = consumerOf(log)
    const offsetsLog = (kind: string, path: string) => kind === 'sync' && path.includes('__consumer_offsets')
    const error = rejection(
      consumer.run(({ offset }) => {
        if (offset === 4) storage.failAt({ call: offsetsLog, code: 'EIO', sticky: true })
      }),
    )
    let isOver = false
    void error.then(() => (isOver = true))
    await untilLater(clock, () => isOver)
    expect((await error).code).toBe('KAFKA_STORAGE_ERROR')
    expect(consumer.health()).toMatchObject({ status: 'failed', error: { code: 'KAFKA_STORAGE_ERROR' } })
    expect((await rejection(consumer.commit(at(0, 1)))).code).toBe('KAFKA_STORAGE_ERROR')
    expect((await rejection(take(consumer, 1))).code).toBe('KAFKA_STORAGE_ERROR')
    storage.clearFaults()
    await log.close().catch(() => {})
    expect(clock.timerCount).toBe(0)
  })

  test('a group whose state cannot be stored fails its consumers', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const { log, clock } = await fakeLog(1, 1, { storage })
    const consumer = consumerOf(log)
    const first = consumerOf(log, { groupId: GROUP })
    await take(first, 1)
    const offsetsLog = (kind: string, path: string) => kind === 'sync' && path.includes('__consumer_offsets')
    storage.failAt({ call: offsetsLog, code: 'EIO', sticky: true })
    let error: unknown = null
    take(consumer, 1).catch((reason: unknown) => (error = reason))
    await untilLater(clock, () => error !== null)
    expect(error).toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
    await log.close().catch(() => {})
  })
})
