/** Value codecs and partitioners that are code of the program: not stored, so they must be given at each open. */
import { describe, expect, test } from 'vitest'
import type { ValueCodec } from '../../src/codec/value-codec.ts'
import type { VarveOptions } from '../../src/engine/open-options.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { openLog, recordsOf, rejection, thrown, valuesOf } from '../helpers/logs.ts'

/** Text, its bytes reversed. */
const reversing: ValueCodec = {
  encode: (value) => Buffer.from(value as string).reverse(),
  decode: (bytes) => Buffer.from(bytes).reverse().toString(),
}

/** By the first byte of the key. */
const byFirstByte = (key: Uint8Array, partitions: number) => key[0] % partitions

describe('a value codec of the program', () => {
  test('encodes and decodes; raw bytes are what it gave', async () => {
    const log = await openLog()
    const { config } = await log.createTopic({ name: 'orders', valueCodec: reversing })
    expect(config.valueCodec).toBe('custom')
    await log.append('orders', { value: 'abc' })
    const [record] = await recordsOf(log, 'orders')
    expect(record.value).toBe('abc')
    expect(record.valueBytes!.toString()).toBe('cba')
  })

  test('must be given again: without it values and appends fail with what to do, bytes and keys can be read', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders', valueCodec: reversing })
    await log.append('orders', { key: 'k', value: 'abc' })
    await log.append('orders', { key: 'gone', value: null })
    await log.close()

    const without = await openLog({ storage })
    const [record, tombstone] = await recordsOf(without, 'orders')
    expect(record.key).toBe('k')
    expect(record.valueBytes!.toString()).toBe('cba')
    expect(tombstone.value).toBeNull()
    for (const error of [
      thrown(() => record.value as unknown),
      await rejection(without.append('orders', { value: 'x' })),
    ]) {
      expect(error).toMatchObject({ code: 'INVALID_CONFIG', details: { topic: 'orders' } })
      expect(error.message).toContain("Varve.open({ topics: { 'orders': { valueCodec } } })")
    }
    await without.close()

    const withIt = await openLog({ storage, topics: { orders: { valueCodec: reversing } } })
    expect(await valuesOf(withIt, 'orders')).toEqual(['abc', null])
    await withIt.append('orders', { value: 'def' })
    expect(await valuesOf(withIt, 'orders', { from: 2 })).toEqual(['def'])
  })

  test('can be put in place of a built-in one, and the other way round, without a new open', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', valueCodec: 'string' })
    await log.append('orders', { value: 'abc' })
    await log.alterTopic('orders', { valueCodec: reversing })
    expect(await valuesOf(log, 'orders')).toEqual(['cba'])
    await log.alterTopic('orders', { valueCodec: 'bytes' })
    expect(await valuesOf(log, 'orders')).toEqual([Buffer.from('abc')])
  })

  test('that throws refuses the record with its own error, and the next one is fine', async () => {
    const failing: ValueCodec = {
      encode(value) {
        if (value === 'bad') throw new RangeError('not this one')
        return Buffer.from(value as string)
      },
      decode: () => {
        throw new Error('nor back')
      },
    }
    const log = await openLog()
    await log.createTopic({ name: 'orders', valueCodec: failing })
    const error = await rejection(log.append('orders', { value: 'bad' }))
    expect(error).toBeInstanceOf(RangeError)
    expect(error.message).toBe('not this one')
    expect(await log.append('orders', { value: 'good' })).toMatchObject({ offset: 0 })
    const [record] = await recordsOf(log, 'orders')
    const decoding = thrown(() => record.value as unknown)
    expect(decoding).toMatchObject({ code: 'INVALID_RECORD', details: { topic: 'orders', partition: 0, offset: 0 } })
    expect(decoding.message).toContain('cannot decode the value of orders-0 at offset 0: nor back')
    expect(decoding.message).toContain('record.valueBytes')
  })

  test('that throws what is no error refuses a whole batch with just that', async () => {
    const valueCodec = {
      encode: () => {
        // eslint-disable-next-line no-throw-literal, typescript/only-throw-error
        throw 'no'
      },
      decode: () => null,
    }
    const log = await openLog()
    await log.createTopic({ name: 't', valueCodec })
    const outcome = await log.appendBatch('t', [{ value: 1 }]).catch((thrown: unknown) => thrown)
    expect(outcome).toBe('no')
    expect(log.offsets('t')[0].logEndOffset).toBe(0)
  })

  test('that gives no bytes is refused', async () => {
    const log = await openLog()
    const wrong = { encode: () => 'text', decode: () => null } as unknown as ValueCodec
    await log.createTopic({ name: 'orders', valueCodec: wrong })
    const error = await rejection(log.append('orders', { value: 1 }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain("the topic's valueCodec must encode to bytes, not 'text'")
    expect(log.offsets('orders')[0].logEndOffset).toBe(0)
  })
})

