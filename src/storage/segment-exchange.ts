import { assert } from '../assert.ts'
import type { PartitionCheckpoint, SegmentSwap } from './checkpoint.ts'
import type { CleanedSegment } from './cleaned-segment.ts'
import type { PartitionLog } from './partition-log.ts'
import type { Segment } from './segment.ts'
import { parseSegmentName, SEGMENT_SUFFIXES, segmentFileName } from './segment-name.ts'
import { removeIfPresent, unlessMissing, type Storage, type StorageFile } from './storage.ts'

/**
 * Puts a segment that compaction has written in the place of those that it was made from, so that after any stop either
 * the old ones are there or the new one.
 *
 * The new files are durable under names that end in `.swap` before a checkpoint lists the exchange, which is what decides;
 * it is stored twice, so that neither of the two generations knows of anything else. Then the old files go, the new ones
 * get their names, and two more checkpoints forget the exchange. A recovery does the same again, from wherever it was.
 */
export class SegmentExchange {
  /** Compaction has been over everything before it. */
  cleanedOffset: number
  /** Exchanges so far, in the life of the log; one that failed and may be listed counts twice, because it was undone. */
  private count: number
  /** The exchange that counts, and whose files may not all have their names. */
  private swap: SegmentSwap | null = null
  /** The segments as they will be, while that is being made durable. */
  private pending: { segments: Segment[]; swap: SegmentSwap } | null = null
  /** Whether one of the two checkpoints may list an exchange. */
  private mayBeListed = true
  /** Closes what keeps the new segment's files open while their names change. */
  private release: (() => Promise<void>) | null = null
  /** Base offsets of exchanges that failed and may be listed all the same. */
  private readonly doubtful = new Set<number>()

  constructor(
    private readonly log: PartitionLog,
    { cleanedOffset, exchanges }: { cleanedOffset: number; exchanges: number },
  ) {
    this.cleanedOffset = cleanedOffset
    this.count = exchanges
  }

  /** How often segments were exchanged. */
  get exchanges(): number {
    return this.count
  }

  /** What a checkpoint says of the segments; what never happened is left out. */
  describe(): Pick<PartitionCheckpoint, 'segments' | 'cleanedOffset' | 'exchanges' | 'swap'> {
    const { pending, cleanedOffset } = this
    const { segments } = pending ?? this.log
    const swap = pending?.swap ?? this.swap
    const exchanges = this.count + (pending === null ? 0 : 1)
    return {
      segments: segments.map(({ baseOffset, sizeBytes }) => [baseOffset, sizeBytes]),
      ...(cleanedOffset > 0 && { cleanedOffset }),
      ...(exchanges > 0 && { exchanges }),
      ...(swap !== null && { swap }),
    }
  }

  /**
   * Makes sure that nothing of an earlier exchange is left, before the files of another one get their names.
   *
   * @param store makes what {@link describe} says durable
   */
  async prepare(store: () => Promise<void>): Promise<void> {
    if (this.swap !== null) await this.complete(store)
    if (this.mayBeListed) await this.forget(store)
    const { storage, directory } = this.log.context
    for (const baseOffset of this.doubtful) {
      for (const suffix of SEGMENT_SUFFIXES)
        await removeIfPresent(storage, `${directory}/${segmentFileName(baseOffset, suffix, '.swap')}`)
      this.doubtful.delete(baseOffset)
    }
  }

  /**
   * Makes `cleaned` one of the log's segments in place of `sources`. A task of the write loop; {@link complete} must follow.
   *
   * @returns false when the log does not have these segments any more; nothing has changed then
   * @throws what `store` throws: the log is as it was, and which of both is stored is uncertain
   */
  async commit(sources: readonly Segment[], cleaned: CleanedSegment, store: () => Promise<void>): Promise<boolean> {
    const { log } = this
    log.throwIfFailed()
    const first = log.segments.indexOf(sources[0])
    if (first < 0 || !sources.every((segment, i) => log.segments[first + i] === segment)) return false
    const { segment, release } = cleaned.toSegment()
    const segments = [...log.segments.slice(0, first), segment, ...log.segments.slice(first + sources.length)]
    const swap = { baseOffset: segment.baseOffset, endOffset: segments[first + 1].baseOffset }
    this.pending = { segments, swap }
    this.mayBeListed = true
    try {
      await store()
      await store()
    } catch (error) {
      this.doubtful.add(swap.baseOffset)
      // a reader beside the writer may know it by its number: neither what stays nor what comes may have the same
      this.count += 2
      await segment.retire()
      await release()
      throw error
    } finally {
      this.pending = null
    }
    this.swap = swap
    this.count++
    this.release = release
    log.segments = segments
    // what cannot be closed was only read; and there is no way back from here
    for (const source of sources) await source.exchange().catch(() => {})
    return true
  }

