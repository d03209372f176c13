/** Back-pressure: appends wait while too much is handed in and not written. */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import type { Flush } from '../../src/engine/flush.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { idle, openLog, outcomesOf, rejection, valuesOf } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const FLUSHES: Flush[] = ['each', 'group', 'os', { ms: 5 }]

/** A log whose writers stand still until `go`, and that counts the values which it has encoded. */
async function stalledLog(options: { maxPendingBytes: number; flush?: Flush }) {
  const clock = new FakeClock()
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await openLog({ clock, storage, ...options })
  const encoded: number[] = []
  await log.createTopic({
    name: 'orders',
    valueCodec: {
      encode(value) {
        encoded.push((value as Buffer).length)
        return value as Buffer
      },
      decode: (bytes) => bytes,
    },
  })
  const held: (() => void)[] = []
  clock.deferWith = (callback) => void held.push(callback)
  const go = () => {
    clock.deferWith = (callback) => void setImmediate(callback)
    for (const callback of held.splice(0)) callback()
  }
  return { log, storage, encoded, go }
}

test.each(FLUSHES)(
  'the order of the calls is the order of the offsets, however little may be pending, flush %j',
  async (flush) => {
    const random = new SeededRandom()
    const log = await openLog({ flush, maxPendingBytes: 300 })
    await log.createTopic({ name: 'orders' })
    let handedIn = 0
    async function writer(): Promise<void> {
      for (let i = 0; i < 40; i++) {
        const count = random.chance(0.2) ? random.between(1, 4) : 0
        if (count === 0) await log.append('orders', { value: handedIn++ })
        else
          await log.appendBatch(
            'orders',
            Array.from({ length: count }, () => ({ value: handedIn++ })),
          )
      }
    }
    await Promise.all(Array.from({ length: 30 }, writer))
    expect({ seed: random.seed, values: await valuesOf(log, 'orders') }).toEqual({
      seed: random.seed,
      values: Array.from({ length: handedIn }, (_, i) => i),
    })
    await log.close()
  },
)

test('no more is taken in than the bound and one record; the rest waits until there is room', async () => {
  const { log, encoded, go } = await stalledLog({ maxPendingBytes: 10_000 })
  const appends = Array.from({ length: 100 }, () => log.append('orders', { value: Buffer.alloc(1000) }))
  await idle()
  expect(encoded.length).toBeGreaterThanOrEqual(9)
  expect(encoded.length).toBeLessThanOrEqual(11)
  go()
  expect((await Promise.all(appends)).map(({ offset }) => offset)).toEqual(appends.map((_, i) => i))
})

test('a record larger than the bound is taken in alone', async () => {
  const { log, encoded, go } = await stalledLog({ maxPendingBytes: 1 })
  const sizes = [5000, 10, 100_000, 0]
  const appends = sizes.map((size) => log.append('orders', { value: Buffer.alloc(size) }))
  const batch = log.appendBatch('orders', [{ value: Buffer.alloc(5) }, { value: Buffer.alloc(6) }])
  await idle()
  expect(encoded).toEqual([5000])
  go()
  await Promise.all(appends)
  expect((await batch).map(({ offset }) => offset)).toEqual([4, 5])
  expect(encoded).toEqual([...sizes, 5, 6])
})

test('the bound holds over all partitions and topics together', async () => {
  const { log, encoded, go } = await stalledLog({ maxPendingBytes: 5000 })
  const other = log.createTopic({ name: 'other', valueCodec: 'bytes' })
  go()
  await other
  const held: (() => void)[] = []
  const clock = (log as unknown as { engine: { clock: FakeClock } }).engine.clock
  clock.deferWith = (callback) => void held.push(callback)
  const first = log.append('other', { value: Buffer.alloc(6000) })
  const second = log.append('orders', { value: Buffer.alloc(10) })
  await idle()
  expect(encoded).toEqual([])
  clock.deferWith = (callback) => void setImmediate(callback)
  for (const callback of held) callback()
  await Promise.all([first, second])
})

test('what fails makes room as well', async () => {
  const { log, storage, go } = await stalledLog({ maxPendingBytes: 2000 })
  go()
  await log.append('orders', { value: Buffer.alloc(1) })
  storage.capacityBytes = storage.usedBytes
  const appends = Array.from({ length: 50 }, () => log.append('orders', { value: Buffer.alloc(900) }))
  expect(new Set(await outcomesOf(appends))).toEqual(new Set(['DISK_FULL']))
  storage.capacityBytes = Infinity
  expect(await log.append('orders', { value: Buffer.alloc(1) })).toMatchObject({ offset: 1 })
})

