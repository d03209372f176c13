import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BatchEncoder } from '../../src/codec/batch-encoder.ts'
import { compressionTypes, type CompressionType } from '../../src/codec/compression.ts'
import {
  BATCH_HEADER_BYTES,
  batchSizeAt,
  compressionId,
  findBatchFault,
  findHeaderFault,
  isControlBatch,
  readBatchHeader,
  readInt64,
  sealBatch,
  stampBatch,
  writeInt64,
} from '../../src/codec/record-batch.ts'
import { rawBatch, resealed } from '../helpers/raw-batch.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const MAX = Number.MAX_SAFE_INTEGER

function encode(records: number, compressionType: CompressionType = 'none'): Buffer {
  const encoder = new BatchEncoder({ batchBytes: 1e6, compressionType, timestampType: 'CreateTime', now: () => 0 })
  for (let i = 0; i < records; i++) encoder.append(Buffer.from(`key ${i}`), Buffer.alloc(i * 10, i), [], 1e12 + i)
  const { bytes } = encoder.finish()
  stampBatch(bytes, 0, 1234, 7)
  return Buffer.from(bytes)
}

describe('the header', () => {
  test('is written at the documented positions', () => {
    const bytes = Buffer.alloc(10 + BATCH_HEADER_BYTES + 4, 0xaa)
    const fields = { sizeBytes: BATCH_HEADER_BYTES + 4, attributes: 0x0b, recordCount: 3 }
    sealBatch(bytes, 10, { ...fields, baseTimestamp: -1_000_000_000_001, maxTimestamp: 8_640_000_000_000_000 })
    stampBatch(bytes, 10, MAX - 2, 0x01020304)
    const expected = rawBatch(Buffer.alloc(4, 0xaa), {
      baseOffset: MAX - 2,
      leaderEpoch: 0x01020304,
      attributes: 0x0b,
      recordCount: 3,
      lastOffsetDelta: 2,
      baseTimestamp: -1_000_000_000_001,
      maxTimestamp: 8_640_000_000_000_000,
    })
    expect(bytes.subarray(10).toString('hex')).toBe(expected.toString('hex'))
    expect(bytes.subarray(0, 10)).toEqual(Buffer.alloc(10, 0xaa))
  })

  test('is read from the documented positions', () => {
    const fields = { baseOffset: 5_000_000_000, leaderEpoch: 9, attributes: 0x2c, recordCount: 17, lastOffsetDelta: 40 }
    const batch = rawBatch(Buffer.from('body'), { ...fields, baseTimestamp: -5, maxTimestamp: 1_700_000_000_000 })
    expect(readBatchHeader(Buffer.concat([Buffer.alloc(3), batch]), 3)).toEqual({
      baseOffset: 5_000_000_000,
      sizeBytes: 65,
      leaderEpoch: 9,
      attributes: 0x2c,
      lastOffset: 5_000_000_040,
      baseTimestamp: -5,
      maxTimestamp: 1_700_000_000_000,
      recordCount: 17,
    })
    expect(batchSizeAt(batch, 0)).toBe(65)
    expect([compressionId(0x2c), isControlBatch(0x2c), isControlBatch(0x0c)]).toEqual([4, true, false])
  })

  test('holds every safe integer as Kafka holds an int64', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.nat(20), (value, position) => {
        const bytes = Buffer.alloc(position + 8)
        writeInt64(bytes, position, value)
        expect(bytes.readBigInt64BE(position)).toBe(BigInt(value))
        expect(readInt64(bytes, position)).toBe(value)
      }),
      {
        numRuns: 5000,
        examples: [
          [MAX, 0],
          [-MAX, 0],
          [-1, 0],
          [-(2 ** 32), 0],
          [2 ** 32 - 1, 0],
        ],
      },
    )
  })

  test('can be stamped again without touching what the checksum covers', () => {
    const batch = encode(3)
    const before = Buffer.from(batch)
    stampBatch(batch, 0, 99, 12)
    expect(batch.subarray(16).equals(before.subarray(16))).toBe(true)
    expect(findBatchFault(batch, 0, batch.length)).toBeNull()
    expect(readBatchHeader(batch, 0)).toMatchObject({ baseOffset: 99, leaderEpoch: 12 })
  })
})

