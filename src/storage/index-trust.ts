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
import type { TimeIndex } from './time-index.ts'

const INT32_MAX = 0x7fffffff

/** Whether the batch that an entry of an offset index names stands where it says. */
export async function namesBatch(log: StorageFile, entry: OffsetPosition): Promise<boolean> {
  const bytes = Buffer.alloc(BATCH_HEADER_BYTES)
  const length = await readFully(log, bytes, entry.position)
  return findHeaderFault(bytes, 0, length) === null && readBatchHeader(bytes, 0).lastOffset === entry.offset
}

/**
 * Whether the batch that the last entry of a time index names is there and has that timestamp. An entry that leads to
 * damage in the log is believed, because nobody knows better.
 */
export async function endsTruly(
  log: StorageFile,
  sizeBytes: number,
  offsetIndex: OffsetIndex,
  timeIndex: TimeIndex,
): Promise<boolean> {
  const last = timeIndex.last()
  if (last === null) return true
  const start = offsetIndex.lookup(last.offset)
  if (start.position > 0 && !(await namesBatch(log, start))) return false
  let found: boolean | null = null
  const visit = ({ header }: { header: BatchHeader }): BatchFault | null => {
    if (header.lastOffset < last.offset) return null
    found = header.baseOffset <= last.offset && header.maxTimestamp === last.timestamp
    return 'offset'
  }
  const end = await scanBatches(log, start.position, sizeBytes, 'checksum', visit)
  return found ?? end.fault !== null
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
  const isLater = ({ header }: { header: BatchHeader }) => (header.maxTimestamp > last.timestamp ? 'offset' : null)
  const end = await scanBatches(log, position, sizeBytes, 'header', isLater)
  return end.fault !== 'offset'
}

/**
 * Tells the headers whose offsets can be believed, going over a segment without reading its records: a batch's offset lies
 * outside its checksum, and an index that is built on a wrong one leads readers astray.
 */
export class HeaderSieve {
  private held: { header: BatchHeader; position: number } | null = null
  private expected: number
  private epoch = INT32_MAX
  /** Compaction has left gaps. */
  private isSparse = false

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
    const isCertain = fits && baseOffset >= this.expected && lastOffset - this.baseOffset <= INT32_MAX
    if (isCertain && hasGap && leaderEpoch <= this.epoch) this.isSparse = true
    this.visit(header, position, isCertain ? lastOffset : this.expected, isCertain)
    if (isCertain) this.begin(header)
  }
}
