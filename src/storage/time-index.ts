import { assert } from '../assert.ts'
import { readInt64, writeInt64 } from '../codec/record-batch.ts'
import { IndexEntries } from './index-entries.ts'

/** The greatest timestamp of a segment up to `offset`, the last offset of the batch that brought it. */
export interface TimestampOffset {
  /** ms since the epoch */
  timestamp: number
  offset: number
}

export const TIME_ENTRY_BYTES = 8 + 4

/**
 * Sparse map from timestamp to record offset for one segment.
 *
 * File `.timeindex`: entries of 12 bytes, big-endian, both fields increasing:
 *   timestamp      int64   greatest timestamp in the segment so far, ms
 *   relativeOffset int32   lastOffset of the batch that holds it, minus the segment's baseOffset
 *
 * So every record before an entry's offset is not later than its timestamp. Entries are added beside those of the
 * offset index, and one more when the segment is sealed. No checksum: on doubt it is rebuilt from the log.
 *
 * Source: Kafka's TimeIndex.java (same layout, so Kafka's tools can read it).
 */
export class TimeIndex {
  readonly entries: IndexEntries

  constructor(
    readonly baseOffset: number,
    content: Buffer = Buffer.alloc(0),
  ) {
    this.entries = new IndexEntries(TIME_ENTRY_BYTES, content)
  }

  get count(): number {
    return this.entries.count
  }

  entry(index: number): TimestampOffset {
    const at = index * TIME_ENTRY_BYTES
    const { bytes } = this.entries
    return { timestamp: readInt64(bytes, at), offset: this.baseOffset + bytes.readInt32BE(at + 8) }
  }

  /** The last entry, or null when there is none. */
  last(): TimestampOffset | null {
    return this.count === 0 ? null : this.entry(this.count - 1)
  }

  /**
   * The entry with the greatest timestamp below `timestamp`, or null when there is none: the first record at or after
   * `timestamp` comes after its offset. Never reads the disk.
   */
  lookupBefore(timestamp: number): TimestampOffset | null {
    const { bytes } = this.entries
    const index = this.entries.lastWhere((at) => readInt64(bytes, at) < timestamp)
    return index < 0 ? null : this.entry(index)
  }

  /** Adds an entry if its timestamp is greater than the last one's. Only the segment's writer calls this. */
  maybeAppend(timestamp: number, offset: number): void {
    const last = this.last()
    if (last !== null && timestamp <= last.timestamp) return
    assert(last === null || offset > last.offset, 'time index offsets increase')
    const at = this.entries.grow()
    writeInt64(this.entries.bytes, at, timestamp)
    this.entries.bytes.writeInt32BE(offset - this.baseOffset, at + 8)
  }

  /** Whether the entries are strictly increasing and of records below `endOffset`. */
  isPlausible(endOffset: number): boolean {
    const view = this.entries.view()
    let lastTimestamp = -Infinity
    let lastOffset = -1
    for (let at = 0; at < view.byteLength; at += TIME_ENTRY_BYTES) {
      const timestamp = view.getInt32(at) * 2 ** 32 + view.getUint32(at + 4)
      const relativeOffset = view.getInt32(at + 8)
      if (timestamp <= lastTimestamp || relativeOffset <= lastOffset) return false
      lastTimestamp = timestamp
      lastOffset = relativeOffset
    }
    if (this.baseOffset + lastOffset >= endOffset) return false
    return this.entries.isWhole
  }

  /** Forgets entries for records at or after `endOffset`. */
  truncate(endOffset: number): void {
    const { bytes } = this.entries
    this.entries.keep(this.entries.lastWhere((at) => this.baseOffset + bytes.readInt32BE(at + 8) < endOffset) + 1)
  }
}
