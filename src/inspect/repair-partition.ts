import { RESERVATION_OFFSETS } from '../engine/offset-reservation.ts'
import { VarveError } from '../errors.ts'
import type { EpochStart, PartitionCheckpoint } from '../storage/checkpoint.ts'
import { NewSegment, reader } from '../storage/new-segment.ts'
import { ProducerSnapshots } from '../storage/producer-snapshots.ts'
import type { Damage } from '../storage/recovery.ts'
import { salvage, type BatchRun, type SalvageFault, type SalvageFile } from '../storage/salvage.ts'
import { parseSegmentName, segmentFileName } from '../storage/segment-name.ts'
import { readFully, unlessMissing, type DirectoryEntry, type Storage, type StorageFile } from '../storage/storage.ts'

/** What cannot be saved: bytes of a file, and the offsets that were in them, as far as that is known. */
export interface LostRange extends Damage {
  /** Bytes from `position` on; 0 of what is not there. */
  bytes: number
}

/** Where a partition's batches are looked for. */
export interface PartitionSource {
  directory: string
  checkpoint: PartitionCheckpoint | null
  /** Closed in order, both checkpoints whole. */
  clean: boolean
  /** There may have been a later checkpoint, which is damaged, and so one more recovery. */
  mayLag: boolean
  /** Whether gaps are no damage, where no checkpoint tells. */
  allowsGaps: boolean
}

/** What of a partition can be saved. */
export interface SalvagedPartition {
  runs: BatchRun[]
  lost: LostRange[]
  logStartOffset: number
  /** The offset after the last batch. */
  contentEndOffset: number
  /** Offsets before it may have been given out. */
  logEndOffset: number
  leaderEpoch: number
  sparse: boolean
  cleanedOffset: number
  /** There may be batches of idempotent producers. */
  hasProducers: boolean
}

const COMPARE_BYTES = 64 * 1024

/** Finds what can be saved of a partition. Writes nothing. */
export async function salvagePartition(
  storage: Storage,
  source: PartitionSource,
  onRead: (path: string, bytes: number) => void,
): Promise<SalvagedPartition> {
  const { checkpoint, clean, mayLag, allowsGaps } = source
  const { files, lost } = await planFiles(storage, source)
  const { epochs = null, durableOffset = 0, sparse = allowsGaps } = checkpoint ?? {}
  const greatestEpoch = checkpoint === null ? Infinity : checkpoint.leaderEpoch + (mayLag ? 1 : 0)
  const found = await salvage(storage, files, { epochs, durableOffset, greatestEpoch, sparse }, onRead)
  const { runs } = found
  const losses = await listLosses(storage, source, files, found)
  for (const loss of losses) lost.push(loss)
  lost.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.position - b.position))
  const contentEndOffset = runs.length === 0 ? 0 : runs[runs.length - 1].lastOffset + 1
  const known = Math.max(checkpoint?.durableOffset ?? 0, checkpoint?.reservedOffset ?? 0, contentEndOffset)
  // what was given out behind the last checkpoint is not known, and may be lost
  const isNew = known === 0 && files.length > 0 && files.every(({ sizeBytes }) => sizeBytes === 0)
  const end = known + (clean || isNew ? 0 : RESERVATION_OFFSETS)
  const least = Math.max(end, checkpoint?.logStartOffset ?? 0)
  const logEndOffset = lost.reduce((greatest, { nextOffset }) => Math.max(greatest, nextOffset), least)
  const start = Math.max(checkpoint?.logStartOffset ?? 0, runs[0]?.file.baseOffset ?? logEndOffset)
  return {
    runs,
    lost,
    logStartOffset: Math.min(start, logEndOffset),
    contentEndOffset,
    logEndOffset,
    leaderEpoch: runs.reduce((epoch, run) => Math.max(epoch, run.leaderEpoch), checkpoint?.leaderEpoch ?? -1) + 1,
    sparse: sparse || hasGap(runs),
    cleanedOffset: checkpoint?.cleanedOffset ?? 0,
    hasProducers: await hasSnapshots(storage, source.directory),
  }
}

async function hasSnapshots(storage: Storage, directory: string): Promise<boolean> {
  const offsets = await unlessMissing<number[]>(new ProducerSnapshots(storage, directory).list(Infinity), () => [])
  return offsets.length > 0
}

/** Whether batches are missing otherwise than where an epoch begins. */
function hasGap(runs: readonly BatchRun[]): boolean {
  return runs.some((run, i) => {
    const before = runs[i - 1]
    return i > 0 && run.baseOffset > before.lastOffset + 1 && run.leaderEpoch === before.leaderEpoch
  })
}

