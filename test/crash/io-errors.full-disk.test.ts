/** A disk that is full: what needs room is refused, whole, and what frees room works. */
import { expect, test } from 'vitest'
import { VarveError } from '../../src/errors.ts'
import type { VarveOptions } from '../../src/engine/open-options.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { committedBy, consumerOf, GROUP, ORDERS } from '../helpers/consuming.ts'
import { offsetsOf, openLog, rejection, valuesOf } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

function open(storage: Storage, options: Partial<VarveOptions> = {}) {
  return openLog({ storage, clock: new FakeClock(), random: new SeededRandom(1), ...options })
}

test('a full disk rejects appends, leaves nothing half-visible, and is over when there is room: 200 times', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await open(storage)
  await log.createTopic({ name: 't', valueCodec: 'string', segmentBytes: 4000, retentionBytes: 8000 })
  const random = new SeededRandom()
  console.log(`full disk: ${random.toString()}`)
  const stored: string[] = []
  let refused = 0
  for (let cycle = 0; cycle < 200; cycle++) {
    storage.capacityBytes = storage.usedBytes + random.below(1500)
    for (let i = 0; i < 4; i++) {
      const value = `${cycle}.${i}.${'x'.repeat(random.below(600))}`
      try {
        const { offset } = await log.append('t', { value })
        expect(offset).toBe(stored.length)
        stored.push(value)
      } catch (error) {
        expect((error as VarveError).code).toBe('DISK_FULL')
        refused++
      }
    }
    storage.capacityBytes = Infinity
    const { offset } = await log.append('t', { value: `room ${cycle}` })
    expect(offset).toBe(stored.length)
    stored.push(`room ${cycle}`)
  }
  expect(refused).toBeGreaterThan(100)
  const seen: unknown[] = []
  for await (const record of log.read('t')) seen.push(record.value)
  expect(seen).toEqual(stored)
  // retention needs no room
  storage.capacityBytes = storage.usedBytes
  await log.enforceRetention()
  expect(log.offsets('t')[0].logStartOffset).toBeGreaterThan(0)
  await log.close()
})

test('where only index files find no room, no offset is given twice and no record is lost or passed over', async () => {
  for (const suffix of ['.index', '.timeindex']) {
    const disk = new MemoryStorage()
    const storage = new FaultyStorage(disk)
    const log = await open(storage)
    await log.createTopic({ name: 't', valueCodec: 'string', segmentBytes: 500, indexIntervalBytes: 100 })
    const isIndex = (kind: string, path: string) => kind === 'write' && path.endsWith(suffix)
    const takeBack = storage.failAt({ call: isIndex, code: 'ENOSPC', sticky: true })
    const stored = new Map<number, string>()
    let refused = 0
    for (let i = 0; i < 20; i++) {
      if (i === 12) takeBack()
      const value = `${i}`.padEnd(100, '.')
      const result = await log.append('t', { value }).catch((error: VarveError) => error)
      if (result instanceof VarveError) {
        expect(result.code).toBe('DISK_FULL')
        refused++
      } else {
        expect(stored.has(result.offset)).toBe(false)
        stored.set(result.offset, value)
      }
    }
    expect(refused).toBeGreaterThan(0)
    expect(stored.size + refused).toBe(20)
    expect([...stored.keys()]).toEqual(Array.from({ length: stored.size }, (_, i) => i))
    for (const image of [disk.clone(), disk.crash()]) {
      const again = await open(image)
      expect(again.recovery.damage).toEqual([])
      expect(await valuesOf(again, 't')).toEqual([...stored.values()])
      for (const [offset, value] of stored) {
        const { value: record } = await again.read('t', { partition: 0, from: offset }).next()
        expect(record?.value).toBe(value)
      }
      await again.close()
    }
    await log.close()
  }
})

