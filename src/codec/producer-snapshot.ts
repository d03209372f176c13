import { crc32c } from './checksum.ts'
import { readInt64, writeInt64 } from './record-batch.ts'

/** A batch of a producer, as it is remembered. */
export interface ProducerBatch {
  firstSequence: number
  lastSequence: number
  baseOffset: number
  lastOffset: number
  /** The greatest of its records, ms since the epoch. */
  timestamp: number
}

/** What a snapshot tells of one producer. */
export interface SnapshotEntry {
  producerId: number
  epoch: number
  /** The last one that it sent. */
  batch: ProducerBatch
}

const VERSION = 1
const HEADER_BYTES = 2 + 4 + 4
const ENTRY_BYTES = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8
const NONE = -1
const SEQUENCES = 2 ** 31

/**
 * A file that tells which batch each idempotent producer of a partition has sent last, in Kafka's format: int16 version 1,
 * CRC-32C of what follows it, int32 count, and of each: int64 id, int16 epoch, int32 last sequence, int64 last offset,
 * int32 offsets before it in its batch, int64 timestamp, int32 coordinator's epoch and int64 first offset of its
 * transaction (-1: none).
 *
 * Source: Kafka's ProducerStateManager.java.
 */
export function encodeSnapshot(entries: readonly SnapshotEntry[]): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + entries.length * ENTRY_BYTES)
  bytes.writeInt16BE(VERSION, 0)
  bytes.writeInt32BE(entries.length, 6)
  let at = HEADER_BYTES
  for (const { producerId, epoch, batch } of entries) {
    writeInt64(bytes, at, producerId)
    bytes.writeInt16BE(epoch, at + 8)
    bytes.writeInt32BE(batch.lastSequence, at + 10)
    writeInt64(bytes, at + 14, batch.lastOffset)
    bytes.writeInt32BE(batch.lastOffset - batch.baseOffset, at + 22)
    writeInt64(bytes, at + 26, batch.timestamp)
    bytes.writeInt32BE(NONE, at + 34)
    writeInt64(bytes, at + 38, NONE)
    at += ENTRY_BYTES
  }
  bytes.writeUInt32BE(crc32c(bytes, 6, bytes.length), 2)
  return bytes
}

/** What a snapshot tells, or null where it is damaged; see {@link encodeSnapshot}. */
export function decodeSnapshot(bytes: Buffer): SnapshotEntry[] | null {
  if (findSnapshotFault(bytes) !== null) return null
  const entries: SnapshotEntry[] = []
  for (let at = HEADER_BYTES; at < bytes.length; at += ENTRY_BYTES) {
    const lastSequence = bytes.readInt32BE(at + 10)
    // of one that has only begun a transaction
    if (lastSequence < 0) continue
    const lastOffset = readInt64(bytes, at + 14)
    const delta = bytes.readInt32BE(at + 22)
    const firstSequence = sequenceAfter(lastSequence, -delta)
    const timestamp = readInt64(bytes, at + 26)
    const batch = { firstSequence, lastSequence, baseOffset: lastOffset - delta, lastOffset, timestamp }
    entries.push({ producerId: readInt64(bytes, at), epoch: bytes.readInt16BE(at + 8), batch })
  }
  return entries
}

/** What is wrong with a snapshot, or null. */
export function findSnapshotFault(bytes: Buffer): string | null {
  if (bytes.length < HEADER_BYTES) return 'file is too short'
  if (bytes.readInt16BE(0) !== VERSION) return 'unknown version'
  if (bytes.readUInt32BE(2) !== crc32c(bytes, 6, bytes.length)) return 'checksum'
  return bytes.length === HEADER_BYTES + bytes.readInt32BE(6) * ENTRY_BYTES ? null : 'wrong size'
}

/** Sequences go round: after the greatest int32 comes 0. */
export function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count + SEQUENCES) % SEQUENCES
}
