/** Appending: order, places, what is stored, what is refused. */
import murmur from 'murmurhash3js-revisited'
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { crc32, murmur2 } from '../../src/codec/key-hash.ts'
import type { AppendResult } from '../../src/engine/append-chunk.ts'
import type { HeaderValue, ProducerRecord } from '../../src/engine/record-encoding.ts'
import type { AppendOptions } from '../../src/engine/topic.ts'
import { VarveError } from '../../src/errors.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { batchesOf, contentOf, openLog, recordsOf, rejection, valuesOf } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

async function withOrders(partitions = 1, options: Parameters<typeof openLog>[0] = {}): Promise<Varve> {
  const log = await openLog(options)
  await log.createTopic({ name: 'orders', partitions })
  return log
}

describe('results', () => {
  test('tell partition, offset and timestamp: offsets from 0, one after another, without a gap', async () => {
    const log = await withOrders(1, { clock: new FakeClock(1_234) })
    expect(await log.append('orders', { value: 'a' })).toEqual({ partition: 0, offset: 0, timestamp: 1_234 })
    expect(await log.append('orders', { value: 'b', timestamp: 99 })).toEqual({
      partition: 0,
      offset: 1,
      timestamp: 99,
    })
    expect(await log.appendBatch('orders', [{ value: 'c' }, { value: 'd', timestamp: -5 }])).toEqual([
      { partition: 0, offset: 2, timestamp: 1_234 },
      { partition: 0, offset: 3, timestamp: -5 },
    ])
  })

  test.each(['each', 'group', 'os', { ms: 5 }] as const)('come in the order of the calls, flush %j', async (flush) => {
    const log = await withOrders(3, { flush })
    const settled: number[] = []
    const random = new SeededRandom()
    const calls: Promise<AppendResult[]>[] = []
    const values: number[] = []
    for (let i = 0; i < 200; i++) {
      const count = random.chance(0.3) ? random.between(1, 5) : 0
      const record = (): ProducerRecord => ({ value: values.push(values.length) - 1, partition: i % 3 })
      const call =
        count === 0
          ? log.append('orders', record()).then((result) => [result])
          : log.appendBatch('orders', Array.from({ length: count }, record))
      calls.push(call)
      // a batch is told some ticks later, because its promise is not the writer's own
      if (count === 0) void call.then(() => settled.push(i))
      if (random.chance(0.1)) await new Promise((resolve) => setImmediate(resolve))
    }
    const results = (await Promise.all(calls)).flat()
    for (let partition = 0; partition < 3; partition++) {
      // calls are acknowledged in order, records stand in order, and each result names its own record
      const acknowledged = settled.filter((call) => call % 3 === partition)
      expect(acknowledged).toEqual(acknowledged.toSorted((a, b) => a - b))
      const stored = await recordsOf(log, 'orders', { partition })
      const own = results.flatMap((result, i) =>
        result.partition === partition ? [{ ...result, value: values[i] }] : [],
      )
      expect(own.map(({ offset }) => offset)).toEqual(stored.map(({ offset }) => offset))
      expect(own.map(({ value }) => value)).toEqual(stored.map(({ value }) => value as number))
    }
    await log.close()
  })

  test('of a batch stand in the order of its records, whichever partitions they go to', async () => {
    const log = await withOrders(5)
    const records = Array.from({ length: 100 }, (_, i) => ({ key: `k${i % 17}`, value: i }))
    const results = await log.appendBatch('orders', records)
    const stored = await recordsOf(log, 'orders')
    for (const [i, { partition, offset }] of results.entries()) {
      const record = stored.find((one) => one.partition === partition && one.offset === offset)
      expect(record!.value).toBe(i)
    }
  })

  test('of an empty batch are none, and nothing is written', async () => {
    const storage = new MemoryStorage()
    const log = await withOrders(2, { storage })
    const before = await contentOf(storage)
    expect(await log.appendBatch('orders', [])).toEqual([])
    expect(await contentOf(storage)).toEqual(before)
  })

  test('of 20,000 records in one batch are all there', async () => {
    const log = await withOrders()
    const results = await log.appendBatch(
      'orders',
      Array.from({ length: 20_000 }, (_, i) => ({ value: i })),
    )
    expect(results.every(({ offset }, i) => offset === i)).toBe(true)
    expect((await valuesOf(log, 'orders')).every((value, i) => value === i)).toBe(true)
  })
})

