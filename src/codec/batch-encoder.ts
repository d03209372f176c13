import { BufferPool } from './buffer-pool.ts'
import { compress, compressionIds, type CompressionType } from './compression.ts'
import { BATCH_HEADER_BYTES, sealBatch, TIMESTAMP_TYPE_BIT } from './record-batch.ts'
import { varintSize, varlongSize, writeVarint, writeVarlong } from './varint.ts'

/** Name and value of one header; names may repeat. */
export type EncodedHeader = readonly [name: Uint8Array, value: Uint8Array | null]

/** One batch within {@link EncodedBatches.bytes}. */
export interface BatchSpan {
  /** Position of its first byte. */
  start: number
  sizeBytes: number
  recordCount: number
  maxTimestamp: number
}

/** Batches one after another, whole but for base offset and leader epoch. */
export interface EncodedBatches {
  /** A view on the encoder's own memory: valid until that is released. */
  bytes: Buffer
  batches: BatchSpan[]
}

/** A place between two batches of an encoder. */
export interface EncoderMark {
  length: number
  batches: number
}

export interface BatchEncoderOptions {
  /** A batch is closed before it grows beyond this; a single record may be larger. Bytes, uncompressed. */
  batchBytes: number
  compressionType: CompressionType
  /** `'LogAppendTime'`: every record of a batch carries the time at which the batch was closed. */
  timestampType: 'CreateTime' | 'LogAppendTime'
  /** Wall-clock time, ms. */
  now: () => number
}

/** Keeps every timestamp delta a safe integer for {@link writeVarlong}. */
const MAX_TIMESTAMP_SPREAD_MS = 2 ** 50
const SMALL_COPY_BYTES = 24
const NOTHING = Buffer.alloc(0)

/**
 * Encodes records straight into one growing buffer, as RecordBatch v2, closing a batch when it is full.
 *
 * The record is laid down when it is appended, so the caller may change or reuse its memory afterwards.
 */
export class BatchEncoder {
  private buffer: Buffer
  private length = 0
  private batches: BatchSpan[] = []
  private batchStart = -1
  private recordCount = 0
  private baseTimestamp = 0
  private maxTimestamp = 0

  /**
   * @param buffers     where the memory comes from, and goes to
   * @param likelyBytes that will be encoded
   */
  constructor(
    private readonly options: BatchEncoderOptions,
    private readonly buffers = new BufferPool(0),
    likelyBytes = 0,
  ) {
    this.buffer = buffers.take(likelyBytes)
  }

  /** Bytes encoded so far. Compression takes some back when a batch is closed. */
  get sizeBytes(): number {
    return this.length
  }

  /** Batches so far, the open one included. */
  get batchCount(): number {
    return this.batches.length + (this.batchStart >= 0 ? 1 : 0)
  }

  /** Whether records get the time at which their batch was closed, whatever timestamps they came with. */
  get stampsAppendTime(): boolean {
    return this.options.timestampType === 'LogAppendTime'
  }

  /**
   * Adds one record.
   *
   * @param timestamp ms since the epoch, a safe integer
   * @param headers   encoded names and values; empty for none
   */
  append(key: Uint8Array | null, value: Uint8Array | null, headers: readonly EncodedHeader[], timestamp: number): void {
    let delta = timestamp - this.baseTimestamp
    if (this.batchStart >= 0 && (delta > MAX_TIMESTAMP_SPREAD_MS || delta < -MAX_TIMESTAMP_SPREAD_MS)) this.seal()
    if (this.batchStart < 0) delta = 0

    let bodyBytes = bodySize(key, value, headers, delta, this.recordCount)
    if (this.batchStart >= 0 && this.length - this.batchStart + bodyBytes + 5 > this.options.batchBytes) {
      this.seal()
      delta = 0
      bodyBytes = bodySize(key, value, headers, delta, 0)
    }
    this.reserve(BATCH_HEADER_BYTES + 5 + bodyBytes)
    if (this.batchStart < 0) this.begin(timestamp)

    const target = this.buffer
    let at = writeVarint(target, this.length, bodyBytes)
    target[at++] = 0
    at = writeVarlong(target, at, delta)
    at = writeVarint(target, at, this.recordCount)
    at = writeNullable(target, at, key)
    at = writeNullable(target, at, value)
    at = writeVarint(target, at, headers.length)
    for (const [name, headerValue] of headers) {
      at = writeNullable(target, at, name)
      at = writeNullable(target, at, headerValue)
    }
    this.length = at
    this.recordCount++
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp
  }

