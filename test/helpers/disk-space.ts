/** What one file takes on the disk. */
export interface SpaceOfFile {
  sizeBytes: number
  handles: number
  removed: boolean
}

/** Counts the bytes that files take, by their sizes, so that a test can have a full disk. */
export class DiskSpace {
  /** Bytes that all files together may take. */
  capacityBytes = Infinity
  /** Bytes taken by the files that were opened through this storage. */
  usedBytes = 0
  private readonly files = new Map<string, SpaceOfFile>()

  opened(path: string, sizeBytes: number): SpaceOfFile {
    let file = this.files.get(path)
    if (file === undefined) {
      file = { sizeBytes, handles: 0, removed: false }
      this.files.set(path, file)
      this.usedBytes += sizeBytes
    }
    file.handles += 1
    return file
  }

  /** How much of a write finds room, from its first byte. */
  roomFor(file: SpaceOfFile, position: number, length: number): number {
    const free = Math.max(0, this.capacityBytes - this.usedBytes)
    return Math.min(length, Math.max(0, file.sizeBytes - position) + free)
  }

  resized(file: SpaceOfFile, sizeBytes: number): void {
    this.usedBytes += sizeBytes - file.sizeBytes
    file.sizeBytes = sizeBytes
  }

  /** The bytes of a removed file are free once no handle is open. */
  closed(file: SpaceOfFile): void {
    file.handles -= 1
    this.freeUnused(file)
  }

  /** Forgets a file, or all files in a directory. */
  removed(path: string): void {
    for (const [known, file] of this.within(path)) {
      this.files.delete(known)
      file.removed = true
      this.freeUnused(file)
    }
  }

  renamed(from: string, to: string): void {
    const moved = this.within(from)
    this.removed(to)
    for (const [known, file] of moved) {
      this.files.delete(known)
      this.files.set(to + known.slice(from.length), file)
    }
  }

  private freeUnused(file: SpaceOfFile): void {
    if (file.removed && file.handles === 0) this.resized(file, 0)
  }

  private within(path: string): [string, SpaceOfFile][] {
    return [...this.files].filter(([known]) => known === path || known.startsWith(`${path}/`))
  }
}
