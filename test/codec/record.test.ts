import { describe, expect, test } from 'vitest'
import { BatchEncoder, type EncodedHeader } from '../../src/codec/batch-encoder.ts'
import { compress, compressionTypes } from '../../src/codec/compression.ts'
import {
  BATCH_HEADER_BYTES,
  compressionId,
  findBatchFault,
  readBatchHeader,
  type BatchHeader,
} from '../../src/codec/record-batch.ts'
import { decodeRecords, type ConsumerRecord, type RecordContext } from '../../src/codec/record.ts'
import { resolveValueCodec, type ValueCodec } from '../../src/codec/value-codec.ts'
import { VarveError, type ErrorCode } from '../../src/errors.ts'
import { encodedHeaders, rawBatch, rawRecord, resealed, varint, type RawBatch } from '../helpers/raw-batch.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const CONTEXT: RecordContext = { topic: 'orders', partition: 3, valueCodec: resolveValueCodec('bytes') }
const NO_BYTES = new Uint8Array()
const MAX_INFLATED_BYTES = 2 ** 20

/** Decodes a batch that stands in the middle of other bytes. */
function decode(batch: Buffer, options: { context?: RecordContext; from?: number } = {}): ConsumerRecord[] {
  const { context = CONTEXT, from = 0 } = options
  const bytes = Buffer.concat([Buffer.alloc(7, 0xee), batch, Buffer.alloc(9, 0)])
  expect(findBatchFault(bytes, 7, 7 + batch.length)).toBeNull()
  return decodeRecords(context, bytes, 7, readBatchHeader(bytes, 7), from, 2 ** 24)
}

function encodeOne(key: Uint8Array | null, value: Uint8Array | null, headers: readonly EncodedHeader[] = []): Buffer {
  const encoder = new BatchEncoder({
    batchBytes: 1e6,
    compressionType: 'none',
    timestampType: 'CreateTime',
    now: () => 0,
  })
  encoder.append(key, value, headers, 1000)
  return encoder.finish().bytes.fill(0, 0, 8)
}

function withCodec(codec: Partial<ValueCodec>): { context: RecordContext } {
  return { context: { ...CONTEXT, valueCodec: { ...CONTEXT.valueCodec, ...codec } } }
}

/** A record of no key, the value 'v' and no headers; `delta` is that of its offset. */
const record = (delta: number) => rawRecord(NO_BYTES, [0], 0, delta, -1, 1, 'v', 0)