  /** Closes the open batch, so that what follows can be taken back by `rollback` with the position returned here. */
  mark(): EncoderMark {
    if (this.batchStart >= 0) this.seal()
    return { length: this.length, batches: this.batches.length }
  }

  /** Forgets everything that was appended since the mark. */
  rollback(mark: EncoderMark): void {
    this.length = mark.length
    this.batches.length = mark.batches
    this.batchStart = -1
    this.recordCount = 0
  }

  /** Closes the last batch and hands over all of them. */
  finish(): EncodedBatches {
    if (this.batchStart >= 0) this.seal()
    return { bytes: this.buffer.subarray(0, this.length), batches: this.batches }
  }

  /** Gives the memory back; the encoder is of no use any more. */
  release(): void {
    this.buffers.give(this.buffer)
    this.buffer = NOTHING
    this.length = 0
  }

  private begin(timestamp: number): void {
    this.batchStart = this.length
    this.length += BATCH_HEADER_BYTES
    this.recordCount = 0
    this.baseTimestamp = timestamp
    this.maxTimestamp = timestamp
  }

  private seal(): void {
    const { compressionType, timestampType } = this.options
    const start = this.batchStart
    let attributes = compressionIds[compressionType]
    if (timestampType === 'LogAppendTime') {
      attributes |= TIMESTAMP_TYPE_BIT
      this.maxTimestamp = this.options.now()
    }
    if (compressionType !== 'none') {
      const compressed = compress(compressionType, this.buffer.subarray(start + BATCH_HEADER_BYTES, this.length))
      this.length = start + BATCH_HEADER_BYTES
      this.reserve(compressed.length)
      this.buffer.set(compressed, this.length)
      this.length += compressed.length
    }
    const { recordCount, baseTimestamp, maxTimestamp } = this
    const sizeBytes = this.length - start
    sealBatch(this.buffer, start, { sizeBytes, attributes, recordCount, baseTimestamp, maxTimestamp })
    this.batches.push({ start, sizeBytes, recordCount, maxTimestamp })
    this.batchStart = -1
    this.recordCount = 0
  }

  private reserve(bytes: number): void {
    const needed = this.length + bytes
    if (needed <= this.buffer.length) return
    const grown = this.buffers.take(Math.max(needed, this.buffer.length * 2))
    this.buffer.copy(grown, 0, 0, this.length)
    this.buffers.give(this.buffer)
    this.buffer = grown
  }
}

/** The greatest size in bytes that a batch of this one record can have, uncompressed. */
export function singleRecordBatchBytes(
  key: Uint8Array | null,
  value: Uint8Array | null,
  headers: readonly EncodedHeader[],
): number {
  const bodyBytes = bodySize(key, value, headers, 0, 0)
  return BATCH_HEADER_BYTES + varintSize(bodyBytes) + bodyBytes
}

function bodySize(
  key: Uint8Array | null,
  value: Uint8Array | null,
  headers: readonly EncodedHeader[],
  timestampDelta: number,
  offsetDelta: number,
): number {
  let size = 1 + varlongSize(timestampDelta) + varintSize(offsetDelta) + nullableSize(key) + nullableSize(value)
  size += varintSize(headers.length)
  for (const [name, value] of headers) size += nullableSize(name) + nullableSize(value)
  return size
}

function nullableSize(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : varintSize(bytes.length) + bytes.length
}

function writeNullable(target: Buffer, position: number, bytes: Uint8Array | null): number {
  if (bytes === null) return writeVarint(target, position, -1)
  const { length } = bytes
  const at = writeVarint(target, position, length)
  // a call into the runtime costs more than a short loop
  if (length <= SMALL_COPY_BYTES) for (let i = 0; i < length; i++) target[at + i] = bytes[i]!
  else target.set(bytes, at)
  return at + length
}