test('a record that is refused when its turn comes leaves its place to the next one', async () => {
  const { log, go } = await stalledLog({ maxPendingBytes: 1000 })
  const value = Buffer.alloc(2000)
  const appends = [{ value }, { value, nonsense: 1 }, { value, partition: 7 }, { value }].map((record) =>
    log.append('orders', record).then(
      ({ offset }) => offset,
      (error: Error) => error.name,
    ),
  )
  go()
  expect(await Promise.all(appends)).toEqual([0, 'TypeError', 'VarveError', 1])
})

test('more than 100,000 waiting appends are refused with QUEUE_FULL, and those that wait get through', async () => {
  const { log, go } = await stalledLog({ maxPendingBytes: 1, flush: 'os' })
  const value = Buffer.alloc(1)
  const appends = Array.from({ length: 100_001 }, () => log.append('orders', { value }))
  const error = await rejection(log.append('orders', { value }))
  expect(error).toMatchObject({ code: 'QUEUE_FULL', retriable: true })
  expect(error.message).toContain('100000 appends wait for room already')
  expect(await rejection(log.appendBatch('orders', [{ value }]))).toMatchObject({ code: 'QUEUE_FULL' })
  go()
  await Promise.all(appends)
  expect(log.offsets('orders')[0].logEndOffset).toBe(100_001)
})

describe('a signal', () => {
  test('ends the wait with its reason: nothing of the record is written, and the others go on', async () => {
    const { log, go } = await stalledLog({ maxPendingBytes: 500 })
    const controller = new AbortController()
    const { signal } = controller
    const taken = log.append('orders', { value: Buffer.alloc(1000, 'a') })
    const aborted = [
      rejection(log.append('orders', { value: Buffer.alloc(10, 'b') }, { signal })),
      rejection(log.appendBatch('orders', [{ value: Buffer.alloc(10, 'c') }], { signal })),
    ]
    const waiting = log.append('orders', { value: Buffer.alloc(10, 'd') }, { signal: new AbortController().signal })
    await idle()
    const reason = new Error('no time left')
    controller.abort(reason)
    for (const error of aborted) expect(await error).toBe(reason)
    go()
    expect([(await taken).offset, (await waiting).offset]).toEqual([0, 1])
    expect((await valuesOf(log, 'orders')).map(String)).toEqual(['a'.repeat(1000), 'd'.repeat(10)])
  })

  test('that aborts later changes nothing: what was taken in is written', async () => {
    const { log, go } = await stalledLog({ maxPendingBytes: 500 })
    const controller = new AbortController()
    const taken = log.append('orders', { value: Buffer.alloc(10) }, { signal: controller.signal })
    controller.abort()
    go()
    expect(await taken).toMatchObject({ offset: 0 })
  })

  test('that has aborted before refuses the record, whether there is room or not', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders' })
    const reason = new Error('too late')
    const signal = AbortSignal.abort(reason)
    expect(await rejection(log.append('orders', { value: 1 }, { signal }))).toBe(reason)
    expect(await rejection(log.appendBatch('orders', [{ value: 1 }], { signal }))).toBe(reason)
    expect(log.offsets('orders')[0].logEndOffset).toBe(0)
  })
})

describe('close', () => {
  test.each(FLUSHES)(
    'refuses appends that wait with CLOSED; what it acknowledges is durable, flush %j',
    async (flush) => {
      for (let turns = 0; turns < 6; turns++) {
        const storage = new MemoryStorage()
        const log = await openLog({ storage, flush, maxPendingBytes: 200 })
        await log.createTopic({ name: 'orders' })
        const appends = Array.from({ length: 30 }, (_, i) => outcomeOf(log, i))
        for (let turn = 0; turn < turns; turn++) await Promise.resolve()
        await log.close()
        const outcomes = await Promise.all(appends)
        const written = outcomes.filter((outcome) => typeof outcome === 'number')
        expect(written).toEqual(written.map((_, i) => i))
        expect(outcomes.slice(written.length)).toEqual(outcomes.slice(written.length).map(() => 'CLOSED'))
        const afterCut = await openLog({ storage: storage.crash() })
        expect(afterCut.recovery).toMatchObject({ clean: true, scannedBytes: 0 })
        expect(await valuesOf(afterCut, 'orders')).toEqual(written)
      }
    },
  )
})

function outcomeOf(log: Varve, value: number): Promise<number | string> {
  return log.append('orders', { value }).then(
    ({ offset }) => offset,
    (error: { code: string }) => error.code,
  )
}
