/** What opening finds, does and reports after each kind of stop. */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { CheckpointFiles } from '../../src/storage/checkpoint.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import {
  batchesOf,
  changeFile,
  contentOf,
  DIRECTORY,
  namesIn,
  offsetsOf,
  openLog,
  putFile,
  segmentPath,
  valuesOf,
} from '../helpers/logs.ts'

const TAIL = segmentPath('orders', 0, 0, '.log')
const WINDOW = { ms: 60_000 }
const BLOCK = 65_536

async function epochOf(log: Varve): Promise<number> {
  return (await log.describeTopic('orders')).partitions[0].leaderEpoch
}

describe('the recovery report', () => {
  test('of a new log says that there was nothing to do', async () => {
    const log = await openLog()
    expect(log.recovery).toEqual({
      clean: true,
      ms: expect.any(Number) as number,
      scannedBytes: 0,
      cutBytes: 0,
      partitions: [],
      damage: [],
      unknownDirectories: [],
    })
  })

  test('after a kill names each partition that was scanned and how far; every written record is there', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage, flush: 'os' })
    await log.createTopic({ name: 'orders', partitions: 3 })
    for (const partition of [0, 2]) {
      await log.appendBatch(
        'orders',
        [1, 2, 3].map((value) => ({ value, partition })),
      )
    }
    const sizes = await Promise.all(
      [0, 2].map(async (p) => (await storage.readFile(segmentPath('orders', p, 0, '.log'))).length),
    )
    const { recovery, ...after } = await reopened(storage.clone())
    expect(after.values).toEqual([1, 2, 3, 1, 2, 3])
    expect(recovery).toMatchObject({ clean: false, cutBytes: 0, damage: [], unknownDirectories: [] })
    const ofOrders = recovery.partitions.filter(({ topic }) => topic === 'orders')
    expect(ofOrders.map(({ partition, scannedBytes }) => [partition, scannedBytes])).toEqual([
      [0, sizes[0]],
      [2, sizes[1]],
    ])
    expect(recovery.scannedBytes).toBe(recovery.partitions.reduce((sum, { scannedBytes }) => sum + scannedBytes, 0))
  })

  test('after a kill in the middle of a write tells the cut bytes, and they are saved byte for byte', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders' })
    await log.append('orders', { value: 'kept' })
    const size = (await storage.readFile(TAIL)).length
    await log.append('orders', { value: 'torn'.repeat(50) })
    const killed = storage.clone()
    await changeFile(killed, TAIL, (content) => content.subarray(0, content.length - 20))
    const torn = (await killed.readFile(TAIL)).subarray(size)

    const { recovery, values } = await reopened(killed)
    expect(values).toEqual(['kept'])
    expect(recovery).toMatchObject({ clean: false, cutBytes: torn.length, damage: [] })
    const [report] = recovery.partitions.filter(({ cutBytes }) => cutBytes > 0)
    const saved = `${DIRECTORY}/recovery/orders-0-${'0'.repeat(20)}-${size}.cut`
    expect(report).toEqual({
      topic: 'orders',
      partition: 0,
      scannedBytes: size,
      cutBytes: torn.length,
      savedTo: [saved],
      skippedOffsets: 0,
      damage: [],
    })
    expect(await killed.readFile(saved)).toEqual(torn)
    expect((await killed.readFile(TAIL)).length).toBe(size)
  })

  test('after a power cut in the middle of a write: the same, whatever the sectors hold', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage, flush: 'os' })
    await log.createTopic({ name: 'orders' })
    await log.append('orders', { value: 'kept' })
    await log.flush()
    const size = (await storage.readFile(TAIL)).length
    await log.append('orders', { value: 'torn'.repeat(50) })
    const cut = storage.crash({ choose: ({ length }) => length - 1, size: 'written', fill: 'garbage' })
    const torn = (await cut.readFile(TAIL)).subarray(size)
    expect(torn.length).toBeGreaterThan(200)

    const { recovery, values, log: again } = await reopened(cut)
    expect(values).toEqual(['kept'])
    expect(recovery).toMatchObject({ clean: false, cutBytes: torn.length, damage: [] })
    const [{ savedTo }] = recovery.partitions.filter(({ cutBytes }) => cutBytes > 0)
    expect(await cut.readFile(savedTo[0])).toEqual(torn)
    // a second stop finds nothing more to cut, and what was saved stays
    await again.append('orders', { value: 'next' })
    const second = await reopened(cut.crash())
    expect(second.recovery.cutBytes).toBe(0)
    expect(await namesIn(second.storage, `${DIRECTORY}/recovery`)).toHaveLength(1)
  })

  test('a later segment behind a torn one is put aside whole', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage, flush: 'os' })
    await log.createTopic({ name: 'orders', segmentBytes: 200 })
    for (let i = 0; i < 6; i++) await log.append('orders', { value: 'x'.repeat(60) })
    const killed = storage.clone()
    const whole = await killed.readFile(segmentPath('orders', 0, 1, '.log'))
    await changeFile(killed, TAIL, (content) => content.subarray(0, content.length - 1))
    const { recovery, values } = await reopened(killed)
    expect(values).toEqual([])
    const [{ savedTo }] = recovery.partitions.filter(({ cutBytes }) => cutBytes > 0)
    const aside = `${DIRECTORY}/recovery/orders-0-${'1'.padStart(20, '0')}.log`
    expect(savedTo).toContain(aside)
    expect(await killed.readFile(aside)).toEqual(whole)
  })

  test('lists directories that belong to no topic, and touches nothing in them', async () => {
    const storage = new MemoryStorage()
    await (await openLog({ storage })).close()
    await putFile(storage, segmentPath('stray', 3, 0, '.log'), 'not a log at all')
    await putFile(storage, `${DIRECTORY}/notes-1/readme.txt`, 'no segment')
    const before = await contentOf(storage, `${DIRECTORY}/stray-3`)
    const log = await openLog({ storage })
    expect(log.recovery.unknownDirectories).toEqual([
      { path: `${DIRECTORY}/stray-3`, topic: 'stray', partition: 3, topicId: null },
    ])
    await log.close()
    expect(await contentOf(storage, `${DIRECTORY}/stray-3`)).toEqual(before)
  })

  async function reopened(storage: MemoryStorage) {
    const log = await openLog({ storage })
    return { storage, log, recovery: log.recovery, values: await valuesOf(log, 'orders') }
  }
})

