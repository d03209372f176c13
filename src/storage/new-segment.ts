import { SegmentIndexes } from './segment-indexes.ts'
import { segmentFileName, type IndexSuffix } from './segment-name.ts'
import { readFully, writeFully, type Storage, type StorageFile } from './storage.ts'

const CHUNK_BYTES = 1024 * 1024
/** More of what is written and not synced would hold up the writes of everybody. */
const SYNC_BYTES = 16 * 1024 * 1024

/** A segment of a directory that is written as a whole: batches that are there already, and indexes made anew. */
export class NewSegment {
  /** Bytes so far. */
  sizeBytes = 0
  private unsyncedBytes = 0

  private constructor(
    private readonly storage: Storage,
    private readonly directory: string,
    readonly baseOffset: number,
    private readonly indexIntervalBytes: number,
    private readonly log: StorageFile,
  ) {}

  /** Creates the log file, which must not exist; `finish` or `abandon` must follow. */
  static async create(
    storage: Storage,
    directory: string,
    baseOffset: number,
    indexIntervalBytes: number,
  ): Promise<NewSegment> {
    const log = await storage.openFile(`${directory}/${segmentFileName(baseOffset, '.log')}`, 'create')
    return new NewSegment(storage, directory, baseOffset, indexIntervalBytes, log)
  }

  /** Adds bytes at the end: whole batches, or parts of them in order. They may be reused when it returns. */
  async append(bytes: Uint8Array): Promise<void> {
    writeFully(this.log, bytes, this.sizeBytes)
    this.sizeBytes += bytes.length
    this.unsyncedBytes += bytes.length
    if (this.unsyncedBytes < SYNC_BYTES) return
    this.unsyncedBytes = 0
    await this.log.sync()
  }

  /**
   * Adds the first bytes of a file, as they are, a chunk at a time.
   *
   * @param read     gives bytes from a position on, fewer at the file's end
   * @param onCopied called with the number of bytes after each chunk; what it throws ends the copy
   */
  async copy(
    read: (target: Buffer, position: number) => Promise<number>,
    sizeBytes: number,
    onCopied: (bytes: number) => void,
  ): Promise<void> {
    const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, sizeBytes))
    for (let position = 0; position < sizeBytes;) {
      const length = await read(chunk.subarray(0, Math.min(chunk.length, sizeBytes - position)), position)
      // a file that was cut short: what is missing is found when the copy is checked
      if (length === 0) return
      await this.append(chunk.subarray(0, length))
      position += length
      onCopied(length)
    }
  }

  /**
   * Makes the segment durable, with indexes that are built from what was written; the caller syncs the directory.
   *
   * @param endOffset  its batches end before it
   * @param readIndex  reads the indexes of what it is a copy of: where that is damaged they know more than can be built
   */
  async finish(endOffset: number, readIndex?: (suffix: IndexSuffix) => Promise<Uint8Array>): Promise<void> {
    const { log, sizeBytes, baseOffset, indexIntervalBytes } = this
    const indexes = new SegmentIndexes(baseOffset, () => indexIntervalBytes)
    try {
      await indexes.build(log, () => sizeBytes, null, endOffset)
      await log.sync()
    } finally {
      await log.close()
    }
    indexes.complete()
    const { isDamaged, offsets, times } = indexes
    const isCopied = isDamaged && readIndex !== undefined
    await this.writeIndex('.index', isCopied ? await readIndex('.index') : offsets.entries.unwritten())
    await this.writeIndex('.timeindex', isCopied ? await readIndex('.timeindex') : times.entries.unwritten())
  }

  /** Closes the file, after a failure. */
  async abandon(): Promise<void> {
    await this.log.close().catch(() => {})
  }

  private async writeIndex(suffix: IndexSuffix, content: Uint8Array): Promise<void> {
    const file = await this.storage.openFile(`${this.directory}/${segmentFileName(this.baseOffset, suffix)}`, 'create')
    try {
      writeFully(file, content, 0)
      await file.sync()
    } finally {
      await file.close()
    }
  }
}

/** What {@link NewSegment.copy} reads a file with. */
export function reader(file: StorageFile): (target: Buffer, position: number) => Promise<number> {
  return (target, position) => readFully(file, target, position)
}
