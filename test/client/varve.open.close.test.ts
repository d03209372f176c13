/** Closing a log, whatever is under way. */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { OpenMode, StorageFile } from '../../src/storage/storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { GatedReads } from '../helpers/gated-reads.ts'
import { all, DIRECTORY, idle, openLog, outcomesOf, rejection, valuesOf } from '../helpers/logs.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

/** A memory that knows which files are open. */
class CountingStorage extends MemoryStorage {
  readonly open = new Set<StorageFile>()
  most = 0

  override async openFile(path: string, mode: OpenMode): Promise<StorageFile> {
    const file = await super.openFile(path, mode)
    const close = file.close.bind(file)
    file.close = async () => {
      this.open.delete(file)
      await close()
    }
    this.open.add(file)
    this.most = Math.max(this.most, this.open.size)
    return file
  }
}

const calls: [name: string, call: (log: Varve) => unknown][] = [
  ['createTopic', (log) => log.createTopic({ name: 'more' })],
  ['adoptTopic', (log) => log.adoptTopic({ name: 'more' })],
  ['listTopics', (log) => log.listTopics()],
  ['describeTopic', (log) => log.describeTopic('orders')],
  ['alterTopic', (log) => log.alterTopic('orders', { retentionMs: 1 })],
  ['createPartitions', (log) => log.createPartitions('orders', 2)],
  ['deleteTopic', (log) => log.deleteTopic('orders')],
  ['deleteRecords', (log) => log.deleteRecords('orders', { partition: 0, beforeOffset: 1 })],
  ['append', (log) => log.append('orders', { value: 1 })],
  ['appendBatch', (log) => log.appendBatch('orders', [{ value: 1 }])],
  ['an empty appendBatch', (log) => log.appendBatch('orders', [])],
  ['read', (log) => all(log.read('orders'))],
  ['readBatches', (log) => all(log.readBatches('orders'))],
  ['offsets', (log) => log.offsets('orders')],
  ['flush', (log) => log.flush()],
  ['enforceRetention', (log) => log.enforceRetention()],
]

describe('after close', () => {
  test.each(calls)('%s fails with CLOSED', async (_, call) => {
    const log = await openLog()
    await log.createTopic({ name: 'orders' })
    const closing = log.close()
    for (const moment of ['while closing', 'closed']) {
      const error = await rejection((async () => call(log))())
      expect([moment, error.code]).toEqual([moment, 'CLOSED'])
      expect(error.message).toBe(`the log in '${DIRECTORY}' is closed: open it again`)
      await closing
    }
  })

  test('an unknown topic is no excuse: CLOSED comes first', async () => {
    const log = await openLog()
    await log.close()
    expect(await rejection(log.append('none', { value: 1 }))).toMatchObject({ code: 'CLOSED' })
    expect(await rejection(log.describeTopic('none'))).toMatchObject({ code: 'CLOSED' })
  })

  test('its directory and its recovery report can still be asked for', async () => {
    const log = await openLog()
    await log.close()
    expect([log.directory, log.recovery.clean]).toEqual([DIRECTORY, true])
  })

  test('no timer, no hold and no open file is left', async () => {
    const storage = new CountingStorage()
    const clock = new FakeClock()
    const log = await openLog({ storage, clock, flush: { ms: 5 } })
    await log.createTopic({ name: 'orders', partitions: 3, segmentBytes: 300 })
    for (let i = 0; i < 30; i++) await log.append('orders', { value: i, partition: i % 3 })
    expect(await valuesOf(log, 'orders')).toHaveLength(30)
    await log.close()
    expect([clock.timerCount, clock.holdCount]).toEqual([0, 0])
    expect(storage.most).toBeGreaterThan(3)
    expect([...storage.open].map(({ path }) => path)).toEqual([])
  })
})

