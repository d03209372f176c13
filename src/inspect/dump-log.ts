import { deleteHorizonOf } from '../codec/batch-filter.ts'
import { compressionTypes, type CompressionType } from '../codec/compression.ts'
import {
  BATCH_HEADER_BYTES,
  batchSizeAt,
  compressionId,
  CONTROL_BIT,
  findBatchFault,
  findHeaderFault,
  isControlBatch,
  readBatchDetails,
  readBatchHeader,
  TIMESTAMP_TYPE_BIT,
  TRANSACTIONAL_BIT,
  type BatchFault,
  type BatchHeader,
} from '../codec/record-batch.ts'
import { decodeRecords, type ConsumerRecord, type RecordContext } from '../codec/record.ts'
import { resolveValueCodec } from '../codec/value-codec.ts'
import { VarveError } from '../errors.ts'
import { findBatchAfterDamage, MAX_BATCH_BYTES } from '../storage/batch-scanner.ts'
import { readFully, type Storage, type StorageFile } from '../storage/storage.ts'

/** One record of a batch, as its bytes stand in the file. */
export interface DumpedRecord {
  offset: number
  /** ms since the epoch */
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  headers: [name: string, value: Buffer | null][]
  /** Of a control batch: how the transaction ended. */
  control?: 'commit' | 'abort' | 'unknown'
}

/** One batch of a `.log` file. */
export interface DumpedBatch {
  kind: 'batch'
  /** Byte position in the file. */
  position: number
  baseOffset: number
  lastOffset: number
  /** Records in the batch. */
  count: number
  /** The whole batch, header included. */
  sizeBytes: number
  leaderEpoch: number
  magic: number
  /** As stored, 8 hex digits. */
  crc: string
  /** Whether the bytes have that checksum; a {@link DumpedDamage} follows where they do not. */
  crcOk: boolean
  compression: CompressionType | 'unknown'
  timestampType: 'CreateTime' | 'LogAppendTime'
  isTransactional: boolean
  isControl: boolean
  /** When compaction may drop the tombstones in it, ms since the epoch; only of a batch that says so. */
  deleteHorizon?: number
  /** ms since the epoch; the delete horizon where there is one */
  baseTimestamp: number
  maxTimestamp: number
  /** -1: none */
  producerId: number
  producerEpoch: number
  baseSequence: number
  /** With `records`, and only of a batch whose checksum is right. */
  records?: DumpedRecord[]
}

/** Bytes that are none of the above; what follows was found after them. */
export interface DumpedDamage {
  kind: 'damage'
  /** First damaged byte. */
  position: number
  /** First byte after it that could be read again, or the size of the file. */
  nextPosition: number
  reason: BatchFault | 'records' | 'not a whole entry' | 'not increasing' | 'checksum or format'
}

const CHUNK_BYTES = 1024 * 1024
const MAX_INFLATED_BYTES = 64 * 1024 * 1024

/** Lists the batches of a `.log` file. */
export async function* dumpLog(
  storage: Storage,
  path: string,
  withRecords: boolean,
): AsyncGenerator<DumpedBatch | DumpedDamage, void, undefined> {
  const file = await storage.openFile(path, 'read')
  try {
    const size = await file.size()
    let chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, size))
    for (let position = 0; position < size;) {
      const length = await readFully(file, chunk.subarray(0, Math.min(chunk.length, size - position)), position)
      let at = 0
      let fault = findBatchFault(chunk, 0, length)
      for (; fault === null; fault = findBatchFault(chunk, at, length)) {
        yield* dumpBatch(chunk, at, position + at, withRecords)
        at += batchSizeAt(chunk, at)
      }
      position += at
      if (position >= size) return
      if (fault === 'incomplete' && position + (length - at) < size) {
        if (at > 0) continue
        // larger than the chunk: the batch is in the file, or its length is wrong
        const needed = length < BATCH_HEADER_BYTES ? Infinity : batchSizeAt(chunk, 0)
        if (needed > length && needed <= Math.min(MAX_BATCH_BYTES, size - position)) {
          chunk = Buffer.allocUnsafeSlow(needed)
          continue
        }
      }
      const next = await findBatchAfterDamage(file, position, size, 0)
      if (next === null && (await endsInZeros(file, position, size))) return
      if (findHeaderFault(chunk, at, length) === null) yield readBatch(chunk, at, position, false)
      yield { kind: 'damage', position, nextPosition: next?.position ?? size, reason: fault }
      position = next?.position ?? size
    }
  } finally {
    await file.close()
  }
}