test('what deletes records needs no room: deleteRecords and retention free it, and then topics can go', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const clock = new FakeClock()
  const log = await open(storage, { clock })
  const small = { valueCodec: 'string', segmentBytes: 1000 } as const
  await log.createTopic({ name: 'aged', retentionMs: 1000, ...small })
  await log.createTopic({ name: 'kept', ...small })
  await log.createTopic({ name: 'gone', ...small })
  for (let i = 0; i < 20; i++) {
    for (const topic of ['aged', 'kept', 'gone']) await log.append(topic, { value: 'x'.repeat(200) })
  }
  storage.capacityBytes = storage.usedBytes
  expect(await rejection(log.append('kept', { value: 'no room' }))).toMatchObject({ code: 'DISK_FULL' })
  // a deletion is a record of the catalog
  expect(await rejection(log.deleteTopic('gone'))).toMatchObject({ code: 'DISK_FULL' })
  let used = storage.usedBytes
  await log.deleteRecords('kept', { partition: 0, beforeOffset: 15 })
  expect(storage.usedBytes).toBeLessThan(used)
  used = storage.usedBytes
  clock.setWallClock(clock.now() + 5000)
  await log.enforceRetention()
  expect(storage.usedBytes).toBeLessThan(used)
  used = storage.usedBytes
  await log.deleteTopic('gone')
  expect(storage.usedBytes).toBeLessThan(used)
  expect((await log.append('kept', { value: 'room' })).offset).toBe(20)
  await log.close()
})

test('of a batch that finds no room nothing is seen: not by readers, not beside, not after any stop', async () => {
  // the call becomes three batches: of some the first finds room, or the first two
  const room = [1, 61, 1500, 18_000, 35_000]
  for (const bytes of room) {
    for (const flush of ['group', 'each', 'os', { ms: 10 }] as const) {
      const disk = new MemoryStorage()
      const storage = new FaultyStorage(disk)
      const log = await open(storage)
      await log.createTopic({ name: 't', flush, valueCodec: 'string' })
      await log.append('t', { value: 'before' })
      await log.flush()
      storage.capacityBytes = storage.usedBytes + bytes
      const records = Array.from({ length: 20 }, (_, i) => ({ value: `${i % 10}`.repeat(2000) }))
      const refused = await rejection(log.appendBatch('t', records))
      expect(refused).toMatchObject({ code: 'DISK_FULL', cause: { code: 'ENOSPC' } })
      expect(await valuesOf(log, 't')).toEqual(['before'])
      const beside = await open(disk, { readOnly: true })
      expect(await valuesOf(beside, 't')).toEqual(['before'])
      await beside.close()
      for (const image of [disk.clone(), disk.crash()]) {
        const again = await open(image)
        expect(await valuesOf(again, 't')).toEqual(['before'])
        await again.close()
      }
      storage.capacityBytes = Infinity
      const { offset } = await log.append('t', { value: 'after' })
      expect(await offsetsOf(log, 't')).toEqual([0, offset])
      await log.close()
    }
  }
})

test('a commit that finds no room fails, is not seen, and can be made when there is some', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await openLog({ storage })
  await log.createTopic({ name: ORDERS })
  await log.appendBatch(ORDERS, [{ value: 0 }, { value: 1 }])
  const consumer = consumerOf(log)
  const codes: unknown[] = []
  for await (const record of consumer) {
    if (record.offset === 0) await consumer.commit(record)
    else {
      storage.capacityBytes = storage.usedBytes
      codes.push(((await rejection(consumer.commit(record))) as VarveError).code)
      expect(await committedBy(log)).toEqual([1])
      storage.capacityBytes = Infinity
      await consumer.commit(record)
      break
    }
  }
  expect(codes).toEqual(['DISK_FULL'])
  await consumer.close()
  expect(await committedBy(log, GROUP)).toEqual([2])
  await log.close()
})

test('a full disk at any moment of a first open leaves a directory that the next one uses', async () => {
  const healthy = new FaultyStorage(new MemoryStorage())
  await (await open(healthy)).close()
  for (let capacity = 0; capacity < healthy.usedBytes; capacity += 97) {
    const storage = new FaultyStorage(new MemoryStorage())
    storage.capacityBytes = capacity
    const opened = await open(storage).catch((error: VarveError) => error)
    if (opened instanceof VarveError) expect(opened.code).toBe('DISK_FULL')
    else expect(await rejection(opened.close())).toMatchObject({ code: 'DISK_FULL' })
    storage.capacityBytes = Infinity
    const log = await open(storage)
    // a checkpoint that was written in part looks damaged, and the other one counts
    expect(log.recovery.damage.filter(({ path }) => !path.includes('/checkpoint-'))).toEqual([])
    await log.createTopic({ name: 't' })
    await log.append('t', { value: 1 })
    await log.close()
  }
})
