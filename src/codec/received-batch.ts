import { VarveError, type ErrorCode } from '../errors.ts'
import { RecordWalker } from './batch-filter.ts'
import { compressionTypeOf } from './compression.ts'
import {
  BATCH_HEADER_BYTES,
  batchSizeAt,
  compressionId,
  DELETE_HORIZON_BIT,
  findBatchFault,
  isControlBatch,
  MAGIC,
  readBatchDetails,
  readBatchHeader,
  stampBatch,
  TIMESTAMP_TYPE_BIT,
  TRANSACTIONAL_BIT,
  type BatchHeader,
} from './record-batch.ts'

/**
 * Checks the one batch that a client sends for a partition, by its header and its checksum; no record is looked at. What
 * the client has filled in as base offset and leader epoch is of no account, and is overwritten.
 *
 * @param bytes    all that was sent for the partition
 * @param maxBytes the most that a batch may have
 * @param mayUseZstd whether the version of the request knows Zstandard
 * @throws VarveError INVALID_RECORD, CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE, INVALID_TIMESTAMP
 *   or INVALID_TXN_STATE, in the order in which Kafka looks
 */
export function checkReceivedBatch(bytes: Buffer, maxBytes: number, mayUseZstd: boolean): BatchHeader {
  if (bytes.length < BATCH_HEADER_BYTES) refuse('INVALID_RECORD', `${bytes.length} bytes are no record batch`)
  stampBatch(bytes, 0, 0, -1)
  const { magic, producerId, baseSequence } = readBatchDetails(bytes, 0)
  if (magic < 0 || magic > MAGIC) refuse('CORRUPT_MESSAGE', `there are no record batches with magic ${magic}`)
  if (magic !== MAGIC) refuse('INVALID_RECORD', `only record batches with magic ${MAGIC} are taken, not ${magic}`)
  const sizeBytes = batchSizeAt(bytes, 0)
  if (sizeBytes < BATCH_HEADER_BYTES) refuse('CORRUPT_MESSAGE', `a batch cannot have ${sizeBytes} bytes`)
  if (sizeBytes !== bytes.length) {
    const message = `there must be exactly one whole batch: it has ${sizeBytes} bytes, and ${bytes.length} came`
    refuse('INVALID_RECORD', message)
  }
  const header = readBatchHeader(bytes, 0)
  const { attributes, baseTimestamp, maxTimestamp, recordCount } = header
  if (compressionTypeOf(compressionId(attributes)) === 'zstd' && !mayUseZstd) {
    refuse('UNSUPPORTED_COMPRESSION_TYPE', 'zstd is for version 7 of Produce and later ones')
  }
  if (sizeBytes > maxBytes) {
    const message = `a batch of ${sizeBytes} bytes is larger than the topic's max.message.bytes (${maxBytes})`
    refuse('MESSAGE_TOO_LARGE', message)
  }
  const fault = findBatchFault(bytes, 0, bytes.length)
  if (fault === 'checksum') refuse('CORRUPT_MESSAGE', 'the checksum of the batch is wrong')
  if (fault !== null || recordCount <= 0 || recordCount !== header.lastOffset + 1) {
    refuse('INVALID_RECORD', `a batch of ${recordCount} records cannot end with offset ${header.lastOffset}`)
  }
  if (isControlBatch(attributes)) refuse('INVALID_RECORD', 'control batches are for the broker to write')
  if ((attributes & DELETE_HORIZON_BIT) !== 0) refuse('INVALID_RECORD', 'delete horizons are for the broker to set')
  if (producerId > Number.MAX_SAFE_INTEGER) {
    refuse('INVALID_RECORD', `the producer id ${producerId} is none that was given out`)
  }
  if (producerId >= 0 && baseSequence < 0) {
    refuse('INVALID_RECORD', `producer ${producerId} sends the sequence ${baseSequence}`)
  }
  if ((attributes & TRANSACTIONAL_BIT) !== 0) refuse('INVALID_TXN_STATE', 'there is no transaction that it is part of')
  if ((attributes & TIMESTAMP_TYPE_BIT) !== 0) {
    refuse('INVALID_TIMESTAMP', 'a producer must not set the timestamp type to LogAppendTime')
  }
  if (!Number.isSafeInteger(baseTimestamp) || !Number.isSafeInteger(maxTimestamp)) {
    refuse('INVALID_TIMESTAMP', `the timestamps ${baseTimestamp} to ${maxTimestamp} are out of range`)
  }
  return header
}

/**
 * The records of a checked batch that have no key: the index of each, up to `limit` of them.
 *
 * @param maxBytes most that the batch may inflate to
 * @throws VarveError INVALID_RECORD or CORRUPT_MESSAGE where there is nonsense under the checksum
 */
export function recordsWithoutKey(bytes: Buffer, header: BatchHeader, maxBytes: number, limit: number): number[] {
  const records = new RecordWalker(bytes, 0, header, maxBytes)
  const found: number[] = []
  for (let index = 0; records.next(); index++) if (records.keyLength < 0 && found.length < limit) found.push(index)
  return found
}

function refuse(code: ErrorCode, message: string): never {
  throw new VarveError(code, message)
}
