import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compressionId, findBatchFault, isControlBatch, readBatchHeader } from '../../src/codec/record-batch.ts'
import { compressionTypeOf } from '../../src/codec/compression.ts'
import { decodeRecords } from '../../src/codec/record.ts'
import { resolveValueCodec } from '../../src/codec/value-codec.ts'
import { VarintReader, varintSize, varlongSize, writeVarint, writeVarlong } from '../../src/codec/varint.ts'
import { asGolden, GOLDEN_DIRECTORY, goldenPartitions, type GoldenBatch } from './golden-log.ts'

const CONTEXT = { topic: 'golden', partition: 0, valueCodec: resolveValueCodec('bytes') }

test('the golden files hold all that they are there for', () => {
  const batches = goldenPartitions.flatMap(({ segments }) => segments.flatMap((segment) => segment.batches))
  const records = batches.flatMap((batch) => batch.records)
  expect(new Set(batches.map(({ compressionType }) => compressionType)).size).toBe(5)
  expect(new Set(batches.map(({ timestampType }) => timestampType)).size).toBe(2)
  expect(new Set(batches.flatMap(({ flags }) => flags)).size).toBe(3)
  expect(batches.some(({ recordCount }) => recordCount === 0)).toBe(true)
  expect(batches.some(({ baseOffset, lastOffset, recordCount }) => lastOffset - baseOffset + 1 > recordCount)).toBe(
    true,
  )
  expect(batches.some(({ producerId }) => producerId >= 0)).toBe(true)
  expect(batches.some(({ baseTimestamp }) => baseTimestamp < -1)).toBe(true)
  for (const field of [2, 3]) expect(records.some((record) => record[field] === null)).toBe(true)
  for (const field of [2, 3]) expect(records.some((record) => record[field] === '')).toBe(true)
  expect(records.some(([, , , , headers]) => headers.some(([, value]) => value === null))).toBe(true)
  expect(records.some(([, , , , headers]) => new Set(headers.map(([name]) => name)).size < headers.length)).toBe(true)
  expect(goldenPartitions.filter(({ segments }) => segments.length < 2)).toEqual([])
})

describe.each(goldenPartitions)('in $name, which Kafka wrote,', ({ segments }) => {
  test('every batch is valid, and says of itself what Kafka reads', () => {
    for (const { bytes, batches } of segments) {
      let position = 0
      for (const batch of batches) {
        expect(findBatchFault(bytes, position, bytes.length)).toBeNull()
        expect(headerOf(bytes, position)).toEqual({ ...batch, records: undefined })
        position += batch.sizeBytes
      }
      expect(position).toBe(bytes.length)
    }
  })

  test('every record is what Kafka reads', () => {
    for (const { bytes, batches } of segments) {
      for (const batch of batches) {
        const header = readBatchHeader(bytes, batch.position)
        const records = decodeRecords(CONTEXT, bytes, batch.position, header, 0, 2 ** 20).map(asGolden)
        expect(records).toEqual(batch.flags.includes('control') ? [] : batch.records)
      }
    }
  })
})

function headerOf(bytes: Buffer, position: number): Omit<GoldenBatch, 'records'> & { records: undefined } {
  const { attributes, ...header } = readBatchHeader(bytes, position)
  return {
    ...header,
    position,
    checksum: bytes.readUInt32BE(position + 17),
    compressionType: compressionTypeOf(compressionId(attributes)),
    timestampType: (attributes & 0x08) === 0 ? 'CreateTime' : 'LogAppendTime',
    producerId: Number(bytes.readBigInt64BE(position + 43)),
    producerEpoch: bytes.readInt16BE(position + 51),
    baseSequence: bytes.readInt32BE(position + 53),
    flags: [
      ...((attributes & 0x10) === 0 ? [] : (['transactional'] as const)),
      ...(isControlBatch(attributes) ? (['control'] as const) : []),
      ...((attributes & 0x40) === 0 ? [] : (['deleteHorizon'] as const)),
    ],
    records: undefined,
  }
}

describe('integers around every power of two', () => {
  const vectors = JSON.parse(readFileSync(join(GOLDEN_DIRECTORY, 'varints.json'), 'utf8')) as {
    varint: [number, string][]
    varlong: [string, string][]
  }

  test('are varints of the bytes that Kafka writes', () => {
    expect(vectors.varint.length).toBeGreaterThan(150)
    for (const [value, hex] of vectors.varint) {
      const bytes = Buffer.alloc(varintSize(value))
      expect(writeVarint(bytes, 0, value)).toBe(bytes.length)
      expect([value, bytes.toString('hex')]).toEqual([value, hex])
      expect(new VarintReader(bytes, 0).varint()).toBe(value)
    }
  })

  test('are varlongs of the bytes that Kafka writes, up to 2^52, and are read up to 2^53', () => {
    expect(vectors.varlong.length).toBeGreaterThan(300)
    for (const [digits, hex] of vectors.varlong) {
      const value = Number(digits)
      const read = new VarintReader(Buffer.from(hex, 'hex'), 0).varlong()
      expect([digits, read]).toEqual([digits, Number.isSafeInteger(value) ? value : NaN])
      if (Math.abs(value) > 2 ** 52) continue
      const bytes = Buffer.alloc(varlongSize(value))
      expect(writeVarlong(bytes, 0, value)).toBe(bytes.length)
      expect([digits, bytes.toString('hex')]).toEqual([digits, hex])
    }
  })
})
