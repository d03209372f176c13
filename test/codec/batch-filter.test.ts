import { describe, expect, test } from 'vitest'
import { BatchEncoder } from '../../src/codec/batch-encoder.ts'
import { deleteHorizonOf, filterBatch, firstRecordAt, type RecordWalker } from '../../src/codec/batch-filter.ts'
import { compressionTypes, isCompressionAvailable, type CompressionType } from '../../src/codec/compression.ts'
import {
  emptyBatch,
  extendBatch,
  findBatchFault,
  readBatchDetails,
  readBatchHeader,
  stampBatch,
  TIMESTAMP_TYPE_BIT,
  TRANSACTIONAL_BIT,
} from '../../src/codec/record-batch.ts'
import { decodeRecords } from '../../src/codec/record.ts'
import { resolveValueCodec } from '../../src/codec/value-codec.ts'
import { encodedHeaders, rawBatch, rawRecord, resealed } from '../helpers/raw-batch.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const context = { topic: 't', partition: 0, valueCodec: resolveValueCodec('bytes') }
const available = compressionTypes.filter(isCompressionAvailable)
const HORIZON_MS = 1_800_000_000_000
const random = new SeededRandom()

interface Plain {
  key: string | null
  value: string | null
  timestamp: number
  header: string | null
}

function encode(records: readonly Plain[], compressionType: CompressionType = 'none', appendTimeMs?: number): Buffer {
  const timestampType = appendTimeMs === undefined ? 'CreateTime' : 'LogAppendTime'
  const encoder = new BatchEncoder({ batchBytes: 1e6, compressionType, timestampType, now: () => appendTimeMs! })
  for (const { key, value, timestamp, header } of records) {
    const [keyBytes, valueBytes] = [key, value].map((text) => (text === null ? null : Buffer.from(text)))
    encoder.append(keyBytes, valueBytes, header === null ? [] : encodedHeaders(['h', header]), timestamp)
  }
  const bytes = Buffer.from(encoder.finish().bytes)
  stampBatch(bytes, 0, 1000, 7)
  return bytes
}

function decode(bytes: Buffer) {
  return decodeRecords(context, bytes, 0, readBatchHeader(bytes, 0), 0, 1e6).map((record) => ({
    offset: record.offset,
    key: record.key,
    value: record.valueBytes?.toString() ?? null,
    timestamp: record.timestamp,
    header: record.headers['h'] ?? null,
  }))
}

function filter(bytes: Buffer, retains: (record: RecordWalker) => boolean, horizonMs = HORIZON_MS) {
  return filterBatch(bytes, 0, readBatchHeader(bytes, 0), retains, horizonMs)
}

function someRecords(tombstones: boolean): Plain[] {
  return Array.from({ length: random.between(1, 30) }, (_, i) => ({
    key: random.chance(0.1) ? null : `key ${i}`,
    value: tombstones && random.chance(0.3) ? null : 'v'.repeat(random.below(200)),
    timestamp: 1_700_000_000_000 + random.between(-1e6, 1e6),
    header: random.chance(0.3) ? String(i) : null,
  }))
}

