import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  BatchEncoder,
  singleRecordBatchBytes,
  type BatchEncoderOptions,
  type EncodedBatches,
  type EncodedHeader,
} from '../../src/codec/batch-encoder.ts'
import { BufferPool } from '../../src/codec/buffer-pool.ts'
import { compressionTypes } from '../../src/codec/compression.ts'
import { BATCH_HEADER_BYTES, findBatchFault, readBatchHeader, stampBatch } from '../../src/codec/record-batch.ts'
import { decodeRecords, type ConsumerRecord } from '../../src/codec/record.ts'
import { resolveValueCodec } from '../../src/codec/value-codec.ts'
import { encodedHeaders } from '../helpers/raw-batch.ts'

interface Sample {
  key: Uint8Array | null
  value: Uint8Array | null
  headers: EncodedHeader[]
  timestamp: number
}

const CONTEXT = { topic: 'orders', partition: 0, valueCodec: resolveValueCodec('bytes') }
const DATE_MAX = 8.64e15

// lengths on both sides of where a varint grows, and of where copying changes its way
const bytes = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 30 }) },
  fc.constantFrom(0, 1, 24, 25, 63, 64, 8191, 8192).map((length) => new Uint8Array(length).fill(length)),
)
const nullable = fc.option(bytes, { nil: null })
const name = fc.string({ unit: 'binary', maxLength: 10 }).map((text) => Buffer.from(text))
const timestamp = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
  fc.integer({ min: -DATE_MAX, max: DATE_MAX }),
  fc.constantFrom(-1, 0, -DATE_MAX, DATE_MAX, 2 ** 50, -(2 ** 50)),
)
const sample: fc.Arbitrary<Sample> = fc.record({
  key: nullable,
  value: nullable,
  headers: fc.oneof(fc.constant<EncodedHeader[]>([]), fc.array(fc.tuple(name, nullable), { maxLength: 4 })),
  timestamp,
})
const samples = fc.array(sample, { minLength: 1, maxLength: 60 })

function options(changes: Partial<BatchEncoderOptions> = {}): BatchEncoderOptions {
  return { batchBytes: 16_384, compressionType: 'none', timestampType: 'CreateTime', now: () => 0, ...changes }
}

function append(encoder: BatchEncoder, records: readonly Sample[]): void {
  for (const { key, value, headers, timestamp } of records) encoder.append(key, value, headers, timestamp)
}

function encode(records: readonly Sample[], changes: Partial<BatchEncoderOptions> = {}): EncodedBatches {
  const encoder = new BatchEncoder(options(changes))
  append(encoder, records)
  return encoder.finish()
}

/** Decodes batches stamped with consecutive offsets, after checking that they are valid and lie one behind the other. */
function decode({ bytes, batches }: EncodedBatches, firstOffset = 100): ConsumerRecord[] {
  const records: ConsumerRecord[] = []
  let position = 0
  for (const batch of batches) {
    expect(batch.start).toBe(position)
    stampBatch(bytes, batch.start, firstOffset + records.length, 0)
    expect(findBatchFault(bytes, batch.start, bytes.length)).toBeNull()
    const header = readBatchHeader(bytes, batch.start)
    expect(header).toMatchObject({ sizeBytes: batch.sizeBytes, recordCount: batch.recordCount })
    expect(header).toMatchObject({ maxTimestamp: batch.maxTimestamp, leaderEpoch: 0 })
    expect(header.lastOffset).toBe(header.baseOffset + batch.recordCount - 1)
    records.push(...decodeRecords(CONTEXT, bytes, batch.start, header, 0, 2 ** 30))
    position += batch.sizeBytes
  }
  expect(position).toBe(bytes.length)
  return records
}

/** Bytes in a form that is quick to compare. */
const text = (content: Uint8Array | null) => content && Buffer.from(content).toString('latin1')

const seen = (record: ConsumerRecord) => [
  record.offset,
  record.timestamp,
  text(record.keyBytes),
  text(record.valueBytes),
  record.rawHeaders.map(([name, content]) => [name, text(content)]),
]

const given = ({ key, value, headers, timestamp }: Sample, offset: number, time = timestamp) => [
  offset,
  time,
  text(key),
  text(value),
  headers.map(([name, content]) => [Buffer.from(name).toString(), text(content)]),
]

