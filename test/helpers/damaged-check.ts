/** What must hold of a partition, whatever was done to its files. */
import type { Varve } from '../../src/client/varve.ts'
import { VarveError } from '../../src/errors.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'
import { parseLogFileName, parseSegmentName } from '../../src/storage/segment-name.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { filesIn, type Image, type PartitionImage, type PlacedBatch } from './damaged-image.ts'
import { DIRECTORY } from './logs.ts'
import type { SeededRandom } from './seeded-random.ts'

/** What became of one partition's files, and what follows from that. */
export interface Expectation {
  image: Image
  partition: PartitionImage
  /** The files as damage has left them, by path. */
  files: Map<string, Buffer>
  /** Stand where they were, whole, and must be read. */
  required: Set<PlacedBatch>
  /** Stand behind a copy that may be taken for them: see {@link hiddenByCopies}. */
  hidden: Set<PlacedBatch>
  /** From here on a recovery may take what it finds for a torn tail; null: nowhere. */
  torn: { offset: number } | null
  /** No file of the log has changed. */
  isLogWhole: boolean
  /** There is nothing that tells what belongs to the log: see {@link expectNothingKnown}. */
  isUnknown: boolean
  /** It is opened beside a writer that may be there. */
  isReadOnly: boolean
}

/** How a reading went. */
interface Outcome {
  read: Set<PlacedBatch>
  /** Offset ranges that were named as unreadable. */
  lost: [number, number][]
}

/** Fails with what is wrong. */
export function demand(condition: boolean, wrong: () => string): asserts condition {
  if (!condition) throw new Error(wrong())
}

/** What can be expected of a partition, as its damaged files stand on `disk` before they are opened. */
export async function expectationOf(
  image: Image,
  partition: PartitionImage,
  disk: MemoryStorage,
): Promise<Expectation> {
  const found = await filesIn(disk, partition.path).catch(() => [])
  const files = new Map(found.map(({ path, content }) => [path, content]))
  const { durableSegment, durablePosition } = partition.checkpoint
  const isDurable = ({ segment, position }: PlacedBatch) =>
    image.clean || segment < durableSegment || (segment === durableSegment && position < durablePosition)
  const own = new Set(partition.batches.map(({ segment }) => segment))
  const ends = new Map(partition.batches.map(({ path, position, bytes }) => [path, position + bytes.length]))
  const isStray = (path: string) => (files.get(path)?.length ?? 0) > (ends.get(path) ?? -1)
  const strays = segmentsIn([...files.keys()].filter(isStray)).filter((base) => !image.clean && base >= durableSegment)
  const required = new Set<PlacedBatch>()
  let torn: Expectation['torn'] = null
  let isLogWhole = true
  for (const batch of partition.batches) {
    const { path, position, bytes } = batch
    const isWhole =
      files
        .get(path)
        ?.subarray(position, position + bytes.length)
        .equals(bytes) === true
    isLogWhole &&= isWhole
    // in the stretch that no checkpoint covers, and only there, damage is taken for a write that was cut short
    if (!isWhole && !isDurable(batch)) torn ??= { offset: batch.baseOffset }
    // so are bytes and files that have no place there
    if (!isDurable(batch) && strays.some((base) => base < batch.segment)) torn ??= { offset: batch.baseOffset }
    if (isWhole && torn === null && !batch.isEmpty && batch.lastOffset >= partition.start) required.add(batch)
  }
  if (strays.length > 0) torn ??= { offset: partition.end }
  const hidden = new Set(isLogWhole ? [] : hiddenByCopies(partition, files))
  for (const batch of hidden) required.delete(batch)
  isLogWhole &&= segmentsIn(files.keys()).length === own.size
  return { image, partition, files, required, hidden, torn, isLogWhole, isUnknown: false, isReadOnly: false }
}

