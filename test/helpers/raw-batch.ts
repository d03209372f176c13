import crcTables from 'crc-32'
import type { EncodedHeader } from '../../src/codec/batch-encoder.ts'
import { crc32c } from '../../src/codec/checksum.ts'
import { BATCH_HEADER_BYTES } from '../../src/codec/record-batch.ts'
import { writeVarint, writeVarlong } from '../../src/codec/varint.ts'

/** A batch's fields; those that are not given are those of a plain batch at offset 0. */
export interface RawBatch {
  baseOffset?: number
  leaderEpoch?: number
  attributes?: number
  lastOffsetDelta?: number
  baseTimestamp?: number
  maxTimestamp?: number
  recordCount?: number
}

/** Lays down a batch as it is documented, field by field, whatever its body holds, with a checksum that is right. */
export function rawBatch(body: Uint8Array, fields: RawBatch = {}): Buffer {
  const { baseOffset = 0, leaderEpoch = 0, attributes = 0, recordCount = 1 } = fields
  const { lastOffsetDelta = recordCount - 1, baseTimestamp = 0, maxTimestamp = baseTimestamp } = fields
  const bytes = Buffer.alloc(BATCH_HEADER_BYTES + body.length)
  bytes.writeBigInt64BE(BigInt(baseOffset), 0)
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt32BE(leaderEpoch, 12)
  bytes.writeInt8(2, 16)
  bytes.writeInt16BE(attributes, 21)
  bytes.writeInt32BE(lastOffsetDelta, 23)
  bytes.writeBigInt64BE(BigInt(baseTimestamp), 27)
  bytes.writeBigInt64BE(BigInt(maxTimestamp), 35)
  bytes.writeBigInt64BE(-1n, 43)
  bytes.writeInt16BE(-1, 51)
  bytes.writeInt32BE(-1, 53)
  bytes.writeInt32BE(recordCount, 57)
  bytes.set(body, BATCH_HEADER_BYTES)
  return resealed(bytes)
}

/** Makes the checksum right again after a change. */
export function resealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch, 21, batch.length), 17)
  return batch
}

/** Varints, lengths and bytes one after another, as a record's body is made of them. */
export function rawRecord(...parts: (number | string | Uint8Array | readonly number[])[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'number' ? varint(part) : Buffer.from(part))))
  return Buffer.concat([varint(body.length), body])
}

/** One varint's bytes; integers beyond int32 as a varlong. */
export function varint(value: number): Buffer {
  const bytes = Buffer.alloc(10)
  return bytes.subarray(0, value === (value | 0) ? writeVarint(bytes, 0, value) : writeVarlong(bytes, 0, value))
}

/** Names and values of headers as an encoder takes them. */
export function encodedHeaders(...pairs: [name: string, value: string | null][]): EncodedHeader[] {
  return pairs.map(([name, value]) => [Buffer.from(name), value === null ? null : Buffer.from(value)])
}

/** A message of Kafka's formats 0 and 1: offset, size, CRC-32, magic, attributes, timestamp, key and value. */
export function oldMessage(magic: number, value: string): Buffer {
  const timestamp = Buffer.alloc(magic === 0 ? 0 : 8)
  const lengths = [Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.from([0, 0, 0, value.length])]
  const checked = Buffer.concat([Buffer.from([magic, 0]), timestamp, ...lengths, Buffer.from(value)])
  const head = Buffer.alloc(16)
  head.writeInt32BE(4 + checked.length, 8)
  head.writeInt32BE(crcTables.buf(checked), 12)
  return Buffer.concat([head, checked])
}
