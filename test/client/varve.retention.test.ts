/** What retention and deleteRecords take, what they never take, and that nothing brings it back. */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import type { CreateTopicOptions } from '../../src/engine/topic-admin.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { DIRECTORY, idle, namesIn, offsetsOf, openLog, outcomesOf, recordsOf, rejection } from '../helpers/logs.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

const range = (start: number, end: number) => Array.from({ length: Math.max(end - start, 0) }, (_, i) => start + i)
const HOUR = 3_600_000

/** Ten records to a segment, each of 100 bytes on the disk, with the clock's time; 0, 1, ... */
async function withOrders(
  config: Partial<CreateTopicOptions>,
  storage = new MemoryStorage(),
  clock = new FakeClock(1_000 * HOUR),
) {
  const log = await openLog({ storage, clock })
  await log.createTopic({ name: 'orders', segmentBytes: 1000, valueCodec: 'bytes', ...config })
  return { log, storage, clock }
}

async function append(log: Varve, count: number, timestamp?: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    // 61 bytes of batch header, 7 of record, the value, and the timestamps are no deltas
    await log.append('orders', {
      value: Buffer.alloc(32),
      partition: 0,
      ...(timestamp === undefined ? {} : { timestamp }),
    })
  }
}

const startOf = (log: Varve) => log.offsets('orders')[0].logStartOffset

async function segmentsOf(storage: { list: MemoryStorage['list'] }, topic = 'orders-0'): Promise<number[]> {
  const names = (await storage.list(`${DIRECTORY}/${topic}`)).map(({ name }) => name)
  return names.flatMap((name) => (name.endsWith('.log') ? [parseInt(name)] : []))
}

test('the records of these tests take 100 bytes each', async () => {
  const { log } = await withOrders({})
  await append(log, 10)
  expect((await log.describeTopic('orders')).partitions[0]).toMatchObject({ sizeBytes: 1000, segments: 1 })
})

describe('retentionMs', () => {
  test('takes sealed segments whose records are all older, oldest first, and never a younger one', async () => {
    const { log, storage, clock } = await withOrders({ retentionMs: 10 * HOUR })
    for (let i = 0; i < 5; i++) {
      await append(log, 10)
      clock.advance(HOUR)
    }
    // the youngest records of the segments are 5, 4, 3, 2 and 1 hours old
    for (const [hours, start] of [
      [0, 0],
      [5, 0],
      [1 / HOUR, 10],
      [1, 20],
      [1, 30],
      [1, 40],
      [1000, 40],
    ]) {
      clock.advance(hours * HOUR)
      await log.enforceRetention()
      expect([hours, startOf(log), await segmentsOf(storage)]).toEqual([
        hours,
        start,
        range(start / 10, 5).map((i) => i * 10),
      ])
      expect(await offsetsOf(log, 'orders')).toEqual(range(start, 50))
    }
  })

  test('goes by the youngest record of a segment, in whatever order they came', async () => {
    const { log, clock } = await withOrders({ retentionMs: HOUR })
    const now = clock.now()
    await append(log, 5, now - 100 * HOUR)
    await append(log, 1, now)
    await append(log, 4, now - 100 * HOUR)
    await append(log, 20, now - 50 * HOUR)
    await log.enforceRetention()
    expect(startOf(log)).toBe(0)
    clock.advance(HOUR + 1)
    await log.enforceRetention()
    // the last segment is the active one
    expect(startOf(log)).toBe(20)
  })

  test('keeps records from the future, and those behind them', async () => {
    const { log, clock } = await withOrders({ retentionMs: HOUR })
    await append(log, 10, clock.now() + 100 * HOUR)
    await append(log, 10, 5)
    await append(log, 1, 5)
    clock.advance(50 * HOUR)
    await log.enforceRetention()
    expect(startOf(log)).toBe(0)
    clock.advance(51 * HOUR + 1)
    await log.enforceRetention()
    expect(startOf(log)).toBe(20)
  })

  test('of 0 takes every sealed segment, of -1 none, however old', async () => {
    const { log, clock } = await withOrders({ retentionMs: -1 })
    await append(log, 35)
    clock.advance(1_000_000 * HOUR)
    await log.enforceRetention()
    expect(startOf(log)).toBe(0)
    await log.alterTopic('orders', { retentionMs: 0 })
    await log.enforceRetention()
    expect(startOf(log)).toBe(30)
  })

  test('follows the wall clock, forwards and back', async () => {
    const { log, clock } = await withOrders({ retentionMs: HOUR })
    const now = clock.now()
    await append(log, 25)
    clock.setWallClock(now - 1000 * HOUR)
    await log.enforceRetention()
    expect(startOf(log)).toBe(0)
    clock.setWallClock(now + 2 * HOUR)
    await log.enforceRetention()
    expect(startOf(log)).toBe(20)
    clock.setWallClock(now)
    await log.enforceRetention()
    expect(startOf(log)).toBe(20)
  })
})

