/**
 * Fixed-size entries held in memory exactly as they stand in an index file, and how many of them the file has already.
 */
export class IndexEntries {
  bytes: Buffer
  count: number
  /** Entries that are in the file; those after it are still to be written. */
  writtenCount: number
  /** The file holds the first `writtenCount` entries and nothing else: false for one that may be missing or wrong. */
  private isFileRight: boolean
  /** What the file holds survives a power cut. */
  private isFileDurable = false
  /** False when the file's size was no multiple of the entry size. */
  readonly isWhole: boolean

  constructor(
    readonly entryBytes: number,
    content: Buffer,
  ) {
    this.count = Math.floor(content.length / entryBytes)
    this.isWhole = content.length % entryBytes === 0
    this.bytes = content
    this.writtenCount = this.count
    this.isFileRight = this.isWhole && content.length > 0
  }

  /** Makes room for one more entry and returns the position of its bytes, which the caller fills. */
  grow(): number {
    const at = this.count * this.entryBytes
    if (at + this.entryBytes > this.bytes.length) {
      const grown = Buffer.alloc(Math.max(64 * this.entryBytes, this.bytes.length * 2))
      this.bytes.copy(grown, 0, 0, at)
      this.bytes = grown
    }
    this.count++
    return at
  }

  /** Keeps the first `count` entries. */
  keep(count: number): void {
    this.count = Math.min(this.count, count)
    if (this.writtenCount > this.count) this.isFileRight = false
    this.writtenCount = Math.min(this.writtenCount, this.count)
  }

  /** Whether the file has all entries, and has them durably where that is asked for. */
  areWritten(options: { durably: boolean }): boolean {
    return this.isFileRight && this.writtenCount === this.count && (this.isFileDurable || !options.durably)
  }

  /** The file holds the first `count` entries now, and nothing else. */
  written(count: number): void {
    this.writtenCount = count
    this.isFileRight = true
    this.isFileDurable = false
  }

  /** What was written survives a power cut, unless it was taken back meanwhile. */
  synced(): void {
    this.isFileDurable = this.isFileRight
  }

  /** Nobody knows what the file holds: a sync of it has failed. */
  lost(): void {
    this.writtenCount = 0
    this.isFileRight = false
    this.isFileDurable = false
  }

  /** Index of the last entry whose bytes satisfy `holds`, which is true up to some entry and false after it; else -1. */
  lastWhere(holds: (at: number) => boolean): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (holds(middle * this.entryBytes)) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** All entries. */
  view(): DataView {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset, this.count * this.entryBytes)
  }

  /** The entries that the file lacks. */
  unwritten(): Buffer {
    return this.bytes.subarray(this.writtenCount * this.entryBytes, this.count * this.entryBytes)
  }
}

/**
 * How many entries stand before the zeros at the end of an index file. Kafka lays the file out at its full size, in zeros,
 * and trims it when it is closed in order. An entry that is all zeros can only be the first one of a time index.
 */
export function countBeforeZeros(content: Buffer, entryBytes: number): number {
  if (content.length === entryBytes) return 1
  let end = content.length
  while (end > 0 && content[end - 1] === 0) end--
  return Math.min(Math.ceil(end / entryBytes), Math.floor(content.length / entryBytes))
}
