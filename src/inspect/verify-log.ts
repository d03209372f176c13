import type { BatchFault, BatchHeader } from '../codec/record-batch.ts'
import { systemErrorCode } from '../errors.ts'
import { findBatchAfterDamage, scanBatches, startsWithOldMessage, type ScannedBatch } from '../storage/batch-scanner.ts'
import type { EpochStart, PartitionCheckpoint } from '../storage/checkpoint.ts'
import { skipsTo } from '../storage/leader-epochs.ts'
import type { Damage } from '../storage/recovery.ts'
import { segmentFileName } from '../storage/segment-name.ts'
import { readFully, unlessMissing, type Storage, type StorageFile } from '../storage/storage.ts'
import { OffsetIndexCheck, TimeIndexCheck, type IndexFault, type IndexRules } from './verify-indexes.ts'
import { planSegments, type SegmentPlan, type VerifyWarning } from './verify-plan.ts'

/** One partition's log, and everything that is known of it from elsewhere. */
export interface LogVerification {
  storage: Storage
  /** Of the partition. */
  directory: string
  /** Null where none is known: only what the files say of each other can be checked. */
  checkpoint: PartitionCheckpoint | null
  /** Closed in order and not open now: nothing may be torn, and indexes are complete. */
  clean: boolean
  /** Kafka may have written some of it; see {@link IndexRules}. */
  foreign: boolean
  /** The greatest `indexIntervalBytes` that the topic has ever had. */
  indexIntervalBytes: number
  /** Of a log that Kafka wrote: offsets from here on may be torn after an unclean stop. */
  recoveryPoint?: number | undefined
  /** Of a log that Kafka wrote: its leader epochs. */
  leaderEpochs?: EpochStart[] | undefined
  /** Called for each valid batch in order, its bytes valid during the call only; returns what is wrong with it, or null. */
  onBatch?: ((header: BatchHeader, bytes: Buffer, at: number) => string | null) | undefined
  /** Called with the number of bytes read since the last call. */
  onRead(path: string, bytes: number): void
}

/** How much there is of a log. */
export interface LogTotals {
  segments: number
  /** Valid batches. */
  batches: number
  /** Records in them. */
  records: number
  /** Bytes of log in all segments. */
  sizeBytes: number
  logStartOffset: number
  logEndOffset: number
}

/** What {@link verifyLog} found. */
export interface LogFindings extends LogTotals {
  damage: Damage[]
  warnings: VerifyWarning[]
}

const PROGRESS_BYTES = 1024 * 1024

/**
 * Reads every byte of a partition's segments and indexes and holds them against each other and against the checkpoint.
 * Goes on after damage. Writes nothing, and stands files coming and going beside a live writer: what that writer has
 * not vouched for yet is never damage.
 */
export async function verifyLog(request: LogVerification): Promise<LogFindings> {
  return new LogCheck(request).run()
}

/** A batch whose offset does not follow; the batch after it tells which of the two is wrong. */
interface Suspect {
  header: BatchHeader
  position: number
  bytes: Buffer | null
}

class LogCheck {
  private readonly found: LogFindings
  /** The offset after the last batch that counts. */
  private expected = 0
  private readonly epochs: EpochStart[]
  /** Batches may be missing by right, so only an overlap is damage. */
  private readonly allowsGaps: boolean
  private suspect: Suspect | null = null
  /** Offsets that no segment holds, unless they were skipped: then the next batch begins an epoch. */
  private gap: Damage | null = null
  private isTorn = false

  private plan!: SegmentPlan
  private path = ''
  private offsetIndex!: OffsetIndexCheck
  private timeIndex!: TimeIndexCheck
  private reported = 0

  constructor(private readonly request: LogVerification) {
    const { checkpoint, clean, leaderEpochs = [] } = request
    // an epoch that begins later may be recorded ahead of its batch
    const isSettled = ({ startOffset }: EpochStart) => clean || startOffset < checkpoint!.durableOffset
    this.epochs = checkpoint === null ? [...leaderEpochs] : checkpoint.epochs.filter(isSettled)
    this.allowsGaps = checkpoint?.sparse ?? true
    const { logStartOffset = 0 } = checkpoint ?? {}
    const nothing = { segments: 0, batches: 0, records: 0, sizeBytes: 0 }
    this.found = { damage: [], warnings: [], ...nothing, logStartOffset, logEndOffset: 0 }
  }

