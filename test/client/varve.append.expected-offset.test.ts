/** Optimistic concurrency: an append that names the offset it must get. */
import { expect, test } from 'vitest'
import { VarveError } from '../../src/errors.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { openLog, outcomesOf, recordsOf, rejection, valuesOf } from '../helpers/logs.ts'

const FLUSHES = ['each', 'group', 'os', { ms: 5 }] as const

test.each(FLUSHES)('succeeds at exactly the next offset, and fails at any other, flush %j', async (flush) => {
  const log = await openLog({ flush })
  await log.createTopic({ name: 'orders' })
  expect(await log.append('orders', { value: 0 }, { expectedOffset: 0 })).toMatchObject({ offset: 0 })
  for (const expectedOffset of [0, 2, 1000]) {
    const error = await rejection(log.append('orders', { value: 'no' }, { expectedOffset }))
    expect(error).toBeInstanceOf(VarveError)
    const details = { topic: 'orders', partition: 0, offset: 1 }
    expect(error).toMatchObject({ code: 'UNEXPECTED_OFFSET', details, retriable: false })
    const why = expectedOffset === 0 ? 'the next offset is 1: another append came first' : 'the log ends at 1'
    expect(error.message).toContain(`expected to append at offset ${expectedOffset} of orders-0, but ${why}`)
  }
  expect(await log.append('orders', { value: 1 }, { expectedOffset: 1 })).toMatchObject({ offset: 1 })
  expect(await valuesOf(log, 'orders')).toEqual([0, 1])
  await log.close()
})

test.each(FLUSHES)('of 50 writers that race for each offset exactly one wins, flush %j', async (flush) => {
  const log = await openLog({ flush })
  await log.createTopic({ name: 'orders' })
  for (let round = 0; round < 20; round++) {
    const calls = Array.from({ length: 50 }, (_, writer) =>
      writer % 2 === 0
        ? log.append('orders', { value: { round, writer } }, { expectedOffset: round })
        : log.appendBatch('orders', [{ value: { round, writer } }], { expectedOffset: round }),
    )
    const outcomes = await outcomesOf(calls)
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome === 'UNEXPECTED_OFFSET')).toHaveLength(49)
  }
  const values = await valuesOf(log, 'orders')
  expect(values.map((value) => (value as { round: number }).round)).toEqual(Array.from({ length: 20 }, (_, i) => i))
  await log.close()
})

test('writers that read and try again all get through: a counter is never lost', async () => {
  const log = await openLog()
  await log.createTopic({ name: 'counter' })
  async function increment(): Promise<void> {
    for (;;) {
      // the end of what can be read: the log itself may end later, with records that are not durable yet
      const { highWatermark } = log.offsets('counter')[0]
      const [last] = highWatermark === 0 ? [] : await recordsOf(log, 'counter', { from: highWatermark - 1 })
      const next = last === undefined ? 1 : (last.value as number) + 1
      const call = log.append('counter', { value: next }, { expectedOffset: highWatermark })
      const [outcome] = await outcomesOf([call])
      if (outcome === 'done') return
      if (outcome !== 'UNEXPECTED_OFFSET') throw new Error(outcome)
    }
  }
  await Promise.all(Array.from({ length: 30 }, increment))
  expect(await valuesOf(log, 'counter')).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
})

test('of a batch is about its first record, and the batch is written as a whole or not at all', async () => {
  const log = await openLog()
  await log.createTopic({ name: 'orders' })
  const batch = Array.from({ length: 40 }, (_, i) => ({ value: 'x'.repeat(1000) + i }))
  expect(await log.appendBatch('orders', batch, { expectedOffset: 0 })).toHaveLength(40)
  expect(await rejection(log.appendBatch('orders', batch, { expectedOffset: 39 }))).toMatchObject({
    code: 'UNEXPECTED_OFFSET',
  })
  expect(log.offsets('orders')[0].logEndOffset).toBe(40)
  expect(await log.appendBatch('orders', batch, { expectedOffset: 40 })).toMatchObject([
    { offset: 40 },
    ...batch.slice(1).map(() => ({})),
  ])
})

test('between appends without it, each sees what came before it in the order of the calls', async () => {
  const log = await openLog()
  await log.createTopic({ name: 'orders' })
  const calls = await Promise.allSettled([
    log.append('orders', { value: 'a' }),
    log.append('orders', { value: 'b' }, { expectedOffset: 1 }),
    log.append('orders', { value: 'no' }, { expectedOffset: 1 }),
    log.append('orders', { value: 'c' }),
    log.append('orders', { value: 'd' }, { expectedOffset: 3 }),
    log.appendBatch('orders', [{ value: 'no' }, { value: 'no' }], { expectedOffset: 3 }),
    log.append('orders', { value: 'e' }),
  ])
  expect(calls.map(({ status }) => status === 'fulfilled')).toEqual([true, true, false, true, true, false, true])
  expect(await valuesOf(log, 'orders')).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('a misspelt name of it gets a guess', async () => {
  const log = await openLog()
  await log.createTopic({ name: 'orders' })
  const error = await rejection(log.append('orders', { value: 1 }, { expectedOfset: 0 } as object))
  expect(error).toBeInstanceOf(TypeError)
  expect(error.message).toContain("append: unknown option 'expectedOfset' (did you mean 'expectedOffset'?)")
})

test('needs one partition: by number, by key, or because there is only one', async () => {
  const log = await openLog()
  await log.createTopic({ name: 'orders', partitions: 3 })
  expect(await log.append('orders', { partition: 2 }, { expectedOffset: 0 })).toMatchObject({ partition: 2, offset: 0 })
  const { partition } = await log.append('orders', { key: 'k', value: 0 })
  const { logEndOffset } = log.offsets('orders')[partition]
  expect(await log.append('orders', { key: 'k' }, { expectedOffset: logEndOffset })).toMatchObject({ partition })

  const without = await rejection(log.append('orders', { value: 1 }, { expectedOffset: 0 }))
  expect(without).toBeInstanceOf(TypeError)
  expect(without.message).toContain("expectedOffset is about one partition: the record needs a 'partition' or a key")
  const before = log.offsets('orders')
  const mixed = [{ partition: 0 }, { partition: 1 }]
  const error = await rejection(log.appendBatch('orders', mixed, { expectedOffset: before[0].logEndOffset }))
  expect(error).toBeInstanceOf(TypeError)
  expect(error.message).toContain("set the same 'partition' in every record")
  expect(log.offsets('orders')).toEqual(before)
})

test('holds over a new open and a kill: the next offset is the next one', async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 'orders' })
  await log.appendBatch('orders', [{}, {}, {}])
  const afterKill = await openLog({ storage: storage.clone() })
  expect(await rejection(afterKill.append('orders', {}, { expectedOffset: 2 }))).toMatchObject({
    code: 'UNEXPECTED_OFFSET',
  })
  expect(await afterKill.append('orders', {}, { expectedOffset: 3 })).toMatchObject({ offset: 3 })
})

test('one that was refused by a full disk can be tried again at the same offset', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await openLog({ storage })
  await log.createTopic({ name: 'orders' })
  await log.append('orders', { value: 0 })
  storage.capacityBytes = storage.usedBytes + 10
  const error = await rejection(log.append('orders', { value: 'x'.repeat(500) }, { expectedOffset: 1 }))
  expect(error).toMatchObject({ code: 'DISK_FULL', retriable: true })
  storage.capacityBytes = Infinity
  expect(await log.append('orders', { value: 1 }, { expectedOffset: 1 })).toMatchObject({ offset: 1 })
  expect(await valuesOf(log, 'orders')).toEqual([0, 1])
})