/** Batches behind where a copy begins, of themselves or of a later one of their segment: reading may go on in it, and says so. */
function hiddenByCopies({ batches }: PartitionImage, files: Map<string, Buffer>): PlacedBatch[] {
  return batches.filter(({ path, position, baseOffset }) => {
    const beginsBefore = ({ bytes }: PlacedBatch) => {
      const at = files.get(path)?.indexOf(bytes) ?? -1
      return at >= 0 && at < position
    }
    return batches.some((other) => other.baseOffset >= baseOffset && beginsBefore(other))
  })
}

/** The base offsets that the names of log files say. */
function segmentsIn(paths: Iterable<string>): number[] {
  return [...paths].flatMap((path) => parseLogFileName(path.slice(path.lastIndexOf('/') + 1)) ?? [])
}

/** What compaction and retention leave, and every open takes away: of it, nothing is any more, or not yet, in the log. */
function isLeftOver(path: string, { checkpoint }: PartitionImage): boolean {
  const found = parseSegmentName(path.slice(path.lastIndexOf('/') + 1))
  if (found === null) return false
  const first = checkpoint.segments[0][0]
  if (found.swap === '') return found.baseOffset < Math.min(checkpoint.logStartOffset, first)
  return checkpoint.segments.some(([base]) => base === found.baseOffset)
}

/** A log file that was added behind the end of a log that was closed. */
function isBehindEnd(path: string, { partition: { checkpoint, batches } }: Expectation): boolean {
  const base = parseLogFileName(path.slice(path.lastIndexOf('/') + 1))
  return base !== null && base > checkpoint.durableSegment && !batches.some(({ segment }) => segment === base)
}

/** Nothing that open has not moved to `recovery/` may be gone, and only a torn tail may go there. */
export async function checkKept(expected: Expectation, disk: MemoryStorage): Promise<void> {
  const { partition, files, torn } = expected
  const after = new Map((await filesIn(disk, partition.path)).map(({ path, content }) => [path, content]))
  let saved: Buffer[] | null = null
  for (const [path, before] of files) {
    // rebuilt, or of no use to anybody: what producers have sent is what the log says
    if (/\.(index|timeindex|snapshot)$/.test(path) || isLeftOver(path, partition)) continue
    const now = after.get(path) ?? Buffer.alloc(0)
    if (now.equals(before)) continue
    const cut = before.subarray(now.length)
    const mayBeCut = torn !== null || isBehindEnd(path, expected)
    demand(path.endsWith('.log') && mayBeCut, () => `open has changed '${path}'`)
    demand(now.equals(before.subarray(0, now.length)), () => `open has changed what it left of '${path}'`)
    saved ??= (await filesIn(disk, `${DIRECTORY}/recovery`).catch(() => [])).map(({ content }) => content)
    const isSaved = cut.every((byte) => byte === 0) || saved.some((content) => content.equals(cut))
    demand(isSaved, () => `open has cut ${cut.length} bytes of '${path}' and saved them nowhere`)
  }
}

