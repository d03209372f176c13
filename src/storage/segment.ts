import { assert } from '../assert.ts'
import type { BatchSpan } from '../codec/batch-encoder.ts'
import { BATCH_HEADER_BYTES, findHeaderFault, readBatchHeader } from '../codec/record-batch.ts'
import { systemErrorCode } from '../errors.ts'
import { findNextBatch, scanBatches } from './batch-scanner.ts'
import type { IndexEntries } from './index-entries.ts'
import { endsLatest, endsTruly, HeaderSieve, namesBatch } from './index-trust.ts'
import { OffsetIndex } from './offset-index.ts'
import type { SegmentPool } from './segment-pool.ts'
import { readFully, writeFully, type OpenMode, type Storage, type StorageFile } from './storage.ts'
import { TimeIndex } from './time-index.ts'

const OFFSET_DIGITS = 20

/** `00000000000000000170.log` and its like. */
export function segmentFileName(baseOffset: number, suffix: '.log' | '.index' | '.timeindex'): string {
  return String(baseOffset).padStart(OFFSET_DIGITS, '0') + suffix
}

/** The base offset in the name of a `.log` file, or null for any other name. */
export function parseLogFileName(name: string): number | null {
  const digits = /^(\d{20})\.log$/.exec(name)?.[1]
  const baseOffset = Number(digits)
  return digits !== undefined && Number.isSafeInteger(baseOffset) ? baseOffset : null
}

/** What a segment needs while it is read or written. */
interface SegmentFiles {
  log: StorageFile
  offsetIndex: OffsetIndex
  timeIndex: TimeIndex
}

/** What all segments of a log share. */
export interface SegmentContext {
  storage: Storage
  /** Of the partition. */
  directory: string
  pool: SegmentPool
  readOnly: boolean
  indexIntervalBytes(): number
}

/**
 * One file of a partition's log with its two indexes: batches of the offsets from `baseOffset` on.
 *
 * Files are opened when they are first needed. Those of a sealed segment may be closed again at any time by the pool.
 * Indexes are kept in memory and reach their files at a checkpoint, a roll and a close: until then a recovery rebuilds
 * what is missing.
 */
export class Segment {
  private opening: Promise<SegmentFiles> | null = null
  private files: SegmentFiles | null = null
  private users = 0
  private removed = false
  /** Settles, never rejects, when the last write of the index files has ended. */
  private indexWriting: Promise<void> = Promise.resolve()

  private bytesSinceIndexEntry = 0
  private maxTimestamp = -Infinity
  private maxTimestampOffset = -1
  private timesAreChecked = false
  /** maxTimestamp of the first batch: the age of a segment counts from it. Null while the segment is empty. */
  firstTimestamp: number | null = null

  constructor(
    private readonly context: SegmentContext,
    readonly baseOffset: number,
    /** Bytes of whole batches; the file may be longer while an append is under way. */
    public sizeBytes: number,
    /** False after an unclean stop: the index files may lag behind or be damaged, and are repaired when opened. */
    private readonly trustIndexes = true,
  ) {}

  /** Creates the log file; the caller syncs the directory before it acknowledges anything in it. */
  static async create(context: SegmentContext, baseOffset: number): Promise<Segment> {
    const segment = new Segment(context, baseOffset, 0)
    const log = await context.storage.openFile(segment.path, 'create')
    segment.files = { log, offsetIndex: new OffsetIndex(baseOffset), timeIndex: new TimeIndex(baseOffset) }
    segment.opening = Promise.resolve(segment.files)
    return segment
  }

  get path(): string {
    return `${this.context.directory}/${segmentFileName(this.baseOffset, '.log')}`
  }

  /** Whether `append` may be called: the files are open. */
  get isOpen(): boolean {
    return this.files !== null
  }

  /** Whether the index files are not to be trusted and no `open` has repaired them yet. */
  get mustRepairIndexes(): boolean {
    return !this.trustIndexes && this.files === null
  }

