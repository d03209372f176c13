import { expect, test } from 'vitest'
import { BatchEncoder } from '../../src/codec/batch-encoder.ts'
import { compress, compressionTypes } from '../../src/codec/compression.ts'
import { MAX_RECORDS_BYTES, readBatchHeader, stampBatch } from '../../src/codec/record-batch.ts'
import { RecordBatch } from '../../src/codec/stored-batch.ts'
import { resolveValueCodec } from '../../src/codec/value-codec.ts'
import { rawBatch } from '../helpers/raw-batch.ts'

const CONTEXT = { topic: 'orders', partition: 3, valueCodec: resolveValueCodec('string') }

/** A batch of 10 records at offset 200 of epoch 4, behind `before` other bytes and in front of as many. */
function stored(compressionType: (typeof compressionTypes)[number], from = 0, before = 5) {
  const encoder = new BatchEncoder({ batchBytes: 1e6, compressionType, timestampType: 'CreateTime', now: () => 0 })
  for (let i = 0; i < 10; i++) encoder.append(null, Buffer.from(`value ${i}`), [], 1000 - i)
  const { bytes } = encoder.finish()
  stampBatch(bytes, 0, 200, 4)
  const chunk = Buffer.concat([Buffer.alloc(before, 0xee), bytes, Buffer.alloc(before, 0xee)])
  return {
    chunk,
    bytes: Buffer.from(bytes),
    batch: new RecordBatch(CONTEXT, chunk, before, readBatchHeader(chunk, before), from),
  }
}

test.each(compressionTypes)('a batch (%s) says what its header says', (compressionType) => {
  const { batch, bytes } = stored(compressionType)
  expect({ topic: batch.topic, partition: batch.partition }).toEqual({ topic: 'orders', partition: 3 })
  expect([batch.baseOffset, batch.lastOffset, batch.recordCount, batch.leaderEpoch]).toEqual([200, 209, 10, 4])
  expect([batch.maxTimestamp, batch.compressionType]).toEqual([1000, compressionType])
  expect(batch.bytes).toEqual(bytes)
})

test.each(compressionTypes)(
  'a batch (%s) gives its records in order, as often as they are asked for',
  (compressionType) => {
    const { batch } = stored(compressionType)
    const expected = Array.from({ length: 10 }, (_, i) => [200 + i, 1000 - i, `value ${i}`])
    expect(batch.records().map(({ offset, timestamp, value }) => [offset, timestamp, value])).toEqual(expected)
    expect([...batch].map(({ offset, timestamp, value }) => [offset, timestamp, value])).toEqual(expected)
  },
)

test('records before the offset that was asked for are left out, and still counted in the header', () => {
  const { batch } = stored('gzip', 207)
  expect([...batch].map(({ offset }) => offset)).toEqual([207, 208, 209])
  expect([batch.recordCount, batch.baseOffset]).toEqual([10, 200])
  expect([...stored('none', 210).batch]).toEqual([])
})

test('its bytes are a view, so that passing a batch on costs no copy', () => {
  const { batch, chunk } = stored('none')
  expect(batch.bytes.buffer).toBe(chunk.buffer)
  expect(batch.bytes.byteOffset).toBe(chunk.byteOffset + 5)
})

test('a few bytes cannot fill the memory: no batch inflates beyond what one may hold', () => {
  const bomb = rawBatch(compress('lz4', Buffer.alloc(MAX_RECORDS_BYTES + 1)), {
    attributes: compressionTypes.indexOf('lz4'),
  })
  expect(bomb.length).toBeLessThan(MAX_RECORDS_BYTES / 200)
  const batch = new RecordBatch(CONTEXT, bomb, 0, readBatchHeader(bomb, 0), 0)
  expect(() => batch.records()).toThrow(expect.objectContaining({ code: 'CORRUPT_MESSAGE' }))
})
