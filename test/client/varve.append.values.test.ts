/** Values: every codec and every compression gives back what was appended; codecs may use the log themselves. */
import { Packr, pack, unpack } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { compressionTypes } from '../../src/codec/compression.ts'
import type { ValueCodec } from '../../src/codec/value-codec.ts'
import type { AppendResult } from '../../src/engine/append-chunk.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { batchesOf, openLog, recordsOf, rejection, thrown, valuesOf } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const DATA = [
  0,
  -1,
  1.5,
  2 ** 53 - 1,
  true,
  false,
  '',
  'é日😀',
  [],
  {},
  [1, [2, [3]]],
  { a: { b: { c: null } }, list: [null, 'x'] },
  { 'a key with spaces': 1, '': 2 },
  'x'.repeat(100_000),
  Array.from({ length: 1000 }, (_, i) => ({ i })),
]

describe('values', () => {
  test.each(['msgpack', 'json'] as const)(
    'of every kind of data come back, one by one and in a batch (%s)',
    async (valueCodec) => {
      const storage = new MemoryStorage()
      const log = await openLog({ storage })
      await log.createTopic({ name: 'orders', valueCodec })
      await Promise.all(DATA.map((value) => log.append('orders', { value })))
      await log.appendBatch(
        'orders',
        DATA.map((value) => ({ value })),
      )
      expect(await valuesOf(log, 'orders')).toEqual([...DATA, ...DATA])
      await log.close()
      expect(await valuesOf(await openLog({ storage }), 'orders')).toEqual([...DATA, ...DATA])
    },
  )

  test('of msgpack may be dates, big integers, bytes and sets too', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders' })
    const value = {
      at: new Date(-5),
      big: 2n ** 63n,
      bytes: Buffer.from([0, 255]),
      set: new Set([1, 'a']),
      no: undefined,
    }
    await log.append('orders', { value })
    expect(await valuesOf(log, 'orders')).toEqual([value])
  })

  test('stand alone: each can be decoded without the ones before it', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders' })
    for (let i = 0; i < 10; i++) await log.append('orders', { value: { total: i, currency: 'EUR' } })
    for (let i = 9; i >= 0; i--) {
      const [record] = await recordsOf(log, 'orders', { from: i })
      expect(record.value).toEqual({ total: i, currency: 'EUR' })
      expect(unpack(record.valueBytes!)).toEqual({ total: i, currency: 'EUR' })
    }
  })

  test('of strings are UTF-8, of bytes any Uint8Array; both refuse anything else', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'text', valueCodec: 'string' })
    await log.createTopic({ name: 'raw', valueCodec: 'bytes' })
    await log.append('text', { value: 'é😀' })
    await log.append('text', { value: '' })
    await log.append('raw', { value: new Uint8Array([0, 1, 255]) })
    await log.append('raw', { value: Buffer.alloc(0) })
    expect(await valuesOf(log, 'text')).toEqual(['é😀', ''])
    expect(await valuesOf(log, 'raw')).toEqual([Buffer.from([0, 1, 255]), Buffer.alloc(0)])
    for (const value of [5, {}, Buffer.alloc(1)]) {
      const error = await rejection(log.append('text', { value }))
      expect(error).toBeInstanceOf(TypeError)
      expect(error.message).toContain('the string value codec takes a string')
    }
    for (const value of ['text', 5, [1, 2], new ArrayBuffer(2)]) {
      const error = await rejection(log.append('raw', { value }))
      expect(error).toBeInstanceOf(TypeError)
      expect(error.message).toContain('the bytes value codec takes a Uint8Array')
    }
  })

  const cyclic: { self?: unknown } = {}
  cyclic.self = cyclic
  test.each(['msgpack', 'json'] as const)(
    'that %s cannot hold are refused, naming the codec, and the next one is fine',
    async (valueCodec) => {
      const log = await openLog()
      await log.createTopic({ name: 'orders', valueCodec })
      const bad: unknown[] = valueCodec === 'json' ? [cyclic, 5n, () => 5, Symbol('x')] : [() => 5]
      for (const value of bad) {
        const error = await rejection(log.append('orders', { value }))
        expect(error).toBeInstanceOf(TypeError)
        expect(error.message).toContain(`the ${valueCodec} value codec takes`)
      }
      expect(await log.append('orders', { value: 1 })).toMatchObject({ offset: 0 })
      expect(await valuesOf(log, 'orders')).toEqual([1])
    },
  )

  test('that the codec did not write fail when they are decoded, and raw bytes are always there', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', valueCodec: 'bytes' })
    await log.append('orders', { key: 'k', value: Buffer.from('{nonsense') })
    await log.append('orders', { key: 'l', value: Buffer.from('5') })
    await log.alterTopic('orders', { valueCodec: 'json' })
    const [record, next] = await recordsOf(log, 'orders')
    const error = thrown(() => record.value as unknown)
    expect(error).toMatchObject({ code: 'INVALID_RECORD', details: { topic: 'orders', partition: 0, offset: 0 } })
    expect(error.message).toContain('the json value codec cannot read these 9 bytes')
    expect(error.message).toContain('record.valueBytes')
    expect([record.key, record.valueBytes!.toString()]).toEqual(['k', '{nonsense'])
    expect(next.value).toBe(5)
  })
})

