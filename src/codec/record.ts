import { VarveError } from '../errors.ts'
import { compressionTypeOf, decompress } from './compression.ts'
import {
  BATCH_HEADER_BYTES,
  compressionId,
  isControlBatch,
  TIMESTAMP_TYPE_BIT,
  type BatchHeader,
} from './record-batch.ts'
import type { ValueCodec } from './value-codec.ts'
import { VarintReader } from './varint.ts'

/** What the records of one partition share. */
export interface RecordContext {
  readonly topic: string
  readonly partition: number
  readonly valueCodec: ValueCodec
}

/**
 * One record as it was stored.
 *
 * A view: keys, values and headers are decoded when they are asked for, from the bytes of the batch. Keep
 * `Buffer.from(record.valueBytes)` rather than the record where a few records out of many are kept for long, because
 * a record holds on to the whole chunk that was read with it.
 */
export class ConsumerRecord {
  constructor(
    private readonly context: RecordContext,
    /** Position in the partition, from 0. */
    readonly offset: number,
    /** Milliseconds since the epoch; negative before 1970. */
    readonly timestamp: number,
    private readonly bytes: Buffer,
    private readonly keyStart: number,
    private readonly keyLength: number,
    private readonly valueStart: number,
    private readonly valueLength: number,
  ) {}

  get topic(): string {
    return this.context.topic
  }

  get partition(): number {
    return this.context.partition
  }

  /** The key as text (UTF-8), or null. */
  get key(): string | null {
    return this.keyLength < 0 ? null : this.bytes.toString('utf8', this.keyStart, this.keyStart + this.keyLength)
  }

  /** The key's own bytes (a view), or null. */
  get keyBytes(): Buffer | null {
    return this.keyLength < 0 ? null : this.bytes.subarray(this.keyStart, this.keyStart + this.keyLength)
  }

  /** The value, decoded by the topic's value codec at each access; null for a record without a value (a tombstone). */
  // oxlint-disable-next-line no-explicit-any -- what the codec gives is for the caller to know
  get value(): any {
    const bytes = this.valueBytes
    if (bytes === null) return null
    try {
      return this.context.valueCodec.decode(bytes)
    } catch (cause) {
      // the built-in codecs say INVALID_RECORD, without knowing where
      if (cause instanceof VarveError && cause.code !== 'INVALID_RECORD') throw cause
      const { topic, partition, offset } = this
      const message =
        `cannot decode the value of ${topic}-${partition} at offset ${offset}: ${(cause as Error).message}; ` +
        "use record.valueBytes, or set the topic's valueCodec to what the writer used"
      throw new VarveError('INVALID_RECORD', message, { details: { topic, partition, offset }, cause })
    }
  }

  /** The value's own bytes (a view), or null. */
  get valueBytes(): Buffer | null {
    return this.valueLength < 0 ? null : this.bytes.subarray(this.valueStart, this.valueStart + this.valueLength)
  }

  /** Headers by name, values as text (UTF-8) or null; of a repeated name the last one counts. */
  get headers(): { [name: string]: string | null } {
    const headers: { [name: string]: string | null } = Object.create(null)
    for (const [name, value] of this.rawHeaders) headers[name] = value === null ? null : value.toString()
    return headers
  }

  /** All headers in stored order, repeated names included, values as bytes (views) or null. */
  get rawHeaders(): [name: string, value: Buffer | null][] {
    const reader = new VarintReader(this.bytes, this.valueStart + Math.max(this.valueLength, 0))
    const count = reader.varint()
    const headers: [string, Buffer | null][] = []
    // decodeRecords has checked that all of them are there
    for (let i = 0; i < count; i++) {
      headers.push([readBytes(this.bytes, reader)!.toString(), readBytes(this.bytes, reader)])
    }
    return headers
  }

  /**
   * A plain object for printing and JSON: topic, partition, offset, timestamp, key, value, headers. Big integers in the
   * value, which JSON refuses, are decimal text.
   */
  toJSON(): object {
    const { topic, partition, offset, timestamp, key, value, headers } = this
    return { topic, partition, offset, timestamp, key, value: withoutBigints(value), headers: { ...headers } }
  }
}