describe('partitions', () => {
  const hashers = {
    murmur3: (key: Buffer) => murmur.x86.hash32(key) & 0x7fffffff,
    murmur2: (key: Buffer) => murmur2(key) & 0x7fffffff,
    crc32,
  }
  const keys = [
    '',
    'a',
    'cust-881',
    'é',
    '日本',
    '😀',
    '0',
    'x'.repeat(1000),
    ...Array.from({ length: 50 }, (_, i) => `key ${i}`),
  ]

  test.each(Object.keys(hashers) as (keyof typeof hashers)[])(
    'of keys are what the documented hash says (%s), as text or bytes, alone or in a batch, also after a new open',
    async (partitioner) => {
      const storage = new MemoryStorage()
      const log = await openLog({ storage })
      await log.createTopic({ name: 'orders', partitions: 7, partitioner })
      const wanted = keys.map((key) => hashers[partitioner](Buffer.from(key)) % 7)
      const placesOf = (results: AppendResult[]) => results.map(({ partition }) => partition)
      const alone = keys.map((key) => log.append('orders', { key }))
      expect(placesOf(await Promise.all(alone))).toEqual(wanted)
      expect(
        placesOf(
          await log.appendBatch(
            'orders',
            keys.map((key) => ({ key: Buffer.from(key) })),
          ),
        ),
      ).toEqual(wanted)
      await log.close()
      const again = await openLog({ storage })
      expect(
        placesOf(
          await again.appendBatch(
            'orders',
            keys.map((key) => ({ key })),
          ),
        ),
      ).toEqual(wanted)
    },
  )

  test('a record may have neither a key nor a value', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', partitions: 2 })
    await log.append('orders', { value: null })
    expect(await recordsOf(log, 'orders')).toMatchObject([{ key: null, value: null, valueBytes: null }])
  })

  test('an empty key is a key, and null is none', async () => {
    const log = await withOrders(1)
    await log.appendBatch('orders', [{ key: '' }, { key: null }, {}, { key: Buffer.alloc(0) }, { key: undefined }])
    const records = await recordsOf(log, 'orders')
    expect(records.map(({ key }) => key)).toEqual(['', null, null, '', null])
    expect(records.map(({ keyBytes }) => keyBytes?.length)).toEqual([0, undefined, undefined, 0, undefined])
  })

  test("the record's own choice comes first", async () => {
    const log = await withOrders(4)
    for (let partition = 0; partition < 4; partition++) {
      expect((await log.append('orders', { key: 'same', partition })).partition).toBe(partition)
    }
  })

  test('records without a key stay together for a batch of 16 KiB and then go elsewhere', async () => {
    const log = await openLog({ random: new SeededRandom(7) })
    await log.createTopic({ name: 'orders', partitions: 4, valueCodec: 'bytes' })
    const value = Buffer.alloc(1024)
    const runs: { partition: number; length: number }[] = []
    for (let i = 0; i < 160; i++) {
      const { partition } =
        i % 2 === 0 ? await log.append('orders', { value }) : (await log.appendBatch('orders', [{ value }]))[0]
      if (runs.at(-1)?.partition === partition) runs.at(-1)!.length++
      else runs.push({ partition, length: 1 })
    }
    expect(runs.map(({ length }) => length)).toEqual(Array.from({ length: 10 }, () => 16))
    expect(new Set(runs.map(({ partition }) => partition)).size).toBe(4)
  })

  test('a partition that is not there is named with those that are', async () => {
    const log = await withOrders(2)
    for (const partition of [2, -1, 1e9]) {
      const error = await rejection(log.append('orders', { partition, value: 1 }))
      expect(error).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', details: { topic: 'orders', partition } })
      expect(error.message).toContain(`topic 'orders' has partitions 0 to 1, not ${partition}`)
    }
    for (const partition of ['0', 'length', 0.5, Infinity, NaN, null, {}, 1n]) {
      const error = await rejection(log.append('orders', { partition: partition as number }))
      expect(error).toBeInstanceOf(partition === 0.5 || partition === Infinity ? RangeError : TypeError)
      expect(error.message).toContain("a record's partition must be an integer, not ")
    }
  })
})