describe('retentionBytes', () => {
  const bounds = [
    [0, 40],
    [500, 40],
    [501, 30],
    [1500, 30],
    [1501, 20],
    [2500, 20],
    [2501, 10],
    [3500, 10],
    [3501, 0],
    [1e9, 0],
    [-1, 0],
  ]
  test.each(bounds)(
    'of %i bytes: the oldest segments go while what is left still reaches it',
    async (retentionBytes, start) => {
      const { log, storage } = await withOrders({ retentionBytes })
      // four sealed segments of 1,000 bytes, and 500 in the active one
      await append(log, 45)
      await log.enforceRetention()
      expect([startOf(log), await segmentsOf(storage)]).toEqual([start, range(start / 10, 5).map((i) => i * 10)])
    },
  )

  test('counts each partition for itself', async () => {
    const { log } = await withOrders({ retentionBytes: 1000, partitions: 2 })
    await append(log, 45)
    for (let i = 0; i < 15; i++) await log.append('orders', { value: Buffer.alloc(32), partition: 1 })
    await log.enforceRetention()
    expect(log.offsets('orders').map(({ logStartOffset }) => logStartOffset)).toEqual([30, 0])
  })
})

test('the active segment is never taken, whatever the settings', async () => {
  const { log, clock } = await withOrders({ retentionMs: 0, retentionBytes: 0 })
  await append(log, 10)
  clock.advance(1000 * HOUR)
  await log.enforceRetention()
  expect(await offsetsOf(log, 'orders')).toEqual(range(0, 10))
})

describe('retention by itself', () => {
  test('runs every five minutes, or as often as it is told, as long as the log is open', async () => {
    for (const retentionCheckMs of [undefined, 1000]) {
      const clock = new FakeClock(1_000 * HOUR)
      const log = await openLog({ clock, retentionCheckMs })
      await log.createTopic({ name: 'orders', segmentBytes: 1000, valueCodec: 'bytes', retentionMs: 100 })
      const every = retentionCheckMs ?? 300_000
      await append(log, 25)
      clock.advance(every - 1)
      await idle()
      expect(startOf(log)).toBe(0)
      clock.advance(1)
      await idle()
      expect(startOf(log)).toBe(20)
      await append(log, 20)
      await clock.advanceSlowly(every)
      await idle()
      expect(startOf(log)).toBe(40)
      await log.close()
      expect(clock.timerCount).toBe(0)
    }
  })

  test('goes on after a round that has failed', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const clock = new FakeClock(1_000 * HOUR)
    const log = await openLog({ storage, clock, retentionCheckMs: 1000 })
    await log.createTopic({ name: 'orders', segmentBytes: 1000, valueCodec: 'bytes', retentionMs: 100 })
    await append(log, 25)
    storage.failAt({ call: (kind, path) => kind === 'removeFile' && path.endsWith('.log'), code: 'EACCES' })
    clock.advance(1000)
    await idle()
    await append(log, 20)
    clock.advance(1000)
    await idle()
    expect(startOf(log)).toBe(40)
    expect(await offsetsOf(log, 'orders')).toEqual(range(40, 45))
    await log.close()
  })

  test('does nothing to a log that is open for reading only', async () => {
    const { log, storage, clock } = await withOrders({ retentionMs: 1 })
    await append(log, 25)
    await log.close()
    clock.advance(HOUR)
    const reader = await openLog({ storage, clock, readOnly: true, retentionCheckMs: 10 })
    clock.advance(HOUR)
    await idle()
    expect(await segmentsOf(storage)).toEqual([0, 10, 20])
    expect(await rejection(reader.enforceRetention())).toMatchObject({ code: 'READ_ONLY' })
  })
})