describe('a fault is named', () => {
  const valid = encode(3)
  const changed = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(valid)
    change(bytes)
    return bytes
  }

  test.each([
    ['incomplete', 'the bytes end within the header', valid.subarray(0, BATCH_HEADER_BYTES - 1)],
    ['incomplete', 'the bytes end one byte too soon', valid.subarray(0, -1)],
    ['incomplete', 'the length claims 2 GiB', changed((bytes) => bytes.writeInt32BE(0x7fffffff, 8))],
    ['length', 'the length is negative', changed((bytes) => bytes.writeInt32BE(-1, 8))],
    [
      'length',
      'the length leaves no room for a header',
      changed((bytes) => bytes.writeInt32BE(BATCH_HEADER_BYTES - 13, 8)),
    ],
    ['length', 'everything is zero', Buffer.alloc(200)],
    ['old format', 'magic is 1', changed((bytes) => (bytes[16] = 1))],
    [
      'old format',
      'it is a short message set of magic 0',
      changed((bytes) => bytes.fill(0, 16, 17).writeInt32BE(20, 8)),
    ],
    ['magic', 'magic is 3', changed((bytes) => (bytes[16] = 3))],
    ['offset', 'the base offset is negative', changed((bytes) => bytes.writeInt32BE(-1, 0))],
    ['offset', 'the base offset is no safe integer', changed((bytes) => bytes.writeInt32BE(0x200000, 0))],
    ['offset', 'the last offset is no safe integer', changed((bytes) => writeInt64(bytes, 0, MAX - 1))],
    ['offset', 'the last offset lies before the first', resealed(changed((bytes) => bytes.writeInt32BE(-1, 23)))],
    ['checksum', 'the checksum is another', changed((bytes) => (bytes[20] ^= 1))],
    ['checksum', 'the last byte is another', changed((bytes) => (bytes[bytes.length - 1] ^= 0x80))],
  ])('%s, where %s', (fault, _, bytes) => {
    expect(findBatchFault(bytes, 0, bytes.length)).toBe(fault)
    const isHeaderFault = !['checksum', 'incomplete'].includes(fault)
    expect(findHeaderFault(bytes, 0, bytes.length)).toBe(isHeaderFault || bytes.length < 61 ? fault : null)
  })

  test('only for the batch that is asked about', () => {
    const bytes = Buffer.concat([Buffer.alloc(5, 0xff), valid, Buffer.alloc(5, 0xff)])
    expect(findBatchFault(bytes, 5, bytes.length)).toBeNull()
    expect(findBatchFault(bytes, 5, 5 + valid.length)).toBeNull()
    expect(findBatchFault(bytes, 5, 4 + valid.length)).toBe('incomplete')
  })
})

describe('damage is found', () => {
  test.each(compressionTypes)('where any single bit of a batch (%s) flips, but for its place', (compressionType) => {
    const batch = encode(12, compressionType)
    // a length that grew must not pass because more valid batches follow
    const bytes = Buffer.concat([batch, encode(2), encode(2)])
    const missed: string[] = []
    for (let at = 8; at < batch.length; at++) {
      if (at >= 12 && at < 16) continue
      for (let bit = 0; bit < 8; bit++) {
        bytes[at] ^= 1 << bit
        if (findBatchFault(bytes, 0, bytes.length) === null) missed.push(`byte ${at}, bit ${bit}`)
        bytes[at] ^= 1 << bit
      }
    }
    expect(missed).toEqual([])
    expect(findBatchFault(bytes, 0, bytes.length)).toBeNull()
  })

  test('where up to 32 bits in a row are anything else', () => {
    const random = new SeededRandom()
    const batch = encode(12)
    const missed: number[] = []
    for (let i = 0; i < 20_000; i++) {
      const damaged = Buffer.from(batch)
      const at = random.between(16, batch.length - 4)
      // one burst of up to 32 bits is what a CRC of 32 bits is certain to find
      damaged.writeUInt32BE((damaged.readUInt32BE(at) ^ random.between(1, 2 ** 32 - 1)) >>> 0, at)
      if (findBatchFault(damaged, 0, damaged.length) === null) missed.push(at)
    }
    expect({ seed: random.seed, missed }).toEqual({ seed: random.seed, missed: [] })
    expect(findBatchFault(batch, 0, batch.length)).toBeNull()
  })

  test('wherever the bytes end before the batch does', () => {
    const batch = encode(4)
    for (let end = 0; end < batch.length; end++) expect(findBatchFault(batch, 0, end)).toBe('incomplete')
  })

  test('in zeros of any length', () => {
    const zeros = Buffer.alloc(4096)
    for (let end = 0; end <= zeros.length; end++) {
      expect(findBatchFault(zeros, 0, end)).toBe(end < BATCH_HEADER_BYTES ? 'incomplete' : 'length')
    }
  })

  test('at every position of a mebibyte of random bytes', () => {
    const random = new SeededRandom()
    const bytes = Buffer.from(random.bytes(2 ** 20 + BATCH_HEADER_BYTES))
    let valid = 0
    for (let at = 0; at < 2 ** 20; at++) if (findBatchFault(bytes, at, bytes.length) === null) valid++
    expect({ seed: random.seed, valid }).toEqual({ seed: random.seed, valid: 0 })
  })

  test('in 2^20 random bodies behind a header that is in order', () => {
    // the seed is fixed, because one case in 2^32 is bound to have the right checksum
    const random = new SeededRandom(1)
    const bytes = encode(4)
    let valid = 0
    for (let i = 0; i < 2 ** 20; i++) {
      bytes.writeUInt32BE(random.below(2 ** 32), random.between(BATCH_HEADER_BYTES, bytes.length - 4))
      bytes.writeUInt32BE(random.below(2 ** 32), 17)
      if (findBatchFault(bytes, 0, bytes.length) === null) valid++
    }
    expect(valid).toBe(0)
  })
})