describe('headers', () => {
  const bytes = Buffer.from([0, 255, 128])
  const forms: [what: string, headers: ProducerRecord['headers'], stored: [string, HeaderValue][]][] = [
    ['none', undefined, []],
    ['an empty object', {}, []],
    [
      'an object',
      { a: '1', b: bytes, c: null, '': '' },
      [
        ['a', '1'],
        ['b', bytes],
        ['c', null],
        ['', ''],
      ],
    ],
    [
      'pairs, repeated and in order',
      [
        ['b', '1'],
        ['a', '2'],
        ['b', '3'],
      ],
      [
        ['b', '1'],
        ['a', '2'],
        ['b', '3'],
      ],
    ],
    ['a Map', new Map([['a', '1']]) as never, [['a', '1']]],
    ['__proto__ among pairs', [['__proto__', 'x']], [['__proto__', 'x']]],
    [
      '300 of them',
      Array.from({ length: 300 }, (_, i) => [`h${i}`, `${i}`] as const),
      Array.from({ length: 300 }, (_, i) => [`h${i}`, `${i}`]),
    ],
  ]
  test.each(forms)('%s are read as they were given', async (_what, headers, stored) => {
    const log = await withOrders()
    await log.append('orders', { value: 1, headers })
    await log.append('orders', { headers })
    for (const record of await recordsOf(log, 'orders')) {
      const wanted = stored.map(([name, value]) => [name, typeof value === 'string' ? Buffer.from(value) : value])
      expect(record.rawHeaders).toEqual(wanted)
      const last = new Map(stored.map(([name, value]) => [name, value === null ? null : Buffer.from(value).toString()]))
      expect(new Map(Object.entries(record.headers))).toEqual(last)
    }
  })

  const wrong: [headers: unknown, message: string][] = [
    [null, 'must be an object or an array of pairs, not null'],
    ['a=b', "must be an object or an array of pairs, not 'a=b'"],
    [{ a: 5 }, "the value of header 'a' must be a string, bytes or null, not 5"],
    [{ a: undefined }, "the value of header 'a'"],
    [{ a: ['x'] }, "the value of header 'a'"],
    [[[5, 'x']], "a header's name must be a string, not 5"],
    [[['a']], "the value of header 'a'"],
  ]
  test.each(wrong)('%j are refused', async (headers, message) => {
    const log = await withOrders()
    const error = await rejection(log.append('orders', { headers: headers as ProducerRecord['headers'] }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain(message)
  })
})

describe('timestamps', () => {
  const times = [0, -1, -62_135_596_800_000, 8.64e15, -8.64e15, 1, 253_402_300_799_999, 0]

  test('from any time are kept to the millisecond, in one batch or many', async () => {
    const log = await withOrders()
    await log.appendBatch(
      'orders',
      times.map((timestamp) => ({ timestamp })),
    )
    for (const timestamp of times) expect(await log.append('orders', { timestamp })).toMatchObject({ timestamp })
    expect((await recordsOf(log, 'orders')).map(({ timestamp }) => timestamp)).toEqual([...times, ...times])
  })

  test('are those of the clock where none is given, also when it goes back', async () => {
    const clock = new FakeClock(5_000)
    const log = await withOrders(1, { clock })
    await log.append('orders', {})
    clock.setWallClock(-70)
    await log.append('orders', {})
    expect((await recordsOf(log, 'orders')).map(({ timestamp }) => timestamp)).toEqual([5_000, -70])
  })

  test.each([
    ['1.5', 1.5, RangeError],
    ['Infinity', Infinity, RangeError],
    ['8640000000000001', 8.64e15 + 1, RangeError],
    ['NaN', NaN, TypeError],
    ["'5'", '5', TypeError],
    ['5n', 5n, TypeError],
    ['null', null, TypeError],
    ['the Date 1970-01-01T00:00:00.005Z', new Date(5), TypeError],
  ])('%s is refused, naming the range and what it was', async (shown, timestamp, kind) => {
    const log = await withOrders()
    const error = await rejection(log.append('orders', { timestamp: timestamp as number }))
    expect(error).toBeInstanceOf(kind)
    const must = 'must be an integer of milliseconds since the epoch, from -8.64e15 to 8.64e15'
    expect(error.message).toBe(`a record's timestamp ${must}, not ${shown}`)
  })

  test.each(['each', 'group', 'os', { ms: 5 }] as const)(
    'under LogAppendTime the result has the time that is read, flush %j',
    async (flush) => {
      const clock = new FakeClock(1_000)
      const log = await openLog({ clock, flush })
      await log.createTopic({ name: 'orders', messageTimestampType: 'LogAppendTime' })
      const results: Promise<AppendResult>[] = []
      for (let i = 0; i < 50; i++) {
        results.push(log.append('orders', { value: 'x'.repeat(i * 100), timestamp: 5 }))
        if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
        clock.setWallClock(1_001 + i)
      }
      const batch = log.appendBatch(
        'orders',
        Array.from({ length: 100 }, () => ({ value: 'y'.repeat(500), timestamp: 5 })),
      )
      const appended = [...(await Promise.all(results)), ...(await batch)]
      const records = await recordsOf(log, 'orders')
      expect(appended.map(({ timestamp }) => timestamp)).toEqual(records.map(({ timestamp }) => timestamp))
      for (const { timestamp } of appended) expect(timestamp).toBeGreaterThanOrEqual(1_000)
      await log.close()
    },
  )
})

describe('what is handed in', () => {
  test('may be changed as soon as the call has returned: what is stored is what was given', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', valueCodec: 'bytes', partitions: 2 })
    const key = Buffer.from('key')
    const value = Buffer.from('value')
    const header = Buffer.from('header')
    const pairs: [string, Buffer][] = [['h', header]]
    const record: ProducerRecord = { key, value, headers: pairs, timestamp: 5, partition: 1 }
    const calls = [log.append('orders', record), log.appendBatch('orders', [record, record])]
    for (const bytes of [key, value, header]) bytes.fill(0)
    pairs.push(['later', header])
    Object.assign(record, { key: 'other', value: null, partition: 0, timestamp: 6 })
    await Promise.all(calls)
    const records = await recordsOf(log, 'orders')
    expect(records).toHaveLength(3)
    for (const stored of records) {
      expect([stored.partition, stored.key, stored.value, stored.timestamp]).toEqual([
        1,
        'key',
        Buffer.from('value'),
        5,
      ])
      expect(stored.rawHeaders).toEqual([['h', Buffer.from('header')]])
    }
  })

  test('a view on larger memory is stored as the view that it is', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', valueCodec: 'bytes' })
    const memory = new Uint8Array([9, 9, 1, 2, 3, 9])
    await log.append('orders', { key: memory.subarray(2, 5), value: memory.subarray(3, 4) })
    const [record] = await recordsOf(log, 'orders')
    expect([...record.keyBytes!]).toEqual([1, 2, 3])
    expect([...record.valueBytes!]).toEqual([2])
  })

  test('null and nothing are a tombstone: no value, whatever the codec', async () => {
    const log = await openLog()
    for (const valueCodec of ['msgpack', 'json', 'string', 'bytes'] as const) {
      await log.createTopic({ name: valueCodec, valueCodec })
      await log.appendBatch(valueCodec, [{ key: 'k', value: null }, { key: 'k' }, { key: 'k', value: undefined }])
      const records = await recordsOf(log, valueCodec)
      expect(records.map(({ value, valueBytes }) => [value as unknown, valueBytes])).toEqual([
        [null, null],
        [null, null],
        [null, null],
      ])
    }
  })

  const wrong: [what: string, record: unknown, message: string][] = [
    ['text', 'hello', "a record must be an object { key, value, headers, timestamp, partition }, not 'hello'"],
    ['nothing', undefined, 'not undefined'],
    ['null', null, 'not null'],
    ['an array', [1], 'not an array'],
    [
      'an unknown property',
      { total: 5 },
      "unknown record property 'total'; a record has key, value, headers, timestamp, partition: put your data under 'value'",
    ],
    ['a misspelt property', { value: 1, header: {} }, "unknown record property 'header' (did you mean 'headers'?)"],
    ['an inherited unknown property', Object.create({ topic: 'x' }), "unknown record property 'topic'"],
    ['a number for a key', { key: 5 }, "a record's key must be a string, bytes or null, not 5"],
    ['an object for a key', { key: {} }, "a record's key must be"],
  ]
  test.each(wrong)('%s is refused, and the next record is fine', async (_what, record, message) => {
    const log = await withOrders()
    for (const call of [
      log.append('orders', record as ProducerRecord),
      log.appendBatch('orders', [record as ProducerRecord]),
    ]) {
      const error = await rejection(call)
      expect(error).toBeInstanceOf(TypeError)
      expect(error.message).toContain(message)
    }
    expect(await log.append('orders', { value: 1 })).toMatchObject({ offset: 0 })
  })

  test('a wrong list of records, or wrong options, are refused', async () => {
    const log = await withOrders()
    for (const records of [undefined, null, 'abc', { 0: {} }, new Set()]) {
      const error = await rejection(log.appendBatch('orders', records as unknown as ProducerRecord[]))
      expect(error).toBeInstanceOf(TypeError)
      expect(error.message).toContain('appendBatch: records must be an array')
    }
    for (const options of [null, 5, 'x', { expectOffset: 5 }, { signal: {} }, { expectedOffset: '5' }]) {
      expect(await rejection(log.append('orders', {}, options as AppendOptions))).toBeInstanceOf(TypeError)
      expect(await rejection(log.appendBatch('orders', [], options as AppendOptions))).toBeInstanceOf(TypeError)
    }
    expect(await rejection(log.append('orders', {}, { expectedOffset: -1 }))).toBeInstanceOf(RangeError)
    expect(await valuesOf(log, 'orders')).toEqual([])
  })
})