describe.each(compressionTypes)('compressed by %s', (compressionType) => {
  test('records come back whole, in one batch or many, small or large, and after a kill', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders', compressionType, valueCodec: 'bytes', partitions: 2, segmentBytes: 50_000 })
    const random = new SeededRandom()
    const values = Array.from({ length: 60 }, (_, i) => {
      const size = random.pick([0, 1, 100, 5000, 40_000])
      return i % 2 === 0 ? Buffer.from(random.bytes(size)) : Buffer.alloc(size, 'abc')
    })
    const record = (value: Buffer) => ({
      key: 'k',
      value,
      headers: { h: value.subarray(0, 9) },
      timestamp: -5,
      partition: 1,
    })
    for (const value of values.slice(0, 20)) await log.append('orders', record(value))
    await log.appendBatch('orders', values.slice(20).map(record))
    const again = await openLog({ storage: storage.clone() })
    for (const opened of [log, again]) {
      const records = await recordsOf(opened, 'orders')
      expect(records.map(({ offset }) => offset)).toEqual(values.map((_, i) => i))
      for (const [i, { key, value, rawHeaders, timestamp }] of records.entries()) {
        expect([random.seed, i, values[i].equals(value as Buffer)]).toEqual([random.seed, i, true])
        expect([key, rawHeaders, timestamp]).toEqual(['k', [['h', values[i].subarray(0, 9)]], -5])
      }
    }
    for (const batch of await batchesOf(log, 'orders')) expect(batch.compressionType).toBe(compressionType)
  })

  test('one record out of the middle of a batch can be read', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', compressionType })
    await log.appendBatch(
      'orders',
      Array.from({ length: 200 }, (_, i) => ({ value: i, timestamp: i * 10 })),
    )
    expect((await valuesOf(log, 'orders', { from: 77 })).slice(0, 2)).toEqual([77, 78])
    expect((await valuesOf(log, 'orders', { from: { timestamp: 771 } })).slice(0, 2)).toEqual([78, 79])
  })
})