describe('the leader epoch', () => {
  test('rises after an unclean stop, and only then', async () => {
    let storage = new MemoryStorage()
    let log = await openLog({ storage })
    await log.createTopic({ name: 'orders' })
    let epoch = 0
    for (const stop of ['close', 'kill', 'close', 'close', 'power cut', 'power cut', 'close', 'kill']) {
      await log.append('orders', { value: stop })
      if (stop === 'close') await log.close()
      else {
        storage = stop === 'kill' ? storage.clone() : storage.crash()
        epoch += 1
      }
      log = await openLog({ storage })
      expect([stop, await epochOf(log), log.recovery.clean]).toEqual([stop, epoch, stop === 'close'])
    }
    await log.append('orders', { value: 'last' })
    const epochs = (await batchesOf(log, 'orders')).map((batch) => batch.bytes.readInt32BE(12))
    expect(epochs).toEqual([0, 0, 1, 1, 1, 2, 3, 3, 4])
  })

  test('does not rise because a reader opened, or because an open failed', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders' })
    await log.close()
    await (await openLog({ storage, readOnly: true })).close()
    storage.failAt({ call: (kind) => kind === 'lockDirectory', code: 'EIO' })
    await expect(openLog({ storage })).rejects.toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
    expect(await epochOf(await openLog({ storage }))).toBe(0)
  })
})

