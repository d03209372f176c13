import { assert } from '../assert.ts'
import type { BatchSpan } from '../codec/batch-encoder.ts'
import { BATCH_HEADER_BYTES, findHeaderFault, readBatchHeader } from '../codec/record-batch.ts'
import type { IndexEntries } from './index-entries.ts'
import { endsLatest } from './index-trust.ts'
import type { OffsetPosition } from './offset-index.ts'
import { NEW_SEGMENT, type SegmentContext } from './segment-context.ts'
import { SegmentIndexes } from './segment-indexes.ts'
import { SEGMENT_SUFFIXES, segmentFileName, type IndexSuffix, type SegmentSuffix } from './segment-name.ts'
import { openOrCreate, readFully, removeIfPresent, unlessMissing, writeFully, type StorageFile } from './storage.ts'
import { systemError } from './system-error.ts'

/** What a segment needs while it is read or written. */
interface SegmentFiles {
  log: StorageFile
  /** Null until something is looked up or appended: whoever reads on and on has no use for them. */
  indexes: SegmentIndexes | null
}

type IndexedFiles = SegmentFiles & { indexes: SegmentIndexes }

/** What an offset index tells of an offset. */
export interface LookedUp extends OffsetPosition {
  following: OffsetPosition | null
  endPosition: number
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
  private loading: Promise<IndexedFiles> | null = null
  private files: SegmentFiles | null = null
  private users = 0
  private holds = 0
  private removed = false
  private retired = false
  private exchanged = false
  private indexWriting: Promise<void> = Promise.resolve() // never rejects
  private repairing: Promise<void> | null = null
  private greatest: number | null = null // of a sealed segment, once it is known
  /** maxTimestamp of the first batch: the age of a segment counts from it. Null while the segment is empty. */
  firstTimestamp: number | null = null

  constructor(
    private readonly context: SegmentContext,
    readonly baseOffset: number,
    /** Bytes of whole batches; the file may be longer while an append is under way. */
    public sizeBytes: number,
    /** False after an unclean stop: the index files may lag behind or be damaged, and are repaired when opened. */
    private readonly trustIndexes = true,
    private readonly history = NEW_SEGMENT,
  ) {}

  /** Creates the log file; the caller syncs the directory before it acknowledges anything in it. */
  static async create(context: SegmentContext, baseOffset: number): Promise<Segment> {
    const segment = new Segment(context, baseOffset, 0)
    const log = await context.storage.openFile(segment.path, 'create')
    const files = { log, indexes: segment.newIndexes() }
    segment.files = files
    segment.opening = Promise.resolve(files)
    segment.loading = Promise.resolve(files)
    return segment
  }

  /** A segment that compaction has written, its files open: whatever names they have, until `release` is called. */
  static cleaned(
    context: SegmentContext,
    baseOffset: number,
    sizeBytes: number,
    files: { log: StorageFile; indexes: SegmentIndexes },
  ): { segment: Segment; release: () => Promise<void> } {
    const segment = new Segment(context, baseOffset, sizeBytes)
    segment.files = files
    segment.opening = Promise.resolve(files)
    segment.loading = Promise.resolve(files)
    segment.users = 1
    return { segment, release: () => segment.endUse() }
  }

  get path(): string {
    return this.pathOf('.log')
  }

  /** Whether another segment has taken its place: what is open stays, and nothing is opened any more. */
  get isExchanged(): boolean {
    return this.exchanged
  }

  /** Whether the log file is open. */
  get isOpen(): boolean {
    return this.files !== null
  }

  /** Whether `append` may be called: the indexes are there as well. */
  get isReady(): boolean {
    return (this.files?.indexes ?? null) !== null
  }

  /** Whether the index files are not to be trusted and no `open` has repaired them yet. */
  get mustRepairIndexes(): boolean {
    return !this.trustIndexes && !this.isReady
  }

  /** Entries in the offset index of a segment that is ready; it rolls before its index outgrows its limit. */
  get indexEntries(): number {
    return this.files!.indexes!.offsets.count
  }

  /** Opens the files and reads the indexes, rebuilding those that are missing or implausible. */
  async open(): Promise<void> {
    await this.useIndexes(async () => {})
  }

  /**
   * Writes batches that are stamped with their offsets, in one write, then adds the index entries that are due.
   * Only the partition's writer calls this, after `open`. When it throws, `truncate` must follow.
   */
  append(bytes: Buffer, batches: readonly BatchSpan[], firstOffset: number): void {
    const { files } = this
    assert(files !== null && files.indexes !== null, 'an open segment is appended to')
    writeFully(files.log, bytes, this.sizeBytes)
    const start = batches[0].start
    this.firstTimestamp ??= batches[0].maxTimestamp
    let lastOffset = firstOffset - 1
    for (const batch of batches) {
      lastOffset += batch.recordCount
      files.indexes.add(lastOffset, batch.maxTimestamp, this.sizeBytes + batch.start - start, batch.sizeBytes)
    }
    this.sizeBytes += bytes.length
  }