describe('a record', () => {
  test('knows where it stands and when it was written', () => {
    const fields = { baseOffset: 5000, recordCount: 2, lastOffsetDelta: 4, baseTimestamp: 1_700_000_000_000 }
    const body = [rawRecord([0], -10, 1, -1, -1, 0), rawRecord([0], 2 ** 40, 4, -1, -1, 0)]
    const records = decode(rawBatch(Buffer.concat(body), fields))
    expect(records.map(({ topic, partition, offset, timestamp }) => [topic, partition, offset, timestamp])).toEqual([
      ['orders', 3, 5001, 1_699_999_999_990],
      ['orders', 3, 5004, 1_700_000_000_000 + 2 ** 40],
    ])
  })

  test('tells an empty key from none, and an empty value from none', () => {
    const [neither] = decode(encodeOne(null, null))
    expect([neither.key, neither.keyBytes, neither.value, neither.valueBytes]).toEqual([null, null, null, null])
    const [empty] = decode(encodeOne(NO_BYTES, NO_BYTES))
    expect([empty.key, empty.keyBytes, empty.value, empty.valueBytes]).toEqual(['', ...Array(3).fill(Buffer.alloc(0))])
  })

  test('gives a key that is no text as bytes, unchanged', () => {
    const key = Buffer.from([0xff, 0x00, 0xfe])
    expect(decode(encodeOne(key, null))[0].keyBytes).toEqual(key)
    expect(decode(encodeOne(Buffer.from('naïve-鍵'), null))[0].key).toBe('naïve-鍵')
  })

  test('does not ask the value codec about a value that is not there', () => {
    const codec = withCodec({ decode: () => expect.fail('decoded nothing') })
    expect(decode(encodeOne(null, null), codec)[0].value).toBeNull()
  })

  test('names itself when its value cannot be decoded, and still gives the bytes', () => {
    const cause = new SyntaxError('not JSON')
    const codec = withCodec({
      decode: () => {
        throw cause
      },
    })
    const [record] = decode(encodeOne(null, Buffer.from('{')), codec)
    const error = catchError(() => record.value)
    expect(error).toMatchObject({
      code: 'INVALID_RECORD',
      cause,
      details: { topic: 'orders', partition: 3, offset: 0 },
    })
    expect(error.message).toMatch(/orders-3 at offset 0: not JSON; use record\.valueBytes/)
    expect(record.valueBytes).toEqual(Buffer.from('{'))
  })

  test('passes on what a value codec says about its own data', () => {
    const own = new VarveError('UNSUPPORTED_FORMAT', 'version 2')
    const codec = withCodec({
      decode: () => {
        throw own
      },
    })
    expect(catchError(() => decode(encodeOne(null, NO_BYTES), codec)[0].value)).toBe(own)
  })

  test('prints as JSON whatever msgpack holds, big integers as decimal text', () => {
    const msgpack = resolveValueCodec('msgpack')
    const codec = { context: { ...CONTEXT, valueCodec: msgpack } }
    const printed = (value: unknown) => {
      const [record] = decode(encodeOne(null, Buffer.from(msgpack.encode(value))), codec)
      return (JSON.parse(JSON.stringify(record)) as { value: unknown }).value
    }
    const plain = { a: [1, 'x', null, { b: true }], at: '2026-01-31T12:00:00.000Z' }
    expect(printed(2n ** 70n)).toBe('1180591620717411303424')
    expect(printed({ ...plain, at: new Date(plain.at), n: [-5n, { m: 2n ** 63n }] })).toEqual({
      ...plain,
      n: ['-5', { m: '9223372036854775808' }],
    })
    expect(printed([BigInt64Array.of(1n, -2n), Float64Array.of(0.5)])).toEqual([{ 0: '1', 1: '-2' }, { 0: 0.5 }])
    expect(printed(Buffer.from('a'))).toEqual({ type: 'Buffer', data: [97] })
  })

  test('prints as JSON with what a reader wants to see', () => {
    const codec = { context: { ...CONTEXT, valueCodec: resolveValueCodec('json') } }
    const [record] = decode(encodeOne(Buffer.from('k'), Buffer.from('{"a":1}'), encodedHeaders(['h', 'x'])), codec)
    expect(JSON.parse(JSON.stringify(record))).toEqual({
      topic: 'orders',
      partition: 3,
      offset: 0,
      timestamp: 1000,
      key: 'k',
      value: { a: 1 },
      headers: { h: 'x' },
    })
  })
})

describe('headers', () => {
  test('are all there in order, repeated and empty names included, null told from empty', () => {
    const pairs = [
      ['a', '1'],
      ['', ''],
      ['a', null],
      ['naïve', 'x'],
      ['a', '2'],
    ] as [string, string | null][]
    const [record] = decode(encodeOne(null, null, encodedHeaders(...pairs)))
    expect(record.rawHeaders).toEqual(pairs.map(([name, value]) => [name, value === null ? null : Buffer.from(value)]))
    expect({ ...record.headers }).toEqual({ a: '2', '': '', naïve: 'x' })
  })

  test('are none where there are none', () => {
    const [record] = decode(encodeOne(null, null))
    expect([record.rawHeaders, { ...record.headers }]).toEqual([[], {}])
  })

  test('may have the names of object properties', () => {
    const [record] = decode(encodeOne(null, null, encodedHeaders(['__proto__', 'x'], ['constructor', null])))
    expect(Object.entries(record.headers)).toEqual([
      ['__proto__', 'x'],
      ['constructor', null],
    ])
    expect(JSON.stringify(record)).toContain('"__proto__":"x"')
  })

  test('may be many', () => {
    const many = Array.from({ length: 300 }, (_, i) => [`header ${i}`, `${i}`] as [string, string])
    const [record] = decode(encodeOne(Buffer.from('k'), Buffer.from('v'), encodedHeaders(...many)))
    expect(Object.entries(record.headers)).toEqual(many)
  })
})