describe('windowed mode after a power cut', () => {
  test('goes on behind its reservation; the gap is read over, and a clean open keeps it', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage, flush: WINDOW })
    await log.createTopic({ name: 'orders' })
    for (let i = 0; i < 5; i++) await log.append('orders', { value: i })
    await log.flush()
    for (let i = 5; i < 8; i++) await log.append('orders', { value: i })
    const seen = await offsetsOf(log, 'orders')
    expect(seen).toHaveLength(8)

    const cut = storage.crash()
    const again = await openLog({ storage: cut, flush: WINDOW })
    const [report] = again.recovery.partitions.filter(({ topic }) => topic === 'orders')
    const [{ logEndOffset }] = again.offsets('orders')
    expect(report).toMatchObject({ skippedOffsets: logEndOffset - 5, cutBytes: 0, damage: [] })
    expect(logEndOffset).toBeGreaterThan(7)
    expect(logEndOffset).toBeLessThanOrEqual(8 + BLOCK)
    const next = await again.append('orders', { value: 'behind' })
    expect(next.offset).toBe(logEndOffset)
    await checkGap(again, logEndOffset)
    await again.close()

    for (let i = 0; i < 2; i++) {
      const clean = await openLog({ storage: cut, flush: WINDOW })
      expect(clean.recovery).toMatchObject({ clean: true, partitions: [], damage: [] })
      await checkGap(clean, logEndOffset)
      expect(clean.offsets('orders')[0].logEndOffset).toBe(logEndOffset + 1)
      await clean.close()
    }
    const last = await openLog({ storage: cut, flush: WINDOW })
    expect((await last.append('orders', { value: 'more' })).offset).toBe(logEndOffset + 1)
  })

  test('a reader that follows from inside the gap gets what comes behind it', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage, flush: WINDOW })
    await log.createTopic({ name: 'orders' })
    await log.append('orders', { value: 'lost' })
    const again = await openLog({ storage: storage.crash(), flush: WINDOW })
    const records = again.read('orders', { from: 1, follow: true })
    const first = records.next()
    const { offset } = await again.append('orders', { value: 'next' })
    expect((await first).value).toMatchObject({ offset, value: 'next' })
    await records.return?.()
    await again.close()
  })

  test("'group' needs no reservation: no gap", async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders' })
    for (let i = 0; i < 3; i++) await log.append('orders', { value: i })
    const again = await openLog({ storage: storage.crash() })
    expect((await again.append('orders', { value: 3 })).offset).toBe(3)
    expect(again.recovery.partitions.map(({ skippedOffsets }) => skippedOffsets)).not.toContain(1)
  })

  async function checkGap(log: Varve, end: number): Promise<void> {
    expect(await offsetsOf(log, 'orders')).toEqual([0, 1, 2, 3, 4, end])
    expect(await valuesOf(log, 'orders')).toEqual([0, 1, 2, 3, 4, 'behind'])
    for (const from of [5, 6, end - 1, end]) expect(await valuesOf(log, 'orders', { from })).toEqual(['behind'])
    expect(await valuesOf(log, 'orders', { from: { timestamp: 0 } })).toHaveLength(6)
  }
})

describe('after a clean close', () => {
  test('opening reads no log data, however much there is', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders', partitions: 4, segmentBytes: 5000 })
    for (let i = 0; i < 400; i++) await log.append('orders', { value: 'x'.repeat(100), partition: i % 4 })
    await log.close()
    const before = storage.calls.length
    const again = await openLog({ storage })
    const reads = storage.calls.slice(before).filter(({ kind }) => kind === 'read' || kind === 'readFile')
    expect(reads.filter(({ path }) => path.includes('/orders-') && path.endsWith('.log'))).toEqual([])
    expect(again.recovery).toMatchObject({ clean: true, scannedBytes: 0, cutBytes: 0, partitions: [], damage: [] })
    expect(await valuesOf(again, 'orders')).toHaveLength(400)
    expect((await again.append('orders', { value: 1, partition: 3 })).offset).toBe(100)
  })

  test('opening and closing again and again changes no log and no epoch', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders', segmentBytes: 300 })
    for (let i = 0; i < 10; i++) await log.append('orders', { value: i })
    await log.close()
    const before = await contentOf(storage, `${DIRECTORY}/orders-0`)
    for (let i = 0; i < 5; i++) await (await openLog({ storage })).close()
    expect(await contentOf(storage, `${DIRECTORY}/orders-0`)).toEqual(before)
    expect(await epochOf(await openLog({ storage }))).toBe(0)
  })
})

