import type { BatchFault, BatchHeader } from '../codec/record-batch.ts'
import { storageError, systemErrorCode } from '../errors.ts'
import { findBatchAfterDamage, scanBatches } from './batch-scanner.ts'
import type { EpochStart, PartitionCheckpoint } from './checkpoint.ts'
import { fitsFollower, fitsFollowerInChunk } from './damage.ts'
import { startOf } from './leader-epochs.ts'
import { holdBatches, useLogFile } from './log-file.ts'
import type { LogState } from './log-state.ts'
import { Segment } from './segment.ts'
import type { SegmentContext, SegmentHistory } from './segment-context.ts'
import { settleSwaps } from './segment-exchange.ts'
import { parseSegmentName, segmentFileName } from './segment-name.ts'
import type { StorageFile } from './storage.ts'
import { rewrite, setAside } from './torn-tail.ts'

/** Damage that was found and left as it is. */
export interface Damage {
  path: string
  /** Byte position of the first damaged byte; 0 for a file that is missing. */
  position: number
  /** What is wrong, in a few words. */
  reason: string
  /** Offsets from here ... */
  offset: number
  /** ... up to but not including this one cannot be read. */
  nextOffset: number
}

/** What opening one partition did. */
export interface PartitionRecovery {
  /** Bytes of log read and checked. */
  scannedBytes: number
  /** Bytes cut off as a torn tail: never acknowledged as durable. */
  cutBytes: number
  /** Where the cut bytes were saved. */
  savedTo: string[]
  /** Offsets skipped because they may have been handed out before the stop. */
  skippedOffsets: number
  damage: Damage[]
}

/** What is known of a partition before its log is looked at. */
export interface RecoveryRequest {
  /** Null for a partition that no checkpoint knows: all of it is read. */
  checkpoint: PartitionCheckpoint | null
  /** The log was closed in order. */
  clean: boolean
  /** Directory that takes what is cut off. */
  saveDirectory: string
  /** Added to the reservation, when the newest checkpoint may be lost. */
  extraReservation: number
  /** There is a whole checkpoint, and it does not know this partition. */
  isNew: boolean
}

/**
 * Finds the state of one partition's log after any stop. Running it again gives the same state.
 *
 * What lies before the checkpoint's durable position is trusted and not read. From there on batches are checked one by
 * one up to the first that is not valid: everything after that was never acknowledged as durable, is saved for diagnosis
 * and cut. What survived was perhaps only in the page cache, so it is written once more and synced before it is used.
 * Damage before the durable position is reported and never touched. A partition without a checkpoint has no durable
 * position: bytes are cut from its end only where nothing valid follows them.
 */
export async function recoverLog(
  context: SegmentContext,
  request: RecoveryRequest,
): Promise<{ state: LogState; report: PartitionRecovery }> {
  const report: PartitionRecovery = { scannedBytes: 0, cutBytes: 0, savedTo: [], skippedOffsets: 0, damage: [] }
  const recovery = new LogRecovery(context, request, report)
  try {
    const state = await recovery.run()
    return { state, report }
  } catch (error) {
    await recovery.abandon()
    throw storageError(error, `recover '${context.directory}'`, { path: context.directory })
  }
}

class LogRecovery {
  /** The offset after the last batch that counts. */
  private expected: number
  private readonly epochs: EpochStart[]
  private rollFirst = false
  private sawGap = false
  /** Where the damage began that was just passed. */
  private damagedFrom: number | null = null
  private readonly segments: Segment[] = []

  constructor(
    private readonly context: SegmentContext,
    private readonly request: RecoveryRequest,
    private readonly report: PartitionRecovery,
  ) {
    const { checkpoint } = request
    const durableOffset = checkpoint?.durableOffset ?? 0
    this.expected = durableOffset
    // an epoch that begins later may have been recorded ahead of its batch: the scan finds it where it is
    this.epochs = (checkpoint?.epochs ?? []).filter((epoch) => epoch.startOffset < durableOffset)
  }

