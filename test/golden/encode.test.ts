import { describe, expect, test } from 'vitest'
import { BatchEncoder } from '../../src/codec/batch-encoder.ts'
import { decompress } from '../../src/codec/compression.ts'
import { BATCH_HEADER_BYTES, readBatchHeader, stampBatch, TIMESTAMP_TYPE_BIT } from '../../src/codec/record-batch.ts'
import { decodeRecords, type ConsumerRecord } from '../../src/codec/record.ts'
import { resolveValueCodec } from '../../src/codec/value-codec.ts'
import { goldenPartitions, type GoldenBatch } from './golden-log.ts'

const CONTEXT = { topic: 'golden', partition: 0, valueCodec: resolveValueCodec('bytes') }
/** Further apart our encoder does not let the timestamps of a batch lie. */
const MAX_SPREAD_MS = 2 ** 50

/** The records of a batch with the timestamps that their producer gave, even where the log has put its own in front. */
function producedRecords(bytes: Buffer, position: number): ConsumerRecord[] {
  const header = readBatchHeader(bytes, position)
  header.attributes &= ~TIMESTAMP_TYPE_BIT
  return decodeRecords(CONTEXT, bytes, position, header, 0, 2 ** 20)
}

/** Encodes the records of a golden batch again, uncompressed, and stamps them with its place. */
function encodeAgain(batch: GoldenBatch, records: readonly ConsumerRecord[]): Buffer {
  const { timestampType, maxTimestamp, baseOffset, leaderEpoch } = batch
  const options = { batchBytes: 2 ** 20, compressionType: 'none', timestampType, now: () => maxTimestamp } as const
  const encoder = new BatchEncoder(options)
  for (const { keyBytes, valueBytes, rawHeaders, timestamp } of records) {
    const headers = rawHeaders.map(([name, value]) => [Buffer.from(name), value] as const)
    encoder.append(keyBytes, valueBytes, headers, timestamp)
  }
  const { bytes, batches } = encoder.finish()
  expect(batches).toHaveLength(1)
  stampBatch(bytes, 0, baseOffset, leaderEpoch)
  return bytes
}

/** What an embedded program cannot write: producer state, markers, and what compaction leaves. */
function isBeyondUs({ producerId, lastOffset, baseOffset, recordCount, flags }: GoldenBatch): boolean {
  return producerId >= 0 || flags.length > 0 || lastOffset - baseOffset + 1 !== recordCount
}

const samples = goldenPartitions.map(({ name, segments }) => {
  const batches = segments.flatMap(({ bytes, batches }) => batches.map((batch) => ({ batch, bytes })))
  const ours = batches
    .filter(({ batch }) => !isBeyondUs(batch))
    .map((sample) => ({ ...sample, records: producedRecords(sample.bytes, sample.batch.position) }))
    .filter(({ records }) =>
      records.every((record) => Math.abs(record.timestamp - records[0].timestamp) <= MAX_SPREAD_MS),
    )
  return { name, all: batches.length, ours }
})

test('nearly all batches that Kafka wrote are such as our encoder can write', () => {
  const counts = samples.map(({ name, all, ours }) => [name, all - ours.length])
  // the rest: extreme timestamps, transactions, and what compaction thinned out
  expect(counts.filter(([, beyondUs]) => beyondUs !== 0).map(([name]) => name)).toEqual([
    'compacted-0',
    'times-0',
    'transactions-0',
  ])
  expect(counts.find(([name]) => name === 'times-0')).toEqual(['times-0', 1])
})

describe.each(samples.filter(({ ours }) => ours.length > 0))('of the records in $name', ({ ours }) => {
  test('our encoder makes the bytes that Kafka wrote, or had compressed', () => {
    for (const { batch, bytes, records } of ours) {
      const encoded = encodeAgain(batch, records)
      const stored = bytes.subarray(batch.position, batch.position + batch.sizeBytes)
      const body = decompress(batch.compressionType, stored.subarray(BATCH_HEADER_BYTES), 2 ** 20)
      expect(encoded.subarray(BATCH_HEADER_BYTES).toString('hex')).toBe(body.toString('hex'))
      // where they were compressed, length, checksum and compression are others
      const from = batch.compressionType === 'none' ? 0 : 23
      expect(encoded.toString('hex', from, BATCH_HEADER_BYTES)).toBe(stored.toString('hex', from, BATCH_HEADER_BYTES))
    }
  })
})
