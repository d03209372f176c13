import { describe, expect, test } from 'vitest'
import { PendingBytes } from '../../src/engine/pending-bytes.ts'
import { VarveError } from '../../src/errors.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { idle, openLog, outcomesOf, rejection, valuesOf } from '../helpers/logs.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

/** Notes who was let in, and adds their bytes as an append does. */
function admission(pending: PendingBytes) {
  const entered: string[] = []
  const wait = (name: string, bytes: number, signal?: AbortSignal) =>
    pending.whenRoom(async () => {
      entered.push(name)
      pending.add(bytes)
      return name
    }, signal)
  return { entered, wait }
}

describe('the bound on pending bytes', () => {
  test('is reached, not approached: what comes first may be of any size', () => {
    const pending = new PendingBytes(100)
    pending.add(99)
    expect(pending.isFull).toBe(false)
    pending.add(5000)
    expect(pending.isFull).toBe(true)
    pending.remove(5000)
    expect(pending.isFull).toBe(false)
  })

  test('lets those who wait in, in their order, and no more than there is room for', async () => {
    const pending = new PendingBytes(100)
    pending.add(150)
    const { entered, wait } = admission(pending)
    const waiting = [wait('a', 40), wait('b', 70), wait('c', 1), wait('d', 1)]
    pending.remove(50)
    expect(entered).toEqual([])
    pending.remove(100)
    expect(entered).toEqual(['a', 'b'])
    // nobody gets ahead of those who wait
    expect(pending.isFull).toBe(true)
    pending.remove(40)
    expect(entered).toEqual(['a', 'b', 'c', 'd'])
    expect(await Promise.all(waiting)).toEqual(['a', 'b', 'c', 'd'])
    expect(pending.isFull).toBe(false)
  })

  test('keeps nobody behind one that gives up, before its turn or at it', async () => {
    const pending = new PendingBytes(10)
    pending.add(10)
    const { entered, wait } = admission(pending)
    const controller = new AbortController()
    const first = wait('a', 1, controller.signal)
    const second = pending.whenRoom<string>(() => {
      throw new TypeError('not a record')
    })
    const third = wait('c', 1)
    controller.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    pending.remove(10)
    await expect(second).rejects.toThrow('not a record')
    expect(await third).toBe('c')
    expect(entered).toEqual(['c'])
    controller.abort()
    await expect(wait('d', 1, controller.signal)).rejects.toThrow('enough')
  })

  test('refuses with QUEUE_FULL when 100,000 wait already', async () => {
    const pending = new PendingBytes(1)
    pending.add(1)
    const { entered, wait } = admission(pending)
    const waiting = Array.from({ length: 100_000 }, () => wait('w', 0))
    expect(await rejection(wait('one more', 0))).toMatchObject({ code: 'QUEUE_FULL', retriable: true })
    pending.remove(1)
    await Promise.all(waiting)
    expect(entered).toHaveLength(100_000)
  })

  test('refuses everyone who waits when the log closes', async () => {
    const pending = new PendingBytes(1)
    pending.add(1)
    const { entered, wait } = admission(pending)
    const outcomes = outcomesOf([wait('a', 1), wait('b', 1)])
    pending.refuseAll(new VarveError('CLOSED', 'closed'))
    expect(await outcomes).toEqual(['CLOSED', 'CLOSED'])
    pending.remove(1)
    expect(entered).toEqual([])
  })
})

describe('appends beyond maxPendingBytes', () => {
  /** A log that is full: its first append waits for a sync, and 1,000 bytes more are handed in. */
  async function fullLog() {
    const storage = new FaultyStorage(new MemoryStorage())
    const log = await openLog({ storage, maxPendingBytes: 1000 })
    await log.createTopic({ name: 't', valueCodec: 'string' })
    const gate = new SyncGate()
    storage.syncGate = gate
    const handedIn = [log.append('t', { value: 'first' })]
    await gate.arrived()
    for (let i = 0; i < 9; i++) handedIn.push(log.append('t', { value: String(i).repeat(100) }))
    await idle()
    return { log, gate, handedIn }
  }

  test('wait, and go on in their order when there is room', async () => {
    const { log, gate, handedIn } = await fullLog()
    let done = 0
    const values = Array.from({ length: 50 }, (_, i) => `late ${i} ${'.'.repeat(90)}`)
    const late = values.map(async (value, i) => {
      if (i % 10 === 3) await log.appendBatch('t', [{ value }])
      else await log.append('t', { value })
      done++
    })
    await idle()
    // nothing of them is encoded or written: they wait outside
    expect(log.offsets('t')[0].logEndOffset).toBe(1)
    expect(done).toBe(0)
    gate.open()
    await Promise.all([...handedIn, ...late])
    expect((await valuesOf(log, 't')).slice(10)).toEqual(values)
    await log.close()
  })

  test('can be given up while they wait, and those behind them go on', async () => {
    const { log, gate, handedIn } = await fullLog()
    const controller = new AbortController()
    const given = log.append('t', { value: 'given up' }, { signal: controller.signal })
    const batch = log.appendBatch('t', [{ value: 'given up too' }], { signal: controller.signal })
    const kept = log.append('t', { value: 'kept' })
    controller.abort(new Error('too late'))
    await expect(given).rejects.toThrow('too late')
    await expect(batch).rejects.toThrow('too late')
    gate.open()
    await Promise.all([...handedIn, kept])
    expect((await valuesOf(log, 't')).slice(10)).toEqual(['kept'])
    await log.close()
  })

  test('end with CLOSED when the log closes, and all that was handed in before is written', async () => {
    const { log, gate, handedIn } = await fullLog()
    const late = outcomesOf([log.append('t', { value: 'late' }), log.appendBatch('t', [{ value: 'later' }])])
    const closed = log.close()
    expect(await late).toEqual(['CLOSED', 'CLOSED'])
    gate.open()
    expect(new Set(await outcomesOf(handedIn))).toEqual(new Set(['done']))
    await closed
  })
})

test.each(['gzip', 'none'] as const)(
  'what was counted is given back whole, also where calls share batches (%s)',
  async (compressionType) => {
    const storage = new FaultyStorage(new MemoryStorage())
    const log = await openLog({ storage, maxPendingBytes: 64 * 1024 })
    await log.createTopic({ name: 't', valueCodec: 'string', compressionType })
    const value = 'a'.repeat(7000)
    for (let i = 0; i < 40; i++) await Promise.all(Array.from({ length: 8 }, () => log.appendBatch('t', [{ value }])))
    await Promise.all(Array.from({ length: 8 }, () => log.append('t', { value })))
    const gate = new SyncGate()
    storage.syncGate = gate
    const held = log.append('t', { value: 'first' })
    await gate.arrived()
    // what is queued cannot be given up any more; what has to wait for room can
    const stop = new AbortController()
    const queued = Array.from({ length: 5 }, () => log.append('t', { value }, { signal: stop.signal }))
    stop.abort()
    gate.open()
    expect(await outcomesOf([held, ...queued])).toEqual(Array(6).fill('done'))
  },
)
