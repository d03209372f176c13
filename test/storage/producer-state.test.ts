/** What is remembered of idempotent producers: which batches are taken, known again or refused, also after a restart. */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { decodeSnapshot, findSnapshotFault } from '../../src/codec/producer-snapshot.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { SyncGate } from '../helpers/sync-gate.ts'
import { changeFile, openLog, valuesOf } from '../helpers/logs.ts'
import { opened, PARTITION, snapshotPath, snapshotsIn, TOPIC } from '../helpers/idempotent-producer.ts'

const LAST_SEQUENCE = 2 ** 31 - 1

describe('a batch', () => {
  test('of one of the last five is known again, and gets the offset that it has', async () => {
    const { log, send } = await opened(new MemoryStorage())
    for (let i = 0; i < 8; i++) expect(await send(i * 2, { values: ['a', 'b'] })).toBe(i * 2)
    for (let i = 3; i < 8; i++) expect(await send(i * 2, { values: ['a', 'b'] })).toBe(i * 2)
    expect(await send(4, { values: ['a', 'b'] })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await send(16)).toBe(16)
    expect((await valuesOf(log, TOPIC)).length).toBe(17)
    await log.close()
  })

  test('that comes again with others under way is not doubled', async () => {
    const { log, send } = await opened(new MemoryStorage())
    expect(await Promise.all([send(0), send(1), send(1), send(0), send(2)])).toEqual([0, 1, 1, 0, 2])
    expect(log.offsets(TOPIC)[0].logEndOffset).toBe(3)
    await log.close()
  })

  test('that begins like a known one but is longer is no duplicate', async () => {
    const { log, send } = await opened(new MemoryStorage())
    await send(0)
    expect(await send(0, { values: ['a', 'b'] })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    await log.close()
  })

  test('after a gap is refused, and all that follow until the gap is filled', async () => {
    const { log, send } = await opened(new MemoryStorage())
    expect(await Promise.all([send(0), send(2), send(3), send(1), send(2)])).toEqual([
      0,
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      1,
      2,
    ])
    await log.close()
  })

  test('of an older epoch is refused, and a new epoch begins with 0', async () => {
    const { log, send } = await opened(new MemoryStorage())
    expect(await send(0, { epoch: 3 })).toBe(0)
    expect(await send(1, { epoch: 2 })).toBe('INVALID_PRODUCER_EPOCH')
    expect(await send(1, { epoch: 4 })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await send(0, { epoch: 4 })).toBe(1)
    expect(await send(1, { epoch: 3 })).toBe('INVALID_PRODUCER_EPOCH')
    await log.close()
  })

  test('after the greatest sequence has 0, also one that goes over it', async () => {
    const { log, send } = await opened(new MemoryStorage())
    expect(await send(LAST_SEQUENCE - 1)).toBe(0)
    expect(await send(LAST_SEQUENCE, { values: ['a', 'b'] })).toBe(1)
    expect(await send(0)).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await send(1)).toBe(3)
    expect(await send(LAST_SEQUENCE, { values: ['a', 'b'] })).toBe(1)
    await log.close()
  })

  test('of a producer that nobody knows is taken with any sequence, and producers do not mix', async () => {
    const { log, send } = await opened(new MemoryStorage())
    expect(await send(55)).toBe(0)
    expect(await send(0, { producerId: 8 })).toBe(1)
    expect(await send(56)).toBe(2)
    expect(await send(1, { producerId: 8 })).toBe(3)
    await log.close()
  })
})