/** The files that batches are looked for in, and what of the log has none. */
async function planFiles(
  storage: Storage,
  { directory, checkpoint, clean }: PartitionSource,
): Promise<{ files: SalvageFile[]; lost: LostRange[] }> {
  const entries = await unlessMissing<DirectoryEntry[]>(storage.list(directory), () => [])
  const lost: LostRange[] = []
  const present: { baseOffset: number; path: string; sizeBytes: number; isSwap: boolean }[] = []
  for (const { name, kind } of entries) {
    const found = kind === 'file' ? parseSegmentName(name) : null
    if (found === null || found.suffix !== '.log' || found.swap === '.cleaned') continue
    const path = `${directory}/${name}`
    present.push({
      baseOffset: found.baseOffset,
      path,
      sizeBytes: await sizeOf(storage, path),
      isSwap: found.swap !== '',
    })
  }
  const swap = checkpoint?.swap
  const known = new Map(checkpoint?.segments)
  const isNew = ({ baseOffset, sizeBytes }: { baseOffset: number; sizeBytes: number }) =>
    baseOffset === swap?.baseOffset && sizeBytes === known.get(baseOffset)
  const swapped = present.find((file) => isNew(file) && file.isSwap) ?? present.find(isNew)
  const used = present.filter(({ baseOffset, path, isSwap, sizeBytes }) => {
    // what it replaces may be there still: it holds what compaction has taken away
    if (swapped !== undefined && baseOffset >= swap!.baseOffset && baseOffset < swap!.endOffset)
      return path === swapped.path
    if (isSwap) return false
    if (checkpoint === null || known.has(baseOffset)) return true
    const isLater = !clean && baseOffset >= checkpoint.durableSegment
    // a file that retention has deleted, and a power cut brought back
    const isOld = baseOffset < checkpoint.logStartOffset && baseOffset < (checkpoint.segments[0]?.[0] ?? 0)
    const reason = 'file is not part of the log'
    if (!isLater && !isOld)
      lost.push({ path, position: 0, reason, offset: baseOffset, nextOffset: baseOffset, bytes: sizeBytes })
    return isLater
  })
  const files: SalvageFile[] = used.map(({ baseOffset, path, sizeBytes }) => {
    const next = used.find((other) => other.baseOffset > baseOffset)?.baseOffset ?? null
    return { path, baseOffset, sizeBytes, recordedBytes: null, endOffset: next, earliestEnd: 0 }
  })
  if (checkpoint === null) return { files, lost }
  const { segments, durableSegment, durableOffset, logStartOffset, durablePosition } = checkpoint
  for (const [i, [baseOffset, sizeBytes]] of segments.entries()) {
    const end = segments[i + 1]?.[0] ?? durableOffset
    const isSettled = clean || baseOffset < durableSegment
    const file = files.find((one) => one.baseOffset === baseOffset)
    if (file !== undefined && isSettled) {
      file.recordedBytes = baseOffset === durableSegment ? durablePosition : sizeBytes
      file.endOffset = Math.max(end, baseOffset)
      file.earliestEnd = earliestEnd(checkpoint, i + 1)
    } else if (file === undefined && baseOffset <= durableSegment && end > Math.max(baseOffset, logStartOffset)) {
      const path = `${directory}/${segmentFileName(baseOffset, '.log')}`
      lost.push({ path, position: 0, reason: 'file is missing', offset: baseOffset, nextOffset: end, bytes: 0 })
    }
  }
  const isOld = ({ baseOffset, endOffset }: SalvageFile) =>
    baseOffset < durableSegment && endOffset !== null && endOffset <= logStartOffset
  return { files: files.filter((file) => !isOld(file)), lost }
}

/** Where the segments before one may end, if the next one that holds anything holds the beginning of an epoch. */
function earliestEnd({ segments, epochs }: PartitionCheckpoint, from: number): number {
  const next = segments.findIndex(([, sizeBytes], i) => i >= from && sizeBytes > 0)
  if (next < 0) return 0
  const [start, end] = [segments[next][0], segments[next + 1]?.[0] ?? Infinity]
  const begun = epochs.filter(({ startOffset }) => startOffset >= start && startOffset < end)
  return begun.reduce((least, { skippedFrom = 0 }) => Math.min(least, skippedFrom), Infinity)
}

async function sizeOf(storage: Storage, path: string): Promise<number> {
  const file = await storage.openFile(path, 'read')
  try {
    return await file.size()
  } finally {
    await file.close()
  }
}

/** Everything that is not in the runs, with what was wrong with it. */
async function listLosses(
  storage: Storage,
  { checkpoint, clean }: PartitionSource,
  files: readonly SalvageFile[],
  { runs, faults }: { runs: BatchRun[]; faults: SalvageFault[] },
): Promise<LostRange[]> {
  const lost: LostRange[] = []
  const [runsOf, faultsOf] = [byFile(runs), byFile(faults)]
  for (const file of files) {
    const [own, wrong] = [runsOf.get(file) ?? [], faultsOf.get(file) ?? []]
    let [position, expected, at] = [0, file.baseOffset, 0]
    const leaveOut = (to: number, nextOffset: number) => {
      while (at < wrong.length && wrong[at].position < position) at++
      const fault = at < wrong.length && wrong[at].position < to ? wrong[at].fault : null
      const reason = fault ?? (to === position ? 'offsets are missing' : 'offset')
      const range = { offset: expected, nextOffset: Math.max(expected, nextOffset) }
      lost.push({ path: file.path, position, reason, ...range, bytes: to - position })
    }
    for (const run of own) {
      if (run.position > position) leaveOut(run.position, run.baseOffset)
      position = run.position + run.sizeBytes
      expected = run.lastOffset + 1
    }
    const { sizeBytes, recordedBytes } = file
    const endOffset = file.endOffset !== null && file.recordedBytes !== null ? file.endOffset : expected
    const isVouched = clean || checkpoint === null || recordedBytes !== null
    if (position < sizeBytes && (isVouched || !(await isZeros(storage, file.path, position))))
      leaveOut(sizeBytes, endOffset)
    else if (recordedBytes !== null && sizeBytes < recordedBytes) {
      const range = { offset: expected, nextOffset: Math.max(expected, endOffset) }
      lost.push({ path: file.path, position: sizeBytes, reason: 'file is too short', ...range, bytes: 0 })
    }
  }
  return lost
}

