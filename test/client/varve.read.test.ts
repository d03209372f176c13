/** Reading what is there: every place, every partition, every segment, in order. */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import {
  batchesOf,
  DIRECTORY,
  offsetsOf,
  openLog,
  outcomesOf,
  recordsOf,
  rejection,
  segmentPath,
  valuesOf,
} from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const range = (start: number, end: number) => Array.from({ length: Math.max(end - start, 0) }, (_, i) => start + i)

/** 200 records in batches of 1 to 10, over many segments; values are their offsets. */
async function manySegments(storage = new MemoryStorage()): Promise<Varve> {
  const log = await openLog({ storage })
  await log.createTopic({ name: 'orders', segmentBytes: 700, indexIntervalBytes: 100 })
  for (let i = 0, size = 1; i < 200; i += size, size = (size % 10) + 1) {
    await log.appendBatch(
      'orders',
      range(i, Math.min(i + size, 200)).map((value) => ({ value })),
    )
  }
  expect((await log.describeTopic('orders')).partitions[0].segments).toBeGreaterThan(5)
  return log
}

describe('from an offset', () => {
  test('every record from there on is read, and none before, wherever it lies in its batch or segment', async () => {
    const storage = new MemoryStorage()
    const log = await manySegments(storage)
    const afterKill = await openLog({ storage: storage.clone() })
    await log.close()
    const again = await openLog({ storage })
    for (const opened of [again, afterKill]) {
      for (const from of range(0, 201)) {
        expect(await valuesOf(opened, 'orders', { from })).toEqual(range(from, 200))
      }
    }
  })

  test('batches are whole: the first may begin before it, its records do not', async () => {
    const log = await manySegments()
    for (const from of range(0, 200)) {
      const [first, ...rest] = await batchesOf(log, 'orders', { from })
      expect(first.baseOffset).toBeLessThanOrEqual(from)
      expect(first.lastOffset).toBeGreaterThanOrEqual(from)
      expect(first.recordCount).toBe(first.lastOffset - first.baseOffset + 1)
      expect([...first].map(({ offset }) => offset)).toEqual(range(from, first.lastOffset + 1))
      expect(rest.flatMap((batch) => [...batch].map(({ offset }) => offset))).toEqual(range(first.lastOffset + 1, 200))
    }
  })

  test('records larger than what one read takes are read whole, between small ones', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders', valueCodec: 'bytes', maxMessageBytes: 8 * 1024 * 1024 })
    const sizes = [10, 3_000_000, 10, 20_000, 1_048_400, 1_048_577, 15, 5_000_000, 0]
    for (const [i, size] of sizes.entries()) await log.append('orders', { value: Buffer.alloc(size, i) })
    await log.close()
    const again = await openLog({ storage })
    for (const from of range(0, sizes.length)) {
      const values = (await valuesOf(again, 'orders', { from })) as Buffer[]
      expect(values.map((value) => value.length)).toEqual(sizes.slice(from))
      expect(values.every((value, i) => value.every((byte) => byte === from + i))).toBe(true)
    }
  })
})

describe('the bytes of readBatches', () => {
  test('are those on the disk, one batch after another', async () => {
    const storage = new MemoryStorage()
    const log = await manySegments(storage)
    await log.alterTopic('orders', { compressionType: 'gzip' })
    await log.appendBatch(
      'orders',
      range(200, 300).map((value) => ({ value })),
    )
    const read = Buffer.concat((await batchesOf(log, 'orders')).map((batch) => batch.bytes))
    const files = (await storage.list(`${DIRECTORY}/orders-0`)).filter(({ name }) => name.endsWith('.log'))
    const stored = await Promise.all(files.map(({ name }) => storage.readFile(`${DIRECTORY}/orders-0/${name}`)))
    expect(read.equals(Buffer.concat(stored))).toBe(true)
  })

  test('belong to whoever reads: changing them changes nothing that is read later', async () => {
    const log = await manySegments()
    for (const batch of await batchesOf(log, 'orders')) batch.bytes.fill(0)
    for (const record of await recordsOf(log, 'orders')) record.valueBytes!.fill(0)
    expect(await valuesOf(log, 'orders')).toEqual(range(0, 200))
  })

  test('say what the batch is', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', partitions: 2, compressionType: 'gzip' })
    await log.appendBatch('orders', [
      { partition: 1, timestamp: 30 },
      { partition: 1, timestamp: 20 },
    ])
    const [batch] = await batchesOf(log, 'orders', { partition: 1 })
    expect(batch).toMatchObject({
      topic: 'orders',
      partition: 1,
      baseOffset: 0,
      lastOffset: 1,
      recordCount: 2,
      maxTimestamp: 30,
      leaderEpoch: 0,
      compressionType: 'gzip',
    })
  })
})