describe('a producer', () => {
  const DAY_MS = 86_400_000

  test('that was silent for a day is forgotten, and one that was not is known', async () => {
    const storage = new MemoryStorage()
    const clock = new FakeClock()
    const { log, send } = await opened(storage, { clock })
    await send(0)
    await send(0, { producerId: 8 })
    clock.advance(DAY_MS - 1)
    expect(await send(2)).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await send(1, { producerId: 8 })).toBe(2)
    clock.advance(1)
    expect(await send(2)).toBe(3)
    expect(await send(3, { producerId: 8 })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    await log.close()
  })

  test('is not forgotten because the wall clock was moved', async () => {
    const clock = new FakeClock()
    const { log, send } = await opened(new MemoryStorage(), { clock })
    await send(0)
    clock.setWallClock(clock.now() + 100 * DAY_MS)
    expect(await send(0)).toBe(0)
    await log.close()
  })

  test('that was forgotten is in no snapshot any more; after a restart the day begins again', async () => {
    const storage = new MemoryStorage()
    const clock = new FakeClock()
    const first = await opened(storage, { clock })
    await first.send(0)
    await first.send(0, { producerId: 8 })
    await first.log.close()
    const again = new FakeClock()
    const second = await opened(storage, { clock: again })
    await second.send(1)
    again.advance(DAY_MS)
    await second.log.close()
    const { log, send } = await opened(storage, { clock: again })
    expect(Math.max(...(await snapshotsIn(storage)))).toBe(3)
    expect(decodeSnapshot(await storage.readFile(snapshotPath(3)))).toEqual([])
    // what stands in the log is read
    expect(await send(1)).toBe(2)
    await log.close()
  })

  test('is forgotten where 10,000 others have been heard of since', async () => {
    const { log, send } = await opened(new MemoryStorage(), { flush: 'os' })
    await send(0)
    await Promise.all(Array.from({ length: 9_999 }, (_, i) => send(0, { producerId: 100 + i })))
    expect(await send(0)).toBe(0)
    await send(0, { producerId: 50 })
    expect(await send(2)).toBe(10_001)
    await log.close()
  })
})

describe('those that are remembered', () => {
  const listed = (log: Varve) => log['engine'].topic(TOPIC).partition(0).producers()

  test('are listed with their last batch, also before any of them sends again', async () => {
    const storage = new MemoryStorage()
    const first = await opened(storage)
    await first.send(0, { values: ['a', 'b'] })
    await first.send(0, { producerId: 8, epoch: 3 })
    const known = [
      { producerId: 7, epoch: 0, lastSequence: 1, lastTimestamp: 1_000 },
      { producerId: 8, epoch: 3, lastSequence: 0, lastTimestamp: 1_000 },
    ]
    expect(await listed(first.log)).toEqual(known)
    await first.log.close()
    const reader = await openLog({ storage, readOnly: true })
    expect(await listed(reader)).toEqual(known)
    await reader.close()
    const { log, send } = await opened(storage)
    expect(await listed(log)).toEqual(known)
    expect(await send(2)).toBe(3)
    await log.close()
  })

  test('are none where none has sent, and to look writes nothing', async () => {
    const storage = new MemoryStorage()
    const { log } = await opened(storage)
    expect(await listed(log)).toEqual([])
    expect(await snapshotsIn(storage)).toEqual([])
    await log.close()
  })
})

