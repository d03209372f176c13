import { VarveError } from '../errors.ts'
import type { BatchEncoder, BatchSpan, EncodedBatches, EncodedHeader, EncoderMark } from '../codec/batch-encoder.ts'
import type { Chunk } from './chunk.ts'

/** Where one record went. */
export interface AppendResult {
  partition: number
  /** The record's offset, for good. */
  offset: number
  /** Milliseconds since the epoch, as stored. */
  timestamp: number
}

/** A place between two append calls of a chunk. */
export interface ChunkMark {
  encoder: EncoderMark
  records: number
}

/**
 * Records that are written and acknowledged together, and the callers who wait for them.
 *
 * Records are encoded as they come. The arrays run parallel, one element per append call, because a call is too small
 * a thing for an object of its own.
 */
export class AppendChunk implements Chunk {
  /** One per record, in order. */
  readonly results: AppendResult[] = []
  /** No further append call may join. */
  sealed = false
  chargedBytes = 0
  /** Of each call that added several records: the index of its first batch, and of the one behind its last. */
  private readonly callEnds = new Map<number, number>()
  private resolves: ((value: never) => void)[] = []
  private rejects: ((error: unknown) => void)[] = []
  private values: unknown[] = []
  /** Per call: the number of records up to and including its own. */
  private ends: number[] = []
  private encoded: EncodedBatches | null = null

  constructor(
    readonly encoder: BatchEncoder,
    /** The offset that the first record must get, or null when any will do. */
    readonly expectedOffset: number | null,
  ) {}

  get recordCount(): number {
    return this.results.length
  }

  /** Bytes encoded so far. */
  get sizeBytes(): number {
    return this.encoder.sizeBytes
  }

  addRecord(
    result: AppendResult,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly EncodedHeader[],
  ): void {
    this.encoder.append(key, value, headers, result.timestamp)
    this.results.push(result)
  }

  /** A place to go back to when a call that adds several records fails half way. */
  mark(): ChunkMark {
    return { encoder: this.encoder.mark(), records: this.results.length }
  }

  rollback(mark: ChunkMark): void {
    this.encoder.rollback(mark.encoder)
    this.results.length = mark.records
  }

  /** Ends a call that began at `mark` and added several records: its batches belong together. */
  join(mark: ChunkMark): void {
    this.callEnds.set(mark.encoder.batches, this.encoder.batchCount)
  }

  /** All batches of a call, so that a segment that cannot be started leaves nothing half written. */
  unitAt(first: number, segmentBytes: number): { span: BatchSpan; end: number } {
    const { batches } = this.finish()
    const end = this.callEnds.get(first) ?? first + 1
    if (end === first + 1) return { span: batches[first], end }
    const span = { ...batches[first] }
    for (let i = first + 1; i < end; i++) {
      span.sizeBytes += batches[i].sizeBytes
      span.recordCount += batches[i].recordCount
      span.maxTimestamp = Math.max(span.maxTimestamp, batches[i].maxTimestamp)
    }
    return span.sizeBytes <= segmentBytes ? { span, end } : { span: batches[first], end: first + 1 }
  }

  /** Ends one append call: `resolve(value)` when all records so far are acknowledged. */
  addCall(value: unknown, resolve: (value: never) => void, reject: (error: unknown) => void): void {
    this.resolves.push(resolve)
    this.rejects.push(reject)
    this.values.push(value)
    this.ends.push(this.results.length)
  }

  /** Closes the last batch; no record is added after it. */
  finish(): EncodedBatches {
    this.sealed = true
    this.encoded ??= this.encoder.finish()
    return this.encoded
  }

  /** Gives the records their offsets, and under LogAppendTime the timestamps that their batches got. */
  assignOffsets(baseOffset: number): void {
    const { results } = this
    for (let i = 0; i < results.length; i++) results[i].offset = baseOffset + i
    if (!this.encoder.stampsAppendTime || this.encoded === null) return
    let index = 0
    for (const batch of this.encoded.batches) {
      for (let i = 0; i < batch.recordCount; i++) results[index++].timestamp = batch.maxTimestamp
    }
  }

  admit(): void {}

  release(): void {
    this.encoder.release()
  }

  acknowledge(): void {
    const { resolves, values } = this
    for (let i = 0; i < resolves.length; i++) resolves[i](values[i] as never)
  }

  /**
   * Rejects the calls that have a record after the first `written` ones. One that was written in part, which happens only
   * where it is larger than a segment, is told so.
   *
   * @returns whether calls are left to acknowledge
   */
  reject(error: unknown, written = 0): boolean {
    let kept = 0
    while (kept < this.ends.length && this.ends[kept] <= written) kept++
    const first = kept === 0 ? 0 : this.ends[kept - 1]
    for (let i = kept; i < this.rejects.length; i++) {
      const isPartly = i === kept && written > first && error instanceof VarveError
      this.rejects[i](isPartly ? this.partlyWritten(error, first, written) : error)
    }
    this.resolves = this.resolves.slice(0, kept)
    this.rejects = this.rejects.slice(0, kept)
    this.values = this.values.slice(0, kept)
    this.ends = this.ends.slice(0, kept)
    return kept > 0
  }

  private partlyWritten(error: VarveError, first: number, end: number): VarveError {
    const { offset } = this.results[first]
    const nextOffset = this.results[end - 1].offset + 1
    const message =
      `${error.message}; of this batch, which is larger than a segment, ` +
      `offsets ${offset} to ${nextOffset - 1} were written`
    return new VarveError(error.code, message, { details: { ...error.details, offset, nextOffset }, cause: error })
  }
}
