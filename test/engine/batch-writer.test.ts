import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import type { Flush } from '../../src/engine/flush.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { idle, openLog, outcomesOf, rejection, valuesOf } from '../helpers/logs.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

const TOPIC = 't'
/** One record of 'x' in a batch of its own. */
const BATCH_BYTES = 61 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1

/** A log with one topic whose syncs wait at a gate from now on, on a clock that stands still. */
async function gatedLog(flush: Flush) {
  const disk = new MemoryStorage()
  const storage = new FaultyStorage(disk)
  const clock = new FakeClock()
  const log = await openLog({ storage, clock })
  await log.createTopic({ name: TOPIC, valueCodec: 'string', flush })
  // the first append in a mode that does not wait reserves offsets, which is not what is looked at here
  await log.append(TOPIC, { value: 'x' })
  await log.flush()
  const gate = new SyncGate()
  const isLog = (path: string) => path.endsWith('.log') && path.includes(`/${TOPIC}-`)
  storage.syncGate = { pass: (path: string) => (isLog(path) ? gate.pass(path) : undefined) } as SyncGate
  const before = storage.calls.length
  const syncs = () => storage.calls.slice(before).filter(({ kind, path }) => kind === 'sync' && isLog(path)).length
  return { disk, storage, clock, log, gate, syncs }
}

/** Appends one after another, each when the one before is acknowledged, and counts the acknowledgements. */
function appendInTurn(log: Varve, count: number) {
  const progress = { acknowledged: 0, done: Promise.resolve() }
  progress.done = (async () => {
    for (let i = 0; i < count; i++) {
      await log.append(TOPIC, { value: 'x' })
      progress.acknowledged++
    }
  })()
  return progress
}

function durableOffset(log: Varve): number {
  return log.offsets(TOPIC)[0].durableOffset
}

describe("'group'", () => {
  test('shares one sync among all appends in flight', async () => {
    const { log, gate, syncs } = await gatedLog('group')
    const first = log.append(TOPIC, { value: 'x' })
    await gate.arrived()
    const others = Array.from({ length: 100 }, () => log.append(TOPIC, { value: 'x' }))
    await idle()
    expect(syncs()).toBe(1)
    gate.release()
    await first
    await gate.arrived()
    expect(syncs()).toBe(2)
    gate.release()
    await Promise.all(others)
    expect(syncs()).toBe(2)
    gate.open()
    await log.close()
  })

  test('acknowledges, and shows to readers, only what is durable', async () => {
    const { disk, log, gate } = await gatedLog('group')
    const appending = log.append(TOPIC, { value: 'held' })
    await gate.arrived()
    expect(await valuesOf(log, TOPIC)).toEqual(['x'])
    expect(await Promise.race([appending, idle().then(() => 'waiting')])).toBe('waiting')
    expect(log.offsets(TOPIC)[0]).toMatchObject({ logEndOffset: 2, highWatermark: 1, durableOffset: 1 })
    gate.open()
    const { offset } = await appending
    expect(log.offsets(TOPIC)[0]).toMatchObject({ logEndOffset: 2, highWatermark: 2, durableOffset: 2 })
    const survivor = await openLog({ storage: disk.crash() })
    expect(await valuesOf(survivor, TOPIC, { from: offset })).toEqual(['held'])
    await survivor.close()
    await log.close()
  })

  test('acknowledges in the order of the appends, whatever their kind', async () => {
    const { log, gate } = await gatedLog('group')
    const order: number[] = []
    const appends = Array.from({ length: 20 }, async (_, i) => {
      const expectedOffset = i % 5 === 4 ? i + 1 : undefined
      await log.append(TOPIC, { value: 'x' }, { expectedOffset })
      order.push(i)
    })
    await gate.arrived()
    gate.open()
    await Promise.all(appends)
    expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i))
    await log.close()
  })
})

test("'each' gives every append call a sync of its own, one after the other", async () => {
  const { log, gate, syncs } = await gatedLog('each')
  const order: string[] = []
  const appends = [
    log.append(TOPIC, { value: 'a' }).then(() => order.push('a')),
    log.appendBatch(TOPIC, [{ value: 'b' }, { value: 'c' }]).then(() => order.push('bc')),
    log.append(TOPIC, { value: 'd' }).then(() => order.push('d')),
  ]
  for (let sync = 1; sync <= 3; sync++) {
    await gate.arrived()
    await idle()
    expect(syncs()).toBe(sync)
    expect(order).toHaveLength(sync - 1)
    gate.release()
  }
  await Promise.all(appends)
  expect(order).toEqual(['a', 'bc', 'd'])
  expect(syncs()).toBe(3)
  gate.open()
  await log.close()
})

