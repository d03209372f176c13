import { deleteHorizonOf, filterBatch, isMarker, isTransactional, RecordWalker } from '../codec/batch-filter.ts'
import {
  batchSizeAt,
  BATCH_HEADER_BYTES,
  findBatchFault,
  findHeaderFault,
  readBatchHeader,
} from '../codec/record-batch.ts'
import type { BatchFault, BatchHeader } from '../codec/record-batch.ts'
import type { Clock } from '../environment.ts'
import { storageError } from '../errors.ts'
import { MAX_BATCH_BYTES } from './batch-scanner.ts'
import { CleanedSegment } from './cleaned-segment.ts'
import { isInPlace } from './damage.ts'
import { OffsetMap } from './offset-map.ts'
import { MAX_INDEX_ENTRIES, type PartitionLog } from './partition-log.ts'
import type { Segment } from './segment.ts'

/** What a compaction goes by: topic configurations. */
export interface CompactionConfig {
  segmentBytes: number
  deleteRetentionMs: number
  minCompactionLagMs: number
}

/** What a compaction works with. */
export interface CompactionContext {
  clock: Clock
  /** Memory for the keys. */
  bufferBytes: number
  /** Makes what is true of the log now durable. */
  store: () => Promise<void>
  /** Asked now and then: whether to end without a result. */
  isCancelled(): boolean
  /** Runs what changes the log while nothing else does. */
  inWriteLoop<T>(action: () => Promise<T>): Promise<T>
  /** Runs what takes files away, when nobody relies on them. */
  exchanging<T>(action: () => Promise<T>): Promise<T>
}

/** What a compaction did, in the segments that it went over. */
export interface CompactionFigures {
  bytesBefore: number
  bytesAfter: number
  recordsBefore: number
  recordsAfter: number
}

/** What could be compacted of a log. */
export interface CompactionPlan {
  /** From the first one on. */
  segments: Segment[]
  /** The offset after them. */
  endOffset: number
  /** Of those that were compacted before, and of the others. */
  cleanBytes: number
  dirtyBytes: number
}

/** The program lets the rest run at least this often. */
const MAX_TURN_MS = 4
const CHUNK_BYTES = 1024 * 1024
const INT32_MAX = 0x7fffffff
/** Memory for keys per byte that is gone over: small logs need no large map. */
const MAP_BYTES_PER_BYTE = 4
const LEAST_MAP_BYTES = 64 * 1024

/**
 * Finds what may be compacted of some sealed segments, the log's first ones: up to the first one that holds a record younger
 * than the lag.
 */
export async function planCompaction(
  log: PartitionLog,
  segments: readonly Segment[],
  { minCompactionLagMs }: Pick<CompactionConfig, 'minCompactionLagMs'>,
  nowMs: number,
): Promise<CompactionPlan> {
  const all = log.segments
  const { cleanedOffset } = log.exchange
  let [cleanBytes, dirtyBytes, count] = [0, 0, 0]
  for (; count < segments.length; count++) {
    const segment = segments[count]
    const isDirty = all[count + 1].baseOffset > cleanedOffset
    if (isDirty && minCompactionLagMs > 0 && nowMs - (await segment.greatestTimestamp()) < minCompactionLagMs) break
    if (isDirty) dirtyBytes += segment.sizeBytes
    else cleanBytes += segment.sizeBytes
  }
  const { baseOffset: endOffset } = all[count]
  return { segments: segments.slice(0, count), endOffset, cleanBytes, dirtyBytes }
}

class Cancelled extends Error {}

/**
 * One compaction of one log, Kafka's way: goes over what came since the last one, remembering the latest offset of each
 * key, then writes anew what is left of all segments, a few at a time, each time exchanging them for one.
 *
 * Every batch is checked on the way, its place too: damage ends the compaction and stays where it is.
 */