describe('appendBatch', () => {
  const refused: [what: string, record: ProducerRecord, kind: unknown][] = [
    ['of a wrong type', { key: 5 as unknown as string }, TypeError],
    ['too large', { value: 'x'.repeat(2000) }, VarveError],
    ['that its codec cannot hold', { value: () => {} }, TypeError],
    ['for no partition', { partition: 17 }, VarveError],
  ]
  test.each(refused)(
    'is all or nothing: one record %s refuses all, and says which it was',
    async (_what, record, kind) => {
      const storage = new MemoryStorage()
      const log = await openLog({ storage })
      await log.createTopic({ name: 'orders', partitions: 3, maxMessageBytes: 1000 })
      const inFlight = log.append('orders', { value: 'in flight', partition: 0 })
      const good = Array.from({ length: 20 }, (_, i) => ({ value: i, partition: i % 3 }))
      const error = await rejection(log.appendBatch('orders', [...good, record, ...good]))
      expect(error).toBeInstanceOf(kind)
      expect(error.message).toMatch(/^record 20 of the batch: .*; nothing of the batch was appended$/)
      const after = log.append('orders', { value: 'after', partition: 0 })
      expect([(await inFlight).offset, (await after).offset]).toEqual([0, 1])
      expect(await valuesOf(log, 'orders')).toEqual(['in flight', 'after'])
      await log.close()
      expect(await valuesOf(await openLog({ storage }), 'orders')).toEqual(['in flight', 'after'])
    },
  )

  test('of records that are refused leaves no batch behind, over and over, between others that are not', async () => {
    const log = await openLog({ flush: 'os' })
    await log.createTopic({ name: 'orders', partitions: 2, maxMessageBytes: 1000 })
    const kept: Promise<AppendResult>[] = []
    for (let i = 0; i < 50; i++) {
      kept.push(log.append('orders', { value: i, partition: 0 }))
      const bad = [
        { value: 'a', partition: 0 },
        { value: 'x'.repeat(5000), partition: 0 },
      ]
      expect(await rejection(log.appendBatch('orders', bad))).toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
    }
    await Promise.all(kept)
    expect(await valuesOf(log, 'orders')).toEqual(Array.from({ length: 50 }, (_, i) => i))
    for (const batch of await batchesOf(log, 'orders')) expect(batch.recordCount).toBeGreaterThan(0)
  })
})