/** What belongs to each file, in its order. */
function byFile<T extends { file: SalvageFile }>(items: readonly T[]): Map<SalvageFile, T[]> {
  const found = new Map<SalvageFile, T[]>()
  for (const item of items) {
    const own = found.get(item.file)
    if (own === undefined) found.set(item.file, [item])
    else own.push(item)
  }
  return found
}

/** Whether a file holds nothing but zeros from a place on: it may have grown before its data came. */
async function isZeros(storage: Storage, path: string, from: number): Promise<boolean> {
  const file = await storage.openFile(path, 'read')
  try {
    const chunk = Buffer.alloc(COMPARE_BYTES)
    for (let position = from; ;) {
      const length = await readFully(file, chunk, position)
      if (chunk.subarray(0, length).some((byte) => byte !== 0)) return false
      if (length < chunk.length) return true
      position += length
    }
  } finally {
    await file.close()
  }
}

/** Writes what was saved of a partition to a directory that is there, durably; returns what a checkpoint is to say of it. */
export async function writePartition(
  storage: Storage,
  directory: string,
  saved: SalvagedPartition,
  indexIntervalBytes: number,
): Promise<PartitionCheckpoint> {
  const { runs, logEndOffset, leaderEpoch } = saved
  const segments: [number, number][] = []
  for (const [file, own] of byFile(runs)) {
    const end = own[own.length - 1].lastOffset + 1
    const segment = await NewSegment.create(storage, directory, file.baseOffset, indexIntervalBytes)
    let source: StorageFile | null = null
    try {
      source = await storage.openFile(file.path, 'read')
      const read = reader(source)
      for (const { position, sizeBytes } of own)
        await segment.copy(
          (target, at) => read(target, position + at),
          sizeBytes,
          () => {},
        )
      checkCopied(file, segment.sizeBytes, own)
      await segment.finish(end)
    } catch (error) {
      await segment.abandon()
      throw error
    } finally {
      await source?.close()
    }
    segments.push([file.baseOffset, segment.sizeBytes])
  }
  if (segments.length === 0) {
    const segment = await NewSegment.create(storage, directory, logEndOffset, indexIntervalBytes)
    await segment.finish(logEndOffset)
    segments.push([logEndOffset, 0])
  }
  // what was saved is all that it can tell: the old ones may know of what was not
  if (saved.hasProducers) await new ProducerSnapshots(storage, directory).write(segments[0][0], [])
  const [durableSegment, durablePosition] = segments[segments.length - 1]
  const durableOffset = runs.length === 0 ? logEndOffset : saved.contentEndOffset
  return {
    logStartOffset: saved.logStartOffset,
    durableOffset,
    durableSegment,
    durablePosition,
    reservedOffset: logEndOffset > durableOffset ? logEndOffset : 0,
    leaderEpoch,
    epochs: [...epochsOf(runs), { epoch: leaderEpoch, startOffset: logEndOffset, skippedFrom: durableOffset }],
    segments,
    sparse: saved.sparse,
    ...(saved.cleanedOffset > 0 && { cleanedOffset: saved.cleanedOffset }),
  }
}

/** What was found is there no more where somebody has written to the log, or taken files away. */
function checkCopied({ path }: SalvageFile, sizeBytes: number, runs: readonly BatchRun[]): void {
  const found = runs.reduce((sum, run) => sum + run.sizeBytes, 0)
  if (sizeBytes === found) return
  const message =
    `'${path}' gave ${sizeBytes} bytes of the ${found} that were found in it before: ` +
    'repair again when nothing writes to it'
  throw new VarveError('CORRUPT_MESSAGE', message, { details: { path } })
}

function epochsOf(runs: readonly BatchRun[]): EpochStart[] {
  const epochs: EpochStart[] = []
  for (const [i, { leaderEpoch: epoch, baseOffset: startOffset }] of runs.entries()) {
    if (epoch === epochs.at(-1)?.epoch) continue
    epochs.push({ epoch, startOffset, skippedFrom: i === 0 ? 0 : runs[i - 1].lastOffset + 1 })
  }
  return epochs
}