export class LogCompaction {
  private readonly figures: CompactionFigures = { bytesBefore: 0, bytesAfter: 0, recordsBefore: 0, recordsAfter: 0 }
  private readonly nowMs: number
  private turnStartMs: number
  private keys!: OffsetMap
  /** The latest offset of every key before it is known. */
  private knownEnd = 0
  /** The offset after the last batch that was gone over, and its epoch. */
  private expected = 0
  private lastEpoch = 0
  /** Since a new segment was begun: whether it differs from what it is made from. */
  private hasChanged = false

  constructor(
    private readonly log: PartitionLog,
    private readonly config: CompactionConfig,
    private readonly context: CompactionContext,
  ) {
    this.nowMs = context.clock.now()
    this.turnStartMs = context.clock.monotonicMs()
  }

  /**
   * Compacts. When it fails the log holds what it held, in files that may be compacted in part.
   *
   * @throws VarveError CORRUPT_MESSAGE, DISK_FULL, KAFKA_STORAGE_ERROR, ...
   */
  async run(): Promise<CompactionFigures> {
    const { log, config, figures } = this
    let all: readonly Segment[] = []
    try {
      await this.context.exchanging(() => log.exchange.prepare(this.context.store))
      const { segments, endOffset, dirtyBytes } = await planCompaction(log, log.durableSealed, config, this.nowMs)
      if (segments.length === 0) return figures
      all = segments
      await this.learnKeys(segments, endOffset, dirtyBytes)
      // segments behind the last key that fitted in are as dirty as before
      const count = segments.findLastIndex(({ baseOffset }) => baseOffset < this.knownEnd) + 1
      await this.cleanAll(segments.slice(0, count), segments[count]?.baseOffset ?? endOffset)
      log.exchange.cleanedOffset = Math.max(log.exchange.cleanedOffset, this.knownEnd)
      await this.context.store()
    } catch (error) {
      // retention may have taken what was being read
      const isGone = all.some((segment) => !segment.isExchanged && !log.segments.includes(segment))
      if (!isGone && !(error instanceof Cancelled))
        throw storageError(error, `compact '${log.directory}'`, { path: log.directory })
    }
    return figures
  }

  private async learnKeys(segments: readonly Segment[], endOffset: number, dirtyBytes: number): Promise<void> {
    const { log, context } = this
    const mapBytes = Math.max(Math.min(context.bufferBytes, dirtyBytes * MAP_BYTES_PER_BYTE), LEAST_MAP_BYTES)
    this.keys = new OffsetMap(mapBytes)
    const firstDirty = Math.max(log.exchange.cleanedOffset, log.logStartOffset)
    this.knownEnd = endOffset
    for (const [i, segment] of segments.entries()) {
      if ((segments[i + 1]?.baseOffset ?? endOffset) <= firstDirty) continue
      this.expected = segment.baseOffset
      await this.goOver(segment, (bytes, at, header) => this.learn(bytes, at, header, firstDirty))
      // what did not fit in is for the next time
      if (this.knownEnd < endOffset) return
    }
  }

  /** @returns false when there is no room for the keys that follow */
  private learn(bytes: Buffer, at: number, header: BatchHeader, firstDirty: number): boolean {
    // a record of a transaction that may have been aborted makes no other one obsolete
    if (header.lastOffset < firstDirty || isMarker(header) || isTransactional(header)) return true
    const records = new RecordWalker(bytes, at, header)
    const { body } = records
    while (records.next()) {
      const { offset, keyStart, keyLength } = records
      if (offset < firstDirty || keyLength < 0) continue
      if (this.keys.put(body, keyStart, keyStart + keyLength, offset)) continue
      this.knownEnd = offset
      return false
    }
    return true
  }