function* dumpBatch(
  chunk: Buffer,
  at: number,
  position: number,
  withRecords: boolean,
): Generator<DumpedBatch | DumpedDamage> {
  const batch = readBatch(chunk, at, position, true)
  if (!withRecords) return yield batch
  try {
    batch.records = readRecords(Buffer.from(chunk.subarray(at, at + batch.sizeBytes)))
    yield batch
  } catch (error) {
    if (!(error instanceof VarveError)) throw error
    yield batch
    // the checksum is right: whoever wrote the batch made it so
    yield { kind: 'damage', position, nextPosition: position + batch.sizeBytes, reason: 'records' }
  }
}

function readBatch(bytes: Buffer, at: number, position: number, crcOk: boolean): DumpedBatch {
  const header = readBatchHeader(bytes, at)
  const { attributes, baseOffset, lastOffset, sizeBytes, leaderEpoch, baseTimestamp, maxTimestamp } = header
  const deleteHorizon = deleteHorizonOf(header)
  const { magic, crc, producerId, producerEpoch, baseSequence } = readBatchDetails(bytes, at)
  return {
    kind: 'batch',
    position,
    baseOffset,
    lastOffset,
    count: header.recordCount,
    sizeBytes,
    leaderEpoch,
    magic,
    crc: crc.toString(16).padStart(8, '0'),
    crcOk,
    compression: compressionTypes[compressionId(attributes)] ?? 'unknown',
    timestampType: (attributes & TIMESTAMP_TYPE_BIT) === 0 ? 'CreateTime' : 'LogAppendTime',
    isTransactional: (attributes & TRANSACTIONAL_BIT) !== 0,
    isControl: isControlBatch(attributes),
    ...(deleteHorizon !== null && { deleteHorizon }),
    baseTimestamp,
    maxTimestamp,
    producerId,
    producerEpoch,
    baseSequence,
  }
}

const context: RecordContext = { topic: '', partition: 0, valueCodec: resolveValueCodec('bytes') }

function readRecords(bytes: Buffer): DumpedRecord[] {
  const header = readBatchHeader(bytes, 0)
  const isControl = isControlBatch(header.attributes)
  // to a reader a control batch holds no records
  const plain: BatchHeader = { ...header, attributes: header.attributes & ~CONTROL_BIT }
  const records = decodeRecords(context, bytes, 0, plain, header.baseOffset, MAX_INFLATED_BYTES)
  return records.map((record) => dumpRecord(record, isControl))
}

function dumpRecord(record: ConsumerRecord, isControl: boolean): DumpedRecord {
  const { offset, timestamp, keyBytes, valueBytes, rawHeaders } = record
  const dumped: DumpedRecord = { offset, timestamp, key: keyBytes, value: valueBytes, headers: rawHeaders }
  if (isControl) dumped.control = controlType(keyBytes)
  return dumped
}

/** The key of a control record: int16 version, int16 type. */
function controlType(key: Buffer | null): 'commit' | 'abort' | 'unknown' {
  const type = key !== null && key.length >= 4 ? key.readInt16BE(2) : -1
  if (type === 0) return 'abort'
  return type === 1 ? 'commit' : 'unknown'
}

async function endsInZeros(file: StorageFile, start: number, end: number): Promise<boolean> {
  const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, end - start))
  for (let position = start; position < end; position += chunk.length) {
    const length = await readFully(file, chunk, position)
    if (!chunk.subarray(0, length).every((byte) => byte === 0)) return false
  }
  return true
}