  /** Entries in the offset index; a segment rolls before its index outgrows its limit. */
  get indexEntries(): number {
    return this.files?.offsetIndex.count ?? 0
  }

  /** Opens the files and reads the indexes, rebuilding those that are missing or implausible. */
  async open(): Promise<void> {
    await this.use(async () => {})
  }

  /**
   * Writes batches that are stamped with their offsets, in one write, then adds the index entries that are due.
   * Only the partition's writer calls this, after `open`. When it throws, `truncate` must follow.
   */
  append(bytes: Buffer, batches: readonly BatchSpan[], firstOffset: number): void {
    const { files } = this
    assert(files !== null, 'an open segment is appended to')
    writeFully(files.log, bytes, this.sizeBytes)
    const start = batches[0].start
    let lastOffset = firstOffset - 1
    for (const batch of batches) {
      lastOffset += batch.recordCount
      this.indexBatch(files, lastOffset, batch.maxTimestamp, this.sizeBytes + batch.start - start, batch.sizeBytes)
    }
    this.sizeBytes += bytes.length
  }

  private indexBatch(
    files: SegmentFiles,
    lastOffset: number,
    maxTimestamp: number,
    position: number,
    sizeBytes: number,
  ): void {
    this.firstTimestamp ??= maxTimestamp
    this.rememberTimestamp(maxTimestamp, lastOffset)
    if (this.bytesSinceIndexEntry > this.context.indexIntervalBytes()) {
      files.offsetIndex.append(lastOffset, position)
      files.timeIndex.maybeAppend(this.maxTimestamp, this.maxTimestampOffset)
      this.bytesSinceIndexEntry = 0
    }
    this.bytesSinceIndexEntry += sizeBytes
  }

  /** Makes all batches written so far survive a power cut. */
  async sync(): Promise<void> {
    await this.use((files) => files.log.sync())
  }

  /** Reads up to `target.length` bytes of the log from `position`; resolves with their number. */
  async read(target: Buffer, position: number): Promise<number> {
    return this.use((files) => readFully(files.log, target, position))
  }

  /** Where to start looking for `offset`, from the index. */
  async lookup(offset: number): Promise<{ offset: number; position: number }> {
    return this.use(async (files) => files.offsetIndex.lookup(offset))
  }

  /** The last offset known to be followed by the first record at or after `timestamp`; baseOffset - 1 when unknown. */
  async lookupTimestamp(timestamp: number): Promise<{ timestamp: number; offset: number } | null> {
    return this.use(async (files) => files.timeIndex.lookupBefore(timestamp))
  }

  /** The greatest record timestamp of a sealed segment, or -Infinity in an empty one. */
  async greatestTimestamp(): Promise<number> {
    return this.use(async (files) => {
      // once is enough: on this hangs what retention deletes and what a look-up passes over
      if (!this.timesAreChecked && !(await endsLatest(files.log, this.sizeBytes, files.offsetIndex, files.timeIndex))) {
        await this.repair(files, true)
      }
      this.timesAreChecked = true
      return Math.max(this.maxTimestamp, files.timeIndex.last()?.timestamp ?? -Infinity)
    })
  }

  /** Looks into the log file, which stays open meanwhile. */
  async inspect<T>(action: (log: StorageFile) => Promise<T>): Promise<T> {
    return this.use((files) => action(files.log))
  }

  /** Cuts the log at `sizeBytes`, a batch boundary whose next offset is `endOffset`. */
  async truncate(sizeBytes: number, endOffset: number): Promise<void> {
    await this.use(async (files) => {
      await files.log.truncate(sizeBytes)
      this.sizeBytes = sizeBytes
      files.offsetIndex.truncate(sizeBytes)
      files.timeIndex.truncate(endOffset)
    })
  }

  /**
   * Brings the indexes in line with the log up to `sizeBytes`, starting from the last entry that can be trusted.
   *
   * @returns how many bytes of log were read for it
   */
  async repairIndexes(fromScratch: boolean): Promise<number> {
    return this.use((files) => this.repair(files, fromScratch))
  }