  /** Makes all batches written so far survive a power cut. */
  async sync(): Promise<void> {
    await this.use((files) => files.log.sync())
  }

  /** Reads up to `target.length` bytes of the log from `position`; resolves with their number. */
  async read(target: Buffer, position: number): Promise<number> {
    return this.use((files) => readFully(files.log, target, position))
  }

  /** Where to start looking for `offset`, by the index; the next entry, or null; and where its batch ends at the latest. */
  async lookup(offset: number): Promise<LookedUp> {
    if (offset <= this.baseOffset)
      return { offset: this.baseOffset, position: 0, following: null, endPosition: Infinity }
    return this.useIndexes(async ({ indexes: { offsets } }) => ({
      ...offsets.lookup(offset),
      following: offsets.following(offset),
      endPosition: offsets.endPosition(offset),
    }))
  }

  /** The last entry of the time index before `timestamp`, or null: the first record at or after it comes behind. */
  async lookupTimestamp(timestamp: number): Promise<{ timestamp: number; offset: number } | null> {
    return this.useIndexes(async ({ indexes }) => (indexes.isSound ? indexes.times.lookupBefore(timestamp) : null))
  }

  /** The greatest record timestamp, or -Infinity in an empty segment; of one that is not sealed, so far. */
  async greatestTimestamp(isSealed = true): Promise<number> {
    if (this.greatest !== null) return this.greatest
    return this.useIndexes(async (files) => {
      const { offsets, times } = files.indexes
      if (!isSealed) return files.indexes.greatestTimestamp
      // on this hangs what retention deletes and what a look-up passes over
      if (!(await endsLatest(files.log, this.sizeBytes, offsets, times))) await this.rebuild(files)
      return (this.greatest = files.indexes.greatestTimestamp)
    })
  }

  /** Looks into the log file, which stays open meanwhile. */
  async inspect<T>(action: (log: StorageFile) => Promise<T>): Promise<T> {
    return this.use((files) => action(files.log))
  }

  /** Cuts the log at `sizeBytes`, a batch boundary whose next offset is `endOffset`. */
  async truncate(sizeBytes: number, endOffset: number): Promise<void> {
    await this.useIndexes(async (files) => {
      await files.log.truncate(sizeBytes)
      this.sizeBytes = sizeBytes
      files.indexes.truncate(sizeBytes, endOffset)
    })
  }

  /** Builds the indexes anew, because they have led astray. Those who find that at the same time share the work. */
  async repairIndexes(): Promise<void> {
    await this.useIndexes((files) => this.rebuild(files))
  }

  private rebuild(files: IndexedFiles): Promise<void> {
    this.repairing ??= this.builtIndexes(files.log, files.indexes)
      .then((indexes) => {
        files.indexes = indexes
      })
      .finally(() => {
        this.repairing = null
      })
    return this.repairing
  }

  private newIndexes(content?: { offsets: Buffer; times: Buffer }): SegmentIndexes {
    return new SegmentIndexes(this.baseOffset, () => this.context.indexIntervalBytes(), content)
  }

  /** Adds the closing entry to the time index, as a roll and a close do. */
  completeTimeIndex(): void {
    this.files?.indexes?.complete()
  }

  /** Writes to the index files what they lack. `sync`: make it survive a power cut. */
  async writeIndexes(options: { sync: boolean }): Promise<void> {
    // a checkpoint in the background may be at it
    const writing = this.indexWriting.then(() =>
      this.useIndexes(async ({ indexes }) => {
        if (indexes.isDamaged) return // the files know of what was there
        await this.writeIndex('.index', indexes.offsets.entries, options.sync)
        await this.writeIndex('.timeindex', indexes.times.entries, options.sync)
      }),
    )
    this.indexWriting = writing.catch(() => {})
    return writing
  }

  private async writeIndex(suffix: IndexSuffix, entries: IndexEntries, sync: boolean): Promise<void> {
    const { count } = entries
    if (entries.areWritten({ durably: sync })) return
    const start = entries.writtenCount * entries.entryBytes
    const file = await openOrCreate(this.context.storage, this.pathOf(suffix))
    try {
      const length = await file.size()
      if (length > start) await file.truncate(start)
      // the log goes on while this waits: only what was counted above is written
      writeFully(file, entries.unwritten().subarray(0, (count - entries.writtenCount) * entries.entryBytes), start)
      entries.written(count)
      if (!sync) return
      await file.sync().catch((error: unknown) => {
        entries.lost()
        throw error
      })
      if (start === 0) await this.context.storage.syncDirectory(this.context.directory)
      entries.synced()
    } finally {
      await file.close()
    }
  }

  /** Closes the files, which nobody uses now; they open again when they are needed. */
  async close(): Promise<void> {
    const { opening } = this
    if (opening === null) return
    this.opening = null
    this.loading = null
    this.files = null
    await (await opening).log.close()
  }

