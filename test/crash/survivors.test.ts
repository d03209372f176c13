/** Promises that no other test held: a seeded fault against each of them got past the suite as it was. */
import { expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import {
  changeFile,
  DIRECTORY,
  namesIn,
  offsetsOf,
  openLog,
  putFile,
  rejection,
  segmentPath,
  valuesOf,
} from '../helpers/logs.ts'
import { ObservedStorage } from '../helpers/observed-storage.ts'
import { powerCuts } from '../helpers/power-cuts.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const VALUE = 'x'.repeat(60)

async function appendTimes(log: Varve, timestamps: readonly number[]): Promise<void> {
  for (const timestamp of timestamps) await log.append('t', { timestamp, value: VALUE })
}

test('what a first open leaves that is stopped anywhere is used by the next, which misses no file', async () => {
  const random = new SeededRandom()
  const disk = new MemoryStorage()
  const moments: { what: string; disk: MemoryStorage }[] = []
  const observe: ObservedStorage['observer'] = (call, path, when) =>
    void moments.push({ what: `${when} ${call} ${path}`, disk: disk.clone() })
  await openLog({ storage: new ObservedStorage(disk, observe) })
  expect(moments.length).toBeGreaterThan(5)
  for (const moment of moments) {
    const cuts = powerCuts(moment.disk, random, 5).map(({ name, options }) => ({
      what: `${moment.what}, ${name}, VARVE_SEED=${random.seed}`,
      image: moment.disk.crash(options),
    }))
    for (const { what, image } of [{ what: `killed ${moment.what}`, image: moment.disk }, ...cuts]) {
      const names = await namesIn(image, DIRECTORY).catch((): string[] => [])
      const log = await openLog({ storage: image })
      // a checkpoint that is there may be cut short
      const missing = log.recovery.damage.filter(({ path }) => !names.includes(path.split('/').at(-1)!))
      expect(missing, what).toEqual([])
      await log.createTopic({ name: 't' })
      await log.append('t', { value: 1 })
      expect(await valuesOf(await openLog({ storage: image.crash() }), 't'), what).toEqual([1])
    }
  }
})

test('a segment that a recovery has removed does not come back after records have gone past its place', async () => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't' })
  for (const value of [0, 1, 2]) await log.append('t', { value })
  const cut = disk.crash()
  // begun behind records that were lost
  await putFile(cut, segmentPath('t', 0, 5, '.log'), '')
  const again = await openLog({ storage: cut })
  for (const value of [3, 4, 5, 6, 7]) await again.append('t', { value })
  const third = await openLog({ storage: cut.crash() })
  expect(await valuesOf(third, 't')).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  await third.append('t', { value: 8 })
  expect(await valuesOf(third, 't', { from: 6 })).toEqual([6, 7, 8])
})

test('the latest time of a segment counts, though a stop came before its index had it and earlier times came after', async () => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', flush: 'os', segmentBytes: 2000, indexIntervalBytes: 100, valueCodec: 'string' })
  await appendTimes(log, [1000, 1001, 1002, 1003])
  await log.close()
  // what no index file has when the process is killed
  await appendTimes(await openLog({ storage: disk }), [9000, 2000, 2001])
  const killed = disk.clone()
  const third = await openLog({ storage: killed, clock: new FakeClock(9500) })
  await appendTimes(
    third,
    Array.from({ length: 20 }, (_, i) => 3000 + i),
  )
  expect((await offsetsOf(third, 't', { from: { timestamp: 8000 } }))[0]).toBe(4)
  await third.alterTopic('t', { retentionMs: 1000 })
  await third.enforceRetention()
  expect(third.offsets('t')[0].logStartOffset).toBe(0)
})

test('a last segment that is cut short while the log is open is damage to its readers, not the end', async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 't' })
  for (const value of [0, 1, 2]) await log.append('t', { value })
  const path = segmentPath('t', 0, 0, '.log')
  const file = await storage.openFile(path, 'write')
  await file.truncate((await file.size()) / 3)
  await file.close()
  expect(await rejection(valuesOf(log, 't'))).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { path, offset: 1 } })
})

test('an index entry that names a later place than its own leads nobody past a record', async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 't', indexIntervalBytes: 0, valueCodec: 'string' })
  await appendTimes(
    log,
    Array.from({ length: 20 }, (_, i) => 1000 + i),
  )
  await log.close()
  for (const entry of [3, 8, 12]) {
    const changed = storage.clone()
    await changeFile(changed, segmentPath('t', 0, 0, '.index'), (content) => {
      // its own offset, the place of the one behind the next, and the next one goes
      const rest = Buffer.concat([content.subarray(0, entry * 8 + 4), content.subarray(entry * 8 + 12, entry * 8 + 16)])
      return Buffer.concat([rest, content.subarray(entry * 8 + 16)])
    })
    const again = await openLog({ storage: changed })
    for (let from = 0; from < 20; from++) expect((await offsetsOf(again, 't', { from }))[0]).toBe(from)
  }
})