  private async repair(files: SegmentFiles, fromScratch: boolean): Promise<number> {
    const { log, offsetIndex, timeIndex } = files
    offsetIndex.truncate(this.sizeBytes)
    let start = { offset: this.baseOffset, position: 0 }
    const last = offsetIndex.count > 0 ? offsetIndex.entry(offsetIndex.count - 1) : null
    const trusted =
      !fromScratch && last !== null && offsetIndex.isPlausible(this.sizeBytes) && (await namesBatch(log, last))
    if (!trusted) offsetIndex.entries.keep(0)
    timeIndex.truncate(trusted ? last.offset + 1 : this.baseOffset)
    if (trusted && !timeIndex.isPlausible(last.offset + 1)) timeIndex.entries.keep(0)
    const lastTime = timeIndex.last()
    // a time index that is lost or damaged alone must be rebuilt from the start as well
    if (trusted && (lastTime === null || !(await endsTruly(log, this.sizeBytes, offsetIndex, timeIndex)))) {
      return this.repair(files, true)
    }
    // the time index may lag behind the other: what comes after its last entry is looked at again
    if (lastTime !== null) start = offsetIndex.lookup(lastTime.offset)
    offsetIndex.truncate(start.position + 1)
    this.maxTimestamp = lastTime?.timestamp ?? -Infinity
    this.maxTimestampOffset = lastTime?.offset ?? -1
    this.bytesSinceIndexEntry = 0
    let skip = start.position > 0
    let position = start.position
    const sieve = new HeaderSieve(this.baseOffset, (header, position, offset, isCertain) => {
      if (isCertain) this.indexBatch(files, offset, header.maxTimestamp, position, header.sizeBytes)
      else {
        this.rememberTimestamp(header.maxTimestamp, offset)
        this.bytesSinceIndexEntry += header.sizeBytes
      }
    })
    for (;;) {
      const end = await scanBatches(log, position, this.sizeBytes, 'header', ({ header, position }) => {
        if (skip) {
          skip = false
          this.bytesSinceIndexEntry = header.sizeBytes
          this.rememberTimestamp(header.maxTimestamp, header.lastOffset)
          sieve.begin(header)
        } else sieve.push(header, position)
      })
      if (end.fault === null) break
      const next = await findNextBatch(log, end.position + 1, this.sizeBytes, this.baseOffset)
      if (next === null) break
      position = next.position
    }
    sieve.end()
    return this.sizeBytes - start.position
  }

  private rememberTimestamp(timestamp: number, offset: number): void {
    if (timestamp <= this.maxTimestamp || offset <= this.maxTimestampOffset) return
    this.maxTimestamp = timestamp
    this.maxTimestampOffset = offset
  }

  /** Adds the closing entry to the time index, as a roll and a close do. */
  completeTimeIndex(): void {
    if (this.files !== null && this.maxTimestampOffset >= 0) {
      this.files.timeIndex.maybeAppend(this.maxTimestamp, this.maxTimestampOffset)
    }
  }

  /** Writes to the index files what they lack. `sync`: make it survive a power cut. */
  async writeIndexes(options: { sync: boolean }): Promise<void> {
    // a checkpoint in the background may be at it
    const writing = this.indexWriting.then(() =>
      this.use(async ({ offsetIndex, timeIndex }) => {
        await this.writeIndex('.index', offsetIndex.entries, options.sync)
        await this.writeIndex('.timeindex', timeIndex.entries, options.sync)
      }),
    )
    this.indexWriting = writing.catch(() => {})
    return writing
  }

  private async writeIndex(suffix: '.index' | '.timeindex', entries: IndexEntries, sync: boolean): Promise<void> {
    const { count } = entries
    const start = entries.writtenCount * entries.entryBytes
    const file = await this.openIndexFile(suffix)
    try {
      const length = await file.size()
      if (length > start) await file.truncate(start)
      // the log goes on while this waits: only what was counted above is written
      writeFully(file, entries.unwritten().subarray(0, (count - entries.writtenCount) * entries.entryBytes), start)
      if (sync) await file.sync()
      entries.writtenCount = count
    } finally {
      await file.close()
    }
  }