describe('a value codec or partitioner that uses the log itself', () => {
  /** Encodes by msgpackr, and appends to the log while it is at it. */
  function nosy(log: () => Varve, results: Promise<AppendResult>[], packr = new Packr()): ValueCodec {
    return {
      encode(value) {
        const { audit, ...rest } = value as { audit?: string }
        if (audit !== undefined) results.push(log().append(audit, { value: { nested: pack({ deep: [1] }) }, key: 'a' }))
        return packr.pack(rest)
      },
      decode: (bytes) => packr.unpack(bytes) as unknown,
    }
  }

  test.each(['each', 'group', 'os'] as const)(
    'finds its own record stored, and the one that it encodes as well, flush %s',
    async (flush) => {
      const results: Promise<AppendResult>[] = []
      const log: Varve = await openLog({ flush })
      await log.createTopic({ name: 'orders', valueCodec: nosy(() => log, results), partitions: 2 })
      await log.createTopic({ name: 'audit', partitions: 2 })
      for (const audit of ['audit', 'orders']) {
        for (let i = 0; i < 5; i++) {
          await log.append('orders', { key: 'a', value: { i, audit } })
          await log.appendBatch('orders', [
            { key: 'a', value: { i: 'first' } },
            { key: 'a', value: { i, audit } },
          ])
        }
      }
      const places = (await Promise.all(results)).map(({ partition, offset }) => `${partition}/${offset}`)
      expect(new Set(places.slice(10)).size).toBe(10)
      const nested = [...(await recordsOf(log, 'audit')), ...(await recordsOf(log, 'orders'))].filter((record) => {
        const { nested: packed } = record.value as { nested?: Buffer }
        return packed !== undefined && (unpack(packed) as { deep: number[] }).deep[0] === 1
      })
      expect(nested).toHaveLength(20)
      const outer = (await valuesOf(log, 'orders')).filter((value) => (value as { i?: unknown }).i !== undefined)
      expect(outer).toHaveLength(30)
    },
  )

  test('keeps its own record when the batch that it was called for is refused', async () => {
    const results: Promise<AppendResult>[] = []
    const storage = new MemoryStorage()
    const log: Varve = await openLog({ storage, maxPendingBytes: 2000 })
    await log.createTopic({ name: 'orders', valueCodec: nosy(() => log, results), maxMessageBytes: 300 })
    for (let round = 0; round < 30; round++) {
      const batch = [{ value: { i: 1 } }, { value: { i: 2, audit: 'orders' } }, { value: { i: 'x'.repeat(500) } }]
      expect(await rejection(log.appendBatch('orders', batch))).toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
    }
    const offsets = (await Promise.all(results)).map(({ offset }) => offset)
    expect(offsets).toEqual(Array.from({ length: 30 }, (_, i) => i))
    const stored = await valuesOf(log, 'orders')
    expect(stored.every((value) => (value as { nested?: unknown }).nested !== undefined)).toBe(true)
    expect(stored).toHaveLength(30)
  })

  test('never makes an append wait for ever: what it hands in is counted once', async () => {
    const results: Promise<AppendResult>[] = []
    const log: Varve = await openLog({ maxPendingBytes: 1000 })
    await log.createTopic({ name: 'orders', valueCodec: nosy(() => log, results) })
    for (let round = 0; round < 100; round++) {
      await log.appendBatch('orders', [{ value: { i: 1 } }, { value: { i: 2, audit: 'orders' } }, { value: { i: 3 } }])
    }
    await Promise.all(results)
    expect(log.offsets('orders')[0].logEndOffset).toBe(400)
  })

  test('keeps the records of a batch together and in order', async () => {
    const results: Promise<AppendResult>[] = []
    const log: Varve = await openLog()
    await log.createTopic({ name: 'orders', valueCodec: nosy(() => log, results) })
    const batch = Array.from({ length: 10 }, (_, i) => ({ value: i === 5 ? { i, audit: 'orders' } : { i } }))
    const offsets = (await log.appendBatch('orders', batch)).map(({ offset }) => offset)
    expect(offsets).toEqual(offsets.map((_, i) => offsets[0] + i))
  })

  test('a getter in a value may append, too', async () => {
    const log: Varve = await openLog()
    const appended: Promise<AppendResult>[] = []
    for (const valueCodec of ['msgpack', 'json'] as const) {
      await log.createTopic({ name: valueCodec, valueCodec })
      const value = {
        before: 'before'.repeat(20),
        get middle() {
          appended.push(log.append(valueCodec, { value: { inner: 'inner'.repeat(50) } }))
          return 'middle'
        },
        after: 'after'.repeat(20),
      }
      await log.append(valueCodec, { value })
      await Promise.all(appended)
      expect(await valuesOf(log, valueCodec)).toEqual([
        { inner: 'inner'.repeat(50) },
        { before: 'before'.repeat(20), middle: 'middle', after: 'after'.repeat(20) },
      ])
    }
  })

  test('a partitioner may append, too', async () => {
    const log: Varve = await openLog()
    const appended: Promise<AppendResult>[] = []
    await log.createTopic({ name: 'audit' })
    await log.createTopic({
      name: 'orders',
      partitions: 2,
      partitioner(key) {
        appended.push(log.append('audit', { value: pack({ key: Buffer.from(key).toString() }) }))
        appended.push(log.append('orders', { key: 'nested', value: 'nested', partition: 0 }))
        return 1
      },
    })
    await log.appendBatch('orders', [
      { key: 'a', value: { a: 1 } },
      { key: 'b', value: { b: 2 } },
    ])
    await log.append('orders', { key: 'c', value: { c: 3 } })
    await Promise.all(appended)
    expect(await valuesOf(log, 'orders', { partition: 1 })).toEqual([{ a: 1 }, { b: 2 }, { c: 3 }])
    expect(await valuesOf(log, 'orders', { partition: 0 })).toEqual(['nested', 'nested', 'nested'])
    const seen = (await valuesOf(log, 'audit')).map((value) => (unpack(value as Buffer) as { key: string }).key)
    expect(seen).toEqual(['a', 'b', 'c'])
  })
})