describe("'os'", () => {
  test('syncs nothing but for flush and close, however much time passes', async () => {
    const { storage, clock, log, gate, syncs } = await gatedLog('os')
    gate.open()
    const before = storage.counts.sync
    for (let i = 0; i < 50; i++) await log.append(TOPIC, { value: 'x' })
    await clock.advanceSlowly(240_000)
    expect(storage.counts.sync).toBe(before)
    expect(durableOffset(log)).toBe(1)
    await log.flush()
    expect(syncs()).toBe(1)
    expect(durableOffset(log)).toBe(51)
    await log.flush()
    expect(syncs()).toBe(1)
    await log.append(TOPIC, { value: 'x' })
    await log.close()
    expect(syncs()).toBe(2)
  })

  test('reserves offsets in the checkpoint, in one sync for many appends', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const log = await openLog({ storage })
    await log.createTopic({ name: TOPIC, flush: 'os', valueCodec: 'string' })
    const before = storage.counts.sync
    for (let i = 0; i < 1000; i++) await log.append(TOPIC, { value: 'x' })
    const synced = storage.calls.filter(({ kind }) => kind === 'sync').slice(before)
    expect(synced).toHaveLength(1)
    expect(synced[0].path).toMatch(/checkpoint-[ab]$/)
    await log.close()
  })
})

