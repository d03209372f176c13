import type { BatchSpan, EncodedBatches } from '../codec/batch-encoder.ts'
import { VarveError } from '../errors.ts'
import type { PartitionLog } from '../storage/partition-log.ts'

/** Batches that are written and acknowledged together, and the callers who wait for them: what a write loop takes. */
export interface Chunk {
  /** The offset that the first record must get, or null when any will do. */
  readonly expectedOffset: number | null
  readonly recordCount: number
  readonly sizeBytes: number
  /** What it was counted with as pending. */
  chargedBytes: number
  /**
   * Looks whether it may be appended next to what the log holds. A task of the write loop.
   *
   * @throws VarveError to refuse it
   */
  admit(log: PartitionLog): void | Promise<void>
  /** Its batches, whole but for offsets and epoch; nothing is added after that. */
  finish(): EncodedBatches
  /**
   * What has to go into one segment, from the batch at `first` on; one batch, where that is larger than a segment.
   *
   * @returns the batches' measures together, and the index of the one behind them
   */
  unitAt(first: number, segmentBytes: number): { span: BatchSpan; end: number }
  /** Tells the records what they got, from the first one on. */
  assignOffsets(baseOffset: number): void
  /** Gives up the bytes. */
  release(): void
  /** Tells the callers that what was promised is done. */
  acknowledge(): void
  /**
   * Tells the callers who have a record after the first `written` ones that it failed.
   *
   * @returns whether callers are left to acknowledge
   */
  reject(error: unknown, written?: number): boolean
}

export const NOTHING_BEFORE = { sizeBytes: 0, recordCount: 0 }

/** The batches from `first` on that go into the active segment together. */
export function fittingRun(chunk: Chunk, first: number, segmentBytes: number, log: PartitionLog): BatchSpan[] {
  const { batches } = chunk.finish()
  const before = { ...NOTHING_BEFORE }
  let end = first
  let next = chunk.unitAt(first, segmentBytes)
  do {
    before.sizeBytes += next.span.sizeBytes
    before.recordCount += next.span.recordCount
    end = next.end
    if (end < batches.length) next = chunk.unitAt(end, segmentBytes)
  } while (end < batches.length && !log.mustPrepare(next.span, before))
  return first === 0 && end === batches.length ? batches : batches.slice(first, end)
}

/** Somebody else came first, or the caller is ahead of the log. */
export function unexpectedOffset(topic: string, partition: number, expected: number, logEndOffset: number): VarveError {
  const why =
    expected > logEndOffset
      ? `but the log ends at ${logEndOffset}: look at where it ends, then try again`
      : `but the next offset is ${logEndOffset}: another append came first; read what it wrote, then try again`
  const message = `expected to append at offset ${expected} of ${topic}-${partition}, ${why}`
  return new VarveError('UNEXPECTED_OFFSET', message, { details: { topic, partition, offset: logEndOffset } })
}