/** Reads the partition from its start, going on behind damage as its errors say. */
export async function checkReading(log: Varve, expected: Expectation): Promise<Outcome> {
  const { partition, required } = expected
  const byBase = new Map(partition.batches.map((batch) => [batch.baseOffset, batch]))
  const { logStartOffset, logEndOffset } = log.offsets(partition.topic)[partition.partition]
  const outcome: Outcome = { read: new Set(), lost: [] }
  demand(logStartOffset === partition.start || expected.isUnknown, () => `the log starts at ${logStartOffset}`)
  let next = logStartOffset
  for (let isRead = false; !isRead;) {
    try {
      for await (const batch of log.readBatches(partition.topic, { partition: partition.partition, from: next })) {
        const original = byBase.get(batch.baseOffset)
        const isWritten = original !== undefined && isSame(expected, original, batch.bytes)
        demand(isWritten, () => `a batch at ${batch.baseOffset} that nobody wrote`)
        demand(batch.lastOffset >= next, () => `${batch.baseOffset} comes after ${next - 1}`)
        demand(batch.baseOffset >= next || outcome.read.size === 0, () => `${batch.baseOffset} comes after ${next - 1}`)
        outcome.read.add(original)
        next = batch.lastOffset + 1
      }
      isRead = true
    } catch (error) {
      const [from, to] = checkDamage(error, expected)
      // where nothing is lost by it, damage is named once
      const isProgress = to > from || !outcome.lost.some(([other]) => other === from)
      const isInOrder = from >= next && to >= from && to <= logEndOffset
      demand(isInOrder && isProgress, () => `offsets ${from} to ${to} after ${next - 1}`)
      outcome.lost.push([from, to])
      next = to
    }
  }
  for (const batch of partition.batches) {
    if (outcome.read.has(batch) || batch.isEmpty) continue
    const { baseOffset, lastOffset } = batch
    demand(!required.has(batch), () => `${baseOffset} to ${lastOffset} is not damaged, and was not read`)
    const isCut = expected.torn !== null && baseOffset >= expected.torn.offset
    const isBefore = lastOffset < partition.start || expected.isUnknown
    // skipped offsets, which no batch stands for, come before an epoch: there damage may be named without them
    const isBeforeEpoch = partition.checkpoint.epochs.some(({ startOffset }) => startOffset === lastOffset + 1)
    if (isBeforeEpoch && outcome.lost.length > 0) continue
    demand(
      isCut || isBefore || isLost(outcome, Math.max(baseOffset, partition.start)),
      () => `${baseOffset} is passed over in silence`,
    )
  }
  return outcome
}

/**
 * Whether a batch is what was written. A reader beside the writer cannot tell a leader epoch that is too high, where no
 * checkpoint covers it, from that of a writer who has recovered meanwhile.
 */
function isSame({ torn, isReadOnly }: Expectation, original: PlacedBatch, bytes: Buffer): boolean {
  if (original.bytes.equals(bytes)) return true
  if (!isReadOnly || torn?.offset !== original.baseOffset) return false
  return (
    original.bytes.subarray(0, 12).equals(bytes.subarray(0, 12)) &&
    original.bytes.subarray(16).equals(bytes.subarray(16))
  )
}

function isLost({ lost }: Outcome, offset: number): boolean {
  return lost.some(([from, to]) => from <= offset && offset < to)
}

/** The offsets that an error says cannot be read. */
function checkDamage(error: unknown, { partition }: Expectation): [number, number] {
  if (!(error instanceof VarveError)) throw error
  const { path, position, offset, nextOffset } = error.details
  demand(error.code === 'CORRUPT_MESSAGE' || error.code === 'UNSUPPORTED_FOR_MESSAGE_FORMAT', () => error.message)
  demand(path?.startsWith(`${partition.path}/`) === true && position !== undefined, () => `no place: ${error.message}`)
  demand(offset !== undefined && nextOffset !== undefined, () => `no offsets: ${error.message}`)
  demand(/restore .* from a copy/.test(error.message), () => `no advice: ${error.message}`)
  return [offset, nextOffset]
}

/** Looks up one offset: the batch that holds it, or the damage there. */
export async function checkLookup(log: Varve, expected: Expectation, outcome: Outcome, offset: number): Promise<void> {
  const { partition } = expected
  const wanted = partition.batches.find(({ lastOffset, isEmpty }) => lastOffset >= offset && !isEmpty)
  const what = `a look-up of offset ${offset}`
  try {
    for await (const batch of log.readBatches(partition.topic, { partition: partition.partition, from: offset })) {
      const isRight = wanted !== undefined && isSame(expected, wanted, batch.bytes)
      const isNext = wanted === undefined || !outcome.read.has(wanted)
      demand(isRight || (isNext && batch.baseOffset >= offset), () => `${what} gives ${batch.baseOffset}`)
      demand(isRight || wanted === undefined || isCutFrom(expected, wanted), () => `${what} passes over damage`)
      return
    }
    demand(wanted === undefined || isCutFrom(expected, wanted), () => `${what} gives nothing`)
  } catch (error) {
    if (!(error instanceof VarveError)) throw error
    const [, to] = checkDamage(error, expected)
    // what is damaged may be a batch that held nothing
    const isBefore = !expected.isLogWhole && to <= (wanted?.baseOffset ?? Infinity)
    const mayFail = wanted === undefined || !outcome.read.has(wanted) || expected.hidden.has(wanted)
    demand(isBefore || mayFail, () => `${what}: ${error.message}`)
  }
}