  async run(): Promise<LogState> {
    const { context, segments } = this
    const { checkpoint, clean } = this.request
    if (checkpoint !== null && !context.readOnly) await this.settleSwaps(checkpoint)
    const onDisk = await this.listSegments()
    const { sealed, scanned } = await this.classify(onDisk)
    for (const [baseOffset, sizeBytes] of sealed) segments.push(this.segment(baseOffset, sizeBytes))
    if (checkpoint === null && scanned.length > 0) this.expected = scanned[0]!
    for (const [i, baseOffset] of scanned.entries()) {
      const isStray = i > 0 && baseOffset < this.expected
      const { segment, isTorn } = await this.recoverSegment(baseOffset, scanned.slice(i + 1), isStray)
      // the offsets that it claims are those of the segment before, which it would hide
      if (isStray && segment.sizeBytes === 0) await this.discard(segment)
      else segments.push(segment)
      if (isTorn) break
    }
    if (!clean && !context.readOnly) await this.makeDurable(segments.slice(sealed.length), scanned)
    if (checkpoint !== null && !onDisk.includes(checkpoint.durableSegment)) this.rollFirst = true
    const contentEndOffset = this.expected
    const lastEpoch = Math.max(checkpoint?.leaderEpoch ?? -1, this.epochs.at(-1)?.epoch ?? -1)
    // skipped offsets lie between the two
    const baseOffset = Math.max(contentEndOffset, checkpoint?.logStartOffset ?? 0)
    const logEndOffset = Math.max(baseOffset, this.reservedUpTo(contentEndOffset))
    this.report.skippedOffsets = logEndOffset - contentEndOffset
    await this.dropEmpty(segments, logEndOffset)
    const last = segments.at(-1)?.baseOffset
    if (last === undefined || !onDisk.includes(last)) {
      if (context.readOnly) segments.push(this.segment(baseOffset, 0))
      else {
        segments.push(await Segment.create(context, baseOffset))
        await context.storage.syncDirectory(context.directory)
      }
    }
    const first = segments[0].baseOffset
    return {
      segments,
      logStartOffset: Math.min(Math.max(checkpoint?.logStartOffset ?? first, first), logEndOffset),
      logEndOffset,
      contentEndOffset,
      leaderEpoch: clean || context.readOnly ? Math.max(lastEpoch, 0) : lastEpoch + 1,
      epochs: this.epochs,
      sparse: checkpoint?.sparse ?? this.sawGap,
      cleanedOffset: checkpoint?.cleanedOffset ?? 0,
      exchanges: checkpoint?.exchanges ?? 0,
      rollFirst: this.rollFirst,
    }
  }

  private async settleSwaps(checkpoint: PartitionCheckpoint): Promise<void> {
    const { storage, directory } = this.context
    if (await settleSwaps(storage, directory, checkpoint)) return
    const { baseOffset, endOffset } = checkpoint.swap!
    const path = `${directory}/${segmentFileName(baseOffset, '.log', '.swap')}`
    this.damageAt(path, 0, 'is missing or cut short; what it was to replace is left as it is', baseOffset, endOffset)
  }

  private segment(baseOffset: number, sizeBytes: number, trustIndexes = true): Segment {
    const { exchanges = 0, swap } = this.request.checkpoint ?? {}
    const mayBeSwap = this.context.readOnly && swap?.baseOffset === baseOffset
    const history: SegmentHistory = { exchanges, mayBeSwap }
    return new Segment(this.context, baseOffset, sizeBytes, trustIndexes, history)
  }

  /** Closes the files that are open, after a failure. */
  async abandon(): Promise<void> {
    for (const segment of this.segments) {
      this.context.pool.forget(segment)
      await segment.close().catch(() => {})
    }
  }

  /** Takes out segments that were started after records that are lost: the log has to grow up to them again. */
  private async dropEmpty(segments: Segment[], logEndOffset: number): Promise<void> {
    for (let last = segments.at(-1); last?.sizeBytes === 0 && last.baseOffset > logEndOffset; last = segments.at(-1)) {
      segments.pop()
      await this.discard(last)
    }
  }

  /** The end of the offsets that may have been handed out; a reader beside the writer has no use for it. */
  private reservedUpTo(contentEndOffset: number): number {
    const { checkpoint, extraReservation, isNew } = this.request
    if (this.context.readOnly) return 0
    // an empty partition that a whole checkpoint does not know was being created: nothing of it was handed out
    if (checkpoint === null && isNew && contentEndOffset === 0) return 0
    // the first reservation may have been in the checkpoint that is damaged
    return Math.max(checkpoint?.reservedOffset ?? 0, contentEndOffset) + extraReservation
  }

  /**
   * Makes durable what the next recovery will trust: the indexes of segments that count as sealed from here on, and the
   * names of files that perhaps only the page cache knows.
   */
  private async makeDurable(segments: Segment[], scanned: number[]): Promise<void> {
    const { storage, directory } = this.context
    for (const segment of segments.slice(0, -1)) {
      await segment.open()
      segment.completeTimeIndex()
      await segment.writeIndexes({ sync: true })
    }
    const { checkpoint } = this.request
    const isKnown = (baseOffset: number) => baseOffset === checkpoint?.durableSegment
    if (!scanned.every(isKnown)) await storage.syncDirectory(directory)
  }

