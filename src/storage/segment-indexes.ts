import { findBatchFault } from '../codec/record-batch.ts'
import { findBatchAfterDamage, scanBatches } from './batch-scanner.ts'
import { endsTruly, HeaderSieve, isRefuted, namesBatch } from './index-trust.ts'
import { OffsetIndex } from './offset-index.ts'
import type { StorageFile } from './storage.ts'
import { TimeIndex, type TimestampOffset } from './time-index.ts'

const NOTHING = Buffer.alloc(0)

/**
 * The two indexes of one segment, in memory, and what decides about their next entries.
 *
 * An object of this class only grows in step with the log. Indexes that turn out wrong are not mended in place, where
 * readers and the writer use them, but built anew and exchanged as a whole.
 */
export class SegmentIndexes {
  readonly offsets: OffsetIndex
  readonly times: TimeIndex
  private bytesSinceEntry = 0
  private maxTimestamp = -Infinity
  private maxTimestampOffset = -1
  /** Also of batches that the index leaves out, because damage made their offsets uncertain. */
  private greatest = -Infinity
  /** What earlier indexes said of the greatest timestamp, where the log is damaged. */
  private believed: TimestampOffset | null = null
  /** They were built from a log that is damaged: what the damaged batches held is in no entry. */
  isDamaged = false
  private isSparse = false

  /** @param intervalBytes one entry per so many bytes of log */
  constructor(
    private readonly baseOffset: number,
    private readonly intervalBytes: () => number,
    content: { offsets: Buffer; times: Buffer } = { offsets: NOTHING, times: NOTHING },
  ) {
    this.offsets = new OffsetIndex(baseOffset, content.offsets)
    this.times = new TimeIndex(baseOffset, content.times)
  }

  /** False where batches were missing or damaged when they were built. */
  get isSound(): boolean {
    return !this.isDamaged && !this.isSparse
  }

  /** The greatest timestamp so far, or -Infinity. */
  get greatestTimestamp(): number {
    return Math.max(this.greatest, this.times.last()?.timestamp ?? -Infinity)
  }

  /** Adds what is due for a batch that stands at the end of the log. */
  add(lastOffset: number, maxTimestamp: number, position: number, sizeBytes: number): void {
    this.remember(maxTimestamp, lastOffset)
    if (this.bytesSinceEntry > this.intervalBytes()) {
      this.offsets.append(lastOffset, position)
      this.times.maybeAppend(this.maxTimestamp, this.maxTimestampOffset)
      this.bytesSinceEntry = 0
    }
    this.bytesSinceEntry += sizeBytes
  }

  private remember(timestamp: number, offset: number): void {
    if (timestamp > this.greatest) this.greatest = timestamp
    if (timestamp <= this.maxTimestamp || offset <= this.maxTimestampOffset) return
    this.maxTimestamp = timestamp
    this.maxTimestampOffset = offset
  }

  /** Adds the closing entry to the time index, as a roll and a close do. */
  complete(): void {
    if (this.maxTimestampOffset >= 0) this.times.maybeAppend(this.maxTimestamp, this.maxTimestampOffset)
  }

  /** Forgets what is beyond `sizeBytes` of the log, a batch boundary whose next offset is `endOffset`. */
  truncate(sizeBytes: number, endOffset: number): void {
    this.offsets.truncate(sizeBytes)
    this.times.truncate(endOffset)
  }

  /** Whether the entries could be those of a log of `sizeBytes` that was closed in order, and the last ones are. */
  async areTrustworthy(log: StorageFile, sizeBytes: number): Promise<boolean> {
    const { offsets, times } = this
    if (!offsets.isPlausible(sizeBytes) || !times.isPlausible(Number.MAX_SAFE_INTEGER)) return false
    const last = times.last()
    return last === null ? sizeBytes === 0 : endsTruly(log, sizeBytes, offsets, last)
  }

  /** Goes on from the last entries, as if the segment had never been closed. */
  goOn(sizeBytes: number): void {
    const last = this.times.last()
    if (last === null) return
    this.maxTimestamp = last.timestamp
    this.maxTimestampOffset = last.offset
    this.bytesSinceEntry = sizeBytes - this.offsets.lookup(Infinity).position
  }