test('a record shows itself: topic, partition, offset, timestamp, key, value, headers, also as JSON', async () => {
  const log = await openLog()
  await log.createTopic({ name: 'orders', partitions: 3 })
  await log.append('orders', { key: 'k', value: { a: 1 }, headers: { h: 'x', n: null }, timestamp: -7, partition: 2 })
  const [record] = await recordsOf(log, 'orders')
  const shown = {
    topic: 'orders',
    partition: 2,
    offset: 0,
    timestamp: -7,
    key: 'k',
    value: { a: 1 },
    headers: { h: 'x', n: null },
  }
  expect(JSON.parse(JSON.stringify(record))).toEqual(shown)
  expect(record).toMatchObject({ ...shown, headers: expect.anything() as unknown })
  expect([record.keyBytes, record.valueBytes!.length]).toEqual([Buffer.from('k'), 4])
})

describe('several partitions', () => {
  async function fourPartitions(random: SeededRandom): Promise<{ log: Varve; records: ConsumerRecord[][] }> {
    const log = await openLog()
    await log.createTopic({ name: 'orders', partitions: 4, segmentBytes: 2000 })
    for (let i = 0; i < 100; i++) {
      const partition = random.below(3) + (i > 50 ? 1 : 0)
      const size = random.between(1, 5)
      await log.appendBatch(
        'orders',
        range(0, size).map(() => ({ partition, timestamp: random.below(300), value: i })),
      )
    }
    const records: ConsumerRecord[][] = []
    for (let partition = 0; partition < 4; partition++) records.push(await recordsOf(log, 'orders', { partition }))
    return { log, records }
  }

  const placeOf = ({ partition, offset }: ConsumerRecord) => `${partition}/${offset}`

  test('are each read in the order of their offsets, and completely', async () => {
    const { log, records } = await fourPartitions(new SeededRandom())
    const all = await recordsOf(log, 'orders')
    for (let partition = 0; partition < 4; partition++) {
      expect(all.filter((record) => record.partition === partition).map(placeOf)).toEqual(
        records[partition].map(placeOf),
      )
    }
    expect(all).toHaveLength(records.flat().length)
  })

  test("merged by order 'time' they come by timestamp, among equals by partition, each still in offset order", async () => {
    const random = new SeededRandom()
    const { log, records } = await fourPartitions(random)
    const from = { 0: 'earliest', 1: 3, 2: { timestamp: 100 }, 3: 'earliest' } as const
    const starts = [0, 3, records[2].find(({ timestamp }) => timestamp >= 100)!.offset, 0]
    const queues = records.map((queue, partition) => queue.filter(({ offset }) => offset >= starts[partition]))
    const merged: string[] = []
    for (;;) {
      const heads = queues.flatMap((queue) => queue.slice(0, 1))
      if (heads.length === 0) break
      const next = heads.reduce((best, head) => (head.timestamp < best.timestamp ? head : best))
      merged.push(placeOf(next))
      queues[next.partition].shift()
    }
    const read = await recordsOf(log, 'orders', { from, order: 'time' })
    expect([random.seed, ...read.map(placeOf)]).toEqual([random.seed, ...merged])
  })

  test('that are empty, or partly so, are no trouble', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', partitions: 5 })
    for (const order of ['partition', 'time'] as const) expect(await recordsOf(log, 'orders', { order })).toEqual([])
    await log.append('orders', { partition: 3, value: 'x' })
    for (const order of ['partition', 'time'] as const) expect(await valuesOf(log, 'orders', { order })).toEqual(['x'])
  })
})

