/** Opening with readOnly: beside a live writer, or after it. */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage, type CallKind } from '../helpers/faulty-storage.ts'
import { GatedReads } from '../helpers/gated-reads.ts'
import {
  changeFile,
  contentOf,
  DIRECTORY,
  idle,
  openLog,
  rejection,
  segmentPath,
  thrown,
  valuesOf,
} from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const CHANGES: CallKind[] = [
  'create',
  'write',
  'sync',
  'truncate',
  'rename',
  'removeFile',
  'removeDirectory',
  'makeDirectory',
  'syncDirectory',
  'lockDirectory',
]

/** The calls that change something, or take a lock. */
function changesBy(storage: FaultyStorage): string[] {
  return storage.calls.filter(({ kind }) => CHANGES.includes(kind)).map(({ kind, path }) => `${kind} ${path}`)
}

/** A writer with topic `orders`, values 0 to 9 in several segments, and a reader's view of the same disk. */
async function startWriter() {
  const disk = new MemoryStorage()
  const writer = await openLog({ storage: disk })
  await writer.createTopic({ name: 'orders', segmentBytes: 300 })
  for (let i = 0; i < 10; i++) await writer.append('orders', { value: i })
  return { disk, writer, beside: new FaultyStorage(disk) }
}

describe('where there is no log', () => {
  test('a missing directory is named with what to do, and is not created', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const error = await rejection(openLog({ storage, readOnly: true }))
    expect(error).toMatchObject({ code: 'NOT_A_DIRECTORY', details: { path: DIRECTORY } })
    expect(error.message).toBe(`there is no log in '${DIRECTORY}': open it without readOnly to start one`)
    expect(changesBy(storage)).toEqual([])
    expect(await storage.list('/')).toEqual([])
  })

  test('an empty directory is named with what to do, and stays empty', async () => {
    const storage = new MemoryStorage()
    await storage.makeDirectory(DIRECTORY)
    const error = await rejection(openLog({ storage, readOnly: true }))
    expect(error).toMatchObject({ code: 'NOT_A_DIRECTORY', details: { path: DIRECTORY } })
    expect(error.message).toBe(`'${DIRECTORY}' holds no log: open it without readOnly to start one`)
    expect(await storage.list(DIRECTORY)).toEqual([])
  })
})