const plain = (value: string, timestamp = 0): Sample => ({
  key: null,
  value: Buffer.from(value),
  headers: [],
  timestamp,
})

describe('records of any shape', () => {
  test.each(compressionTypes)('survive encoding and decoding (%s)', (compressionType) => {
    fc.assert(
      fc.property(samples, fc.integer({ min: 100, max: 20_000 }), (records, batchBytes) => {
        const decoded = decode(encode(records, { batchBytes, compressionType }))
        expect(decoded.map(seen)).toEqual(records.map((record, i) => given(record, 100 + i)))
      }),
      { numRuns: compressionType === 'none' ? 2000 : 300 },
    )
  })

  test('are laid down when they are appended: their memory may be used for something else', () => {
    fc.assert(
      fc.property(samples, (records) => {
        const expected = records.map((record, i) => given(record, 100 + i))
        const encoder = new BatchEncoder(options())
        for (const { key, value, headers, timestamp } of records) {
          const copies = headers.map(([name, content]) => [name.slice(), content?.slice() ?? null] as const)
          const [keyCopy, valueCopy] = [key?.slice() ?? null, value?.slice() ?? null]
          encoder.append(keyCopy, valueCopy, copies, timestamp)
          for (const memory of [keyCopy, valueCopy, ...copies.flat()]) memory?.fill(0xee)
        }
        expect(decode(encoder.finish()).map(seen)).toEqual(expected)
      }),
    )
  })

  test('carry the time at which their batch was closed, under LogAppendTime', () => {
    fc.assert(
      fc.property(samples, (records) => {
        let now = 5000
        const encoded = encode(records, { batchBytes: 200, timestampType: 'LogAppendTime', now: () => now++ })
        const closed = encoded.batches.flatMap(({ recordCount }, i) => Array<number>(recordCount).fill(5000 + i))
        expect(decode(encoded).map(seen)).toEqual(records.map((record, i) => given(record, 100 + i, closed[i])))
      }),
    )
  })

  test('are told apart where their timestamps lie further apart than a batch can say', () => {
    const times = [0, 2 ** 50, 2 ** 50 + 1, -(2 ** 50), 2 ** 50, DATE_MAX, -DATE_MAX, -DATE_MAX + 2 ** 50]
    const records = times.map((time) => plain('x', time))
    const encoded = encode(records)
    expect(encoded.batches.map(({ recordCount }) => recordCount)).toEqual([2, 1, 1, 1, 1, 2])
    expect(decode(encoded).map(({ timestamp }) => timestamp)).toEqual(times)
    expect(encoded.batches.map(({ maxTimestamp }) => maxTimestamp)).toEqual([
      2 ** 50,
      2 ** 50 + 1,
      -(2 ** 50),
      2 ** 50,
      DATE_MAX,
      -DATE_MAX + 2 ** 50,
    ])
  })
})

