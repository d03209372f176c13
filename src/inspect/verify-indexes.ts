import type { BatchHeader } from '../codec/record-batch.ts'
import { countBeforeZeros } from '../storage/index-entries.ts'
import { OFFSET_ENTRY_BYTES, OffsetIndex } from '../storage/offset-index.ts'
import { TIME_ENTRY_BYTES, TimeIndex } from '../storage/time-index.ts'

/** The first thing that is wrong with an index file. */
export interface IndexFault {
  /** Byte position in the index file. */
  position: number
  reason: string
  /** Entries are missing, and none that is there was found to be wrong: look-ups are slow, not false. */
  isLack: boolean
}

/** How strictly index files are judged. */
export interface IndexRules {
  /** At most so many bytes of log lie between two entries, the batch in which the bound is passed not counted. */
  intervalBytes: number
  /**
   * Kafka may have written them: zeros may follow the entries, an entry may stand for several batches that were
   * appended at once, and a time entry may name any offset of its batch.
   */
  foreign: boolean
  /** The segment was sealed or closed in order: all entries must be there. */
  complete: boolean
}

const LACK = 'entries are missing at the end'

/**
 * Holds an offset index against the log: show it every valid batch in order, then call `end`.
 *
 * Where the log itself is damaged, entries that point into the damage are passed over.
 */
export class OffsetIndexCheck {
  private readonly index: OffsetIndex
  private readonly count: number
  private next = 0
  /** Since the batch of the last entry, that batch included. NaN, which compares false, behind damage in the log. */
  private bytesSinceEntry = 0
  private logEnd = 0
  /** Last offset of the last of several batches that one entry stands for. */
  private awaited = -1
  private fault: IndexFault | null = null

  constructor(
    private readonly content: Buffer,
    baseOffset: number,
    private readonly rules: IndexRules,
  ) {
    this.index = new OffsetIndex(baseOffset, content)
    this.count = rules.foreign ? countBeforeZeros(content, OFFSET_ENTRY_BYTES) : this.index.count
  }

  batch({ lastOffset, sizeBytes }: BatchHeader, position: number): void {
    if (this.fault !== null) return
    const { rules } = this
    if (position > this.logEnd) this.passOver(position)
    if (this.awaited >= 0 && lastOffset >= this.awaited) {
      if (lastOffset > this.awaited) return this.wrong(this.next - 1)
      this.awaited = -1
    }
    if (this.next < this.count) {
      const entry = this.index.entry(this.next)
      if (entry.position < position) return this.wrong(this.next)
      if (entry.position === position) {
        if (this.awaited >= 0) return this.wrong(this.next - 1)
        if (entry.offset < lastOffset || (entry.offset > lastOffset && !rules.foreign)) return this.wrong(this.next)
        if (entry.offset > lastOffset) this.awaited = entry.offset
        this.next++
        this.bytesSinceEntry = 0
      }
    }
    const isDue = rules.complete && !rules.foreign && this.bytesSinceEntry > rules.intervalBytes
    if (isDue && this.next === this.count)
      this.report({ position: this.next * OFFSET_ENTRY_BYTES, reason: LACK, isLack: true })
    else if (isDue) this.wrong(this.next)
    this.bytesSinceEntry += sizeBytes
    this.logEnd = position + sizeBytes
  }

  /** @param sizeBytes end of the log; bytes between it and the last batch are damage */
  end(sizeBytes: number): IndexFault | null {
    if (this.fault === null && sizeBytes > this.logEnd) this.passOver(sizeBytes)
    if (this.fault === null && this.awaited >= 0) this.wrong(this.next - 1)
    if (this.fault === null && this.next < this.count) this.wrong(this.next)
    if (this.fault === null && this.content.length % OFFSET_ENTRY_BYTES !== 0)
      this.report(partialEntry(this.content, OFFSET_ENTRY_BYTES))
    return this.fault
  }

  private passOver(position: number): void {
    while (this.next < this.count) {
      const entry = this.index.entry(this.next)
      if (entry.position >= position) break
      if (entry.position < this.logEnd) return this.wrong(this.next)
      this.next++
    }
    this.bytesSinceEntry = NaN
    this.awaited = -1
  }

  private wrong(entry: number): void {
    this.report({ position: entry * OFFSET_ENTRY_BYTES, reason: 'entry does not match the log', isLack: false })
  }

  private report(fault: IndexFault): void {
    this.fault ??= fault
  }
}

/** Holds a time index against the log, as {@link OffsetIndexCheck} does an offset index. */
export class TimeIndexCheck {
  private readonly index: TimeIndex
  private readonly count: number
  private next = 0
  private maxTimestamp = -Infinity
  private nextOffset: number
  private logEnd = 0
  private sawDamage = false
  private fault: IndexFault | null = null

  constructor(
    private readonly content: Buffer,
    baseOffset: number,
    private readonly rules: IndexRules,
  ) {
    this.index = new TimeIndex(baseOffset, content)
    this.count = rules.foreign ? countBeforeZeros(content, TIME_ENTRY_BYTES) : this.index.count
    this.nextOffset = baseOffset
  }

  batch({ baseOffset, lastOffset, maxTimestamp, sizeBytes }: BatchHeader, position: number): void {
    if (this.fault !== null) return
    if (position > this.logEnd) this.passOver(baseOffset)
    const isMaximum = maxTimestamp > this.maxTimestamp
    if (isMaximum) this.maxTimestamp = maxTimestamp
    if (this.next < this.count) {
      const entry = this.index.entry(this.next)
      if (entry.offset < (this.rules.foreign ? baseOffset : lastOffset)) return this.wrong()
      if (entry.offset <= lastOffset) {
        if (!isMaximum || entry.timestamp !== maxTimestamp) return this.wrong()
        this.next++
      }
    }
    this.nextOffset = lastOffset + 1
    this.logEnd = position + sizeBytes
  }

  /** @param sizeBytes end of the log; bytes between it and the last batch are damage */
  end(sizeBytes: number): IndexFault | null {
    if (this.fault === null && sizeBytes > this.logEnd) this.passOver(Infinity)
    if (this.fault === null && this.next < this.count) this.wrong()
    if (this.fault === null && this.content.length % TIME_ENTRY_BYTES !== 0)
      this.fault = partialEntry(this.content, TIME_ENTRY_BYTES)
    const last = this.count === 0 ? -Infinity : this.index.entry(this.count - 1).timestamp
    const lacks = this.rules.complete && !this.sawDamage && last < this.maxTimestamp
    // Kafka takes -1 for no timestamp, and indexes none
    if (lacks && !(this.rules.foreign && this.maxTimestamp < 0)) {
      this.fault ??= { position: this.count * TIME_ENTRY_BYTES, reason: LACK, isLack: true }
    }
    return this.fault
  }

  private passOver(baseOffset: number): void {
    while (this.next < this.count && this.index.entry(this.next).offset < baseOffset) {
      if (this.index.entry(this.next).offset < this.nextOffset) return this.wrong()
      this.next++
    }
    this.sawDamage = true
  }

  private wrong(): void {
    this.fault ??= { position: this.next * TIME_ENTRY_BYTES, reason: 'entry does not match the log', isLack: false }
  }
}

function partialEntry(content: Buffer, entryBytes: number): IndexFault {
  const position = content.length - (content.length % entryBytes)
  return { position, reason: 'ends within an entry', isLack: false }
}