describe('decoding', () => {
  const three = rawBatch(Buffer.concat([record(0), record(1), record(2)]), { baseOffset: 10, recordCount: 3 })

  test('leaves out what lies before the offset that is asked for', () => {
    const offsetsFrom = (from: number) => decode(three, { from }).map(({ offset }) => offset)
    expect([0, 10, 11, 12, 13].map(offsetsFrom)).toEqual([[10, 11, 12], [10, 11, 12], [11, 12], [12], []])
  })

  test('gives no records of a control batch, and none of a batch that compaction has emptied', () => {
    expect(decode(rawBatch(Buffer.concat([record(0)]), { attributes: 0x30 }))).toEqual([])
    expect(decode(rawBatch(NO_BYTES, { recordCount: 0, lastOffsetDelta: 5 }))).toEqual([])
  })

  test('gives all records the time of the batch where that is the append time', () => {
    const fields = { attributes: 0x08, baseTimestamp: 5, maxTimestamp: 9000 }
    expect(decode(rawBatch(rawRecord([0], 7, 0, -1, -1, 0), fields))[0].timestamp).toBe(9000)
  })

  test('takes no notice of bits that Kafka has not given a meaning', () => {
    const fields = { attributes: 0x4000 | 0x10 }
    expect(decode(rawBatch(rawRecord([0xff], 0, 0, -1, 1, 'v', 0), fields))[0].value).toEqual(Buffer.from('v'))
  })

  test('refuses a compression that Kafka has not given out', () => {
    expect(() => decode(rawBatch(record(0), { attributes: 5 }))).toThrow(/unknown compression id 5/)
  })

  test.each(compressionTypes.slice(1))('names a batch whose %s data is damaged under a valid checksum', (type) => {
    const attributes = compressionTypes.indexOf(type)
    expect(catchError(() => decode(rawBatch(Buffer.from('not that'), { attributes }))).code).toBe('CORRUPT_MESSAGE')
    expect(catchError(() => decode(rawBatch(NO_BYTES, { attributes }))).code).toMatch(/CORRUPT_MESSAGE|INVALID_RECORD/)
  })
})