  private async listSegments(): Promise<number[]> {
    const entries = await this.context.storage.list(this.context.directory).catch((error: unknown) => {
      // a reader beside the writer may come when the directory is gone; what should be in it is missing then
      if (this.context.readOnly && systemErrorCode(error) === 'ENOENT') return []
      throw error
    })
    const found: number[] = []
    for (const { name, kind } of entries) {
      const file = kind === 'file' ? parseSegmentName(name) : null
      if (file?.suffix !== '.log') continue
      if (file.swap === '') found.push(file.baseOffset)
      else if (file.swap === '.swap' && this.request.checkpoint === null) {
        const path = `${this.context.directory}/${name}`
        this.damageAt(path, 0, 'was to replace others, and is not part of the log', file.baseOffset, file.baseOffset)
      }
    }
    return found
  }

  /** Splits what is on disk into segments to trust and segments to scan, and names those that are missing. */
  private async classify(onDisk: number[]): Promise<{ sealed: [number, number][]; scanned: number[] }> {
    const { checkpoint } = this.request
    if (checkpoint === null) return { sealed: [], scanned: onDisk }
    const { durableSegment, logStartOffset, swap } = checkpoint
    const sealed: [number, number][] = []
    const removed = new Set<number>()
    for (const [i, [baseOffset, sizeBytes]] of checkpoint.segments.entries()) {
      const end = checkpoint.segments[i + 1]?.[0] ?? checkpoint.durableOffset
      // one wholly before the log start may be deleted before the checkpoint names another as the durable one
      const isDurable = baseOffset <= durableSegment && end > Math.max(baseOffset, logStartOffset)
      if (end <= logStartOffset && baseOffset < durableSegment) removed.add(baseOffset)
      else if (onDisk.includes(baseOffset)) {
        if (baseOffset < durableSegment) sealed.push([baseOffset, sizeBytes])
      } else if (isDurable) {
        // it stays part of the log: reads of it fail, and a copy that is put in its place is read again
        this.damage(baseOffset, 0, 'file is missing', baseOffset, end)
        sealed.push([baseOffset, baseOffset < durableSegment ? sizeBytes : checkpoint.durablePosition])
      }
    }
    const known = new Set(checkpoint.segments.map(([baseOffset]) => baseOffset))
    const first = checkpoint.segments[0]?.[0] ?? durableSegment
    for (const baseOffset of onDisk) {
      if (baseOffset >= durableSegment || known.has(baseOffset)) continue
      // beside a writer that is about to delete it
      if (swap !== undefined && baseOffset > swap.baseOffset && baseOffset < swap.endOffset) continue
      if (baseOffset < logStartOffset && baseOffset < first) removed.add(baseOffset)
      else this.damage(baseOffset, 0, 'file is not part of the log', baseOffset, baseOffset)
    }
    // deleted durably, but a stop came between, or a power cut brought the files back
    if (!this.context.readOnly)
      for (const baseOffset of removed) await new Segment(this.context, baseOffset, 0).remove()
    return { sealed, scanned: onDisk.filter((baseOffset) => baseOffset >= durableSegment) }
  }

  /** Checks one segment from its first byte that is not known to be durable; `isTorn`: nothing after it counts. */
  private async recoverSegment(
    baseOffset: number,
    later: number[],
    isStray: boolean,
  ): Promise<{ segment: Segment; isTorn: boolean }> {
    const { context } = this
    const { checkpoint, clean } = this.request
    const start = baseOffset === checkpoint?.durableSegment ? checkpoint.durablePosition : 0
    const path = `${context.directory}/${segmentFileName(baseOffset, '.log')}`
    const file = await context.storage.openFile(path, context.readOnly ? 'read' : 'write')
    try {
      const size = await file.size()
      if (size < start) {
        this.damage(baseOffset, size, 'file is too short', checkpoint!.segments.at(-1)![0], checkpoint!.durableOffset)
        this.rollFirst = true
        // what is gone stays part of the log, as a file that is missing does
        return { segment: this.segment(baseOffset, start, false), isTorn: false }
      }
      if (clean && !context.readOnly && size > start && baseOffset === checkpoint?.durableSegment) {
        // a log that was closed in order ends where the checkpoint says: somebody else has been at the file
        this.damage(baseOffset, start, `${size - start} bytes do not belong to it`, this.expected, this.expected)
        this.rollFirst = true
        return { segment: this.segment(baseOffset, start, false), isTorn: false }
      }
      const isForeign = isStray || (clean && !context.readOnly && baseOffset !== checkpoint?.durableSegment)
      const end = isForeign ? 0 : await this.scanSegment(baseOffset, file, start, size, later)
      const isTorn = end < size
      if (!context.readOnly) {
        if (isTorn) {
          const { cutBytes, savedTo } = await setAside(context, this.request.saveDirectory, { file, end, size, later })
          this.report.cutBytes += cutBytes
          this.report.savedTo.push(...savedTo)
        }
        if (end > start) await rewrite(file, start, end)
        if (isTorn || end > start) await file.sync()
      }
      return { segment: this.segment(baseOffset, end, clean && end === start), isTorn }
    } finally {
      await file.close()
    }
  }