  get isIdle(): boolean {
    return this.users === 0
  }

  /** Closes the files for good once no read uses them any more; a read that comes later has them for itself. */
  async retire(): Promise<void> {
    this.retired = true
    this.context.pool.forget(this)
    if (this.users === 0) await this.close()
  }

  /** Gives up its files, whose names will be another segment's; resolves when nothing opens them any more. */
  async exchange(): Promise<void> {
    this.exchanged = true
    await Promise.allSettled([this.opening, this.loading])
    await this.retire()
  }

  /** Deletes the files once no read uses them and nobody holds them any more. */
  async remove(): Promise<void> {
    this.removed = true
    this.context.pool.forget(this)
    await this.unlinkIfFree()
  }

  /** Keeps the files, open or not, from being deleted until the returned function is called. */
  hold(): () => Promise<void> {
    this.holds++
    return () => {
      this.holds--
      return this.unlinkIfFree()
    }
  }

  private async unlinkIfFree(): Promise<void> {
    if (!this.removed || this.users + this.holds > 0) return
    await this.close()
    if (this.exchanged) return
    for (const suffix of SEGMENT_SUFFIXES) await removeIfPresent(this.context.storage, this.pathOf(suffix))
  }

  private async use<T>(action: (files: SegmentFiles) => Promise<T>): Promise<T> {
    this.users++
    try {
      return await action(this.files ?? (await this.openFiles()))
    } finally {
      await this.endUse()
    }
  }

  private async endUse(): Promise<void> {
    this.users--
    if (this.users > 0) return
    if (!this.removed && !this.retired) return this.context.pool.used(this)
    await this.close()
    await this.unlinkIfFree()
  }

  /** As `use`, with the indexes. */
  private useIndexes<T>(action: (files: IndexedFiles) => Promise<T>): Promise<T> {
    return this.use(async (files) => {
      if (files.indexes !== null) return action(files as IndexedFiles)
      this.loading ??= this.loadIndexes(files).catch((error: unknown) => {
        this.loading = null
        throw error
      })
      return action(await this.loading)
    })
  }

  private openFiles(): Promise<SegmentFiles> {
    this.opening ??= this.openLog().catch((error: unknown) => {
      this.opening = null
      throw error
    })
    return this.opening
  }

  private async openLog(): Promise<SegmentFiles> {
    const { storage, readOnly } = this.context
    const log = await this.byEitherName('.log', (path) => storage.openFile(path, readOnly ? 'read' : 'write'))
    try {
      if (await this.isOutdated()) throw systemError('ENOENT', 'open', this.path)
    } catch (error) {
      await log.close().catch(() => {})
      throw error
    }
    this.files = { log, indexes: null }
    return this.files
  }

  /** Whether the names that this segment knows may be those of others by now. */
  private async isOutdated(): Promise<boolean> {
    const { storedExchanges } = this.context
    return this.exchanged || (storedExchanges !== undefined && (await storedExchanges()) !== this.history.exchanges)
  }

  /** What `open` gives of the file, under whichever name it has. */
  private async byEitherName<T>(suffix: SegmentSuffix, open: (path: string) => Promise<T>): Promise<T> {
    if (this.exchanged) throw systemError('ENOENT', 'open', this.path)
    const path = this.pathOf(suffix)
    return this.history.mayBeSwap ? unlessMissing(open(`${path}.swap`), () => open(path)) : open(path)
  }

  private async loadIndexes(files: SegmentFiles): Promise<IndexedFiles> {
    const { log } = files
    const indexes = this.newIndexes({
      offsets: await this.readIndex('.index'),
      times: await this.readIndex('.timeindex'),
    })
    if (this.sizeBytes > 0) {
      const first = Buffer.alloc(BATCH_HEADER_BYTES)
      const length = await readFully(log, first, 0)
      if (findHeaderFault(first, 0, length) === null) this.firstTimestamp = readBatchHeader(first, 0).maxTimestamp
    }
    const isGood = await (this.trustIndexes
      ? indexes.areTrustworthy(log, this.sizeBytes)
      : indexes.catchUp(log, this.sizeBytes))
    if (isGood && this.trustIndexes) indexes.goOn(this.sizeBytes)
    files.indexes = isGood ? indexes : await this.builtIndexes(log, indexes)
    return files as IndexedFiles
  }

  private async builtIndexes(log: StorageFile, before: SegmentIndexes): Promise<SegmentIndexes> {
    const indexes = this.newIndexes()
    await indexes.build(log, () => this.sizeBytes, before)
    return indexes
  }

  /** An index as its file has it; empty where there is none. */
  readIndex(suffix: IndexSuffix): Promise<Buffer> {
    const content = this.byEitherName(suffix, (path) => this.context.storage.readFile(path))
    return unlessMissing(content, () => Buffer.alloc(0))
  }

  private pathOf(suffix: SegmentSuffix): string {
    return `${this.context.directory}/${segmentFileName(this.baseOffset, suffix)}`
  }
}