  /**
   * Brings indexes that were just read from their files in line with the log, from the last entries on that can be
   * trusted; nobody uses them yet.
   *
   * @returns false when nothing of them can be trusted: build new ones
   */
  async catchUp(log: StorageFile, sizeBytes: number): Promise<boolean> {
    const { offsets, times } = this
    offsets.truncate(sizeBytes)
    const last = offsets.count > 0 ? offsets.entry(offsets.count - 1) : null
    if (last === null || !offsets.isPlausible(sizeBytes) || !(await namesBatch(log, last))) return false
    const known = times.isPlausible(Number.MAX_SAFE_INTEGER) ? times.last() : null
    times.truncate(last.offset + 1)
    const lastTime = times.isPlausible(last.offset + 1) ? times.last() : null
    // a time index that is lost or damaged alone must be rebuilt from the start as well
    if (lastTime === null || !(await endsTruly(log, sizeBytes, offsets, lastTime))) return false
    // the time index may lag behind the other: what comes after its last entry is looked at again
    const start = offsets.lookup(lastTime.offset)
    offsets.truncate(start.position + 1)
    this.maxTimestamp = lastTime.timestamp
    this.maxTimestampOffset = lastTime.offset
    await this.addAll(log, start.position, () => sizeBytes)
    await this.believe(log, sizeBytes, known)
    return true
  }

  /**
   * Builds the indexes of a log from its batches. Where some of those are damaged, what `before` says of the greatest
   * timestamp is all that is known of theirs, and holds unless a batch speaks against it.
   *
   * @param before    the indexes that these take the place of, or null where there were none
   * @param endOffset all its batches end before it, or null where that is not known
   */
  async build(
    log: StorageFile,
    sizeBytes: () => number,
    before: SegmentIndexes | null,
    endOffset: number | null = null,
  ): Promise<void> {
    await this.addAll(log, 0, sizeBytes, endOffset)
    if (before !== null && before.times.isPlausible(Number.MAX_SAFE_INTEGER))
      await this.believe(log, sizeBytes(), before.latest)
  }

  /** Keeps a greatest timestamp that was known before, in a log that is damaged, unless a batch speaks against it. */
  private async believe(log: StorageFile, sizeBytes: number, known: TimestampOffset | null): Promise<void> {
    if (known === null || known.timestamp <= this.greatestTimestamp) return
    // where every batch is in order they know better
    if (this.isSound || (await isRefuted(log, sizeBytes, this.offsets, known))) return
    // in no entry: those are of batches that are there, and it may be of another log's
    this.believed = known
    this.greatest = known.timestamp
  }

  /** The greatest timestamp so far and where it is, or null. */
  private get latest(): TimestampOffset | null {
    const { believed, maxTimestamp: timestamp, maxTimestampOffset: offset } = this
    if (believed !== null && believed.timestamp > timestamp) return believed
    return offset < 0 ? this.times.last() : { timestamp, offset }
  }

  /**
   * @param start     0, or where the batch of the last entry begins
   * @param sizeBytes may grow meanwhile: all that is there at the end is indexed
   */
  private async addAll(
    log: StorageFile,
    start: number,
    sizeBytes: () => number,
    endOffset: number | null = null,
  ): Promise<void> {
    let isKnown = start > 0
    const sieve = new HeaderSieve(this.baseOffset, (header, position, offset, isCertain) => {
      this.isDamaged ||= !isCertain
      if (isCertain) this.add(offset, header.maxTimestamp, position, header.sizeBytes)
      else {
        this.remember(header.maxTimestamp, offset)
        this.bytesSinceEntry += header.sizeBytes
      }
    })
    for (let position = start; position < sizeBytes();) {
      const size = sizeBytes()
      const end = await scanBatches(log, position, size, 'header', ({ header, position, bytes, at, length }) => {
        // a header may tell a wrong time, and a look-up by time would pass over its batch
        this.isDamaged ||= findBatchFault(bytes, at, length) !== null
        if (isKnown) {
          isKnown = false
          this.bytesSinceEntry = header.sizeBytes
          this.remember(header.maxTimestamp, header.lastOffset)
          sieve.begin(header)
        } else sieve.push(header, position)
      })
      const next = end.fault === null ? null : await findBatchAfterDamage(log, end.position, size, this.baseOffset)
      position = next?.position ?? size
      this.isDamaged ||= end.fault !== null
    }
    sieve.end(endOffset)
    this.isSparse ||= sieve.isSparse
  }
}