describe(`a batch of which some records stay (VARVE_SEED=${random.seed})`, () => {
  test.each(available)('keeps their offsets, timestamps, keys, values and headers, and is valid (%s)', (type) => {
    for (let run = 0; run < 100; run++) {
      const records = someRecords(run % 2 === 0)
      const bytes = encode(records, type)
      const before = decode(bytes)
      const kept = before.filter(() => random.chance(0.5))
      const offsets = new Set(kept.map(({ offset }) => offset))
      const { recordCount, rewritten } = filter(bytes, ({ offset }) => offsets.has(offset))
      expect(recordCount).toBe(kept.length)
      const hasTombstone = kept.some(({ value }) => value === null)
      if (rewritten === null) {
        expect(kept.length === 0 || (kept.length === before.length && !hasTombstone)).toBe(true)
        continue
      }
      expect(findBatchFault(rewritten, 0, rewritten.length)).toBe(null)
      expect(decode(rewritten)).toEqual(kept)
      const [old, header] = [readBatchHeader(bytes, 0), readBatchHeader(rewritten, 0)]
      const { baseOffset, lastOffset, leaderEpoch } = old
      expect(header).toMatchObject({ baseOffset, lastOffset, leaderEpoch, recordCount: kept.length })
      expect(header.maxTimestamp).toBe(Math.max(...kept.map(({ timestamp }) => timestamp)))
      expect(deleteHorizonOf(header)).toBe(hasTombstone ? HORIZON_MS : null)
      expect(header.attributes & 7).toBe(old.attributes & 7)
    }
  })

  test('keeps its producer and sequence', () => {
    const bytes = encode([
      { key: 'a', value: '1', timestamp: 5, header: null },
      { key: 'b', value: '2', timestamp: 6, header: null },
    ])
    bytes.writeBigInt64BE(42n, 43)
    bytes.writeInt16BE(3, 51)
    bytes.writeInt32BE(77, 53)
    const { rewritten } = filter(resealed(bytes), ({ offset }) => offset === 1001)
    expect(readBatchDetails(rewritten!, 0)).toMatchObject({ producerId: 42, producerEpoch: 3, baseSequence: 77 })
  })

  test('keeps the time of the append', () => {
    const record = { key: 'a', value: null, timestamp: 5, header: null }
    const bytes = encode([record, { ...record, key: 'b' }], 'none', 123_456)
    const { rewritten } = filter(bytes, ({ offset }) => offset === 1001)
    expect(readBatchHeader(rewritten!, 0).attributes & TIMESTAMP_TYPE_BIT).not.toBe(0)
    expect(decode(rewritten!)).toEqual([{ offset: 1001, key: 'b', value: null, timestamp: 123_456, header: null }])
  })

  test('gets a delete horizon once, with its first tombstone, and keeps it', () => {
    const tombstone = { key: 'a', value: null, timestamp: 5, header: null }
    const bytes = encode([tombstone, { ...tombstone, key: 'b', value: 'v' }])
    const first = filter(bytes, () => true).rewritten!
    expect(deleteHorizonOf(readBatchHeader(first, 0))).toBe(HORIZON_MS)
    expect(decode(first)).toEqual(decode(bytes))
    expect(filter(first, () => true, HORIZON_MS + 1).rewritten).toBe(null)
    const second = filter(first, ({ offset }) => offset === 1000, HORIZON_MS + 1).rewritten!
    expect(deleteHorizonOf(readBatchHeader(second, 0))).toBe(HORIZON_MS)
    expect(decode(second)).toEqual(decode(bytes).slice(0, 1))
  })

  test('gets none where its timestamps could not be told from it, nor as part of a transaction', () => {
    const far = encode([{ key: 'a', value: null, timestamp: -8.64e15, header: null }])
    expect(filter(far, () => true).rewritten).toBe(null)
    const part = encode([{ key: 'a', value: null, timestamp: 5, header: null }])
    part.writeInt16BE(TRANSACTIONAL_BIT, 21)
    expect(filter(resealed(part), () => true).rewritten).toBe(null)
  })

  test('is refused when it holds malformed records, whatever its checksum says', () => {
    const good = rawRecord(Uint8Array.of(0), 0, 0, 1, 'k', 1, 'v', 0)
    const all = () => true
    for (const body of [good.subarray(0, 5), Buffer.concat([good, good]), Buffer.alloc(20, 0xff), Buffer.alloc(0)]) {
      expect(() => filter(rawBatch(body), all)).toThrow(/malformed records/)
    }
    expect(filter(rawBatch(good), all)).toEqual({ recordCount: 1, rewritten: null })
  })
})

describe('a batch that stands for more than its records', () => {
  test('without records is valid and names its offsets', () => {
    for (const [first, last] of [
      [0, 0],
      [5, 2 ** 31 + 4],
      [2 ** 40, 2 ** 40 + 9],
    ]) {
      const bytes = emptyBatch(first, last, 3)
      expect(findBatchFault(bytes, 0, bytes.length)).toBe(null)
      const header = { baseOffset: first, lastOffset: last, leaderEpoch: 3, recordCount: 0, maxTimestamp: -1 }
      expect(readBatchHeader(bytes, 0)).toMatchObject(header)
      expect(decode(bytes)).toEqual([])
    }
  })

  test('keeps its records when it is made to stand for more', () => {
    const bytes = encode(someRecords(false))
    const before = decode(bytes)
    extendBatch(bytes, 0, 5000)
    expect(findBatchFault(bytes, 0, bytes.length)).toBe(null)
    expect(readBatchHeader(bytes, 0).lastOffset).toBe(5000)
    expect(decode(bytes)).toEqual(before)
  })
})

describe('the first record at a time', () => {
  const records = [5, 30, 20].map((timestamp) => ({ key: null, value: 'v', timestamp, header: null }))
  const find = (bytes: Buffer, from: number, timestamp: number) => firstRecordAt(bytes, from, timestamp, 1_000)

  test.each(available)('%s: is the first in the order of offsets that is not before it', (codec) => {
    const bytes = encode(records, codec)
    expect(find(bytes, 0, 6)).toEqual({ offset: 1001, timestamp: 30 })
    expect(find(bytes, 1002, 6)).toEqual({ offset: 1002, timestamp: 20 })
    expect(find(bytes, 0, 31)).toBe(null)
  })

  test('has the time of the batch where that was appended at one', () => {
    expect(find(encode(records, 'none', 50), 1001, 50)).toEqual({ offset: 1001, timestamp: 50 })
  })

  test('is none in the batch that ends a transaction', () => {
    expect(find(rawBatch(rawRecord([0], 0, 0, -1, -1, 0), { attributes: 0x20 }), 0, 0)).toBe(null)
  })

  test('is not looked for in more bytes than are allowed', () => {
    const bytes = encode([{ key: null, value: 'v'.repeat(2_000), timestamp: 5, header: null }], 'gzip')
    expect(() => find(bytes, 0, 0)).toThrow(/cannot decompress/)
  })
})
