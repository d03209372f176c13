/** How large a record may be, and that whatever is accepted can be read. */
import { describe, expect, test } from 'vitest'
import { compressionTypes } from '../../src/codec/compression.ts'
import type { ProducerRecord } from '../../src/engine/record-encoding.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { batchesOf, openLog, recordsOf, rejection, valuesOf } from '../helpers/logs.ts'

const MIB = 1024 * 1024

/** A record with a value of so many bytes. */
type Shape = (valueBytes: number) => ProducerRecord

const shapes: [what: string, shape: Shape][] = [
  ['a value', (bytes) => ({ value: Buffer.alloc(bytes, 1) })],
  ['a key and a value', (bytes) => ({ key: 'cust-881', value: Buffer.alloc(bytes, 1) })],
  [
    'headers and a value',
    (bytes) => ({
      headers: [
        ['a', 'b'],
        ['c', null],
      ],
      value: Buffer.alloc(bytes, 1),
    }),
  ],
  ['a key alone', (bytes) => ({ key: Buffer.alloc(bytes, 1) })],
  ['a header alone', (bytes) => ({ headers: { h: Buffer.alloc(bytes, 1) } })],
]

/** How many bytes of value make a batch of exactly `bytes`, found by writing one. */
async function valueBytesFor(shape: Shape, bytes: number): Promise<number> {
  const log = await openLog()
  await log.createTopic({ name: 'probe', valueCodec: 'bytes', maxMessageBytes: 256 * MIB })
  for (let valueBytes = bytes - 80; ;) {
    const { offset } = await log.append('probe', shape(valueBytes))
    const [batch] = await batchesOf(log, 'probe', { from: offset })
    if (batch.bytes.length === bytes) return valueBytes
    valueBytes += bytes - batch.bytes.length
  }
}

function sameBytes(stored: Buffer | null, given: unknown): boolean {
  return stored === null ? given === undefined : stored.equals(given as Buffer)
}

describe('maxMessageBytes', () => {
  describe.each(shapes)('bounds the batch of one record with %s', (_what, shape) => {
    test.each([256, 1000, 16 * 1024, 1_048_588])(
      'to %i bytes: as many are accepted and can be read, one more is refused',
      async (limit) => {
        const largest = await valueBytesFor(shape, limit)
        const storage = new MemoryStorage()
        const log = await openLog({ storage })
        await log.createTopic({ name: 'orders', valueCodec: 'bytes', maxMessageBytes: limit })
        const good = [shape(largest - 1), shape(largest)]
        await log.append('orders', { ...good[0], timestamp: 10 })
        await log.append('orders', { ...good[1], timestamp: 20 })
        await log.appendBatch('orders', [...good, ...good])
        for (const call of [
          log.append('orders', shape(largest + 1)),
          log.appendBatch('orders', [good[0], shape(largest + 1)]),
        ]) {
          const error = await rejection(call)
          expect(error).toMatchObject({ code: 'MESSAGE_TOO_LARGE', details: { topic: 'orders' }, retriable: false })
          expect(error.message).toContain(
            `a record of ${limit + 1} bytes is larger than the maxMessageBytes of topic 'orders' (${limit})`,
          )
        }
        await log.close()
        const again = await openLog({ storage })
        const records = await recordsOf(again, 'orders')
        expect(records).toHaveLength(6)
        for (const [i, record] of records.entries()) {
          const { key, value } = good[i % 2]
          expect(sameBytes(record.valueBytes, value)).toBe(true)
          expect(!Buffer.isBuffer(key) || sameBytes(record.keyBytes, key)).toBe(true)
        }
        expect((await recordsOf(again, 'orders', { from: { timestamp: 20 } }))[0].offset).toBe(1)
        for (const batch of await batchesOf(again, 'orders')) expect(batch.bytes.length).toBeLessThanOrEqual(limit)
      },
    )
  })

  test('counts what a record takes before it is compressed', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', compressionType: 'gzip', maxMessageBytes: 1000 })
    expect(await rejection(log.append('orders', { value: 'x'.repeat(2000) }))).toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
    })
  })

  test('can be raised for records to come', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', maxMessageBytes: 1000 })
    await log.alterTopic('orders', { maxMessageBytes: 5000 })
    await log.append('orders', { value: 'x'.repeat(4000) })
    expect(await valuesOf(log, 'orders')).toEqual(['x'.repeat(4000)])
  })
})

// more than any bound inside the codecs, which exist because a few bytes can claim to inflate to anything
test.each(compressionTypes)(
  'a record of 70 MiB compressed by %s can be read, since it was accepted',
  async (compressionType) => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage, flush: 'os' })
    await log.createTopic({ name: 'orders', compressionType, valueCodec: 'bytes', maxMessageBytes: 200 * MIB })
    const value = Buffer.alloc(70 * MIB, 'varve')
    await log.append('orders', { value })
    await log.append('orders', { value: Buffer.from('after') })
    const again = await openLog({ storage: storage.clone() })
    const [large, after] = await recordsOf(again, 'orders')
    expect(value.equals(large.valueBytes!)).toBe(true)
    expect(after.value).toEqual(Buffer.from('after'))
    expect(await valuesOf(again, 'orders', { from: 1 })).toEqual([Buffer.from('after')])
  },
)

test('a record larger than a segment gets one of its own', async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 'orders', segmentBytes: 1000, valueCodec: 'bytes' })
  const sizes = [10, 5000, 10, 20_000, 30_000, 10]
  for (const size of sizes) await log.append('orders', { value: Buffer.alloc(size) })
  await log.close()
  const again = await openLog({ storage })
  expect((await valuesOf(again, 'orders')).map((value) => (value as Buffer).length)).toEqual(sizes)
  expect((await again.describeTopic('orders')).partitions[0].segments).toBe(6)
  for (let from = 0; from < sizes.length; from++) {
    expect((await valuesOf(again, 'orders', { from })).map((value) => (value as Buffer).length)).toEqual(
      sizes.slice(from),
    )
  }
})

test('records of one call that do not fit one segment go on in the next', async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 'orders', segmentBytes: 20_000, valueCodec: 'bytes' })
  const records = Array.from({ length: 300 }, (_, i) => ({ value: Buffer.alloc(1000, i) }))
  const results = await log.appendBatch('orders', records)
  expect(results.map(({ offset }) => offset)).toEqual(records.map((_, i) => i))
  const { segments } = (await log.describeTopic('orders')).partitions[0]
  expect(segments).toBeGreaterThan(10)
  const again = await openLog({ storage: storage.crash() })
  expect((await valuesOf(again, 'orders')).every((value, i) => (value as Buffer).equals(records[i].value))).toBe(true)
})
