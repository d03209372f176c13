import type { PartitionCheckpoint } from '../storage/checkpoint.ts'
import type { Damage } from '../storage/recovery.ts'
import { parseLogFileName, segmentFileName } from '../storage/segment-name.ts'
import type { Storage } from '../storage/storage.ts'

/** Something worth knowing that is no damage: no record and no index entry is affected. */
export interface VerifyWarning {
  path: string
  /** What was found, in a few words. */
  reason: string
}

/** What is known of one segment before it is read. */
export interface SegmentPlan {
  baseOffset: number
  isMissing: boolean
  /** Its files may still have the names that end in `.swap`. */
  mayBeSwap: boolean
  /** What the file's size must be, or null where that is not known. */
  sizeBytes: number | null
  /** What the file's size must be at least. */
  leastBytes: number
  /** Bytes before this must be valid; what follows may be the end of a write under way or cut short. */
  vouchedBytes: number
  /** The batches reach at least up to this offset, or null where that is not known. */
  endOffset: number | null
  /** Its index files were written completely, when it was sealed or the log was closed. */
  indexesComplete: boolean
}

/** The segments that a log should have and those that it has, in offset order, and what is wrong with the list itself. */
export interface LogPlan {
  segments: SegmentPlan[]
  damage: Damage[]
  warnings: VerifyWarning[]
}

/** Compares what is on disk with what the checkpoint says should be there. Reads no file. */
export async function planSegments(
  storage: Storage,
  directory: string,
  checkpoint: PartitionCheckpoint | null,
  clean: boolean,
): Promise<LogPlan> {
  const onDisk: number[] = []
  for (const { name, kind } of await storage.list(directory)) {
    const baseOffset = kind === 'file' ? parseLogFileName(name) : null
    if (baseOffset !== null) onDisk.push(baseOffset)
  }
  if (checkpoint === null)
    return { segments: onDisk.map((_, i) => unknownSegment(onDisk, i, clean)), damage: [], warnings: [] }
  const damage: Damage[] = []
  const warnings: VerifyWarning[] = []
  const { durableSegment, logStartOffset, swap } = checkpoint
  const known = new Set(checkpoint.segments.map(([baseOffset]) => baseOffset))
  // what lies wholly before the log start is being deleted, or will be by the next open
  const segments = checkpoint.segments
    .map((_, i) => knownSegment(checkpoint, i, clean))
    .filter(({ baseOffset, endOffset }) => baseOffset >= durableSegment || endOffset! > logStartOffset)
  const isNewer = (baseOffset: number) => !clean && baseOffset >= durableSegment
  for (const baseOffset of onDisk.filter((base) => !known.has(base))) {
    const path = `${directory}/${segmentFileName(baseOffset, '.log')}`
    const reason = 'file is not part of the log'
    const isReplaced = swap !== undefined && baseOffset > swap.baseOffset && baseOffset < swap.endOffset
    if (isReplaced) warnings.push({ path, reason: 'compaction has replaced it, and will delete it' })
    else if (isNewer(baseOffset)) segments.push(newerSegment(checkpoint, baseOffset))
    else if (!clean && baseOffset < logStartOffset) warnings.push({ path, reason })
    else damage.push({ path, position: 0, reason, offset: baseOffset, nextOffset: baseOffset })
  }
  for (const segment of segments.filter(({ baseOffset }) => !onDisk.includes(baseOffset))) {
    const { baseOffset } = segment
    const end = segment.endOffset ?? baseOffset
    segment.isMissing = true
    // retention may have taken it after this checkpoint; and an empty segment is made anew
    const isExpected = baseOffset <= durableSegment && end > logStartOffset && end > baseOffset
    if (!clean && !isExpected) continue
    const path = `${directory}/${segmentFileName(baseOffset, '.log')}`
    damage.push({ path, position: 0, reason: 'file is missing', offset: baseOffset, nextOffset: end })
  }
  return { segments: segments.sort((a, b) => a.baseOffset - b.baseOffset), damage, warnings }
}

function knownSegment(checkpoint: PartitionCheckpoint, index: number, clean: boolean): SegmentPlan {
  const { segments, durableSegment, durablePosition, durableOffset } = checkpoint
  const [baseOffset, sizeBytes] = segments[index]
  const isSealed = baseOffset < durableSegment
  const endOffset = Math.max(Math.min(segments[index + 1]?.[0] ?? durableOffset, durableOffset), baseOffset)
  const mayBeSwap = baseOffset === checkpoint.swap?.baseOffset
  const segment = { baseOffset, isMissing: false, mayBeSwap, endOffset }
  if (clean || isSealed) {
    return { ...segment, sizeBytes, leastBytes: sizeBytes, vouchedBytes: Infinity, indexesComplete: true }
  }
  const vouchedBytes = baseOffset === durableSegment ? durablePosition : 0
  return { ...segment, sizeBytes: null, leastBytes: vouchedBytes, vouchedBytes, indexesComplete: false }
}

/** A segment that a writer has begun since the checkpoint was written. */
function newerSegment({ durableSegment, durablePosition }: PartitionCheckpoint, baseOffset: number): SegmentPlan {
  const vouchedBytes = baseOffset === durableSegment ? durablePosition : 0
  const unknown = {
    isMissing: false,
    mayBeSwap: false,
    sizeBytes: null,
    endOffset: null,
    indexesComplete: false,
  }
  return { baseOffset, ...unknown, leastBytes: vouchedBytes, vouchedBytes }
}

/** A segment of a log without a checkpoint; the last one of those may have been cut short by a stop. */
function unknownSegment(onDisk: readonly number[], index: number, clean: boolean): SegmentPlan {
  const endOffset = onDisk[index + 1] ?? null
  const indexesComplete = clean || endOffset !== null
  const unknown = { isMissing: false, mayBeSwap: false, sizeBytes: null, leastBytes: 0, vouchedBytes: Infinity }
  return { baseOffset: onDisk[index], ...unknown, endOffset, indexesComplete }
}
