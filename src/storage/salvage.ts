import type { BatchFault, BatchHeader } from '../codec/record-batch.ts'
import { findBatchAfterDamage, scanBatches } from './batch-scanner.ts'
import type { EpochStart } from './checkpoint.ts'
import { epochAt, skipsTo } from './leader-epochs.ts'
import type { Storage, StorageFile } from './storage.ts'

/** A segment's file of a log that may be damaged anywhere. */
export interface SalvageFile {
  path: string
  baseOffset: number
  /** Bytes that it has. */
  sizeBytes: number
  /** Bytes that it should have, or null where that is not known. */
  recordedBytes: number | null
  /** The offset after its last batch, or null where that is not known. */
  endOffset: number | null
  /** It may end from here on already, where offsets were skipped behind it and segments that stay empty begun there. */
  earliestEnd: number
}

/** What is known of a log beside its batches. */
export interface SalvageKnowledge {
  /** Leader epochs by their start, or null where nothing tells them. */
  epochs: EpochStart[] | null
  /** From here on epochs up to `greatestEpoch` may have begun that nobody has recorded where. */
  durableOffset: number
  greatestEpoch: number
  /** Batches may be missing by right. */
  sparse: boolean
}

/** Whole batches one after another, of one epoch, without a gap; in a sparse log with gaps. */
export interface BatchRun {
  file: SalvageFile
  position: number
  sizeBytes: number
  baseOffset: number
  lastOffset: number
  leaderEpoch: number
  batches: number
  records: number
}

/** Bytes that are no batch, or one that cannot stand there. */
export interface SalvageFault {
  file: SalvageFile
  position: number
  fault: BatchFault
}

/**
 * What counts for a chain of batches: each one; that it stands right behind the one that it goes on from, or where its file
 * ends. What counts against it: a gap that nothing explains, less so where what is missing stands elsewhere; and damage
 * between two batches that leave no offset for it.
 */
const WEIGHT = { batch: 4, fit: 2, gap: -8, moved: -2, crowded: -1 }
/** Predecessors that are looked at: so many runs stand between two that fit only where almost everything is damaged. */
const LOOK_BACK = 1000

/**
 * Finds the batches of a damaged log that are whole and stand in their place: out of all whole ones the most that follow one
 * another by offset and epoch. Neither field is under a batch's checksum, so one alone tells nothing.
 *
 * @param files  in the order of their base offsets
 * @param onRead called with a number of bytes when so many more are read
 */
export async function salvage(
  storage: Storage,
  files: readonly SalvageFile[],
  known: SalvageKnowledge,
  onRead: (path: string, bytes: number) => void,
): Promise<{ runs: BatchRun[]; faults: SalvageFault[] }> {
  const first = await findAllRuns(storage, files, known, [], onRead)
  const edges = first.runs.flatMap(({ baseOffset, lastOffset }) => [baseOffset, lastOffset + 1]).sort((a, b) => a - b)
  const isCut = first.runs.some(({ baseOffset, lastOffset }) => hasBetween(edges, baseOffset + 1, lastOffset))
  // where runs overlap they are taken apart, so that what one has and the other has not is not lost with it
  const { runs, faults } = isCut ? await findAllRuns(storage, files, known, edges, () => {}) : first
  return { runs: bestChain(runs, known), faults }
}

async function findAllRuns(
  storage: Storage,
  files: readonly SalvageFile[],
  known: SalvageKnowledge,
  edges: readonly number[],
  onRead: (path: string, bytes: number) => void,
): Promise<{ runs: BatchRun[]; faults: SalvageFault[] }> {
  const found = { runs: [] as BatchRun[], faults: [] as SalvageFault[] }
  for (const file of files) {
    const opened = await storage.openFile(file.path, 'read')
    try {
      await findRuns(opened, file, known, edges, found)
    } finally {
      await opened.close()
    }
    onRead(file.path, file.sizeBytes)
  }
  return found
}

async function findRuns(
  opened: StorageFile,
  file: SalvageFile,
  known: SalvageKnowledge,
  edges: readonly number[],
  { runs, faults }: { runs: BatchRun[]; faults: SalvageFault[] },
): Promise<void> {
  let run: BatchRun | null = null
  const visit = (header: BatchHeader, position: number): void => {
    const { baseOffset, lastOffset, leaderEpoch, sizeBytes, recordCount } = header
    if (!mayStandIn(file, header, known)) {
      faults.push({ file, position, fault: 'offset' })
      return
    }
    const next = run === null ? 0 : run.lastOffset + 1
    const goesOn =
      run !== null &&
      run.position + run.sizeBytes === position &&
      run.leaderEpoch === leaderEpoch &&
      (baseOffset === next || (known.sparse && baseOffset > next)) &&
      !hasBetween(edges, next, baseOffset)
    if (!goesOn) {
      run = { file, position, sizeBytes: 0, baseOffset, lastOffset, leaderEpoch, batches: 0, records: 0 }
      runs.push(run)
    }
    const last = run!
    last.sizeBytes += sizeBytes
    last.lastOffset = lastOffset
    last.batches++
    last.records += recordCount
  }
  for (let position = 0; ;) {
    const end = await scanBatches(opened, position, file.sizeBytes, 'checksum', (batch) =>
      visit(batch.header, batch.position),
    )
    if (end.fault === null) return
    faults.push({ file, position: end.position, fault: end.fault })
    const next = await findBatchAfterDamage(opened, end.position, file.sizeBytes, file.baseOffset)
    if (next === null) return
    position = next.position
  }
}

