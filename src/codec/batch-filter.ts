import { VarveError } from '../errors.ts'
import { compress, compressionTypeOf, decompress } from './compression.ts'
import {
  BATCH_HEADER_BYTES,
  compressionId,
  DELETE_HORIZON_BIT,
  isControlBatch,
  MAX_RECORDS_BYTES,
  readBatchHeader,
  resealBatch,
  TIMESTAMP_TYPE_BIT,
  TRANSACTIONAL_BIT,
  type BatchHeader,
} from './record-batch.ts'
import { VarintReader, varlongSize, writeVarint, writeVarlong } from './varint.ts'

/** Timestamps further from a delete horizon than this could not be told from it exactly. */
const MAX_TIMESTAMP_SPREAD_MS = 2 ** 51

/**
 * Goes over the records of one batch whose checksum was verified, decoding no more of each than compaction goes by: one
 * object for all of them.
 */
export class RecordWalker {
  /** The records, inflated; the places below are in it. */
  readonly body: Buffer
  offset = -1
  timestampDelta = 0
  /** Of the whole record, its length field included. */
  start = 0
  end = 0
  keyStart = 0
  /** -1: no key */
  keyLength = -1
  hasValue = false

  private remaining: number
  private readonly reader: VarintReader
  private readonly bodyEnd: number

  /** @param maxBytes most that a compressed batch may inflate to */
  constructor(
    bytes: Buffer,
    position: number,
    private readonly header: BatchHeader,
    maxBytes = MAX_RECORDS_BYTES,
  ) {
    const start = position + BATCH_HEADER_BYTES
    const end = position + header.sizeBytes
    const codecId = compressionId(header.attributes)
    const isPlain = codecId === 0
    this.body = isPlain ? bytes : decompress(compressionTypeOf(codecId), bytes.subarray(start, end), maxBytes)
    this.end = isPlain ? start : 0
    this.bodyEnd = isPlain ? end : this.body.length
    this.reader = new VarintReader(this.body, this.end)
    this.remaining = header.recordCount
    this.offset = header.baseOffset - 1
  }

  /**
   * Steps to the next record; false when there is none.
   *
   * @throws VarveError INVALID_RECORD where the producer wrote nonsense under a valid checksum
   */
  next(): boolean {
    const { reader, header } = this
    if (this.remaining === 0) {
      if (this.end !== this.bodyEnd) throw this.invalid()
      return false
    }
    this.remaining--
    this.start = this.end
    const length = reader.varint()
    const end = reader.position + length
    reader.position++
    this.timestampDelta = reader.varlong()
    const offset = header.baseOffset + reader.varint()
    const keyLength = reader.varint()
    this.keyStart = reader.position
    if (keyLength > 0) reader.position += keyLength
    const valueLength = reader.varint()
    const rest = reader.position + Math.max(valueLength, 0)
    // NaN compares false
    const isSound =
      rest < end &&
      end <= this.bodyEnd &&
      keyLength >= -1 &&
      valueLength >= -1 &&
      offset > this.offset &&
      offset <= header.lastOffset &&
      this.timestampDelta === this.timestampDelta
    if (!isSound) throw this.invalid()
    this.offset = offset
    this.keyLength = keyLength
    this.hasValue = valueLength >= 0
    this.end = reader.position = end
    return true
  }

  private invalid(): VarveError {
    const { baseOffset } = this.header
    const message = `the batch at offset ${baseOffset} holds malformed records under a valid checksum; its producer is at fault`
    return new VarveError('INVALID_RECORD', message, { details: { offset: baseOffset } })
  }
}

/**
 * The first record at or after a time, in a batch whose checksum was verified; null where there is none. No more of the
 * records is decoded than that takes, for they may be many in few bytes.
 *
 * @param from      records below this offset do not count
 * @param timestamp ms since the epoch
 * @param maxBytes  most that a compressed batch may inflate to
 * @throws VarveError INVALID_RECORD or CORRUPT_MESSAGE where there is nonsense under the checksum
 */
export function firstRecordAt(
  batch: Buffer,
  from: number,
  timestamp: number,
  maxBytes: number,
): { offset: number; timestamp: number } | null {
  const header = readBatchHeader(batch, 0)
  if (isControlBatch(header.attributes)) return null
  const isAppendTime = (header.attributes & TIMESTAMP_TYPE_BIT) !== 0
  const records = new RecordWalker(batch, 0, header, maxBytes)
  while (records.next()) {
    const at = isAppendTime ? header.maxTimestamp : header.baseTimestamp + records.timestampDelta
    if (at >= timestamp && records.offset >= from) return { offset: records.offset, timestamp: at }
  }
  return null
}

/** When compaction may drop the tombstones of a batch, ms since the epoch, or null where no cleaning has seen them yet. */
export function deleteHorizonOf({ attributes, baseTimestamp }: BatchHeader): number | null {
  return (attributes & DELETE_HORIZON_BIT) === 0 ? null : baseTimestamp
}

