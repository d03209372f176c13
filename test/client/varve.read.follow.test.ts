/** Following: a reader that waits at the end wakes at once, without polling, and ends when it is told to. */
import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { ReadOptions } from '../../src/client/read-options.ts'
import type { Varve } from '../../src/client/varve.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import type { Flush } from '../../src/engine/flush.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { idle, openLog, rejection } from '../helpers/logs.ts'

const ORDERS = ['partition', 'time'] as const

/** A log on a clock that never moves: whatever needs a timer never happens. */
async function withOrders(partitions = 1, flush: Flush = 'group') {
  const clock = new FakeClock()
  const log = await openLog({ clock, flush })
  await log.createTopic({ name: 'orders', partitions })
  return { log, clock }
}

const valueOf = (step: IteratorResult<ConsumerRecord>) => step.value?.value as unknown

describe('an append wakes the reader at once', () => {
  const flushes: Flush[] = ['each', 'group', 'os', { ms: 5 }]
  test.each(flushes)('with no timer of its own, while the clock stands still, flush %j', async (flush) => {
    for (const order of ORDERS) {
      const { log, clock } = await withOrders(3, flush)
      const { timerCount } = clock
      const following = log.read('orders', { follow: true, order })
      for (let i = 0; i < 20; i++) {
        const next = following.next()
        await idle(3)
        const { partition } = await log.append('orders', { value: i, partition: i % 3 })
        let turns = 0
        const step = await Promise.race([next, idle(5).then(() => turns++)])
        expect([turns, valueOf(step as IteratorResult<ConsumerRecord>), partition]).toEqual([0, i, i % 3])
      }
      // a windowed writer has one timer for each partition
      expect(clock.timerCount - timerCount).toBe(typeof flush === 'string' ? 0 : 3)
    }
  })

  test('however many wait', async () => {
    const { log, clock } = await withOrders(4)
    const readers = Array.from({ length: 100 }, (_, i) =>
      log.read('orders', { follow: true, order: ORDERS[i % 2], ...(i % 3 === 0 ? { partition: 2 } : {}) }),
    )
    const nexts = readers.map((reader) => reader.next())
    await idle()
    expect(clock.holdCount).toBe(100)
    await log.append('orders', { value: 'news', partition: 2 })
    expect(new Set((await Promise.all(nexts)).map(valueOf))).toEqual(new Set(['news']))
    expect(clock.holdCount).toBe(0)
  })

  test('in readBatches as well, with the batch as it was written', async () => {
    const { log } = await withOrders()
    const following = log.readBatches('orders', { follow: true })
    const next = following.next()
    await idle()
    await log.appendBatch('orders', [{ value: 1 }, { value: 2 }])
    const { value } = (await next) as IteratorYieldResult<Iterable<ConsumerRecord>>
    expect([...value].map((record) => record.value as unknown)).toEqual([1, 2])
  })
})

test('what was there comes first, then what is appended: nothing twice, nothing left out, in order', async () => {
  const { log } = await withOrders(3)
  for (let i = 0; i < 50; i++) await log.append('orders', { value: i, partition: i % 3 })
  const controller = new AbortController()
  const seen: string[] = []
  const reading = (async () => {
    for await (const { partition, offset } of log.read('orders', { follow: true, signal: controller.signal })) {
      seen.push(`${partition}/${offset}`)
      if (seen.length === 150) controller.abort()
    }
  })()
  for (let i = 50; i < 150; i++) {
    await log.append('orders', { value: i, partition: i % 3 })
    if (i % 10 === 0) await idle(2)
  }
  expect((await rejection(reading)).name).toBe('AbortError')
  for (let partition = 0; partition < 3; partition++) {
    const own = seen.filter((place) => place.startsWith(`${partition}/`))
    expect(own).toEqual(Array.from({ length: 50 }, (_, offset) => `${partition}/${offset}`))
  }
})

test("from 'latest' only what is appended after reading began is seen", async () => {
  const { log } = await withOrders(2)
  await log.append('orders', { value: 'before', partition: 0 })
  const following = log.read('orders', { from: 'latest', follow: true })
  const next = following.next()
  await idle()
  await log.append('orders', { value: 'after', partition: 1 })
  expect(valueOf(await next)).toBe('after')
})

