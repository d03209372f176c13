import { crc32c } from './checksum.ts'

/**
 * Kafka's RecordBatch v2, the unit that is stored, checked and read. Big-endian:
 *
 *   baseOffset            int64    0   offset of the first record
 *   batchLength           int32    8   bytes after this field
 *   partitionLeaderEpoch  int32   12
 *   magic                 int8    16   2
 *   crc                   uint32  17   CRC-32C of everything after it
 *   attributes            int16   21   bits 0-2 compression, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon
 *   lastOffsetDelta       int32   23
 *   baseTimestamp         int64   27   with a delete horizon: when compaction may drop its tombstones
 *   maxTimestamp          int64   35
 *   producerId            int64   43   -1: none
 *   producerEpoch         int16   51
 *   baseSequence          int32   53
 *   recordCount           int32   57
 *   records                       61   as they are, or compressed as one piece
 *
 * The first three fields lie outside the checksum, so that a broker can fill them in without touching the rest; whoever
 * reads checks them against what surrounds the batch.
 *
 * Source: Kafka's DefaultRecordBatch.java.
 */
export const BATCH_HEADER_BYTES = 8 + 4 + 4 + 1 + 4 + 2 + 4 + 8 + 8 + 8 + 2 + 4 + 4
export const BATCH_LENGTH_END = 8 + 4
export const MAGIC = 2
/** The most that the records of one batch take, uncompressed: what is appended may be as large, and what inflates no larger. */
export const MAX_RECORDS_BYTES = 256 * 1024 * 1024

const LEADER_EPOCH_AT = 12
const MAGIC_AT = 16
const CRC_AT = 17
const CRC_START = 21

export const TIMESTAMP_TYPE_BIT = 1 << 3
export const TRANSACTIONAL_BIT = 1 << 4
export const CONTROL_BIT = 1 << 5
export const DELETE_HORIZON_BIT = 1 << 6
const COMPRESSION_MASK = 7

/** The header of one batch, as stored. */
export interface BatchHeader {
  baseOffset: number
  /** The whole batch, header included. */
  sizeBytes: number
  leaderEpoch: number
  attributes: number
  /** baseOffset + lastOffsetDelta: the greatest offset the batch stands for, even where its record was compacted away. */
  lastOffset: number
  /** ms since the epoch */
  baseTimestamp: number
  maxTimestamp: number
  recordCount: number
}

export function compressionId(attributes: number): number {
  return attributes & COMPRESSION_MASK
}

export function isControlBatch(attributes: number): boolean {
  return (attributes & CONTROL_BIT) !== 0
}

/** Reads an int64 as a number; beyond the safe integers the result is inexact, which the checks below refuse. */
export function readInt64(bytes: Buffer, position: number): number {
  return bytes.readInt32BE(position) * 0x100000000 + bytes.readUInt32BE(position + 4)
}

export function writeInt64(bytes: Buffer, position: number, value: number): void {
  bytes.writeInt32BE(Math.floor(value / 0x100000000), position)
  bytes.writeUInt32BE(value >>> 0, position + 4)
}

/** Size in bytes of the batch at `position`, as its length field claims; needs the first 12 bytes only. */
export function batchSizeAt(bytes: Buffer, position: number): number {
  return bytes.readInt32BE(position + 8) + BATCH_LENGTH_END
}

/** Decodes the header at `position`; the caller has checked that 61 bytes are there. */
export function readBatchHeader(bytes: Buffer, position: number): BatchHeader {
  const baseOffset = readInt64(bytes, position)
  return {
    baseOffset,
    sizeBytes: batchSizeAt(bytes, position),
    leaderEpoch: bytes.readInt32BE(position + LEADER_EPOCH_AT),
    attributes: bytes.readInt16BE(position + CRC_START),
    lastOffset: baseOffset + bytes.readInt32BE(position + 23),
    baseTimestamp: readInt64(bytes, position + 27),
    maxTimestamp: readInt64(bytes, position + 35),
    recordCount: bytes.readInt32BE(position + 57),
  }
}

/** The fields of a header that neither storing nor reading needs. */
export interface BatchDetails {
  magic: number
  crc: number
  /** -1: none */
  producerId: number
  producerEpoch: number
  baseSequence: number
}

/** Decodes the rest of the header at `position`, as {@link readBatchHeader} does the fields in use. */
export function readBatchDetails(bytes: Buffer, position: number): BatchDetails {
  return {
    magic: bytes.readInt8(position + MAGIC_AT),
    crc: bytes.readUInt32BE(position + CRC_AT),
    producerId: readInt64(bytes, position + 43),
    producerEpoch: bytes.readInt16BE(position + 51),
    baseSequence: bytes.readInt32BE(position + 53),
  }
}

/** What the writer of a partition knows only when it writes; outside the checksum. */
export function stampBatch(bytes: Buffer, position: number, baseOffset: number, leaderEpoch: number): void {
  writeInt64(bytes, position, baseOffset)
  bytes.writeInt32BE(leaderEpoch, position + LEADER_EPOCH_AT)
}