  /** Writes the segments anew, as many of them into one as it has room for. */
  private async cleanAll(segments: readonly Segment[], endOffset: number): Promise<void> {
    const { log, config } = this
    const endOf = (i: number) => segments[i + 1]?.baseOffset ?? endOffset
    this.expected = segments[0].baseOffset
    for (let i = 0; i < segments.length;) {
      const first = i
      const cleaned = await CleanedSegment.create(log.context, segments[first].baseOffset, log)
      this.hasChanged = false
      await this.orDiscard(cleaned, async () => {
        do await this.clean(segments[i], cleaned)
        while (
          ++i < segments.length &&
          cleaned.hasRoomFor(segments[i].sizeBytes, endOf(i), config.segmentBytes, MAX_INDEX_ENTRIES)
        )
        await this.checkEnd(segments[i - 1], endOf(i - 1))
        if (i > first + 1 || this.hasChanged) await cleaned.finish(endOf(i - 1), this.lastEpoch)
        else await this.leave(segments[first], cleaned)
      })
      if (i === first + 1 && !this.hasChanged) continue
      await this.context.exchanging(async () => {
        await this.orDiscard(cleaned, () => this.exchange(segments.slice(first, i), cleaned))
        await log.exchange.complete(this.context.store)
      })
    }
  }

  /** Takes the files of a new segment away when something fails, unless a checkpoint may list them. */
  private async orDiscard(cleaned: CleanedSegment, action: () => Promise<void>): Promise<void> {
    try {
      await action()
    } catch (error) {
      if (!this.log.exchange.isDoubtful(cleaned.baseOffset)) await cleaned.discard()
      throw error
    }
  }

  /** Damage at the end of a segment shows only by what follows, in this segment's place or behind empty ones. */
  private async checkEnd(segment: Segment, endOffset: number): Promise<void> {
    const { log, expected } = this
    if (expected === endOffset) return
    const followers = log.segments.slice(log.segments.indexOf(segment) + 1)
    const follower = followers.find(({ sizeBytes }) => sizeBytes > 0)
    if (follower === undefined) {
      if (expected < log.contentEndOffset) await this.refuse(segment, 'incomplete')
      return
    }
    const head = Buffer.alloc(BATCH_HEADER_BYTES)
    const length = await follower.read(head, 0)
    const fits = findHeaderFault(head, 0, length) === null && isInPlace(readBatchHeader(head, 0), expected, log)
    if (!fits) await this.refuse(segment, 'incomplete')
  }

  /** Nothing of a segment has changed. */
  private async leave(segment: Segment, cleaned: CleanedSegment): Promise<void> {
    await cleaned.discard()
    this.figures.bytesAfter += segment.sizeBytes
  }

  private async exchange(sources: readonly Segment[], cleaned: CleanedSegment): Promise<void> {
    const { exchange } = this.log
    this.throwIfCancelled()
    const isDone = await this.context.inWriteLoop(async () => {
      this.throwIfCancelled()
      return exchange.commit(sources, cleaned, this.context.store)
    })
    // retention has taken some of them meanwhile
    if (!isDone) throw new Cancelled()
    this.figures.bytesAfter += cleaned.sizeBytes
  }

  /** Adds what is left of a segment to another one. */
  private async clean(segment: Segment, target: CleanedSegment): Promise<void> {
    const { figures } = this
    figures.bytesBefore += segment.sizeBytes
    const retains = this.retainer()
    const horizonMs = this.nowMs + this.config.deleteRetentionMs
    await this.goOver(segment, (bytes, at, header, position) => {
      figures.recordsBefore += header.recordCount
      this.lastEpoch = header.leaderEpoch
      if (isMarker(header)) {
        figures.recordsAfter += header.recordCount
        return target.append(bytes, at, header)
      }
      const horizon = deleteHorizonOf(header)
      retains.tombstones = horizon === null || this.nowMs < horizon
      const { recordCount, rewritten } = filterBatch(bytes, at, header, retains.decide, horizonMs)
      figures.recordsAfter += recordCount
      if (recordCount < header.recordCount || rewritten !== null) this.hasChanged = true
      if (recordCount === 0) return true
      // a horizon, or another compressor, may make a batch larger: then it stays as it is where positions would outgrow int32
      const rest = segment.sizeBytes - position
      const fits = rewritten !== null && target.sizeBytes + rewritten.length + rest <= INT32_MAX
      if (rewritten === null || (!fits && rewritten.length > header.sizeBytes)) return target.append(bytes, at, header)
      return target.append(rewritten, 0, readBatchHeader(rewritten, 0))
    })
  }