describe('a signal', () => {
  const waits: [what: string, options: ReadOptions][] = [
    ['at the end of one partition', { partition: 0 }],
    ['at the end of several', {}],
    ["with order 'time'", { order: 'time' }],
    ["from 'latest'", { from: 'latest' }],
  ]
  test.each(waits)('ends a wait %s with its reason, and nothing stays behind', async (_what, options) => {
    const { log, clock } = await withOrders(3)
    for (const reason of [new Error('enough'), undefined, 'a word']) {
      const controller = new AbortController()
      const { signal } = controller
      const following = log.read('orders', { ...options, follow: true, signal })
      const next = following.next()
      await idle()
      expect(clock.holdCount).toBe(1)
      controller.abort(reason)
      const outcome: unknown = await next.catch((error: unknown) => error)
      expect(outcome).toBe(signal.reason)
      expect(clock.holdCount).toBe(0)
      expect(await following.next()).toEqual({ value: undefined, done: true })
    }
    // waiting again is as before
    const next = log.read('orders', { follow: true }).next()
    await log.append('orders', { value: 1 })
    expect(valueOf(await next)).toBe(1)
  })

  test('that has aborted before ends the reading at its first step', async () => {
    const { log } = await withOrders()
    await log.append('orders', { value: 1 })
    const reason = new Error('too late')
    const signal = AbortSignal.abort(reason)
    for (const reader of [
      log.read('orders', { signal }),
      log.readBatches('orders', { signal }),
      log.read('orders', { signal, order: 'time' }),
    ]) {
      expect(await rejection(reader.next())).toBe(reason)
    }
  })

  test('ends a reading that does not wait, between two batches', async () => {
    const { log } = await withOrders()
    for (let i = 0; i < 10; i++) await log.append('orders', { value: i })
    const controller = new AbortController()
    const seen: unknown[] = []
    const reading = (async () => {
      for await (const record of log.read('orders', { signal: controller.signal })) {
        seen.push(record.value)
        if (seen.length === 3) controller.abort(new Error('enough'))
      }
    })()
    expect((await rejection(reading)).message).toBe('enough')
    expect(seen).toEqual([0, 1, 2])
  })

  test('gathers no listeners, however often the reader waits', async () => {
    const { log } = await withOrders(20)
    const warnings: string[] = []
    const warned = (warning: Error) => void warnings.push(warning.message)
    process.on('warning', warned)
    const { signal } = new AbortController()
    const following = log.read('orders', { follow: true, signal })
    for (let i = 0; i < 100; i++) {
      const next = following.next()
      await idle(2)
      await log.append('orders', { value: i, partition: i % 20 })
      await next
    }
    await idle()
    process.off('warning', warned)
    expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(1)
    expect(warnings).toEqual([])
  })
})

describe('the loop', () => {
  test('can be left at any point: nothing stays behind', async () => {
    const { log, clock } = await withOrders(2)
    for (let i = 0; i < 10; i++) await log.append('orders', { value: i, partition: i % 2 })
    for (const order of ORDERS) {
      let count = 0
      for await (const _ of log.read('orders', { follow: true, order })) if (++count === 7) break
      expect([count, clock.holdCount]).toEqual([7, 0])
    }
  })

  test.each(ORDERS)('can be left while a step waits: that step ends, and nothing stays behind (%s)', async (order) => {
    const { log, clock } = await withOrders(2)
    const following = log.read('orders', { follow: true, order })
    const steps = [following.next(), following.next()]
    await idle()
    expect(clock.holdCount).toBe(1)
    expect(await following.return!()).toEqual({ value: undefined, done: true })
    for (const step of steps) expect(await step).toEqual({ value: undefined, done: true })
    expect(clock.holdCount).toBe(0)
    await log.append('orders', { value: 'later' })
    expect(await following.next()).toEqual({ value: undefined, done: true })
  })

  test('ends with CLOSED when the log closes', async () => {
    const { log, clock } = await withOrders(2)
    const waiting = [
      log.read('orders', { follow: true }),
      log.readBatches('orders', { follow: true, partition: 1 }),
      log.read('orders', { follow: true, order: 'time' }),
    ].map((reader) => rejection(reader.next()))
    await idle()
    await log.close()
    for (const error of waiting) expect(await error).toMatchObject({ code: 'CLOSED' })
    expect([clock.holdCount, clock.timerCount]).toEqual([0, 0])
  })
})

test('a reader that follows sees a record only when it is acknowledged as durable', async () => {
  const { MemoryStorage } = await import('../../src/storage/memory-storage.ts')
  const storage = new MemoryStorage()
  const log: Varve = await openLog({ storage })
  await log.createTopic({ name: 'orders' })
  const next = log.read('orders', { follow: true }).next()
  let release!: () => void
  storage.syncDelay = () => new Promise((resolve) => (release = resolve))
  const append = log.append('orders', { value: 1 })
  let seen = false
  void next.then(() => (seen = true))
  await idle(20)
  expect([log.offsets('orders')[0].logEndOffset, seen]).toEqual([1, false])
  storage.syncDelay = undefined
  release()
  await append
  expect(valueOf(await next)).toBe(1)
})