  async run(): Promise<LogFindings> {
    const { storage, directory, checkpoint, clean } = this.request
    const { segments, damage, warnings } = await planSegments(storage, directory, checkpoint, clean)
    const { found } = this
    found.damage.push(...damage)
    found.warnings.push(...warnings)
    this.expected = segments[0]?.baseOffset ?? checkpoint?.durableOffset ?? 0
    if (checkpoint === null) found.logStartOffset = this.expected
    for (const plan of segments) {
      this.plan = plan
      this.path = `${directory}/${segmentFileName(plan.baseOffset, '.log')}`
      if (this.isTorn) this.warn('follows a torn tail: the next open puts it aside')
      else if (plan.isMissing) this.expected = Math.max(this.expected, plan.endOffset ?? 0)
      else await this.checkSegment()
    }
    this.judgeGap(null)
    // offsets that were skipped after an unclean stop count, although no batch stands for them yet
    const skipped = clean ? (checkpoint?.reservedOffset ?? 0) : 0
    found.logEndOffset = Math.max(this.expected, found.logStartOffset, skipped)
    return found
  }

  private async checkSegment(): Promise<void> {
    const { storage, directory } = this.request
    const { plan, found } = this
    const indexPath = `${directory}/${segmentFileName(plan.baseOffset, '.index')}`
    const timeIndexPath = `${directory}/${segmentFileName(plan.baseOffset, '.timeindex')}`
    // before the log: a writer adds to the log first, so what the indexes name will be there
    const index = await this.byEitherName(indexPath, (path) => readIfPresent(storage, path))
    const timeIndex = await this.byEitherName(timeIndexPath, (path) => readIfPresent(storage, path))
    const file = await this.byEitherName(this.path, (path) =>
      unlessMissing<StorageFile | null>(storage.openFile(path, 'read'), () => null),
    )
    if (file === null) return this.fileWentAway()
    try {
      const { foreign, indexIntervalBytes: intervalBytes } = this.request
      const rules: IndexRules = { intervalBytes, foreign, complete: plan.indexesComplete }
      this.offsetIndex = new OffsetIndexCheck(index ?? Buffer.alloc(0), plan.baseOffset, rules)
      this.timeIndex = new TimeIndexCheck(timeIndex ?? Buffer.alloc(0), plan.baseOffset, rules)
      this.reported = 0
      const size = await file.size()
      const end = Math.min(size, plan.sizeBytes ?? size)
      await this.checkBatches(file, size, end)
      this.reportRead(end)
      found.segments++
      found.sizeBytes += end
      this.checkIndex(indexPath, index, this.offsetIndex.end(end))
      this.checkIndex(timeIndexPath, timeIndex, this.timeIndex.end(end))
    } finally {
      await file.close()
    }
  }

  private async byEitherName<T>(path: string, look: (path: string) => Promise<T | null>): Promise<T | null> {
    return (this.plan.mayBeSwap ? await look(`${path}.swap`) : null) ?? look(path)
  }

  /** Between the listing and now: retention does that. Where there is a checkpoint, the caller looks at a newer one. */
  private fileWentAway(): void {
    const { baseOffset, endOffset } = this.plan
    if (this.request.checkpoint === null && !this.request.clean) this.expected = Math.max(this.expected, endOffset ?? 0)
    else this.damage(0, 'file is missing', baseOffset, endOffset ?? baseOffset)
  }

  private async checkBatches(file: StorageFile, size: number, end: number): Promise<void> {
    const { plan } = this
    const readsToEnd = await this.scan(file, end)
    if (this.isTorn) return
    const { endOffset } = plan
    const falls = endOffset !== null && this.expected < endOffset
    const isShort = size < plan.leastBytes
    const isGap = falls && !this.allowsGaps && !this.epochs.some((one) => skipsTo(one, endOffset, this.expected))
    const nextOffset = Math.max(this.expected, endOffset ?? 0)
    if (readsToEnd && isShort) this.damage(end, 'file is too short', this.expected, nextOffset)
    else if (readsToEnd && isGap && this.gap === null)
      this.gap = this.damageAt(end, 'offsets are missing after this', this.expected, nextOffset)
    else if (readsToEnd && isGap) this.gap!.nextOffset = nextOffset
    if (falls) this.expected = endOffset
    if (plan.sizeBytes === null || size <= plan.sizeBytes) return
    this.damage(plan.sizeBytes, `${size - plan.sizeBytes} bytes do not belong to it`, this.expected, this.expected)
  }