describe('malformed records under a valid checksum are refused with INVALID_RECORD:', () => {
  const cases: [string, Uint8Array | (Uint8Array | number[])[], RawBatch?][] = [
    ['more records promised than there are', record(0), { recordCount: 2 }],
    ['two billion records promised', record(0), { recordCount: 0x7fffffff }],
    ['fewer records promised than there are', [record(0), record(1)], { recordCount: 1, lastOffsetDelta: 1 }],
    ['records in a batch that should have none', record(0), { recordCount: 0, lastOffsetDelta: 0 }],
    ['a negative number of records', record(0), { recordCount: -1, lastOffsetDelta: 0 }],
    ['a byte after the last record', [record(0), [0]]],
    ['a record longer than the batch', [varint(100), [0, 0, 0, 1, 1, 0]]],
    ['a record without a length', []],
    ['a length of zero', [varint(0)]],
    ['a negative length', [varint(-8), [0, 0, 0, 1, 1, 0]]],
    ['a length that is no varint', [[0xff, 0xff, 0xff, 0xff, 0xff, 0x01]]],
    ['a record shorter than its fields', [varint(3), [0, 0, 0, 1, 1, 0]]],
    ['a byte left over in a record', rawRecord([0], 0, 0, -1, -1, 0, [0])],
    ['a key that reaches beyond its record', rawRecord([0], 0, 0, 50, 'short', -1, 0)],
    ['a key of two gigabytes', rawRecord([0], 0, 0, 0x7fffffff, -1, 0)],
    ['a key of length -2', rawRecord([0], 0, 0, -2, -1, 0)],
    [
      'a value that reaches beyond its record',
      [rawRecord([0], 0, 0, -1, 7, 'short', 0), record(1)],
      { recordCount: 2 },
    ],
    ['a value of length -2', rawRecord([0], 0, 0, -1, -2, 0)],
    ['a timestamp delta that is cut off', [varint(3), [0, 0xff, 0xff]]],
    ['a timestamp delta beyond all integers', rawRecord([0], [...Array<number>(9).fill(0xff), 1], 0, -1, -1, 0)],
    ['an offset beyond the last of the batch', rawRecord([0], 0, 1, -1, -1, 0)],
    ['an offset before the first of the batch', rawRecord([0], 0, -1, -1, -1, 0)],
    ['an offset twice', [record(1), record(1)], { recordCount: 2 }],
    ['offsets that go back', [record(2), record(1)], { recordCount: 2, lastOffsetDelta: 2 }],
    ['no number of headers', rawRecord([0], 0, 0, -1, -1)],
    ['a negative number of headers', rawRecord([0], 0, 0, -1, -1, -1)],
    ['two billion headers promised', rawRecord([0], 0, 0, -1, -1, 0x7fffffff)],
    ['more headers promised than there are', rawRecord([0], 0, 0, -1, -1, 2, 1, 'a', -1)],
    ['fewer headers promised than there are', rawRecord([0], 0, 0, -1, -1, 1, 1, 'a', -1, 1, 'b', -1)],
    ['a header without a name', rawRecord([0], 0, 0, -1, -1, 1, -1, -1)],
    ['a header value of length -2', rawRecord([0], 0, 0, -1, -1, 1, 1, 'a', -2)],
    [
      'a header value that reaches beyond its record',
      [rawRecord([0], 0, 0, -1, -1, 1, 1, 'a', 3), record(1)],
      { recordCount: 2 },
    ],
  ]

  test.each(cases)('%s', (_, body, fields) => {
    const bytes = body instanceof Uint8Array ? body : Buffer.concat(body.map((part) => Buffer.from(part)))
    const error = catchError(() => decode(rawBatch(bytes, { baseOffset: 70, ...fields })).map(({ headers }) => headers))
    expect(error).toMatchObject({ code: 'INVALID_RECORD', details: { topic: 'orders', partition: 3, offset: 70 } })
    expect(error.message).toMatch(/batch at offset 70 of orders-3/)
  })

  test('nothing but that comes of 100,000 batches with damaged bodies, and what is decoded stays within its batch', () => {
    const random = new SeededRandom()
    const found = fuzz(100_000, ['INVALID_RECORD'], () => mutated(sampleBatch(random, 'none'), random))
    expect({ seed: random.seed, surprises: found.surprises }).toEqual({ seed: random.seed, surprises: [] })
    // most damage is to lengths; a value may well be any other
    expect(found.decoded).toBeGreaterThan(1000)
    expect(found.refused).toBeGreaterThan(1000)
  })

  test.each(compressionTypes.slice(1))('nor of 2,000 batches damaged before %s compressed them', (type) => {
    const random = new SeededRandom()
    const { surprises } = fuzz(2000, ['INVALID_RECORD'], () => {
      const plain = mutated(sampleBatch(random, 'none'), random)
      const packed = compress(type, plain.subarray(BATCH_HEADER_BYTES))
      const batch = Buffer.concat([plain.subarray(0, BATCH_HEADER_BYTES), packed])
      batch[22] |= compressionTypes.indexOf(type)
      batch.writeInt32BE(batch.length - 12, 8)
      return resealed(batch)
    })
    expect({ seed: random.seed, surprises }).toEqual({ seed: random.seed, surprises: [] })
  })

  test.each(compressionTypes.slice(1))('or CORRUPT_MESSAGE, of 2,000 batches whose %s data was damaged', (type) => {
    const random = new SeededRandom()
    const codes = ['INVALID_RECORD', 'CORRUPT_MESSAGE'] as const
    const { surprises } = fuzz(2000, codes, () => mutated(sampleBatch(random, type), random))
    expect({ seed: random.seed, surprises }).toEqual({ seed: random.seed, surprises: [] })
  })
})

