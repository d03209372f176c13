import { assert } from '../assert.ts'
import { IndexEntries } from './index-entries.ts'

/** Where to start looking for an offset: the batch that ends with `offset` starts at `position`. */
export interface OffsetPosition {
  offset: number
  position: number
}

export const OFFSET_ENTRY_BYTES = 4 + 4

/**
 * Sparse map from record offset to byte position for one segment.
 *
 * File `.index`: entries of 8 bytes, big-endian, both fields strictly increasing:
 *   relativeOffset int32   lastOffset of a batch, minus the segment's baseOffset
 *   position       int32   byte position in the .log where that batch starts
 *
 * One entry is added per `indexIntervalBytes` of log, so a lookup is a binary search here and then a walk of at most
 * that many bytes plus one batch. The file carries no checksum: on doubt it is rebuilt from the log, which is the truth.
 *
 * Source: Kafka's OffsetIndex.java (same layout, so Kafka's tools can read it).
 */
export class OffsetIndex {
  readonly entries: IndexEntries

  constructor(
    readonly baseOffset: number,
    content: Buffer = Buffer.alloc(0),
  ) {
    this.entries = new IndexEntries(OFFSET_ENTRY_BYTES, content)
  }

  get count(): number {
    return this.entries.count
  }

  entry(index: number): OffsetPosition {
    const at = index * OFFSET_ENTRY_BYTES
    const { bytes } = this.entries
    return { offset: this.baseOffset + bytes.readInt32BE(at), position: bytes.readInt32BE(at + 4) }
  }

  /**
   * Finds where to start reading for `offset`.
   *
   * Returns the entry with the greatest offset <= `offset`, or `{ offset: baseOffset, position: 0 }` when there is
   * none: the caller can always start a scan there. Never reads the disk.
   */
  lookup(offset: number): OffsetPosition {
    const index = this.indexOf(offset)
    return index < 0 ? { offset: this.baseOffset, position: 0 } : this.entry(index)
  }

  /** The entry behind the one that `lookup` finds, or null. */
  following(offset: number): OffsetPosition | null {
    const index = this.indexOf(offset) + 1
    return index < this.count ? this.entry(index) : null
  }

  /** Where the batch that holds `offset` ends at the latest, as far as the entries tell; else Infinity. */
  endPosition(offset: number): number {
    const index = this.indexOf(offset) + 2
    return index < this.count ? this.entry(index).position : Infinity
  }

  private indexOf(offset: number): number {
    const { bytes } = this.entries
    const relativeOffset = offset - this.baseOffset
    return this.entries.lastWhere((at) => bytes.readInt32BE(at) <= relativeOffset)
  }

  /** Adds an entry. Only the segment's writer calls this; it has rolled before either field outgrows int32. */
  append(offset: number, position: number): void {
    const relativeOffset = offset - this.baseOffset
    assert(relativeOffset >= 0 && relativeOffset <= 0x7fffffff, 'relative offset fits int32')
    assert(position <= 0x7fffffff, 'position fits int32')
    const at = this.entries.grow()
    this.entries.bytes.writeInt32BE(relativeOffset, at)
    this.entries.bytes.writeInt32BE(position, at + 4)
  }

  /** Whether the entries could be those of a log of `sizeBytes`: both fields strictly increasing and in range. */
  isPlausible(sizeBytes: number): boolean {
    // a view reads an entry without checks of its own: this goes over every entry, in a process that has just begun
    const view = this.entries.view()
    let lastOffset = -1
    let lastPosition = 0
    for (let at = 0; at < view.byteLength; at += OFFSET_ENTRY_BYTES) {
      const relativeOffset = view.getInt32(at)
      const position = view.getInt32(at + 4)
      if (relativeOffset <= lastOffset || position <= lastPosition || position >= sizeBytes) return false
      lastOffset = relativeOffset
      lastPosition = position
    }
    return this.entries.isWhole
  }

  /** Forgets entries for positions at or after `sizeBytes`. */
  truncate(sizeBytes: number): void {
    const { bytes } = this.entries
    this.entries.keep(this.entries.lastWhere((at) => bytes.readInt32BE(at + 4) < sizeBytes) + 1)
  }
}