  /** @returns whether the last bytes up to `end` are a valid batch */
  private async scan(file: StorageFile, end: number): Promise<boolean> {
    for (let position = 0; ;) {
      const stop = await scanBatches(file, position, end, 'checksum', (batch) => this.visit(batch))
      if (stop.fault === null) {
        this.judge(this.plan.endOffset)
        return true
      }
      const next = this.mayBeTorn(stop.position)
        ? null
        : await findBatchAfterDamage(file, stop.position, end, this.expected)
      const nextOffset = next?.header.baseOffset ?? this.plan.endOffset
      this.judge(nextOffset)
      if (next === null && this.isTail(stop.position)) {
        await this.warnOfTail(file, stop.position, end)
        this.isTorn = true
        return false
      }
      await this.reportFault(file, stop.position, stop.fault, Math.max(this.expected, nextOffset ?? 0))
      if (next === null) return false
      position = next.position
    }
  }

  private async reportFault(file: StorageFile, position: number, fault: BatchFault, nextOffset: number): Promise<void> {
    if (
      fault === 'old format' &&
      this.request.foreign &&
      (await startsWithOldMessage(file, position, await file.size()))
    ) {
      this.warn(`holds messages in a format older than RecordBatch v2 from byte ${position} on, which are not checked`)
    } else this.damage(position, fault, this.expected, nextOffset)
    this.expected = nextOffset
  }

  /** What a checkpoint does not vouch for yet: one step wrong ends what counts, as it does in a recovery. */
  private mayBeTorn(position: number): boolean {
    return position >= this.plan.vouchedBytes
  }

  /** Whether invalid bytes from here to the end of the file may be the end of a write that a stop cut short. */
  private isTail(position: number): boolean {
    const { checkpoint, clean, recoveryPoint } = this.request
    if (checkpoint !== null || clean) return this.mayBeTorn(position)
    return this.plan.endOffset === null || (recoveryPoint !== undefined && this.expected >= recoveryPoint)
  }

  private visit(batch: ScannedBatch): BatchFault | null {
    const { header, position, bytes, at } = batch
    this.judge(header.baseOffset)
    if (this.mayBeTorn(position)) {
      const isNewEpoch = header.leaderEpoch > this.lastEpoch
      if (header.leaderEpoch < this.lastEpoch || header.baseOffset < this.expected) return 'offset'
      if (header.baseOffset > this.expected && !isNewEpoch && !this.allowsGaps) return 'offset'
      this.accept(header, position, bytes, at)
    } else if (header.baseOffset === this.expected || this.startsEpoch(header)) {
      this.accept(header, position, bytes, at)
    } else {
      const copy = this.request.onBatch && Buffer.from(bytes.subarray(at, at + header.sizeBytes))
      this.suspect = { header, position, bytes: copy ?? null }
    }
    if (position + header.sizeBytes - this.reported >= PROGRESS_BYTES) this.reportRead(position + header.sizeBytes)
    return null
  }

  /** Decides about a batch out of order, by the offset of what follows it. */
  private judge(nextOffset: number | null): void {
    const { suspect, expected } = this
    if (suspect === null) return
    this.suspect = null
    const { header, position, bytes } = suspect
    if (header.baseOffset > expected && (nextOffset === null || nextOffset > header.lastOffset)) {
      if (!this.allowsGaps) this.damage(position, 'offsets are missing before this', expected, header.baseOffset)
      this.accept(header, position, bytes, 0)
    } else {
      this.expected = Math.max(expected, nextOffset ?? 0)
      this.damage(position, 'offset', expected, this.expected)
    }
  }

  private accept(header: BatchHeader, position: number, bytes: Buffer | null, at: number): void {
    this.judgeGap(header)
    this.checkEpoch(header, position)
    this.offsetIndex.batch(header, position)
    this.timeIndex.batch(header, position)
    this.found.batches++
    this.found.records += header.recordCount
    this.expected = header.lastOffset + 1
    const fault = bytes === null ? null : (this.request.onBatch?.(header, bytes, at) ?? null)
    if (fault !== null) this.damage(position, fault, header.baseOffset, this.expected)
  }