function isCutFrom({ torn, isUnknown }: Expectation, { baseOffset }: PlacedBatch): boolean {
  return isUnknown || (torn !== null && baseOffset >= torn.offset)
}

/** Looks up a time: the first record that is not earlier, or an error where damage may hide one. */
export async function checkTime(log: Varve, expected: Expectation, outcome: Outcome, timestamp: number): Promise<void> {
  const { partition } = expected
  const isThere = ({ offset }: { offset: number }) =>
    [...outcome.read].some(({ baseOffset, lastOffset }) => baseOffset <= offset && offset <= lastOffset)
  const wanted = partition.records.find((record) => record.timestamp >= timestamp && !mayBeCut(expected, record.offset))
  const what = `a look-up of time ${timestamp}`
  try {
    for await (const { offset } of log.read(partition.topic, { partition: partition.partition, from: { timestamp } })) {
      demand(
        wanted?.offset === offset || mayBeCut(expected, offset),
        () => `${what} gives ${offset}, not ${wanted?.offset}`,
      )
      return
    }
    demand(wanted === undefined, () => `${what} gives nothing, not ${wanted?.offset}`)
  } catch (error) {
    if (!(error instanceof VarveError)) throw error
    const [from] = checkDamage(error, expected)
    demand(!expected.isLogWhole, () => `${what}: ${error.message}`)
    // what is damaged may be what is wanted only where it comes before
    demand(wanted === undefined || !isThere(wanted) || from <= wanted.offset, () => `${what}: ${error.message}`)
  }
}

function mayBeCut({ torn }: Expectation, offset: number): boolean {
  return torn !== null && offset >= torn.offset
}

/** Appends go on, and never with an offset that was given out. */
export async function checkAppend(log: Varve, expected: Expectation, outcome: Outcome): Promise<number> {
  const { partition, torn } = expected
  const { topic, partition: number } = partition
  const { offset } = await log.append(topic, { partition: number, key: 'new', value: 'new' })
  const least = torn === null ? partition.end : Math.min(torn.offset, partition.end)
  const end = Math.max(
    least,
    partition.checkpoint.reservedOffset,
    ...[...outcome.read].map((one) => one.lastOffset + 1),
  )
  demand(offset >= end, () => `offset ${offset} was given out before ${end}`)
  for await (const record of log.read(topic, { partition: number, from: offset })) {
    demand(record.offset === offset && record.value === 'new', () => `${record.offset} instead of what was appended`)
  }
  return offset
}

/** What reading cannot give, `verify` has found before. */
export async function checkVerify(expected: Expectation, outcome: Outcome, disk: MemoryStorage): Promise<void> {
  const { image, partition } = expected
  if (outcome.lost.length === 0 && (!image.clean || expected.isLogWhole)) return
  const holdsLog = segmentsIn(expected.files.keys()).length > 0
  const { ok } = await verifyDirectory(holdsLog ? partition.path : DIRECTORY, { storage: disk })
  demand(!ok, () => `verify finds nothing, and reading does: ${JSON.stringify(outcome.lost)}`)
}

/** A few look-ups, at random. */
export async function checkLookups(
  log: Varve,
  expected: Expectation,
  outcome: Outcome,
  random: SeededRandom,
  count: number,
): Promise<void> {
  const { start, end, records } = expected.partition
  const { logEndOffset } = log.offsets(expected.partition.topic)[expected.partition.partition]
  for (let i = 0; i < count; i++) {
    await checkLookup(log, expected, outcome, random.between(start, Math.min(end, logEndOffset) - 1))
    await checkTime(log, expected, outcome, random.pick(records).timestamp + random.between(-3, 3))
  }
}