/** The same, or a copy where there is a bigint in what JSON.stringify would go through. */
function withoutBigints(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null || typeof (value as { toJSON?: unknown }).toJSON === 'function') {
    return value
  }
  if (ArrayBuffer.isView(value) && !(value instanceof BigInt64Array || value instanceof BigUint64Array)) return value
  if (Array.isArray(value)) {
    const items = value.map(withoutBigints)
    return items.every((item, index) => item === value[index]) ? value : items
  }
  const members = Object.entries(value).map(([name, member]) => [name, member, withoutBigints(member)] as const)
  if (members.every(([, before, after]) => before === after)) return value
  return Object.fromEntries(members.map(([name, , after]) => [name, after]))
}

function readBytes(bytes: Buffer, reader: VarintReader): Buffer | null {
  const length = reader.varint()
  if (length === -1) return null
  const start = reader.position
  reader.position += length
  return bytes.subarray(start, reader.position)
}

/** Steps over a record's headers; false unless they are well-formed and end exactly at `end`. */
function skipHeaders(reader: VarintReader, end: number): boolean {
  const count = reader.varint()
  for (let i = 0; i < count; i++) {
    const nameLength = reader.varint()
    reader.position += nameLength
    const valueLength = reader.varint()
    if (valueLength > 0) reader.position += valueLength
    // ends a count that no record could hold, too
    if (!(nameLength >= 0 && valueLength >= -1 && reader.position <= end)) return false
  }
  return count >= 0 && reader.position === end
}

/**
 * Decodes the records of one batch whose checksum was verified.
 *
 * @param bytes    holds the batch at `position`
 * @param from     records below this offset are left out
 * @param maxBytes most that a compressed batch may inflate to
 * @param limit    ends after so many records; what follows them is not looked at
 * @throws VarveError INVALID_RECORD where the producer wrote nonsense under a valid checksum
 */
export function decodeRecords(
  context: RecordContext,
  bytes: Buffer,
  position: number,
  header: BatchHeader,
  from: number,
  maxBytes: number,
  limit = Infinity,
): ConsumerRecord[] {
  if (isControlBatch(header.attributes)) return []
  let body = bytes
  let at = position + BATCH_HEADER_BYTES
  let end = position + header.sizeBytes
  const codecId = compressionId(header.attributes)
  if (codecId !== 0) {
    body = decompress(compressionTypeOf(codecId), bytes.subarray(at, end), maxBytes)
    at = 0
    end = body.length
  }
  const { baseOffset, baseTimestamp, recordCount } = header
  const appendTime = (header.attributes & TIMESTAMP_TYPE_BIT) !== 0 ? header.maxTimestamp : undefined
  const records: ConsumerRecord[] = []
  const reader = new VarintReader(body, at)
  let lastOffset = baseOffset - 1
  for (let i = 0; i < recordCount; i++) {
    const length = reader.varint()
    const recordEnd = reader.position + length
    reader.position++
    const timestampDelta = reader.varlong()
    const offset = baseOffset + reader.varint()
    const keyLength = reader.varint()
    const keyStart = reader.position
    if (keyLength > 0) reader.position += keyLength
    const valueLength = reader.varint()
    const valueStart = reader.position
    if (valueLength > 0) reader.position += valueLength
    // one check for all of them: NaN compares false, and a negative length cannot move the position back
    if (!(
      reader.position < recordEnd &&
      recordEnd <= end &&
      keyLength >= -1 &&
      valueLength >= -1 &&
      offset > lastOffset &&
      offset <= header.lastOffset &&
      timestampDelta === timestampDelta
    )) {
      throw invalidRecords(context, baseOffset)
    }
    // most records end with a single byte: no headers
    const hasHeaders = reader.position + 1 !== recordEnd || body[reader.position] !== 0
    if (hasHeaders && !skipHeaders(reader, recordEnd)) throw invalidRecords(context, baseOffset)
    reader.position = recordEnd
    lastOffset = offset
    if (offset < from) continue
    const timestamp = appendTime ?? baseTimestamp + timestampDelta
    records.push(new ConsumerRecord(context, offset, timestamp, body, keyStart, keyLength, valueStart, valueLength))
    if (records.length === limit) return records
  }
  if (reader.position !== end) throw invalidRecords(context, baseOffset)
  return records
}

function invalidRecords({ topic, partition }: RecordContext, offset: number): VarveError {
  const message =
    `the batch at offset ${offset} of ${topic}-${partition} holds malformed records under a valid checksum; ` +
    'its producer is at fault'
  return new VarveError('INVALID_RECORD', message, { details: { topic, partition, offset } })
}
