import { singleRecordBatchBytes, type EncodedHeader } from '../codec/batch-encoder.ts'
import type { ValueCodec } from '../codec/value-codec.ts'
import { VarveError } from '../errors.ts'
import { notInRange, show, suggest } from '../options.ts'

/** One header value: text, bytes or nothing. */
export type HeaderValue = string | Uint8Array | null

/** A record to append. */
export interface ProducerRecord {
  /**
   * Text (stored as UTF-8, where a lone surrogate becomes U+FFFD), bytes, or none: a record without a key goes to
   * whichever partition is convenient.
   */
  key?: string | Uint8Array | null
  /** Anything that the topic's value codec takes; null (or nothing) is stored as no value, a tombstone. */
  value?: unknown
  /** By name, or as pairs where a name repeats or order matters. */
  headers?: { [name: string]: HeaderValue } | readonly (readonly [name: string, value: HeaderValue])[]
  /** Milliseconds since the epoch, an integer from -8.64e15 to 8.64e15, as a Date holds it. Default: now. */
  timestamp?: number
  /** Overrides the partitioner. */
  partition?: number
}

const RECORD_KEYS = new Set(['key', 'value', 'headers', 'timestamp', 'partition'])
const NO_HEADERS: readonly EncodedHeader[] = []
const SMALL_RECORD_BYTES = 128

/** @throws TypeError when it is not an object, or has a key that no record has */
export function checkRecord(record: ProducerRecord): void {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    throw new TypeError(`a record must be an object { key, value, headers, timestamp, partition }, not ${show(record)}`)
  }
  for (const key in record) {
    if (RECORD_KEYS.has(key)) continue
    throw new TypeError(
      `unknown record property '${key}'${suggest(key, [...RECORD_KEYS])}; a record has ${[...RECORD_KEYS].join(', ')}: ` +
        "put your data under 'value'",
    )
  }
}

/** @throws TypeError for anything but a string, bytes or nothing */
export function encodeKey(key: ProducerRecord['key']): Uint8Array | null {
  if (typeof key === 'string') return Buffer.from(key)
  if (key === null || key === undefined) return null
  if (key instanceof Uint8Array) return key
  throw new TypeError(`a record's key must be a string, bytes or null, not ${show(key)}`)
}

/** The result may be a view that is valid only until the next value is encoded. */
export function encodeValue(codec: ValueCodec, value: unknown): Uint8Array | null {
  if (value === null || value === undefined) return null
  const bytes = codec.encode(value)
  if (bytes instanceof Uint8Array) return bytes
  throw new TypeError(`the topic's valueCodec must encode to bytes, not ${show(bytes)}`)
}

/** @throws TypeError for names that are no strings, and values that are neither text, bytes nor null */
export function encodeHeaders(headers: ProducerRecord['headers']): readonly EncodedHeader[] {
  if (headers === undefined) return NO_HEADERS
  if (typeof headers !== 'object' || headers === null) {
    throw new TypeError(`a record's headers must be an object or an array of pairs, not ${show(headers)}`)
  }
  // pairs may also come as a Map, which has no properties of its own: nothing must get lost in silence
  const pairs = (Symbol.iterator in headers ? [...headers] : Object.entries(headers)) as [string, HeaderValue][]
  return pairs.map(([name, value]) => {
    if (typeof name !== 'string') throw new TypeError(`a header's name must be a string, not ${show(name)}`)
    return [Buffer.from(name), encodeHeaderValue(name, value)] as const
  })
}

function encodeHeaderValue(name: string, value: HeaderValue): Uint8Array | null {
  if (typeof value === 'string') return Buffer.from(value)
  if (value === null || value instanceof Uint8Array) return value
  throw new TypeError(`the value of header '${name}' must be a string, bytes or null, not ${show(value)}`)
}

/** @throws RangeError for a number that is no integer or that no Date could hold, TypeError for anything else */
export function checkTimestamp(timestamp: number): number {
  if (Number.isSafeInteger(timestamp) && Math.abs(timestamp) <= 8.64e15) return timestamp
  const must = 'must be an integer of milliseconds since the epoch, from -8.64e15 to 8.64e15'
  throw notInRange(timestamp, `a record's timestamp ${must}, not ${show(timestamp)}`)
}

/** @throws RangeError for a number that is no integer, TypeError for anything else */
export function checkPartition(partition: number): number {
  if (Number.isInteger(partition)) return partition
  throw notInRange(partition, `a record's partition must be an integer, not ${show(partition)}`)
}

/** @throws VarveError MESSAGE_TOO_LARGE */
export function checkSize(
  key: Uint8Array | null,
  value: Uint8Array | null,
  headers: readonly EncodedHeader[],
  maxMessageBytes: number,
  topic: string,
): void {
  const roughly = (key?.length ?? 0) + (value?.length ?? 0)
  if (headers.length === 0 && roughly + SMALL_RECORD_BYTES <= maxMessageBytes) return
  const bytes = singleRecordBatchBytes(key, value, headers)
  if (bytes <= maxMessageBytes) return
  const message =
    `a record of ${bytes} bytes is larger than the maxMessageBytes of topic '${topic}' (${maxMessageBytes}): ` +
    'raise it, or keep the payload elsewhere'
  throw new VarveError('MESSAGE_TOO_LARGE', message, { details: { topic } })
}