/** Whether a batch is kept as it is: it holds no records of anybody's but the end of a transaction. */
export function isMarker({ attributes }: BatchHeader): boolean {
  return isControlBatch(attributes)
}

/** Whether it is uncertain that a batch's records count: they are part of a transaction that may have been aborted. */
export function isTransactional({ attributes }: BatchHeader): boolean {
  return (attributes & TRANSACTIONAL_BIT) !== 0
}

/** What is left of a batch: all of it as it is, nothing, or a batch of its own. */
export interface FilteredBatch {
  /** Records that stay. */
  recordCount: number
  /** Null where the batch stays as it is, or nothing of it stays. */
  rewritten: Buffer | null
}

/**
 * Keeps those records of a batch for which `retains` is true. What stays has its offset, timestamp, key, value and headers;
 * the batch keeps its base and last offset, producer, epoch, compression and attributes.
 *
 * @param deleteHorizonMs given to a batch with tombstones that has none: Kafka's KIP-534
 */
export function filterBatch(
  bytes: Buffer,
  position: number,
  header: BatchHeader,
  retains: (record: RecordWalker) => boolean,
  deleteHorizonMs: number,
): FilteredBatch {
  const records = new RecordWalker(bytes, position, header)
  /** Pairs of start and end in the body; adjacent records are one range. */
  const ranges: number[] = []
  let recordCount = 0
  let hasTombstone = false
  let [least, greatest] = [Infinity, -Infinity]
  while (records.next()) {
    if (!retains(records)) continue
    recordCount++
    if (!records.hasValue) hasTombstone = true
    if (records.timestampDelta < least) least = records.timestampDelta
    if (records.timestampDelta > greatest) greatest = records.timestampDelta
    if (ranges[ranges.length - 1] === records.start) ranges[ranges.length - 1] = records.end
    else ranges.push(records.start, records.end)
  }
  const { baseTimestamp, attributes } = header
  const mayHaveHorizon =
    hasTombstone &&
    deleteHorizonOf(header) === null &&
    !isTransactional(header) &&
    Math.abs(baseTimestamp + least - deleteHorizonMs) < MAX_TIMESTAMP_SPREAD_MS &&
    Math.abs(baseTimestamp + greatest - deleteHorizonMs) < MAX_TIMESTAMP_SPREAD_MS
  if (recordCount === 0 || (recordCount === header.recordCount && !mayHaveHorizon))
    return { recordCount, rewritten: null }
  const kept = mayHaveHorizon
    ? withBaseTimestamp(records.body, ranges, baseTimestamp - deleteHorizonMs)
    : Buffer.concat(pieces(records.body, ranges))
  const codecId = compressionId(attributes)
  const stored = codecId === 0 ? kept : compress(compressionTypeOf(codecId), kept)
  const rewritten = Buffer.allocUnsafe(BATCH_HEADER_BYTES + stored.length)
  bytes.copy(rewritten, 0, position, position + BATCH_HEADER_BYTES)
  stored.copy(rewritten, BATCH_HEADER_BYTES)
  const hasAppendTime = (attributes & TIMESTAMP_TYPE_BIT) !== 0
  resealBatch(rewritten, 0, {
    sizeBytes: rewritten.length,
    attributes: mayHaveHorizon ? attributes | DELETE_HORIZON_BIT : attributes,
    recordCount,
    baseTimestamp: mayHaveHorizon ? deleteHorizonMs : baseTimestamp,
    maxTimestamp: hasAppendTime ? header.maxTimestamp : baseTimestamp + greatest,
  })
  return { recordCount, rewritten }
}

function pieces(body: Buffer, ranges: readonly number[]): Buffer[] {
  const found: Buffer[] = []
  for (let i = 0; i < ranges.length; i += 2) found.push(body.subarray(ranges[i], ranges[i + 1]))
  return found
}

/** The records in those ranges, each timestamp told from a base that is `shift` less: their lengths change with it. */
function withBaseTimestamp(body: Buffer, ranges: readonly number[], shift: number): Buffer {
  const total = ranges.reduce((sum, at, i) => sum + (i % 2 === 0 ? -at : at), 0)
  // a delta takes 10 bytes at most, a length 5; a record has at least 7
  const target = Buffer.allocUnsafe(total * 3)
  let at = 0
  for (let i = 0; i < ranges.length; i += 2) {
    const reader = new VarintReader(body, ranges[i])
    while (reader.position < ranges[i + 1]) {
      const length = reader.varint()
      const end = reader.position + length
      const attributes = body[reader.position++]
      const delta = reader.varlong() + shift
      const rest = reader.position
      const bodyBytes = 1 + varlongSize(delta) + end - rest
      at = writeVarint(target, at, bodyBytes)
      target[at++] = attributes
      at = writeVarlong(target, at, delta)
      at += body.copy(target, at, rest, end)
      reader.position = end
    }
  }
  return target.subarray(0, at)
}