/** Decodes batches and uses everything in them: counts what could be decoded and refused, and notes what should not be. */
function fuzz(count: number, codes: readonly ErrorCode[], next: () => Buffer) {
  const outcomes = { decoded: 0, refused: 0, surprises: [] as string[] }
  for (let i = 0; i < count; i++) {
    const batch = next()
    const header = readBatchHeader(batch, 0)
    try {
      const fault = findFault(header, batch.length, decodeRecords(CONTEXT, batch, 0, header, 0, MAX_INFLATED_BYTES))
      if (fault !== null) outcomes.surprises.push(`${fault} for ${batch.toString('hex')}`)
      outcomes.decoded++
    } catch (error) {
      const isExpected = error instanceof VarveError && codes.includes(error.code)
      if (!isExpected) outcomes.surprises.push(`${String(error)} for ${batch.toString('hex')}`)
      outcomes.refused++
    }
  }
  return outcomes
}

/** Uses everything that decoded records offer, and says what about them is not of their batch. */
function findFault(header: BatchHeader, sizeBytes: number, records: ConsumerRecord[]): string | null {
  const { baseOffset, lastOffset, recordCount, attributes } = header
  let bytesSeen = 0
  let previous = baseOffset - 1
  for (const record of records) {
    bytesSeen += (record.keyBytes?.length ?? 0) + (record.valueBytes?.length ?? 0)
    for (const [name, value] of record.rawHeaders) bytesSeen += Math.min(name.length, 1) + (value?.length ?? 0)
    const inPlace = record.offset > previous && record.offset <= lastOffset && Number.isSafeInteger(record.timestamp)
    if (!inPlace) return `offset ${record.offset} after ${previous}, timestamp ${record.timestamp}`
    previous = record.offset
  }
  if (records.length !== Math.max(recordCount, 0)) return `${records.length} of ${recordCount} records`
  const mayHold = compressionId(attributes) === 0 ? sizeBytes - BATCH_HEADER_BYTES : MAX_INFLATED_BYTES
  return bytesSeen <= mayHold ? null : `${bytesSeen} bytes in ${sizeBytes}`
}

/** A batch of a few records of all shapes at offset 1000. */
function sampleBatch(random: SeededRandom, compressionType: (typeof compressionTypes)[number]): Buffer {
  const encoder = new BatchEncoder({ batchBytes: 1e6, compressionType, timestampType: 'CreateTime', now: () => 0 })
  const some = () => (random.chance(0.3) ? null : random.bytes(random.below(12)))
  for (let i = random.between(1, 4); i > 0; i--) {
    const headers = Array.from({ length: random.below(3) }, () => [some() ?? NO_BYTES, some()] as const)
    encoder.append(some(), some(), headers, random.below(2000) - 1000)
  }
  const { bytes } = encoder.finish()
  bytes.writeBigInt64BE(1000n, 0)
  return bytes
}

/** Changes, inserts, removes or repeats bytes behind the header, or the number of records, under a valid checksum. */
function mutated(batch: Buffer, random: SeededRandom): Buffer {
  let body = batch.subarray(BATCH_HEADER_BYTES)
  for (let i = random.between(1, 3); i > 0; i--) {
    const at = random.below(body.length + 1)
    const rest = body.subarray(random.chance(0.5) ? at : Math.min(at + random.below(6), body.length))
    const extreme = random.pick([0x00, 0x01, 0x02, 0x7f, 0x80, 0xff])
    const inserted = random.pick([
      [extreme],
      [random.below(256)],
      [],
      [0xff, 0xff, 0xff, 0xff, 0x0f],
      [...rest.subarray(0, 9)],
    ])
    const kept = random.chance(0.5) ? body.subarray(Math.min(at + inserted.length, body.length)) : rest
    body = Buffer.concat([body.subarray(0, at), Buffer.from(inserted), kept])
  }
  const result = Buffer.concat([batch.subarray(0, BATCH_HEADER_BYTES), body])
  result.writeInt32BE(result.length - 12, 8)
  if (random.chance(0.1)) result.writeInt32BE(random.pick([0, 1, 2, 5, 0x7fffffff, -1]), 57)
  return resealed(result)
}

function catchError(action: () => unknown): VarveError {
  try {
    action()
  } catch (error) {
    if (error instanceof VarveError) return error
    throw error
  }
  return expect.fail('nothing was thrown')
}
