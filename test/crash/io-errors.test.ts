import { describe, expect, test } from 'vitest'
import { MemoryStorage, Varve, VarveError } from '../../src/index.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

const DIRECTORY = '/log'

interface Outcome {
  /** Acknowledged appends to topic `durable`, which is in 'group' mode. */
  acknowledged: { partition: number; offset: number; value: string }[]
  /** `deleteRecords` was tried up to here in partition 0. */
  deletedBefore: number
  failures: unknown[]
}

function open(storage: FaultyStorage | MemoryStorage): Promise<Varve> {
  return Varve.open({ directory: DIRECTORY, storage, clock: new FakeClock(), random: new SeededRandom(1) })
}

/** Uses most of what there is, and goes on after every failure. */
async function run(storage: FaultyStorage): Promise<Outcome> {
  const outcome: Outcome = { acknowledged: [], deletedBefore: 0, failures: [] }
  const attempt = async <T>(action: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await action()
    } catch (error) {
      outcome.failures.push(error)
      return undefined
    }
  }
  const log = await attempt(() => open(storage))
  if (log === undefined) return outcome
  const appendTo = async (partition: number, text: string) => {
    const value = text.repeat(60)
    const result = await attempt(() => log.append('durable', { partition, value }))
    if (result !== undefined) outcome.acknowledged.push({ partition, offset: result.offset, value })
  }
  const small = { segmentBytes: 400, indexIntervalBytes: 100, valueCodec: 'string' } as const
  await attempt(() => log.createTopic({ name: 'durable', partitions: 2, ...small }))
  await attempt(() => log.createTopic({ name: 'windowed', flush: { ms: 10 }, ...small }))
  await attempt(() => log.createTopic({ name: 'gone', flush: 'os' }))
  for (let i = 0; i < 6; i++) {
    await Promise.all([appendTo(0, `a${i}`), appendTo(1, `b${i}`), appendTo(0, `c${i}`)])
    await attempt(() => log.append('windowed', { value: `w${i}`.repeat(60) }))
  }
  await attempt(() => log.appendBatch('gone', [{ value: 1 }, { value: 2 }]))
  await attempt(async () => {
    for await (const record of log.read('durable')) expect(record.value).toBeTypeOf('string')
  })
  outcome.deletedBefore = 3
  await attempt(() => log.deleteRecords('durable', { partition: 0, beforeOffset: 3 }))
  await attempt(() => log.alterTopic('windowed', { flush: 'group' }))
  await attempt(() => log.createPartitions('windowed', 2))
  await attempt(() => log.deleteTopic('gone'))
  await attempt(() => log.flush())
  await appendTo(1, 'last')
  await attempt(() => log.close())
  return outcome
}

/** Opens what is left and finds every acknowledged record. */
async function expectAllThere(storage: FaultyStorage | MemoryStorage, outcome: Outcome, what: string): Promise<void> {
  const log = await open(storage)
  const found = new Map<string, unknown>()
  if ((await log.listTopics()).some(({ name }) => name === 'durable')) {
    for await (const { partition, offset, value } of log.read('durable')) found.set(`${partition} ${offset}`, value)
  }
  for (const { partition, offset, value } of outcome.acknowledged) {
    if (partition === 0 && offset < outcome.deletedBefore) continue
    expect(found.get(`${partition} ${offset}`), `${what}: offset ${offset} of partition ${partition}`).toBe(value)
  }
  await log.close()
}

const FAULTS = ['EIO', 'ENOSPC', 'EMFILE', 'EACCES'].flatMap((code) => [
  { code, sticky: false },
  { code, sticky: true },
])