describe('a batch', () => {
  test('never grows beyond batchBytes by a single byte, wherever that lies', () => {
    const records = Array.from({ length: 200 }, (_, i) => plain('v'.repeat(50 + (i % 30)), i * 100))
    for (let batchBytes = 300; batchBytes < 800; batchBytes++) {
      const sizes = encode(records, { batchBytes }).batches.map(({ sizeBytes }) => sizeBytes)
      expect(Math.max(...sizes)).toBeLessThanOrEqual(batchBytes)
    }
  })

  test('never grows beyond batchBytes, unless a single record does', () => {
    fc.assert(
      fc.property(samples, fc.integer({ min: 1, max: 4000 }), (records, batchBytes) => {
        const { batches } = encode(records, { batchBytes })
        expect(batches.filter(({ sizeBytes, recordCount }) => recordCount > 1 && sizeBytes > batchBytes)).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  test('is filled: two neighbours would not have fitted into one', () => {
    const records = Array.from({ length: 500 }, (_, i) => plain('v'.repeat(i % 50), 1000 + i))
    const { batches } = encode(records, { batchBytes: 1000 })
    for (const [i, { sizeBytes }] of batches.slice(0, -1).entries()) {
      expect(sizeBytes + batches[i + 1].sizeBytes).toBeGreaterThan(1000)
      expect(sizeBytes).toBeGreaterThan(900)
    }
  })

  test('of one record is as large as singleRecordBatchBytes said', () => {
    fc.assert(
      fc.property(sample, (record) => {
        const { batches } = encode([record])
        expect(batches[0].sizeBytes).toBe(singleRecordBatchBytes(record.key, record.value, record.headers))
      }),
    )
  })

  test('has the greatest of its timestamps, wherever it stands', () => {
    const { batches } = encode([5, 9, -7].map((time) => plain('x', time)))
    expect(batches).toMatchObject([{ maxTimestamp: 9, recordCount: 3 }])
    expect(encode([-9, -7].map((time) => plain('x', time))).batches).toMatchObject([{ maxTimestamp: -7 }])
  })

  test('holds its records compressed as one piece, smaller than they were', () => {
    const records = Array.from({ length: 100 }, () => plain('the same again and again'))
    const [none] = encode(records).batches
    for (const compressionType of compressionTypes.slice(1)) {
      const { bytes, batches } = encode(records, { compressionType })
      expect(batches).toHaveLength(1)
      expect(batches[0].sizeBytes).toBeLessThan(none.sizeBytes / 3)
      expect(bytes[22] & 7).toBe(compressionTypes.indexOf(compressionType))
    }
  })

  test('may be larger than all the memory that the encoder began with', () => {
    const large = { ...plain(''), value: new Uint8Array(300_000).fill(7) }
    const encoded = encode([plain('before'), large, large, plain('after')])
    expect(encoded.batches.map(({ recordCount }) => recordCount)).toEqual([1, 1, 1, 1])
    expect(decode(encoded).map(({ valueBytes }) => valueBytes!.length)).toEqual([6, 300_000, 300_000, 5])
  })
})

describe('the encoder', () => {
  test('counts its batches, the open one included', () => {
    const encoder = new BatchEncoder(options())
    expect(encoder.batchCount).toBe(0)
    append(encoder, [plain('v', 1)])
    expect(encoder.batchCount).toBe(1)
    encoder.finish()
    expect(encoder.batchCount).toBe(1)
  })

  test('forgets what was appended since a mark, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(sample), samples, fc.array(sample), fc.boolean(), (kept, dropped, later, compressed) => {
        const changes = { batchBytes: 300, compressionType: compressed ? 'gzip' : 'none' } as const
        const encoder = new BatchEncoder(options(changes))
        append(encoder, kept)
        const mark = encoder.mark()
        append(encoder, dropped)
        encoder.rollback(mark)
        expect(encoder.sizeBytes).toBe(mark.length)
        append(encoder, later)

        const untouched = new BatchEncoder(options(changes))
        append(untouched, kept)
        untouched.mark()
        append(untouched, later)
        const [left, right] = [encoder.finish(), untouched.finish()]
        expect(left.batches).toEqual(right.batches)
        expect(decode(left).map(seen)).toEqual([...kept, ...later].map((record, i) => given(record, 100 + i)))
        expect(decode(right)).toHaveLength(kept.length + later.length)
        expect(text(left.bytes)).toBe(text(right.bytes))
      }),
    )
  })

  test('encodes the same again in the memory of one that was released', () => {
    const records = Array.from({ length: 300 }, (_, i) => plain('v'.repeat(i), i))
    const buffers = new BufferPool(1024 * 1024)
    const encoder = new BatchEncoder(options(), buffers)
    append(encoder, records)
    const first = encoder.finish()
    const [firstText, memory] = [text(first.bytes), first.bytes.buffer]
    encoder.release()
    expect(encoder.sizeBytes).toBe(0)
    const second = new BatchEncoder(options(), buffers, first.bytes.length)
    append(second, records)
    const found = second.finish()
    expect(text(found.bytes)).toBe(firstText)
    expect(found.batches).toEqual(first.batches)
    expect(found.bytes.buffer).toBe(memory)
  })

  test('has nothing to hand over when nothing was appended', () => {
    const encoder = new BatchEncoder(options())
    expect(encoder.mark()).toEqual({ length: 0, batches: 0 })
    expect(encoder.finish()).toEqual({ bytes: Buffer.alloc(0), batches: [] })
  })

  test('leaves the fields of producers as Kafka leaves them for none', () => {
    const { bytes } = encode([{ key: null, value: null, headers: encodedHeaders(['a', null]), timestamp: 1 }])
    expect(bytes.subarray(43, 57)).toEqual(Buffer.alloc(14, 0xff))
    expect(bytes.length).toBe(BATCH_HEADER_BYTES + 1 + 9)
  })
})