  /** Whether the files of an exchange that failed must stay, because a checkpoint may list it. */
  isDoubtful(baseOffset: number): boolean {
    return this.doubtful.has(baseOffset)
  }

  /** Gives the files of the new segment their names, and forgets the exchange. May be called again after a failure. */
  async complete(store: () => Promise<void>): Promise<void> {
    const { swap } = this
    assert(swap !== null, 'an exchange counts')
    await completeSwap(this.log.context.storage, this.log.directory, swap)
    await this.close()
    this.swap = null
    try {
      await this.forget(store)
    } catch (error) {
      this.swap = swap
      throw error
    }
  }

  /** Closes what an exchange that did not end keeps open. */
  async close(): Promise<void> {
    const { release } = this
    this.release = null
    await release?.()
  }

  private async forget(store: () => Promise<void>): Promise<void> {
    await store()
    await store()
    this.mayBeListed = false
  }
}

async function completeSwap(
  storage: Storage,
  directory: string,
  { baseOffset, endOffset }: SegmentSwap,
): Promise<void> {
  const names = new Set((await storage.list(directory)).map(({ name }) => name))
  for (const suffix of SEGMENT_SUFFIXES) {
    const from = segmentFileName(baseOffset, suffix, '.swap')
    if (names.has(from))
      await storage.rename(`${directory}/${from}`, `${directory}/${segmentFileName(baseOffset, suffix)}`)
  }
  for (const name of names) {
    const found = parseSegmentName(name)
    const isOld = found?.swap === '' && found.baseOffset > baseOffset && found.baseOffset < endOffset
    if (isOld) await removeIfPresent(storage, `${directory}/${name}`)
  }
  await storage.syncDirectory(directory)
}

/** Whether the new segment is there, whole: if not, the old ones are all that is left. */
async function holdsNew(storage: Storage, directory: string, checkpoint: PartitionCheckpoint): Promise<boolean> {
  const { baseOffset } = checkpoint.swap!
  const [, sizeBytes] = checkpoint.segments.find(([base]) => base === baseOffset) ?? []
  // all of it lies before the log start
  if (sizeBytes === undefined) return true
  const path = `${directory}/${segmentFileName(baseOffset, '.log')}`
  const open = unlessMissing(storage.openFile(`${path}.swap`, 'read'), () => storage.openFile(path, 'read'))
  const file = await unlessMissing<StorageFile | null>(open, () => null)
  try {
    return (await file?.size()) === sizeBytes
  } finally {
    await file?.close()
  }
}

/**
 * Ends what a stop has interrupted, by what the checkpoint says: completes the exchange that it lists, and takes away the
 * files of those that it does not, where the segments that they were made from are there.
 *
 * @returns false where the exchange cannot be completed, because what was to take the place of others is not there, whole
 */
export async function settleSwaps(
  storage: Storage,
  directory: string,
  checkpoint: PartitionCheckpoint,
): Promise<boolean> {
  const entries = await storage.list(directory)
  const isComplete = checkpoint.swap === undefined || (await holdsNew(storage, directory, checkpoint))
  if (checkpoint.swap !== undefined && isComplete) await completeSwap(storage, directory, checkpoint.swap)
  const names = new Set(entries.map(({ name }) => name))
  const known = new Set(checkpoint.segments.map(([baseOffset]) => baseOffset))
  for (const { name } of entries) {
    const found = parseSegmentName(name)
    if (
      found === null ||
      found.swap === '' ||
      (found.swap === '.swap' && found.baseOffset === checkpoint.swap?.baseOffset)
    )
      continue
    // one that Kafka has left may hold what is nowhere else
    const { baseOffset } = found
    if (!known.has(baseOffset) || !names.has(segmentFileName(baseOffset, '.log'))) continue
    await removeIfPresent(storage, `${directory}/${name}`)
  }
  return isComplete
}