test('what deleteRecords has taken is not missed, though no checkpoint knows a later durable segment', async () => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', flush: 'os', segmentBytes: 2000, valueCodec: 'string' })
  const value = 'x'.repeat(700)
  for (let i = 0; i < 2; i++) await log.append('t', { value })
  await log.flush()
  // does not fit: the next segment begins with it, of which nothing is durable
  await log.append('t', { value })
  await log.deleteRecords('t', { partition: 0, beforeOffset: 2 })
  expect(await namesIn(disk, `${DIRECTORY}/t-0`)).not.toContain(`${'0'.repeat(20)}.log`)
  const again = await openLog({ storage: disk.clone() })
  expect(again.recovery.damage).toEqual([])
  expect(await offsetsOf(again, 't')).toEqual([2])
})

test('a kill after deleteRecords loses nothing behind it, though no sync had covered what it deleted', async () => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', flush: 'os', segmentBytes: 400, valueCodec: 'string' })
  await appendTimes(log, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  await log.deleteRecords('t', { partition: 0, beforeOffset: 7 })
  await appendTimes(log, [10, 11])
  expect(await offsetsOf(await openLog({ storage: disk.clone() }), 't')).toEqual([7, 8, 9, 10, 11])
})

test('what a full disk has taken of an append leaves no trace in a log that is closed in order', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await openLog({ storage })
  await log.createTopic({ name: 't', valueCodec: 'string' })
  await log.append('t', { value: 'a' })
  storage.capacityBytes = storage.usedBytes + 500
  expect(await rejection(log.append('t', { value: 'x'.repeat(2000) }))).toMatchObject({ code: 'DISK_FULL' })
  storage.capacityBytes = Infinity
  await log.append('t', { value: 'b' })
  await log.close()
  const again = await openLog({ storage })
  expect(again.recovery).toMatchObject({ clean: true, damage: [] })
  expect(await valuesOf(again, 't')).toEqual(['a', 'b'])
})

test('after a write that failed with EIO a partition takes nothing until the log is opened again', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await openLog({ storage })
  await log.createTopic({ name: 't' })
  storage.failAt({ call: (kind, path) => kind === 'write' && path.endsWith('.log'), code: 'EIO' })
  const failure = await rejection(log.append('t', { value: 1 }))
  expect(failure).toMatchObject({ code: 'KAFKA_STORAGE_ERROR', cause: { code: 'EIO' } })
  expect(await rejection(log.append('t', { value: 2 }))).toBe(failure)
  await rejection(log.close())
  const again = await openLog({ storage })
  await again.append('t', { value: 3 })
  expect(await valuesOf(again, 't')).toEqual([3])
})

test('a file that cannot be closed is told by the close of its log', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await openLog({ storage })
  await log.createTopic({ name: 't' })
  await log.append('t', { value: 1 })
  storage.failAt({
    call: (kind, path) => kind === 'close' && path.endsWith('/t-0/00000000000000000000.log'),
    code: 'EIO',
  })
  expect(await rejection(log.close())).toMatchObject({ code: 'KAFKA_STORAGE_ERROR', cause: { code: 'EIO' } })
})

test('a batch at the end that claims an epoch which no open has begun is cut', async () => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't' })
  await log.append('t', { value: 0 })
  const path = segmentPath('t', 0, 0, '.log')
  const { length } = await disk.readFile(path)
  await log.append('t', { value: 1 })
  const killed = disk.clone()
  // not under the checksum
  await changeFile(killed, path, (content) => void content.writeInt32BE(7, length + 12))
  const again = await openLog({ storage: killed })
  expect(again.recovery.cutBytes).toBe(length)
  expect(await valuesOf(again, 't')).toEqual([0])
  expect((await again.describeTopic('t')).partitions[0].leaderEpoch).toBe(1)
})

test('reads and writes that do one byte at a time change nothing of what is stored', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  storage.maxReadBytes = 1
  storage.maxWriteBytes = 1
  const log = await openLog({ storage })
  await log.createTopic({ name: 't', segmentBytes: 200, indexIntervalBytes: 0 })
  for (const value of [0, 1, 2, 3]) await log.append('t', { value })
  const killed = (storage.inner as MemoryStorage).clone()
  await log.close()
  for (const inner of [storage.inner, killed]) {
    const short = new FaultyStorage(inner)
    short.maxReadBytes = 1
    expect(await valuesOf(await openLog({ storage: short }), 't')).toEqual([0, 1, 2, 3])
  }
})