describe('a partitioner of the program', () => {
  test('is asked for every record with a key, and for no other', async () => {
    const asked: [string, number][] = []
    const log = await openLog()
    await log.createTopic({
      name: 'orders',
      partitions: 3,
      partitioner(key, partitions) {
        asked.push([Buffer.from(key).toString(), partitions])
        return 2
      },
    })
    expect((await log.append('orders', { key: 'a' })).partition).toBe(2)
    expect((await log.append('orders', { key: Buffer.from('b') })).partition).toBe(2)
    expect((await log.append('orders', { key: 'c', partition: 1 })).partition).toBe(1)
    await log.append('orders', { value: 'no key' })
    await log.createPartitions('orders', 5)
    await log.append('orders', { key: '' })
    expect(asked).toEqual([
      ['a', 3],
      ['b', 3],
      ['', 5],
    ])
  })

  test.each([-1, 3, 1.5, NaN, '1', null, undefined])(
    'that answers %s is refused, naming what it must answer',
    async (answer) => {
      const log = await openLog()
      await log.createTopic({ name: 'orders', partitions: 3, partitioner: () => answer as number })
      const error = await rejection(log.append('orders', { key: 'k', value: 1 }))
      expect(error).toBeInstanceOf(RangeError)
      expect(error.message).toContain("the topic's partitioner must return an integer from 0 to 2")
      expect(await log.append('orders', { value: 1, partition: 0 })).toMatchObject({ offset: 0 })
    },
  )

  test('must be given again: without it records with a key fail with what to do, all others can be written', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    const { config } = await log.createTopic({ name: 'orders', partitions: 4, partitioner: byFirstByte })
    expect(config.partitioner).toBe('custom')
    const { partition } = await log.append('orders', { key: 'k', value: 1 })
    expect(partition).toBe('k'.charCodeAt(0) % 4)
    await log.close()

    const without = await openLog({ storage })
    expect(await valuesOf(without, 'orders')).toEqual([1])
    const error = await rejection(without.append('orders', { key: 'k', value: 2 }))
    expect(error).toMatchObject({ code: 'INVALID_CONFIG', details: { topic: 'orders' } })
    expect(error.message).toContain("Varve.open({ topics: { 'orders': { partitioner } } })")
    await without.append('orders', { value: 3 })
    await without.append('orders', { key: 'k', value: 4, partition })
    await without.close()

    const withIt = await openLog({ storage, topics: { orders: { partitioner: byFirstByte } } })
    expect((await withIt.append('orders', { key: 'k', value: 5 })).partition).toBe(partition)
  })

  test('one that is given for a topic with a stored one changes nothing', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders', partitions: 8, partitioner: 'crc32' })
    const { partition } = await log.append('orders', { key: 'k' })
    await log.close()
    const again = await openLog({ storage, topics: { orders: { partitioner: () => (partition + 1) % 8 } } })
    expect((await again.append('orders', { key: 'k' })).partition).toBe(partition)
  })
})

describe('Varve.open({ topics })', () => {
  const bad: [what: string, topics: unknown, message: string][] = [
    ['an array', [], "option 'topics' must be an object by topic name"],
    ['text', 'orders', "option 'topics' must be an object by topic name"],
    [
      'a name for a codec',
      { orders: { valueCodec: 'json' } },
      "topics['orders']: option 'valueCodec' must be an object",
    ],
    ['half a codec', { orders: { valueCodec: { encode: () => Buffer.alloc(0) } } }, "with a method 'decode'"],
    ['a partitioner that is no function', { orders: { partitioner: 'murmur2' } }, "'partitioner' must be a function"],
    ['an unknown key', { orders: { codec: reversing } }, "topics['orders']: unknown option 'codec'"],
    ['no object for a topic', { orders: 5 }, "topics['orders']: options must be an object, not 5"],
  ]
  test.each(bad)('refuses %s', async (_what, topics, message) => {
    const error = await rejection(openLog({ topics: topics as VarveOptions['topics'] }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain(message)
  })

  test('may name topics that are not there yet, and one that is undefined counts as absent', async () => {
    const topics = {
      later: { valueCodec: reversing },
      never: {},
      absent: undefined,
    } as unknown as VarveOptions['topics']
    const log = await openLog({ topics })
    await log.createTopic({ name: 'later', valueCodec: reversing })
    await log.append('later', { value: 'abc' })
    expect(await valuesOf(log, 'later')).toEqual(['abc'])
  })
})