describe('the end', () => {
  test('is where the log ended when reading began, however much is appended meanwhile', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', partitions: 2 })
    for (let i = 0; i < 100; i++) await log.append('orders', { value: 'x'.repeat(1000), partition: i % 2 })
    for (const order of ['partition', 'time'] as const) {
      const before = log.offsets('orders').reduce((sum, { highWatermark }) => sum + highWatermark, 0)
      let count = 0
      for await (const record of log.read('orders', { order })) {
        count++
        if (count % 10 === 0) await log.append('orders', { value: 'later', partition: record.partition })
      }
      expect(count).toBe(before)
    }
  })

  test('of a durable mode is what survives a power cut: nobody reads what may be lost', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders' })
    await log.append('orders', { value: 'durable' })
    let release!: () => void
    storage.syncDelay = () => new Promise((resolve) => (release = resolve))
    const append = log.append('orders', { value: 'not yet' })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(log.offsets('orders')[0]).toMatchObject({ logEndOffset: 2, highWatermark: 1, durableOffset: 1 })
    expect(await valuesOf(log, 'orders')).toEqual(['durable'])
    expect(await rejection(recordsOf(log, 'orders', { from: 2 }))).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
    storage.syncDelay = undefined
    release()
    await append
    expect(await valuesOf(log, 'orders')).toEqual(['durable', 'not yet'])
  })
})

describe('an offset out of range', () => {
  async function tenLeft(): Promise<Varve> {
    const log = await openLog()
    await log.createTopic({ name: 'orders' })
    await log.appendBatch(
      'orders',
      range(0, 30).map((value) => ({ value })),
    )
    await log.deleteRecords('orders', { partition: 0, beforeOffset: 20 })
    return log
  }

  test.each([0, 19, 31, 1e12])('is an error that names the valid range: %i', async (from) => {
    const log = await tenLeft()
    for (const reading of [
      recordsOf(log, 'orders', { from }),
      batchesOf(log, 'orders', { from }),
      recordsOf(log, 'orders', { from, order: 'time' }),
    ]) {
      const error = await rejection(reading)
      expect(error).toMatchObject({
        code: 'OFFSET_OUT_OF_RANGE',
        details: { topic: 'orders', partition: 0, offset: from },
      })
      expect(error.message).toContain(`offset ${from} of orders-0 is out of range: it holds offsets 20 to 30`)
      expect(error.message).toContain('onOutOfRange')
    }
  })

  test('is none at the very start and the very end', async () => {
    const log = await tenLeft()
    expect(await offsetsOf(log, 'orders', { from: 20 })).toEqual(range(20, 30))
    expect(await offsetsOf(log, 'orders', { from: 30 })).toEqual([])
  })

  test('is the first or the end instead, for those who say so', async () => {
    const log = await tenLeft()
    for (const order of ['partition', 'time'] as const) {
      for (const from of [5, 50]) {
        expect(await offsetsOf(log, 'orders', { from, order, onOutOfRange: 'earliest' })).toEqual(range(20, 30))
        expect(await offsetsOf(log, 'orders', { from, order, onOutOfRange: 'latest' })).toEqual([])
        expect(await rejection(offsetsOf(log, 'orders', { from, order, onOutOfRange: 'error' }))).toMatchObject({
          code: 'OFFSET_OUT_OF_RANGE',
        })
      }
      expect(await offsetsOf(log, 'orders', { from: 25, order, onOutOfRange: 'latest' })).toEqual(range(25, 30))
    }
  })

  test('of one partition in a map is about that one', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', partitions: 2 })
    for (const partition of [0, 0, 1]) await log.append('orders', { partition })
    const error = await rejection(recordsOf(log, 'orders', { from: { 0: 2, 1: 2 } }))
    expect(error).toMatchObject({ details: { partition: 1, offset: 2 } })
    const records = await recordsOf(log, 'orders', { from: { 0: 1, 1: 2 }, onOutOfRange: 'earliest' })
    expect(records.map(({ partition, offset }) => [partition, offset])).toEqual([
      [0, 1],
      [1, 0],
    ])
  })
})