describe('beside a live writer', () => {
  test('it opens, reads everything, and neither locks nor writes', async () => {
    const { disk, writer, beside } = await startWriter()
    const before = await contentOf(disk)
    const reader = await openLog({ storage: beside, readOnly: true })
    expect(await valuesOf(reader, 'orders')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(await valuesOf(reader, 'orders', { from: { timestamp: 0 } })).toHaveLength(10)
    expect(await reader.listTopics()).toMatchObject([{ name: 'orders' }])
    expect(reader.offsets('orders')).toMatchObject([{ highWatermark: 10 }])
    await reader.close()
    expect(changesBy(beside)).toEqual([])
    expect(await contentOf(disk)).toEqual(before)
    await writer.append('orders', { value: 10 })
    await writer.close()
    expect(await valuesOf(await openLog({ storage: disk }), 'orders')).toHaveLength(11)
  })

  test('its damaged or missing indexes are not repaired', async () => {
    const { disk, writer, beside } = await startWriter()
    await writer.close()
    for (const suffix of ['.index', '.timeindex']) {
      await changeFile(disk, segmentPath('orders', 0, 0, suffix), () => Buffer.alloc(7, 1))
      await disk.removeFile(segmentPath('orders', 0, 4, suffix))
    }
    const before = await contentOf(disk)
    const reader = await openLog({ storage: beside, readOnly: true })
    for (let offset = 0; offset < 10; offset++)
      expect((await valuesOf(reader, 'orders', { from: offset }))[0]).toBe(offset)
    expect(await valuesOf(reader, 'orders', { from: { timestamp: 1 } })).toHaveLength(10)
    await reader.close()
    expect(changesBy(beside)).toEqual([])
    expect(await contentOf(disk)).toEqual(before)
  })

  test('it follows what the writer appends, over segments and retention', async () => {
    const { writer, beside } = await startWriter()
    const clock = new FakeClock()
    const reader = await openLog({ storage: beside, readOnly: true, clock })
    const records = reader.read('orders', { follow: true })
    const values: unknown[] = []
    const follow = async (count: number) => {
      while (values.length < count) values.push((await records.next()).value.value)
    }
    await follow(10)
    for (let i = 10; i < 30; i++) {
      const following = follow(i + 1)
      await writer.append('orders', { value: i })
      if (i === 20) await writer.deleteRecords('orders', { partition: 0, beforeOffset: 15 })
      for (let turn = 0; values.length <= i; turn++) {
        if (turn > 100) throw new Error(`${values.length} values after ${turn} refreshes`)
        await idle()
        clock.advance(50)
      }
      await following
    }
    expect(values).toEqual(Array.from({ length: 30 }, (_, i) => i))
    const ending = rejection(records.next())
    await reader.close()
    clock.advance(50)
    expect(await ending).toMatchObject({ code: 'CLOSED' })
    expect(changesBy(beside)).toEqual([])
    expect(clock.holdCount).toBe(0)
    await writer.close()
  })

  test('a read that begins later sees what was appended since', async () => {
    const { writer, beside } = await startWriter()
    const reader = await openLog({ storage: beside, readOnly: true })
    await writer.append('orders', { value: 10 })
    expect(await valuesOf(reader, 'orders', { from: 9 })).toEqual([9, 10])
    expect(reader.offsets('orders')[0].highWatermark).toBe(11)
  })

  test('several readers open at once, and after the writer is gone', async () => {
    const { disk, writer } = await startWriter()
    const open = () => openLog({ storage: disk, readOnly: true })
    const readers = await Promise.all([open(), open(), open()])
    await writer.close()
    readers.push(await open())
    for (const reader of readers) expect(await valuesOf(reader, 'orders')).toHaveLength(10)
    await (await openLog({ storage: disk })).close()
  })
})

const calls: [name: string, call: (log: Varve) => unknown][] = [
  ['createTopic', (log) => log.createTopic({ name: 'more' })],
  ['adoptTopic', (log) => log.adoptTopic({ name: 'more' })],
  ['alterTopic', (log) => log.alterTopic('orders', { retentionMs: 1 })],
  ['createPartitions', (log) => log.createPartitions('orders', 2)],
  ['deleteTopic', (log) => log.deleteTopic('orders')],
  ['deleteRecords', (log) => log.deleteRecords('orders', { partition: 0, beforeOffset: 1 })],
  ['append', (log) => log.append('orders', { value: 1 })],
  ['appendBatch', (log) => log.appendBatch('orders', [{ value: 1 }])],
  ['flush', (log) => log.flush()],
  ['enforceRetention', (log) => log.enforceRetention()],
]
test.each(calls)('%s is refused with READ_ONLY, and changes nothing', async (_, call) => {
  const { disk, beside } = await startWriter()
  const before = await contentOf(disk)
  const reader = await openLog({ storage: beside, readOnly: true })
  const error = await rejection((async () => call(reader))())
  expect(error).toMatchObject({ code: 'READ_ONLY', details: { path: DIRECTORY } })
  expect(error.message).toBe(`'${DIRECTORY}' is open with readOnly: open it without to change anything`)
  await reader.close()
  expect(changesBy(beside)).toEqual([])
  expect(await contentOf(disk)).toEqual(before)
})

test('retention never runs by itself in a read-only log', async () => {
  const { disk, writer } = await startWriter()
  await writer.alterTopic('orders', { retentionBytes: 0 })
  const clock = new FakeClock()
  const beside = new FaultyStorage(disk)
  const reader = await openLog({ storage: beside, readOnly: true, clock })
  expect(clock.timerCount).toBe(0)
  await clock.advanceSlowly(3_600_000)
  expect(changesBy(beside)).toEqual([])
  await reader.close()
  expect(thrown(() => reader.offsets('orders'))).toMatchObject({ code: 'CLOSED' })
})

test('readers that follow the same partition miss nothing, however their looks overlap', async () => {
  const disk = new MemoryStorage()
  const clock = new FakeClock()
  const writer = await openLog({ storage: disk, clock })
  await writer.createTopic({ name: 't', valueCodec: 'string' })
  const storage = new GatedReads(disk)
  const reader = await openLog({ storage, clock, readOnly: true })
  const random = new SeededRandom()
  storage.gate = (path) => (path.includes('/t-0/') ? idle(random.below(12)) : undefined)
  const stop = new AbortController()
  const seen: number[][] = [[], [], []]
  const following = seen.map(async (offsets, i) => {
    await idle(i * 3)
    for await (const { offset } of reader.read('t', { follow: true, signal: stop.signal })) offsets.push(offset)
  })
  for (let i = 0; i < 300; i++) {
    await writer.append('t', { value: 'x' })
    clock.advance(50)
    await idle(i % 7)
  }
  for (let i = 0; i < 20; i++) {
    clock.advance(50)
    await idle(50)
  }
  stop.abort()
  await Promise.allSettled(following)
  const expected = Array.from({ length: 300 }, (_, i) => i)
  expect(seen, `seed ${random.seed}`).toEqual([expected, expected, expected])
})