describe('deleteRecords', () => {
  test('moves the start to any offset, in the middle of a batch too, and takes the segments before it', async () => {
    const { log, storage } = await withOrders({ segmentBytes: 2000 })
    for (let i = 0; i < 10; i++)
      await log.appendBatch(
        'orders',
        range(0, 10).map(() => ({ value: Buffer.alloc(80) })),
      )
    const bases = await segmentsOf(storage)
    expect(bases.length).toBeGreaterThan(4)
    for (const beforeOffset of [0, 1, 5, 10, 37, 38, 77, 99, 100]) {
      expect(await log.deleteRecords('orders', { partition: 0, beforeOffset })).toEqual({
        logStartOffset: beforeOffset,
      })
      expect(await offsetsOf(log, 'orders')).toEqual(range(beforeOffset, 100))
      expect(await offsetsOf(log, 'orders', { order: 'time' })).toEqual(range(beforeOffset, 100))
      const first = bases.findLastIndex((base) => base <= beforeOffset)
      expect(await segmentsOf(storage)).toEqual(bases.slice(first))
      const before = range(0, beforeOffset).slice(-2)
      const outcomes = await outcomesOf(before.map((from) => offsetsOf(log, 'orders', { from })))
      expect(outcomes).toEqual(before.map(() => 'OFFSET_OUT_OF_RANGE'))
    }
    expect(await log.append('orders', { value: Buffer.alloc(1) })).toMatchObject({ offset: 100 })
    expect(await offsetsOf(log, 'orders')).toEqual([100])
  })

  test('never moves the start back', async () => {
    const { log } = await withOrders({})
    await append(log, 25)
    await log.deleteRecords('orders', { partition: 0, beforeOffset: 15 })
    expect(await log.deleteRecords('orders', { partition: 0, beforeOffset: 5 })).toEqual({ logStartOffset: 15 })
    expect(await offsetsOf(log, 'orders')).toEqual(range(15, 25))
  })

  test('is about one partition', async () => {
    const { log } = await withOrders({ partitions: 2 })
    await append(log, 5)
    await log.append('orders', { value: Buffer.alloc(1), partition: 1 })
    await log.deleteRecords('orders', { partition: 0, beforeOffset: 3 })
    expect(log.offsets('orders').map(({ logStartOffset }) => logStartOffset)).toEqual([3, 0])
  })

  test('beyond the end is an error that names the end, and moves nothing', async () => {
    const { log } = await withOrders({})
    await append(log, 5)
    const error = await rejection(log.deleteRecords('orders', { partition: 0, beforeOffset: 6 }))
    expect(error).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE', details: { topic: 'orders', partition: 0, offset: 6 } })
    expect(error.message).toContain('cannot delete up to offset 6 of orders-0: it ends at 5')
    expect(startOf(log)).toBe(0)
  })

  const bad: [options: unknown, kind: unknown, message: string][] = [
    [{ partition: 0 }, TypeError, "option 'beforeOffset' is required"],
    [{ beforeOffset: 0 }, TypeError, "option 'partition' is required"],
    [{ partition: 0, beforeOffset: -1 }, RangeError, "'beforeOffset'"],
    [{ partition: 0, beforeOffset: 1.5 }, RangeError, "'beforeOffset'"],
    [{ partition: '0', beforeOffset: 0 }, TypeError, "'partition'"],
    [{ partition: 0, beforeOffset: 0, before: 0 }, TypeError, "unknown option 'before'"],
    [undefined, TypeError, 'options must be an object'],
  ]
  test.each(bad)('refuses %j', async (options, kind, message) => {
    const { log } = await withOrders({})
    const error = await rejection(log.deleteRecords('orders', options as { partition: number; beforeOffset: number }))
    expect(error).toBeInstanceOf(kind)
    expect(error.message).toContain(message)
  })

  test('of a partition that is not there names those that are', async () => {
    const { log } = await withOrders({})
    const error = await rejection(log.deleteRecords('orders', { partition: 3, beforeOffset: 0 }))
    expect(error).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
    expect(error.message).toContain('partitions 0 to 0, not 3')
  })
})