  /** A segment that was begun behind records that a power cut took stays empty: what counts is the next batch. */
  private judgeGap(next: BatchHeader | null): void {
    const { gap } = this
    if (gap === null) return
    this.gap = null
    const isMissing =
      next === null
        ? gap.offset < this.request.checkpoint!.durableOffset
        : !this.startsEpoch(next, gap.offset) && next.leaderEpoch <= this.lastEpoch
    if (isMissing) this.found.damage.push(gap)
  }

  private get lastEpoch(): number {
    return this.epochs.at(-1)?.epoch ?? -1
  }

  /** Whether a batch begins an epoch before which the offsets from `end` on were skipped. */
  private startsEpoch({ baseOffset, leaderEpoch }: BatchHeader, end = this.expected): boolean {
    if (baseOffset < this.expected) return false
    return this.epochs.some((one) => one.epoch === leaderEpoch && skipsTo(one, baseOffset, end))
  }

  private checkEpoch({ baseOffset, lastOffset, leaderEpoch }: BatchHeader, position: number): void {
    const { checkpoint, clean, leaderEpochs } = this.request
    const known = this.epochs.findLast(({ startOffset }) => startOffset <= baseOffset)?.epoch
    if (leaderEpoch === (known ?? -1)) return
    const learns = checkpoint === null && (leaderEpochs === undefined || !clean)
    if (leaderEpoch > this.lastEpoch && (learns || this.mayBeTorn(position))) {
      this.epochs.push({ epoch: leaderEpoch, startOffset: baseOffset })
      return
    }
    // Kafka forgets the epochs that lie wholly before its log start
    if (known === undefined && checkpoint === null) return
    this.damage(position, `leader epoch is ${leaderEpoch}, not ${known ?? -1}`, baseOffset, lastOffset + 1)
    // an epoch that nothing but one batch speaks for would make all that follow wrong
    while (learns && this.lastEpoch > leaderEpoch) this.epochs.pop()
  }

  private checkIndex(path: string, content: Buffer | null, fault: IndexFault | null): void {
    const { plan, request, found } = this
    this.request.onRead(path, content?.length ?? 0)
    const isMissing = content === null && plan.indexesComplete
    const worst = isMissing ? { position: 0, reason: 'file is missing', isLack: true } : fault
    if (worst === null) return
    const { baseOffset } = plan
    if (!plan.indexesComplete || (worst.isLack && request.foreign)) {
      found.warnings.push({ path, reason: `${worst.reason} (byte ${worst.position}): it is rebuilt when needed` })
    } else {
      const { position, reason } = worst
      found.damage.push({ path, position, reason, offset: baseOffset, nextOffset: baseOffset })
    }
  }

  /** Zeros are no news: a file may grow before its data comes. */
  private async warnOfTail(file: StorageFile, position: number, end: number): Promise<void> {
    const bytes = Buffer.allocUnsafeSlow(Math.min(end - position, PROGRESS_BYTES))
    const length = await readFully(file, bytes, position)
    if (bytes.subarray(0, length).every((byte) => byte === 0)) return
    this.warn(`${end - position} bytes from byte ${position} on are no valid batch: a write under way, or a torn tail`)
  }

  private reportRead(position: number): void {
    this.request.onRead(this.path, position - this.reported)
    this.reported = position
  }

  private damage(position: number, reason: string, offset: number, nextOffset: number): void {
    this.found.damage.push(this.damageAt(position, reason, offset, nextOffset))
  }

  private damageAt(position: number, reason: string, offset: number, nextOffset: number): Damage {
    return { path: this.path, position, reason, offset, nextOffset }
  }

  private warn(reason: string): void {
    this.found.warnings.push({ path: this.path, reason })
  }
}

/** The content of a small file, or null when there is none. */
export async function readIfPresent(storage: Storage, path: string): Promise<Buffer | null> {
  try {
    return await storage.readFile(path)
  } catch (error) {
    // a directory in its place is no file either
    if (['ENOENT', 'EISDIR'].includes(systemErrorCode(error) ?? '')) return null
    throw error
  }
}