/** Whether a batch's offset and epoch are such as the file can hold. */
function mayStandIn(
  { baseOffset: first, endOffset }: SalvageFile,
  { baseOffset, lastOffset, leaderEpoch }: BatchHeader,
  { epochs, durableOffset, greatestEpoch }: SalvageKnowledge,
): boolean {
  if (baseOffset < first || lastOffset < baseOffset) return false
  if (endOffset !== null && lastOffset >= endOffset) return false
  if (leaderEpoch > greatestEpoch) return false
  const epoch = epochs === null ? null : epochAt(epochs, baseOffset)
  return epoch === null || epoch === leaderEpoch || (baseOffset >= durableOffset && leaderEpoch > epoch)
}

/** Whether one of some ascending numbers is in [from, to]. */
function hasBetween(edges: readonly number[], from: number, to: number): boolean {
  const index = indexFrom(edges, from)
  return index < edges.length && edges[index] <= to
}

/** Where the first one of some ascending numbers stands that is not below `from`. */
function indexFrom(numbers: readonly number[], from: number): number {
  let [low, high] = [0, numbers.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (numbers[middle] < from) low = middle + 1
    else high = middle
  }
  return low
}

/** The offsets of some runs, to be asked for many stretches. */
class Places {
  private readonly starts: number[]
  /** The least last offset of the runs from each start on; one more, of none. */
  private readonly ends: number[]

  constructor(runs: readonly BatchRun[]) {
    const sorted = [...runs].sort((a, b) => a.baseOffset - b.baseOffset)
    this.starts = sorted.map(({ baseOffset }) => baseOffset)
    this.ends = Array<number>(runs.length + 1).fill(Infinity)
    for (let i = runs.length - 1; i >= 0; i--) this.ends[i] = Math.min(this.ends[i + 1], sorted[i].lastOffset)
  }

  /** Whether one of them lies wholly in [from, to). */
  hasWithin(from: number, to: number): boolean {
    return this.ends[indexFrom(this.starts, from)] < to
  }
}

/** The runs that follow one another by offset and epoch and make up the most; of those that make up the same, the first. */
function bestChain(runs: readonly BatchRun[], known: SalvageKnowledge): BatchRun[] {
  const places = new Places(runs)
  const scores: number[] = []
  /** The best score up to each run. */
  const highest: number[] = []
  const before: number[] = []
  let best = -1
  for (const [i, run] of runs.entries()) {
    let [score, from] = [entry(null, run, places, known), -1]
    // none before one that could not reach the score, with the best that an entry gives, can do so either
    for (let j = i - 1; j >= Math.max(0, i - LOOK_BACK) && highest[j] + WEIGHT.fit >= score; j--) {
      const other = runs[j]
      if (other.lastOffset >= run.baseOffset || other.leaderEpoch > run.leaderEpoch) continue
      const linked = scores[j] + entry(other, run, places, known)
      if (linked >= score) [score, from] = [linked, j]
    }
    scores.push(score + run.batches * WEIGHT.batch + exit(run, known))
    before.push(from)
    if (best < 0 || scores[i] > scores[best]) best = i
    highest.push(scores[best])
  }
  const chain: BatchRun[] = []
  if (best >= 0 && scores[best] <= 0) return chain
  for (let i = best; i >= 0; i = before[i]) chain.push(runs[i])
  return chain.reverse()
}

/** How well a run follows another one, or none. */
function entry(before: BatchRun | null, run: BatchRun, places: Places, known: SalvageKnowledge): number {
  const { file, position, baseOffset, leaderEpoch } = run
  const isNext = before !== null && before.file === file
  const expected = isNext ? before.lastOffset + 1 : file.baseOffset
  const touches = position === (isNext ? before.position + before.sizeBytes : 0)
  if (baseOffset === expected) return touches ? WEIGHT.fit : WEIGHT.crowded
  const epoch = before?.leaderEpoch ?? leaderEpoch
  if (!touches || mayFollowGap(known, baseOffset, expected, leaderEpoch > epoch)) return 0
  return places.hasWithin(expected, baseOffset) ? WEIGHT.moved : WEIGHT.gap
}

/** The last batch of a file that has its size ends where the next one begins. */
function exit({ file, position, sizeBytes, lastOffset }: BatchRun, known: SalvageKnowledge): number {
  const { endOffset } = file
  const isLast = file.recordedBytes === file.sizeBytes && position + sizeBytes === file.sizeBytes
  if (!isLast || endOffset === null) return 0
  if (lastOffset + 1 === endOffset) return WEIGHT.fit
  return lastOffset + 1 >= file.earliestEnd || known.sparse ? 0 : WEIGHT.gap
}

function mayFollowGap({ epochs, sparse }: SalvageKnowledge, offset: number, end: number, isNewEpoch: boolean): boolean {
  if (sparse || epochs === null) return sparse || isNewEpoch
  return epochs.some((epoch) => skipsTo(epoch, offset, end))
}