describe('a storage call that fails', () => {
  for (const { code, sticky } of FAULTS) {
    test(`with ${code} ${sticky ? 'from then on' : 'once'} gives a typed error and loses nothing acknowledged`, async () => {
      const healthy = new FaultyStorage(new MemoryStorage())
      expect((await run(healthy)).failures).toEqual([])
      const calls = healthy.calls.length
      let told = 0
      for (let index = 0; index < calls; index++) {
        // a directory above the log that this user may not read is passed over: he has not just created anything in it
        const { kind, path } = healthy.calls[index]
        if (code === 'EACCES' && kind === 'syncDirectory' && path === '/') continue
        const disk = new MemoryStorage()
        const storage = new FaultyStorage(disk)
        storage.failAt({ call: index, code, sticky })
        const outcome = await run(storage)
        const what = `${code} at call ${index} (${storage.calls[index]?.kind} ${storage.calls[index]?.path})`
        for (const failure of outcome.failures) expect(failure, what).toBeInstanceOf(VarveError)
        told += Math.min(outcome.failures.length, 1)
        storage.clearFaults()
        const killed = disk.clone()
        const cut = disk.crash()
        // the same storage once more: the lock was given back
        await expectAllThere(storage, outcome, `${what}, opened again`)
        await expectAllThere(killed, outcome, `${what}, then killed`)
        await expectAllThere(cut, outcome, `${what}, then a power cut`)
      }
      console.log(`${code} ${sticky ? 'sticky' : 'once'}: ${calls} runs, ${told} told their caller`)
      expect(told).toBeGreaterThan(calls / 2)
    }, 300_000)
  }
})

test('reads and writes that do one byte at a time change nothing', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  storage.maxReadBytes = 1
  storage.maxWriteBytes = 1
  const outcome = await run(storage)
  expect(outcome.failures).toEqual([])
  await expectAllThere(storage, outcome, 'short reads and writes')
})

test('a failed sync is for good, reads go on up to the last durable record, and a reopen recovers', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await open(storage)
  await log.createTopic({ name: 't' })
  await log.append('t', { value: 1 })
  storage.failAt({ call: (kind, path) => kind === 'sync' && path.endsWith('.log'), code: 'EIO' })
  const first = await log.append('t', { value: 2 }).catch((error: unknown) => error)
  expect(first).toBeInstanceOf(VarveError)
  expect((first as VarveError).code).toBe('KAFKA_STORAGE_ERROR')
  const syncs = storage.counts.sync
  await expect(log.append('t', { value: 3 })).rejects.toBe(first)
  await expect(log.flush()).rejects.toBe(first)
  expect(storage.counts.sync).toBe(syncs)
  const seen: unknown[] = []
  for await (const record of log.read('t')) seen.push(record.value)
  expect(seen).toEqual([1])
  await expect(log.close()).rejects.toThrow(/accepts nothing more/)
  const again = await open(storage)
  expect(again.recovery.clean).toBe(false)
  await again.append('t', { value: 4 })
  const values: unknown[] = []
  for await (const record of again.read('t')) values.push(record.value)
  // the record whose sync failed was never acknowledged: it may be there, but nothing else may
  expect([JSON.stringify([1, 4]), JSON.stringify([1, 2, 4])]).toContain(JSON.stringify(values))
  await again.close()
})

test('after an unclean stop the tail is written again and synced before it is trusted', async () => {
  const disk = new MemoryStorage()
  const storage = new FaultyStorage(disk)
  const log = await open(storage)
  await log.createTopic({ name: 't', flush: 'os' })
  await log.append('t', { value: 1 })
  // killed: the record is in the page cache only
  const killed = disk.clone()
  const second = await open(killed)
  // a power cut right after the open: what a reader could have seen is durable now
  const third = await open(killed.crash())
  const values: unknown[] = []
  for await (const record of third.read('t')) values.push(record.value)
  expect(values).toEqual([1])
  await third.close()
  await second.close()
  await log.close()
})

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

test('a sync that hangs holds up its own partition only', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await open(storage)
  await log.createTopic({ name: 't', partitions: 2 })
  await log.append('t', { partition: 1, value: 0 })
  const gate = new SyncGate()
  const passOthers = (path: string) => (path.includes('t-0') ? gate.pass(path) : undefined)
  storage.syncGate = { pass: passOthers } as SyncGate
  const held = log.append('t', { partition: 0, value: 1 })
  await gate.arrived(1)
  await log.append('t', { partition: 1, value: 2 })
  const seen: unknown[] = []
  for await (const record of log.read('t')) seen.push(record.value)
  expect(seen).toEqual([0, 2])
  gate.open()
  await held
  await log.close()
})