  /** Returns the end of what is valid, or of the file where damage is left inside it. */
  private async scanSegment(
    baseOffset: number,
    file: StorageFile,
    start: number,
    size: number,
    later: number[],
  ): Promise<number> {
    const { epochs } = this
    const { checkpoint } = this.request
    let position = start
    let confirmed = -1
    let isUnsure = false
    for (;;) {
      const end = await scanBatches(file, position, size, 'checksum', (batch): BatchFault | null => {
        const { header } = batch
        const lastEpoch = epochs.at(-1)?.epoch ?? -1
        const newEpoch = header.leaderEpoch > lastEpoch
        // neither field is under the checksum
        if (header.baseOffset < Math.max(this.expected, baseOffset) || header.leaderEpoch < lastEpoch) return 'offset'
        if (header.leaderEpoch > this.greatestEpoch) return 'offset'
        // the first bytes of its offset are lost
        if (newEpoch && header.baseOffset < (startOf(checkpoint, header.leaderEpoch) ?? 0)) return 'offset'
        const isGap = header.baseOffset > this.expected && !(newEpoch && this.mayBeginEpoch(header))
        if (isGap && checkpoint !== null && !checkpoint.sparse) return 'offset'
        if (checkpoint === null && batch.position !== confirmed && (newEpoch || header.baseOffset > this.expected)) {
          const fits = fitsFollowerInChunk(batch)
          isUnsure = fits === undefined
          if (fits !== true) return 'offset'
        }
        this.sawGap ||= isGap
        // an epoch that is first seen behind damage may have begun in it
        if (newEpoch) {
          const skippedFrom = this.damagedFrom ?? this.expected
          const startOffset = this.damagedFrom ?? header.baseOffset
          epochs.push({ epoch: header.leaderEpoch, startOffset, skippedFrom })
        }
        this.damagedFrom = null
        this.expected = header.lastOffset + 1
        return null
      })
      this.report.scannedBytes += end.position - position
      if (end.fault === null || checkpoint !== null) return end.position
      if (isUnsure) {
        isUnsure = false
        if (await useLogFile(this.context, later[0], (next) => fitsFollower(file, end.position, next))) {
          position = confirmed = end.position
          continue
        }
      }
      const next = await findBatchAfterDamage(file, end.position, size, this.expected)
      if (next === null) {
        if (!(await holdBatches(this.context, later))) return end.position
        this.damageAt(file.path, end.position, end.fault, this.expected, later[0])
        this.damagedFrom ??= this.expected
        this.expected = Math.max(this.expected, later[0])
        return size
      }
      this.damageAt(file.path, end.position, end.fault, this.expected, next.header.baseOffset)
      this.damagedFrom ??= this.expected
      this.expected = next.header.baseOffset
      position = next.position
    }
  }

  /** No batch has a later epoch: an open records its own before anything is appended. */
  private get greatestEpoch(): number {
    const { checkpoint, extraReservation } = this.request
    if (this.context.readOnly || checkpoint === null) return Infinity
    // of two checkpoints one is damaged, perhaps the later one, and there may have been one more recovery
    return checkpoint.leaderEpoch + (extraReservation > 0 ? 1 : 0)
  }

  /** Whether an epoch may begin with this batch, behind skipped offsets: else batches before it were lost. */
  private mayBeginEpoch({ leaderEpoch, baseOffset }: BatchHeader): boolean {
    const { checkpoint } = this.request
    // a reader beside the writer sees what is written, whole; of an epoch after the checkpoint nothing is known
    if (this.context.readOnly || checkpoint === null || leaderEpoch > checkpoint.leaderEpoch) return true
    return startOf(checkpoint, leaderEpoch) === baseOffset
  }

  /** Takes away an empty segment; one that came back would stand in the way of records that are in another. */
  private async discard(segment: Segment): Promise<void> {
    const { storage, directory, readOnly } = this.context
    if (readOnly) return
    await segment.remove()
    await storage.syncDirectory(directory)
  }

  private damage(baseOffset: number, ...rest: [at: number, reason: string, offset: number, nextOffset: number]): void {
    this.damageAt(`${this.context.directory}/${segmentFileName(baseOffset, '.log')}`, ...rest)
  }

  private damageAt(path: string, position: number, reason: string, offset: number, nextOffset: number): void {
    this.report.damage.push({ path, position, reason, offset, nextOffset })
  }
}