describe('a log whose first segments are deleted', () => {
  /** Stopped between the deletion and the sync that would have made the checkpoint name a later segment. */
  async function deletedBefore(beforeOffset: number): Promise<MemoryStorage> {
    const disk = new MemoryStorage()
    const log = await openLog({ storage: disk })
    await log.createTopic({ name: 'orders', flush: 'os', segmentBytes: 200, valueCodec: 'string' })
    for (let i = 0; i < 4; i++) await log.append('orders', { value: `${i}`.repeat(60) })
    const storage = disk.clone()
    const files = new CheckpointFiles(storage, DIRECTORY)
    const { checkpoint } = await files.load()
    const [partition] = Object.values(checkpoint!.partitions).filter(({ reservedOffset }) => reservedOffset > 0)
    expect(partition.durableSegment).toBe(0)
    const names = await namesIn(storage, `${DIRECTORY}/orders-0`)
    const bases = names.filter((name) => name.endsWith('.log')).map((name) => parseInt(name))
    expect(bases).toEqual([0, 1, 2, 3])
    const content = await storage.readFile(TAIL)
    Object.assign(partition, { logStartOffset: beforeOffset, durableOffset: 1, durablePosition: content.length })
    partition.segments = bases.map((base) => [base, content.length])
    await files.store(checkpoint!)
    for (const name of names) {
      if (parseInt(name) < beforeOffset) await storage.removeFile(`${DIRECTORY}/orders-0/${name}`)
    }
    return storage
  }

  test('does not miss the one that the checkpoint takes for the durable one', async () => {
    const log = await openLog({ storage: await deletedBefore(1) })
    expect(log.recovery.damage).toEqual([])
    expect(await offsetsOf(log, 'orders')).toEqual([1, 2, 3])
  })

  test('starts where it started, also when the names of all others are lost', async () => {
    const storage = await deletedBefore(1)
    for (const base of [1, 2, 3]) await storage.removeFile(segmentPath('orders', 0, base, '.log'))
    const log = await openLog({ storage })
    expect(log.recovery.damage).toEqual([])
    expect(log.offsets('orders')[0].logStartOffset).toBe(1)
    const { offset } = await log.append('orders', { value: 'next' })
    expect(offset).toBe(1 + BLOCK)
    expect(await offsetsOf(log, 'orders', { from: { 0: 1 } })).toEqual([offset])
    await log.close()
    const again = await openLog({ storage })
    expect(again.offsets('orders')[0].logStartOffset).toBe(1)
    expect(await offsetsOf(again, 'orders', { from: 'earliest' })).toEqual([offset])
  })
})

test('a batch behind skipped offsets is not taken for one in the gap when the first bytes of its offset are lost', async () => {
  const killed = new MemoryStorage()
  const first = await openLog({ storage: killed })
  await first.createTopic({ name: 'orders', flush: WINDOW, valueCodec: 'string' })
  await first.append('orders', { value: 'before' })
  await first.flush()
  const { length: position } = await killed.readFile(TAIL)
  const storage = killed.clone()
  const log = await openLog({ storage })
  expect(await log.append('orders', { value: 'behind' })).toMatchObject({ offset: 1 + BLOCK })
  const left = storage.clone()
  // 0x10001 without its upper bytes is 1, the offset that would have been next
  await changeFile(left, TAIL, (content) => void content.fill(0, position, position + 7))
  const again = await openLog({ storage: left })
  expect(again.recovery.damage).toEqual([])
  expect(await offsetsOf(again, 'orders')).toEqual([0])
  expect((await again.append('orders', { value: 'later' })).offset).toBeGreaterThan(1 + BLOCK)
})