describe('a window', () => {
  test('acknowledges at once and syncs in the background, half a bound later', async () => {
    const { clock, log, gate, syncs } = await gatedLog({ ms: 10 })
    await log.append(TOPIC, { value: 'x' })
    clock.advance(3)
    await log.append(TOPIC, { value: 'x' })
    clock.advance(1.9)
    await idle()
    expect(syncs()).toBe(0)
    clock.advance(0.1)
    await gate.arrived()
    expect(durableOffset(log)).toBe(1)
    gate.release()
    await idle()
    expect(durableOffset(log)).toBe(3)
    // nothing is unsynced, and nothing more is synced
    gate.open()
    await clock.advanceSlowly(10_000)
    expect(syncs()).toBe(1)
    await log.close()
  })

  test('starts the next sync in time for what came during the one before', async () => {
    const { clock, log, gate, syncs } = await gatedLog({ ms: 10 })
    await log.append(TOPIC, { value: 'x' })
    clock.advance(5)
    await gate.arrived()
    clock.advance(1)
    await log.append(TOPIC, { value: 'x' })
    gate.release()
    await idle()
    expect(durableOffset(log)).toBe(2)
    clock.advance(4.9)
    await idle()
    expect(syncs()).toBe(1)
    clock.advance(0.1)
    await gate.arrived()
    gate.open()
    await idle()
    expect(durableOffset(log)).toBe(3)
    await log.close()
  })

  for (const [what, flush] of [
    ['bytes', { ms: 1000, bytes: 4 * BATCH_BYTES }],
    ['records', { ms: 1000, records: 4 }],
  ] as const) {
    test(`starts a sync at half of its ${what} and, when the disk hangs, stalls at the bound and not before`, async () => {
      const { disk, log, gate, syncs } = await gatedLog(flush)
      const first = appendInTurn(log, 1)
      await first.done
      expect(syncs()).toBe(0)
      const turn = appendInTurn(log, 6)
      await gate.arrived()
      await idle()
      expect(turn.acknowledged).toBe(3)
      expect(await lostBy(disk, log, 5)).toBe(4)
      gate.open()
      await turn.done
      expect(await lostBy(disk, log, 8)).toBeLessThanOrEqual(4)
      await log.close()
    })
  }

  test('stalls rather than let what is not durable grow older than its bound, and goes on when the disk does', async () => {
    const { disk, clock, log, gate } = await gatedLog({ ms: 10 })
    await log.append(TOPIC, { value: 'x' })
    clock.advance(5)
    await gate.arrived()
    clock.advance(4)
    await appendInTurn(log, 3).done
    clock.advance(1)
    const turn = appendInTurn(log, 3)
    await idle()
    expect(turn.acknowledged).toBe(0)
    clock.advance(60_000)
    await idle()
    expect(turn.acknowledged).toBe(0)
    expect(await lostBy(disk, log, 5)).toBe(4)
    gate.release()
    // the first sync has covered one record: the three after it are too old by now
    await gate.arrived()
    expect(turn.acknowledged).toBe(0)
    gate.open()
    await turn.done
    expect(turn.acknowledged).toBe(3)
    await log.close()
  })

  test('stalls by the clock also where the reservation of offsets is what hangs', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const clock = new FakeClock()
    const log = await openLog({ storage, clock })
    await log.createTopic({ name: TOPIC, partitions: 2, valueCodec: 'string', flush: { ms: 10 } })
    const gate = new SyncGate()
    storage.syncGate = gate
    const first = log.append(TOPIC, { partition: 0, value: 'x' })
    await gate.arrived()
    expect(gate.paths[0]).toMatch(/checkpoint/)
    expect(await Promise.race([first, idle().then(() => 'waiting')])).toBe('waiting')
    gate.open()
    expect((await first).offset).toBe(0)
    await log.close()
  })

  test('makes durable first what exceeds it by itself', async () => {
    const { log, gate } = await gatedLog({ ms: 1000, records: 3 })
    const many = Array.from({ length: 4 }, () => ({ value: 'x' }))
    const appending = log.appendBatch(TOPIC, many)
    await gate.arrived()
    expect(await Promise.race([appending, idle().then(() => 'waiting')])).toBe('waiting')
    gate.open()
    await appending
    expect(durableOffset(log)).toBe(5)
    await log.close()
  })

  test('tells everyone after a sync in the background has failed', async () => {
    const { clock, log, gate } = await gatedLog({ ms: 10 })
    await log.append(TOPIC, { value: 'x' })
    clock.advance(5)
    await gate.arrived()
    gate.fail(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }))
    await idle()
    const error = await rejection(log.append(TOPIC, { value: 'x' }))
    expect(error).toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
    expect(await rejection(log.flush())).toBe(error)
    expect(await rejection(log.append(TOPIC, { value: 'x' }))).toBe(error)
    expect(durableOffset(log)).toBe(1)
    gate.open()
    expect(await rejection(log.close())).toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
  })

  test('rejects those who wait for a sync that fails', async () => {
    const { log, gate } = await gatedLog({ ms: 10, records: 2 })
    await log.append(TOPIC, { value: 'x' })
    await gate.arrived()
    await log.append(TOPIC, { value: 'x' })
    const waiting = outcomesOf(Array.from({ length: 5 }, () => log.append(TOPIC, { value: 'x' })))
    await idle()
    gate.fail(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }))
    expect(new Set(await waiting)).toEqual(new Set(['KAFKA_STORAGE_ERROR']))
    gate.open()
    await log.close().catch(() => {})
  })
})

describe('a change of the flush mode', () => {
  test('holds for the appends after it: those before it are acknowledged as they were promised', async () => {
    const { disk, log, gate } = await gatedLog('group')
    const held = log.append(TOPIC, { value: 'held' })
    await gate.arrived()
    const queued = log.append(TOPIC, { value: 'queued' })
    const altered = log.alterTopic(TOPIC, { flush: 'os' })
    await idle()
    gate.release()
    await held
    expect(await Promise.race([queued, idle().then(() => 'waiting')])).toBe('waiting')
    gate.open()
    await queued
    const survivor = await openLog({ storage: disk.crash() })
    expect(await valuesOf(survivor, TOPIC)).toEqual(['x', 'held', 'queued'])
    await survivor.close()
    await altered
    await log.close()
  })

  test('makes durable what was acknowledged before', async () => {
    const { log, gate } = await gatedLog('os')
    gate.open()
    await log.append(TOPIC, { value: 'x' })
    expect(durableOffset(log)).toBe(1)
    await log.alterTopic(TOPIC, { flush: { ms: 10 } })
    expect(durableOffset(log)).toBe(2)
    await log.close()
  })
})

/** How many of the records that were acknowledged a power cut would take now. */
async function lostBy(disk: MemoryStorage, log: Varve, acknowledged: number): Promise<number> {
  expect(log.offsets(TOPIC)[0].highWatermark).toBe(acknowledged)
  const survivor = await openLog({ storage: disk.crash() })
  const left = await valuesOf(survivor, TOPIC)
  await survivor.close()
  return acknowledged - left.length
}
