import {
  BATCH_HEADER_BYTES,
  findHeaderFault,
  readBatchHeader,
  type BatchFault,
  type BatchHeader,
} from '../codec/record-batch.ts'
import { scanBatches } from './batch-scanner.ts'
import type { OffsetIndex, OffsetPosition } from './offset-index.ts'
import { readFully, type StorageFile } from './storage.ts'
import type { TimeIndex, TimestampOffset } from './time-index.ts'

const INT32_MAX = 0x7fffffff

/** Whether the batch that an entry of an offset index names stands where it says. */
export async function namesBatch(log: StorageFile, entry: OffsetPosition): Promise<boolean> {
  const bytes = Buffer.alloc(BATCH_HEADER_BYTES)
  const length = await readFully(log, bytes, entry.position)
  return findHeaderFault(bytes, 0, length) === null && readBatchHeader(bytes, 0).lastOffset === entry.offset
}

/**
 * Whether the batch that the last entry of a time index names, which has one, is there and has that timestamp. An entry
 * that leads to damage in the log is believed, because nobody knows better.
 */
export async function endsTruly(
  log: StorageFile,
  sizeBytes: number,
  offsetIndex: OffsetIndex,
  last: TimestampOffset,
): Promise<boolean> {
  const start = offsetIndex.lookup(last.offset)
  if (start.position > 0 && !(await namesBatch(log, start))) return false
  const { header, fault } = await findBatchOf(log, start.position, sizeBytes, last.offset)
  return header === null ? fault !== null : bears(header, last)
}

/** Whether the batch that an entry of a time index names is there and speaks against it. */
export async function isRefuted(
  log: StorageFile,
  sizeBytes: number,
  offsetIndex: OffsetIndex,
  entry: TimestampOffset,
): Promise<boolean> {
  const { header } = await findBatchOf(log, offsetIndex.lookup(entry.offset).position, sizeBytes, entry.offset)
  return header !== null && header.baseOffset <= entry.offset && !bears(header, entry)
}

function bears({ baseOffset, maxTimestamp }: BatchHeader, { timestamp, offset }: TimestampOffset): boolean {
  return baseOffset <= offset && maxTimestamp === timestamp
}

/** The first batch from `start` on that ends at or after `offset`, checking all before it; null where damage comes first. */
async function findBatchOf(
  log: StorageFile,
  start: number,
  sizeBytes: number,
  offset: number,
): Promise<{ header: BatchHeader | null; fault: BatchFault | null }> {
  let found: BatchHeader | null = null
  const { fault } = await scanBatches(log, start, sizeBytes, 'checksum', ({ header }): BatchFault | null => {
    if (header.lastOffset < offset) return null
    found = header
    return 'offset'
  })
  return { header: found, fault }
}

/** Whether no batch behind the one that the last entry of a time index names has a later timestamp: no entry is lost. */
export async function endsLatest(
  log: StorageFile,
  sizeBytes: number,
  offsetIndex: OffsetIndex,
  timeIndex: TimeIndex,
): Promise<boolean> {
  const last = timeIndex.last()
  if (last === null) return true
  const { position } = offsetIndex.lookup(last.offset)
  let isLatest = true
  await scanBatches(log, position, sizeBytes, 'header', ({ header }): BatchFault | null => {
    isLatest = header.maxTimestamp <= last.timestamp
    return isLatest ? null : 'offset'
  })
  return isLatest
}

/**
 * Tells the headers whose offsets can be believed, going over a segment without reading its records: a batch's offset lies
 * outside its checksum, and an index that is built on a wrong one leads readers astray.
 */
export class HeaderSieve {
  private held: { header: BatchHeader; position: number } | null = null
  private expected: number
  private epoch = INT32_MAX
  /** Batches are missing: compaction has left gaps, or damage has. */
  isSparse = false
  /** The batch before the one that is held does not leave room for it: one of the two is wrong. */
  private isContradicted = false
  /** The batch before the one that is held was not certain. */
  private isBehindDoubt = false

  /**
   * @param visit called for each batch in order; `offset` is its last one, or where that is not certain the one that the
   *              batch must begin with at least
   */
  constructor(
    private readonly baseOffset: number,
    private readonly visit: (header: BatchHeader, position: number, offset: number, isCertain: boolean) => void,
  ) {
    this.expected = baseOffset
  }

  /** Starts behind a batch that is certain. */
  begin({ lastOffset, leaderEpoch }: BatchHeader): void {
    this.expected = lastOffset + 1
    this.epoch = leaderEpoch
  }

  push(header: BatchHeader, position: number): void {
    this.decide(header.baseOffset)
    this.held = { header, position }
  }

  /** @param nextOffset where what comes after the segment begins at the earliest, or null where that is not known */
  end(nextOffset: number | null): void {
    this.decide(nextOffset)
  }

  private decide(nextOffset: number | null): void {
    if (this.held === null) return
    const { header, position } = this.held
    const { baseOffset, lastOffset, recordCount, leaderEpoch } = header
    const hasGap = baseOffset > this.expected
    const isWhole = lastOffset - baseOffset + 1 === recordCount
    // between its neighbors there is room for nothing but the truth; the last one has to speak for itself
    const fits =
      nextOffset === null
        ? this.isSparse || (isWhole && (!hasGap || leaderEpoch > this.epoch))
        : lastOffset < nextOffset
    const isInRange = baseOffset >= this.expected && lastOffset - this.baseOffset <= INT32_MAX
    const isCertain = fits && isInRange && !this.isContradicted
    if (isCertain && hasGap && !this.isBehindDoubt && leaderEpoch <= this.epoch) this.isSparse = true
    this.isContradicted = nextOffset !== null && lastOffset >= nextOffset
    this.isBehindDoubt = !isCertain
    this.visit(header, position, isCertain ? lastOffset : this.expected, isCertain)
    if (isCertain) this.begin(header)
  }
}