describe('the start of a partition', () => {
  test('survives a new open, a kill and a power cut at any moment, and never moves back', async () => {
    const starts = new Set<number>()
    for (let call = 0; ; call++) {
      const memory = new MemoryStorage()
      const storage = new FaultyStorage(memory)
      const { log } = await withOrders({}, storage as unknown as MemoryStorage)
      await append(log, 35)
      await log.deleteRecords('orders', { partition: 0, beforeOffset: 12 })
      storage.failAt({ call: storage.calls.length + call, code: 'EIO', sticky: true })
      const [outcome] = await outcomesOf([log.deleteRecords('orders', { partition: 0, beforeOffset: 27 })])
      const keepAll = memory.crash({ choose: (write) => write.length, keepDirectoryOperation: () => true })
      for (const left of [memory.clone(), memory.crash(), keepAll]) {
        const again = await openLog({ storage: left })
        const start = startOf(again)
        starts.add(start)
        expect(outcome !== 'done' || start === 27).toBe(true)
        expect(await offsetsOf(again, 'orders')).toEqual(range(start, 35))
        expect(again.recovery).toMatchObject({ damage: [], unknownDirectories: [] })
        await again.close()
        const third = await openLog({ storage: left })
        expect(startOf(third)).toBe(start)
        // what is wholly before the start is gone from the disk by now
        await third.deleteRecords('orders', { partition: 0, beforeOffset: 35 })
        expect(await segmentsOf(left)).toEqual([30])
      }
      if (outcome === 'done') break
    }
    expect(starts).toEqual(new Set([12, 27]))
  })

  test('that is also the end survives, and offsets go on from there', async () => {
    const { log, storage } = await withOrders({})
    await append(log, 25)
    await log.deleteRecords('orders', { partition: 0, beforeOffset: 25 })
    for (const left of [storage.clone(), storage.crash()]) {
      const again = await openLog({ storage: left })
      expect(again.offsets('orders')[0]).toMatchObject({ logStartOffset: 25, logEndOffset: 25 })
      expect(await again.append('orders', { value: Buffer.alloc(1) })).toMatchObject({ offset: 25 })
      expect(await offsetsOf(again, 'orders')).toEqual([25])
    }
  })

  test('in a windowed mode lies before nothing that a power cut could take: what it moves over is synced first', async () => {
    const { log, storage } = await withOrders({ flush: 'os' })
    await append(log, 25)
    await log.deleteRecords('orders', { partition: 0, beforeOffset: 22 })
    const again = await openLog({ storage: storage.crash() })
    expect(startOf(again)).toBe(22)
    expect(await offsetsOf(again, 'orders')).toEqual([22, 23, 24])
  })
})

test('a file that cannot be removed is an error, and the records before the start are gone all the same', async () => {
  const memory = new MemoryStorage()
  const storage = new FaultyStorage(memory)
  const { log } = await withOrders({}, storage as unknown as MemoryStorage)
  await append(log, 25)
  storage.failAt({ call: (kind, path) => kind === 'removeFile' && path.endsWith('00.log'), code: 'EACCES' })
  const error = await rejection(log.deleteRecords('orders', { partition: 0, beforeOffset: 20 }))
  expect(error).toMatchObject({ code: 'PERMISSION_DENIED' })
  expect(startOf(log)).toBe(20)
  expect(await offsetsOf(log, 'orders')).toEqual(range(20, 25))
  await append(log, 1)
  await log.close()
  const again = await openLog({ storage: memory })
  expect(again.recovery.damage).toEqual([])
  expect(await segmentsOf(memory)).toEqual([20])
  expect(await namesIn(memory, `${DIRECTORY}/orders-0`)).not.toContain('00000000000000000010.log')
  expect((await recordsOf(again, 'orders')).map(({ offset }) => offset)).toEqual(range(20, 26))
})