describe('close', () => {
  test.each(['os', 'group', 'each', { ms: 60_000 }] as const)('makes everything durable (flush: %o)', async (flush) => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage, flush })
    await log.createTopic({ name: 'orders', partitions: 2 })
    for (let i = 0; i < 10; i++) await log.append('orders', { value: i, partition: i % 2 })
    await log.close()
    const again = await openLog({ storage: storage.crash() })
    expect(again.recovery).toMatchObject({ clean: true, partitions: [] })
    expect(await valuesOf(again, 'orders')).toEqual([0, 2, 4, 6, 8, 1, 3, 5, 7, 9])
  })

  test('twice, or many times at once, is fine', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await Promise.all([log.close(), log.close(), log.close()])
    await log.close()
    // the second close must not give back the lock of the next one
    const next = await openLog({ storage })
    await log.close()
    expect(await rejection(openLog({ storage }))).toMatchObject({ code: 'LOCKED' })
    await next.close()
  })

  test('is what `await using` does at the end of its block', async () => {
    const storage = new MemoryStorage()
    let kept: Varve
    {
      await using log = await openLog({ storage })
      await log.createTopic({ name: 'orders' })
      kept = log
    }
    expect(await rejection(kept.listTopics())).toMatchObject({ code: 'CLOSED' })
    const again = await openLog({ storage })
    expect(again.recovery.clean).toBe(true)
  })

  test.each(['group', 'each', 'os', { ms: 5 }] as const)(
    'while appends are in flight (%o): each is kept, or rejected with CLOSED and not kept',
    async (flush) => {
      const storage = new MemoryStorage()
      const log = await openLog({ storage, flush, maxPendingBytes: 2000 })
      await log.createTopic({ name: 'orders', segmentBytes: 2000 })
      const appends = Array.from({ length: 100 }, (_, i) => log.append('orders', { value: `${i}`.repeat(20) }))
      appends.push(log.appendBatch('orders', [{ value: 'a' }, { value: 'b' }]).then(([first]) => first))
      const outcomes = outcomesOf(appends)
      await log.close()
      const settled = await outcomes
      const kinds = new Set(settled)
      expect(kinds).toContain('done')
      for (const kind of kinds) expect(['done', 'CLOSED']).toContain(kind)
      const values = await valuesOf(await openLog({ storage: storage.crash() }), 'orders')
      const wanted = settled.flatMap((outcome, i) => {
        if (outcome !== 'done') return []
        return i < 100 ? [`${i}`.repeat(20)] : ['a', 'b']
      })
      expect(values).toEqual(wanted)
    },
  )

  test('waits for the sync that an append waits for', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders' })
    const gate = new SyncGate()
    storage.syncGate = gate
    const order: string[] = []
    const append = log.append('orders', { value: 1 }).then(() => order.push('appended'))
    await gate.arrived()
    const close = log.close().then(() => order.push('closed'))
    await idle()
    expect(order).toEqual([])
    gate.open()
    await Promise.all([append, close])
    expect(order).toEqual(['appended', 'closed'])
  })

  test('while a topic is being created lets it finish', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    const creating = log.createTopic({ name: 'orders' })
    await log.close()
    expect((await creating).name).toBe('orders')
    expect(await valuesOf(await openLog({ storage: storage.crash() }), 'orders')).toEqual([])
  })

  const readers: [name: string, read: (log: Varve) => AsyncIterator<unknown>][] = [
    ['read', (log) => log.read('orders', { follow: true })],
    ['read in time order', (log) => log.read('orders', { follow: true, order: 'time' })],
    ['readBatches', (log) => log.readBatches('orders', { follow: true })],
  ]
  test.each(readers)('ends each follower with CLOSED, waiting or not (%s)', async (_, read) => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', partitions: 2 })
    await log.append('orders', { value: 1, partition: 0 })
    const waiting = read(log)
    await waiting.next()
    const ended = rejection(Promise.resolve(waiting.next()))
    const paused = read(log)
    await paused.next()
    const fresh = read(log)
    await idle()
    await log.close()
    expect(await ended).toMatchObject({ code: 'CLOSED' })
    expect(await rejection(Promise.resolve(paused.next()))).toMatchObject({ code: 'CLOSED' })
    expect(await rejection(Promise.resolve(fresh.next()))).toMatchObject({ code: 'CLOSED' })
    expect(await waiting.next()).toEqual({ value: undefined, done: true })
  })

  test('that cannot sync says so, gives the directory back, and the next open finds all that is there', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const log = await openLog({ storage, flush: 'os' })
    await log.createTopic({ name: 'orders' })
    await log.append('orders', { value: 1 })
    storage.failAt({ call: (kind, path) => kind === 'sync' && path.includes('/orders-'), code: 'EIO' })
    const error = await rejection(log.close())
    expect(error).toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
    expect(await rejection(log.close())).toBe(error)
    const again = await openLog({ storage })
    expect(again.recovery.clean).toBe(false)
    expect(await valuesOf(again, 'orders')).toEqual([1])
  })
})

test('a reader that is under way when the log closes leaves no file open', async () => {
  const storage = new GatedReads(new MemoryStorage())
  const log = await openLog({ storage })
  await log.createTopic({ name: 't', valueCodec: 'bytes' })
  const records = Array.from({ length: 300 }, () => ({ value: Buffer.alloc(1000) }))
  await log.appendBatch('t', records)
  await log.close()
  for (let turns = 0; turns < 40; turns++) {
    const again = await openLog({ storage })
    storage.gate = (path) => (path.includes('/t-0/') ? idle(3) : undefined)
    const reading = all(again.read('t', { partition: 0, from: 150 })).catch(() => null)
    await idle(turns)
    await again.close()
    await reading
    await idle()
    expect(storage.openFiles, `closed after ${turns} turns`).toBe(0)
    storage.gate = () => undefined
  }
})