  private async openIndexFile(suffix: '.index' | '.timeindex'): Promise<StorageFile> {
    const path = `${this.context.directory}/${segmentFileName(this.baseOffset, suffix)}`
    try {
      return await this.context.storage.openFile(path, 'write')
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error
      return this.context.storage.openFile(path, 'create')
    }
  }

  /** Closes the files; they open again when they are needed. */
  async close(): Promise<void> {
    const { opening } = this
    if (opening === null) return
    this.opening = null
    this.files = null
    await (await opening).log.close()
  }

  get isIdle(): boolean {
    return this.users === 0
  }

  /** Deletes the files once no read uses them any more. */
  async remove(): Promise<void> {
    this.removed = true
    this.context.pool.forget(this)
    if (this.users === 0) await this.unlink()
  }

  private async unlink(): Promise<void> {
    await this.close()
    for (const suffix of ['.index', '.timeindex', '.log'] as const) {
      const path = `${this.context.directory}/${segmentFileName(this.baseOffset, suffix)}`
      await this.context.storage.removeFile(path).catch((error: unknown) => {
        if (systemErrorCode(error) !== 'ENOENT') throw error
      })
    }
  }

  private async use<T>(action: (files: SegmentFiles) => Promise<T>): Promise<T> {
    this.users++
    try {
      return await action(this.files ?? (await this.openFiles()))
    } finally {
      this.users--
      if (this.users === 0) {
        if (this.removed) await this.unlink()
        else await this.context.pool.used(this)
      }
    }
  }

  private openFiles(): Promise<SegmentFiles> {
    this.opening ??= this.readFiles().catch((error: unknown) => {
      this.opening = null
      throw error
    })
    return this.opening
  }

  private async readFiles(): Promise<SegmentFiles> {
    const { storage, readOnly } = this.context
    const mode: OpenMode = readOnly ? 'read' : 'write'
    const log = await storage.openFile(this.path, mode)
    try {
      const offsetIndex = new OffsetIndex(this.baseOffset, await this.readIndex('.index'))
      const timeIndex = new TimeIndex(this.baseOffset, await this.readIndex('.timeindex'))
      const files = { log, offsetIndex, timeIndex }
      const plausible = offsetIndex.isPlausible(this.sizeBytes) && timeIndex.isPlausible(Number.MAX_SAFE_INTEGER)
      if (this.sizeBytes > 0) {
        const first = Buffer.alloc(BATCH_HEADER_BYTES)
        const length = await readFully(log, first, 0)
        if (findHeaderFault(first, 0, length) === null) this.firstTimestamp = readBatchHeader(first, 0).maxTimestamp
      }
      const last = timeIndex.last()
      if (!plausible || (last === null && this.sizeBytes > 0)) await this.repair(files, true)
      else if (!this.trustIndexes) await this.repair(files, false)
      else if (!(await endsTruly(log, this.sizeBytes, offsetIndex, timeIndex))) await this.repair(files, true)
      else if (last !== null) {
        this.maxTimestamp = last.timestamp
        this.maxTimestampOffset = last.offset
        // as if it had never been closed: a log that is opened for a few records at a time gets its entries as well
        this.bytesSinceIndexEntry = this.sizeBytes - offsetIndex.lookup(Infinity).position
      }
      this.files = files
      return files
    } catch (error) {
      await log.close()
      throw error
    }
  }

  private async readIndex(suffix: '.index' | '.timeindex'): Promise<Buffer> {
    try {
      return await this.context.storage.readFile(
        `${this.context.directory}/${segmentFileName(this.baseOffset, suffix)}`,
      )
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return Buffer.alloc(0)
      throw error
    }
  }
}