test('while the disk is full, deleting makes room: it needs none itself', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const { log } = await withOrders({ retentionBytes: 1000 }, storage as unknown as MemoryStorage)
  await append(log, 45)
  storage.capacityBytes = storage.usedBytes
  expect(await rejection(append(log, 6))).toMatchObject({ code: 'DISK_FULL' })
  await log.enforceRetention()
  expect(startOf(log)).toBe(30)
  await append(log, 5)
  expect(await offsetsOf(log, 'orders')).toEqual(range(30, 50))
})

describe('where something goes wrong', () => {
  test('records deleted beside a sync that is under way never stop the partition', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const { log } = await withOrders({ flush: { ms: 60_000, records: 4 } }, storage as unknown as MemoryStorage)
    await append(log, 10)
    await log.flush()
    const gate = new SyncGate()
    storage.syncGate = {
      pass: (path: string) => (path.includes('/orders-0/') ? gate.pass(path) : undefined),
    } as SyncGate
    await append(log, 3)
    await gate.arrived()
    expect(await log.deleteRecords('orders', { partition: 0, beforeOffset: 10 })).toBeDefined()
    gate.open()
    await append(log, 20)
    await log.flush()
    expect(await offsetsOf(log, 'orders')).toEqual(range(10, 33))
  })

  test('deleteRecords that failed can be called again, and then it holds and frees the space', async () => {
    const disk = new MemoryStorage()
    const storage = new FaultyStorage(disk)
    const { log } = await withOrders({}, storage as unknown as MemoryStorage)
    await append(log, 35)
    const restore = storage.failAt({
      call: (kind, path) => kind === 'write' && path.includes('checkpoint'),
      code: 'ENOSPC',
      sticky: true,
    })
    const request = { partition: 0, beforeOffset: 20 }
    expect(await rejection(log.deleteRecords('orders', request))).toMatchObject({ code: 'DISK_FULL' })
    expect(await segmentsOf(disk)).toEqual([0, 10, 20, 30])
    restore()
    await log.deleteRecords('orders', request)
    expect(await segmentsOf(disk)).toEqual([20, 30])
    const again = await openLog({ storage: disk.crash() })
    expect(startOf(again)).toBe(20)
  })

  test('a topic that cannot be cleaned up keeps no other from it, and the program is told', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const { log, clock } = await withOrders(
      { name: 'broken', retentionBytes: 1000 },
      storage as unknown as MemoryStorage,
    )
    await log.createTopic({ name: 'orders', segmentBytes: 1000, valueCodec: 'bytes', retentionBytes: 1000 })
    for (let i = 0; i < 40; i++) await log.append('broken', { value: Buffer.alloc(32) })
    await append(log, 40)
    storage.failAt({
      call: (kind, path) => kind === 'removeFile' && path.includes('/broken-0/'),
      code: 'EIO',
      sticky: true,
    })
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    clock.advance(300_000)
    expect((await warned).message).toContain('broken-0')
    expect(startOf(log)).toBe(30)
    storage.clearFaults()
    clock.advance(300_000)
    await idle(50)
    expect(await segmentsOf(storage.inner as MemoryStorage, 'broken-0')).toEqual([30])
  })

  test('retention by time opens no more segments than it deletes, and one', async () => {
    const disk = new MemoryStorage()
    const clock = new FakeClock(1_000 * HOUR)
    const first = await withOrders({ retentionMs: HOUR }, disk, clock)
    await append(first.log, 20, clock.now())
    clock.advance(HOUR / 2)
    await append(first.log, 100, clock.now())
    await first.log.close()
    const storage = new FaultyStorage(disk)
    const log = await openLog({ storage, clock, retentionCheckMs: HOUR })
    const before = storage.calls.length
    clock.advance(HOUR)
    await idle(50)
    const opened = storage.calls.slice(before).filter(({ kind, path }) => kind === 'open' && path.endsWith('.log'))
    expect(startOf(log)).toBe(20)
    expect(new Set(opened.map(({ path }) => parseInt(path.slice(-24)))).size).toBeLessThanOrEqual(3)
    await log.close()
  })
})
