import crcTables from 'crc-32'
import { batchSizeAt } from './record-batch.ts'

const CRC_AT = 12
const CRC_START = 16
const SMALLEST_BYTES = 26

/**
 * Tells whether `bytes` begins with a message of Kafka's formats 0 and 1, which RecordBatch v2 replaced in Kafka 0.11:
 * int64 offset, int32 size, uint32 CRC-32 of what follows it, int8 magic, and the rest. Nothing here reads their
 * records; this tells an old file from a damaged one.
 */
export function isOldMessage(bytes: Buffer): boolean {
  if (bytes.length < SMALLEST_BYTES || bytes[CRC_START] > 1) return false
  const end = batchSizeAt(bytes, 0)
  if (end < SMALLEST_BYTES || end > bytes.length) return false
  return bytes.readUInt32BE(CRC_AT) === crcTables.buf(bytes.subarray(CRC_START, end)) >>> 0
}