/** Fills in a batch's header but for offset and epoch (see {@link stampBatch}), then its checksum. */
export function sealBatch(
  bytes: Buffer,
  position: number,
  fields: { sizeBytes: number; attributes: number; recordCount: number; baseTimestamp: number; maxTimestamp: number },
): void {
  bytes.writeInt32BE(fields.sizeBytes - BATCH_LENGTH_END, position + 8)
  bytes[position + MAGIC_AT] = MAGIC
  bytes.writeInt16BE(fields.attributes, position + CRC_START)
  bytes.writeInt32BE(fields.recordCount - 1, position + 23)
  writeInt64(bytes, position + 27, fields.baseTimestamp)
  writeInt64(bytes, position + 35, fields.maxTimestamp)
  writeInt64(bytes, position + 43, -1)
  bytes.writeInt16BE(-1, position + 51)
  bytes.writeInt32BE(-1, position + 53)
  bytes.writeInt32BE(fields.recordCount, position + 57)
  bytes.writeUInt32BE(crc32c(bytes, position + CRC_START, position + fields.sizeBytes), position + CRC_AT)
}

/** Fills in what a rewrite of the batch's records has changed, then its checksum; everything else stays as it is. */
export function resealBatch(
  bytes: Buffer,
  position: number,
  fields: { sizeBytes: number; attributes: number; recordCount: number; baseTimestamp: number; maxTimestamp: number },
): void {
  bytes.writeInt32BE(fields.sizeBytes - BATCH_LENGTH_END, position + 8)
  bytes.writeInt16BE(fields.attributes, position + CRC_START)
  writeInt64(bytes, position + 27, fields.baseTimestamp)
  writeInt64(bytes, position + 35, fields.maxTimestamp)
  bytes.writeInt32BE(fields.recordCount, position + 57)
  bytes.writeUInt32BE(crc32c(bytes, position + CRC_START, position + fields.sizeBytes), position + CRC_AT)
}

/** Makes the batch at `position` stand for the offsets up to `lastOffset`, then fills in its checksum. */
export function extendBatch(bytes: Buffer, position: number, lastOffset: number): void {
  bytes.writeInt32BE(lastOffset - readInt64(bytes, position), position + 23)
  const end = position + batchSizeAt(bytes, position)
  bytes.writeUInt32BE(crc32c(bytes, position + CRC_START, end), position + CRC_AT)
}

/** A batch without records that stands for the offsets from `baseOffset` to `lastOffset`, as Kafka's cleaner leaves them. */
export function emptyBatch(baseOffset: number, lastOffset: number, leaderEpoch: number): Buffer {
  const bytes = Buffer.alloc(BATCH_HEADER_BYTES)
  const fields = { attributes: 0, recordCount: 0, baseTimestamp: -1, maxTimestamp: -1 }
  sealBatch(bytes, 0, { sizeBytes: BATCH_HEADER_BYTES, ...fields })
  stampBatch(bytes, 0, baseOffset, leaderEpoch)
  extendBatch(bytes, 0, lastOffset)
  return bytes
}

/** Why a batch is not valid; `'incomplete'`: the bytes end before it does. */
export type BatchFault = 'incomplete' | 'length' | 'magic' | 'old format' | 'offset' | 'checksum'

/** Checks the parts of the header that tell whether a batch may start at `position` at all; reads no record. */
export function findHeaderFault(bytes: Buffer, position: number, end: number): BatchFault | null {
  if (end - position < BATCH_HEADER_BYTES) return 'incomplete'
  const magic = bytes[position + MAGIC_AT]
  if (batchSizeAt(bytes, position) < BATCH_HEADER_BYTES) {
    // magic 0 also marks zeros: only a plausible length makes it an old message set
    return (magic === 0 || magic === 1) && batchSizeAt(bytes, position) > 26 ? 'old format' : 'length'
  }
  if (magic !== MAGIC) return magic === 0 || magic === 1 ? 'old format' : 'magic'
  const baseOffset = readInt64(bytes, position)
  const lastOffsetDelta = bytes.readInt32BE(position + 23)
  if (baseOffset < 0 || lastOffsetDelta < 0 || !Number.isSafeInteger(baseOffset + lastOffsetDelta)) return 'offset'
  return null
}

/**
 * Checks the whole batch at `position`: length, magic, offsets and CRC-32C.
 *
 * @param end end of the bytes that count
 * @returns null when the batch is whole and valid
 */
export function findBatchFault(bytes: Buffer, position: number, end: number): BatchFault | null {
  const fault = findHeaderFault(bytes, position, end)
  if (fault !== null) return fault
  const batchEnd = position + batchSizeAt(bytes, position)
  if (batchEnd > end) return 'incomplete'
  return bytes.readUInt32BE(position + CRC_AT) === crc32c(bytes, position + CRC_START, batchEnd) ? null : 'checksum'
}