  /** Kafka's rule: of each key the latest record stays, a tombstone until its time has come; what has no key goes. */
  private retainer(): { tombstones: boolean; decide: (record: RecordWalker) => boolean } {
    const { keys, knownEnd } = this
    const rule = {
      tombstones: true,
      decide: ({ offset, body, keyStart, keyLength, hasValue }: RecordWalker): boolean => {
        if (offset >= knownEnd) return true
        if (keyLength < 0) return false
        if (offset < keys.get(body, keyStart, keyStart + keyLength)) return false
        return hasValue || rule.tombstones
      },
    }
    return rule
  }

  /**
   * Goes over all batches of a segment, checking each one and its place, while the next chunk is being read.
   *
   * @param visit returns, or resolves with, false to end it
   */
  private async goOver(
    segment: Segment,
    visit: (bytes: Buffer, at: number, header: BatchHeader, position: number) => boolean | Promise<boolean | void>,
  ): Promise<void> {
    let position = 0
    let chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, segment.sizeBytes))
    let spare = Buffer.allocUnsafeSlow(chunk.length)
    let reading = this.read(segment, chunk, position)
    while (position < segment.sizeBytes) {
      const length = await reading
      this.throwIfCancelled()
      const end = wholeBatches(chunk, length)
      if (end === 0) {
        const needed = length < BATCH_HEADER_BYTES ? Infinity : batchSizeAt(chunk, 0)
        const isThere = needed > length && needed <= Math.min(MAX_BATCH_BYTES, segment.sizeBytes - position)
        if (!isThere || length < chunk.length) await this.refuse(segment, 'incomplete', position)
        chunk = Buffer.allocUnsafeSlow(needed)
        reading = this.read(segment, chunk, position)
        continue
      }
      const next = this.read(segment, spare, position + end)
      next.catch(() => {})
      for (let at = 0; at < end;) {
        const fault = findBatchFault(chunk, at, end)
        if (fault !== null) await this.refuse(segment, fault, position + at)
        const header = readBatchHeader(chunk, at)
        if (!isInPlace(header, this.expected, this.log)) await this.refuse(segment, 'offset', position + at)
        this.expected = header.lastOffset + 1
        const going = visit(chunk, at, header, position + at)
        if ((typeof going === 'boolean' ? going : await going) === false) return void (await next)
        at += header.sizeBytes
        if (this.context.clock.monotonicMs() - this.turnStartMs > MAX_TURN_MS) await this.yield()
      }
      position += end
      reading = next
      ;[chunk, spare] = [spare, chunk]
    }
  }

  private read(segment: Segment, target: Buffer, position: number): Promise<number> {
    const length = Math.max(Math.min(target.length, segment.sizeBytes - position), 0)
    return length === 0 ? Promise.resolve(0) : segment.read(target.subarray(0, length), position)
  }

  private async yield(): Promise<void> {
    const { clock } = this.context
    await new Promise<void>((resolve) => clock.defer(resolve))
    this.turnStartMs = clock.monotonicMs()
    this.throwIfCancelled()
  }

  private throwIfCancelled(): void {
    if (this.context.isCancelled()) throw new Cancelled()
    this.log.throwIfFailed()
  }

  private async refuse(segment: Segment, fault: BatchFault, position = segment.sizeBytes): Promise<never> {
    const nothing = Buffer.alloc(0)
    const slice = { segment, position, bytes: nothing, length: 0, nextOffset: this.expected, fault }
    throw await this.log.corruption(slice, 0, this.expected, fault)
  }
}

/** Bytes of the batches that are whole in a chunk, as far as their lengths tell; at least those of a batch that is none. */
function wholeBatches(chunk: Buffer, length: number): number {
  let end = 0
  while (end + BATCH_HEADER_BYTES <= length) {
    const sizeBytes = batchSizeAt(chunk, end)
    // a check of the batch will say what is wrong
    if (sizeBytes < BATCH_HEADER_BYTES) return length
    if (end + sizeBytes > length) break
    end += sizeBytes
  }
  return end
}