describe('after a restart', () => {
  test('in order the last batch is known again, from a snapshot as Kafka writes them at the end offset', async () => {
    const storage = new MemoryStorage()
    const first = await opened(storage)
    for (let i = 0; i < 3; i++) await first.send(i)
    await first.log.close()
    expect(await snapshotsIn(storage)).toEqual([0, 3])
    const content = await storage.readFile(`${PARTITION}/${'3'.padStart(20, '0')}.snapshot`)
    expect(findSnapshotFault(content)).toBe(null)
    expect(content.toString('hex', 6)).toBe(
      '00000001' +
        '0000000000000007' +
        '0000' +
        '00000002' +
        '0000000000000002' +
        '00000000' +
        '00000000000003e8' +
        'ffffffff' +
        'ffffffffffffffff',
    )
    const { log, send } = await opened(storage)
    expect(await send(2)).toBe(2)
    expect(await send(4)).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await send(3)).toBe(3)
    await log.close()
  })

  test('in order the last five batches are known again, although a snapshot tells of one', async () => {
    for (const segmentBytes of [100, 250, 2 ** 20]) {
      const storage = new MemoryStorage()
      const first = await opened(storage, {}, { segmentBytes })
      for (let i = 0; i < 9; i++) await first.send(i)
      await first.log.close()
      const { log, send } = await opened(storage)
      expect(await Promise.all([4, 5, 6, 7, 8, 3, 9].map((sequence) => send(sequence)))).toEqual([
        4,
        5,
        6,
        7,
        8,
        'OUT_OF_ORDER_SEQUENCE_NUMBER',
        9,
      ])
      await log.close()
    }
  })

  test('a producer that was silent for long is known from the snapshot, one that went on from the log', async () => {
    const storage = new MemoryStorage()
    const first = await opened(storage)
    await first.send(0, { producerId: 8 })
    const values = ['x'.repeat(900_000)]
    for (let i = 0; i < 45; i++) await first.send(i, { values })
    await first.log.close()
    const { log, send } = await opened(storage)
    expect(await send(0, { producerId: 8 })).toBe(0)
    expect(await send(2, { producerId: 8 })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await Promise.all([40, 41, 42, 43, 44].map((sequence) => send(sequence, { values })))).toEqual([
      41, 42, 43, 44, 45,
    ])
    await log.close()
  })

  test('a snapshot that was taken while a sync was under way waits until what it tells of is durable', async () => {
    const storage = new MemoryStorage()
    const options = { flush: { ms: 60_000 } }
    const first = await opened(storage, options, { segmentBytes: 200 })
    await first.send(0)
    await first.log.flush()
    const gate = new SyncGate()
    await first.send(1)
    storage.syncDelay = (path) => (path.endsWith('.log') ? gate.pass(path) : undefined)
    const flushed = first.log.flush()
    await gate.arrived()
    const partition = first.log['engine'].topic(TOPIC).partition(0)
    // as a roll does that comes while the sync is under way
    partition.log.producers.capture(partition.log.logEndOffset + 1)
    gate.open()
    await flushed
    expect(Math.max(...(await snapshotsIn(storage)))).toBeLessThanOrEqual(2)
    await first.log.close()
  })

  test('after a power cut all that is durable is known again, from the log', async () => {
    const storage = new MemoryStorage()
    const first = await opened(storage)
    for (let i = 0; i < 7; i++) await first.send(i)
    const { log, send } = await opened(storage.crash())
    expect(await Promise.all([2, 3, 4, 5, 6].map((sequence) => send(sequence)))).toEqual([2, 3, 4, 5, 6])
    expect(await send(8)).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await send(7)).toBe(7)
    await log.close()
  })

  test('what a power cut took is taken again, whatever a snapshot might have said of it', async () => {
    const storage = new MemoryStorage()
    const options = { flush: 'os' as const }
    const first = await opened(storage, options, { segmentBytes: 200 })
    await first.send(0)
    await first.log.flush()
    for (let i = 1; i < 10; i++) await first.send(i)
    const crashed = storage.crash()
    const { log, send } = await opened(crashed, options)
    expect((await valuesOf(log, TOPIC)).length).toBe(1)
    expect(await send(0)).toBe(0)
    const again = await send(1)
    expect(again).toBeGreaterThanOrEqual(10)
    expect(await send(1)).toBe(again)
    await log.close()
  })

  test.each(['cut short', 'a wrong byte', 'gone'])(
    'a snapshot that is damaged (%s) costs nothing but a look',
    async (damage) => {
      const storage = new MemoryStorage()
      const first = await opened(storage, {}, { segmentBytes: 300 })
      for (let i = 0; i < 20; i++) await first.send(i)
      await first.log.close()
      const newest = Math.max(...(await snapshotsIn(storage)))
      expect(newest).toBe(20)
      const path = `${PARTITION}/${String(newest).padStart(20, '0')}.snapshot`
      if (damage === 'gone') await storage.removeFile(path)
      else
        await changeFile(storage, path, (content) => {
          if (damage === 'cut short') return content.subarray(0, 30)
          content[20] ^= 1
          return content
        })
      const { log, send } = await opened(storage)
      expect(await Promise.all([18, 19, 21, 20].map((sequence) => send(sequence)))).toEqual([
        18,
        19,
        'OUT_OF_ORDER_SEQUENCE_NUMBER',
        20,
      ])
      await log.close()
    },
  )
})