describe('from a time', () => {
  /** The first offset whose record is at or after a time. */
  const firstAt = (times: number[], time: number) => {
    const found = times.findIndex((timestamp) => timestamp >= time)
    return found < 0 ? times.length : found
  }

  const orders: [what: string, timeOf: (i: number, random: SeededRandom) => number][] = [
    ['in order', (i) => i * 10],
    ['all equal', () => 500],
    ['in reverse', (i) => -i],
    ['out of order', (_, random) => random.between(-100, 100)],
    [
      'in order but for a few that are far off',
      (i, random) => (random.chance(0.1) ? random.between(-1e6, 1e6) : i * 10),
    ],
  ]
  test.each(orders)('reading begins with the first record at or after it, timestamps %s', async (_what, timeOf) => {
    const random = new SeededRandom()
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders', segmentBytes: 600, indexIntervalBytes: 150 })
    const times = range(0, 120).map((i) => timeOf(i, random))
    for (let i = 0; i < times.length;) {
      const batch = times.slice(i, i + random.between(1, 6))
      await log.appendBatch(
        'orders',
        batch.map((timestamp) => ({ timestamp })),
      )
      i += batch.length
    }
    const afterKill = await openLog({ storage: storage.clone() })
    await log.flush()
    const wanted = new Set(times.flatMap((time) => [time - 1, time - 0.5, time, time + 1]))
    for (const time of [...wanted, -Number.MAX_VALUE, Number.MAX_VALUE, -8.64e15, 8.64e15]) {
      for (const opened of [log, afterKill]) {
        const [first] = await offsetsOf(opened, 'orders', { from: { timestamp: time } })
        const offset = first ?? times.length
        expect([random.seed, time, offset]).toEqual([random.seed, time, firstAt(times, time)])
      }
    }
    await log.close()
    const again = await openLog({ storage })
    for (const time of wanted) {
      const [first] = await offsetsOf(again, 'orders', { from: { timestamp: time } })
      expect([random.seed, time, first ?? times.length]).toEqual([random.seed, time, firstAt(times, time)])
    }
  })

  test('records before the start of the partition do not count', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', segmentBytes: 300 })
    const times = [50, 10, 90, 20, 30, 95, 40, 60]
    for (const timestamp of times) await log.append('orders', { timestamp })
    for (const start of range(0, 8)) {
      await log.deleteRecords('orders', { partition: 0, beforeOffset: start })
      for (const time of range(0, 100)) {
        const [first] = await offsetsOf(log, 'orders', { from: { timestamp: time } })
        const later = times.slice(start).findIndex((timestamp) => timestamp >= time)
        expect([start, time, first]).toEqual([start, time, later < 0 ? undefined : start + later])
      }
    }
  })

  test('after the last record is the end, and there following goes on', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders' })
    await log.append('orders', { timestamp: 10, value: 'old' })
    const following = log.read('orders', { from: { timestamp: 11 }, follow: true })
    const next = following.next()
    await log.append('orders', { timestamp: 5, value: 'late' })
    expect(((await next).value as ConsumerRecord).value).toBe('late')
  })

  test('records before it that come later are read too: a place is an offset, no filter', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders' })
    for (const timestamp of [10, 30, 20, 40]) await log.append('orders', { timestamp })
    expect(await offsetsOf(log, 'orders', { from: { timestamp: 25 } })).toEqual([1, 2, 3])
  })
})

test('a look-up by time while retention takes the segment under it ends well', async () => {
  const { GatedReads } = await import('../helpers/gated-reads.ts')
  const storage = new GatedReads(new MemoryStorage())
  const first = await openLog({ storage })
  await first.createTopic({ name: 'orders', segmentBytes: 300 })
  for (const i of range(0, 20)) await first.append('orders', { timestamp: i * 10 })
  await first.close()
  const log = await openLog({ storage })
  let release!: () => void
  const held = new Promise<void>((resolve) => (release = resolve))
  const oldest = segmentPath('orders', 0, 0, '.log')
  storage.gate = (path) => (path === oldest ? held : undefined)
  const reading = offsetsOf(log, 'orders', { from: { timestamp: 0 } })
  await new Promise((resolve) => setTimeout(resolve, 5))
  await log.deleteRecords('orders', { partition: 0, beforeOffset: 12 })
  release()
  expect(await reading).toEqual(range(12, 20))
  expect(await outcomesOf([storage.readFile(oldest)])).toEqual(['ENOENT'])
})
