import type { BatchSpan } from '../codec/batch-encoder.ts'
import { sequenceAfter, type ProducerBatch, type SnapshotEntry } from '../codec/producer-snapshot.ts'
import { isControlBatch, readBatchDetails, readBatchHeader, type BatchDetails } from '../codec/record-batch.ts'
import { storageError, VarveError, type ErrorCode } from '../errors.ts'
import { scanBatches } from './batch-scanner.ts'
import type { PartitionLog } from './partition-log.ts'
import { ProducerSnapshots } from './producer-snapshots.ts'
import type { Segment } from './segment.ts'
import type { SegmentContext } from './segment-context.ts'

/** What is known of one idempotent producer. */
interface ProducerEntry {
  epoch: number
  /** Its last ones, oldest first. */
  batches: ProducerBatch[]
  /** Monotonic ms of the last one; of what was known when the log was read, of that. */
  heardMs: number
}

/** An idempotent producer that is remembered. */
export interface ActiveProducer {
  producerId: number
  epoch: number
  lastSequence: number
  /** Of its last batch, ms since the epoch. */
  lastTimestamp: number
}

/** As many as a client may have in flight. */
const BATCHES_KEPT = 5
/** Whoever has been silent for so long is forgotten: Kafka's producer.id.expiration.ms. */
export const PRODUCER_EXPIRATION_MS = 86_400_000
/** Those that have been silent for longest are forgotten beyond it: what they send next is taken, whatever its sequence. */
const PRODUCERS_MAX = 10_000
/** What is read again of what lies before a snapshot. */
const LOOK_BACK_BYTES = 16 * 1024 * 1024

/**
 * What the idempotent producers of one partition have sent last: a batch that comes again is not appended again, and one
 * that comes too early is refused.
 *
 * It is what the log says: the batches carry id, epoch and sequence. `.snapshot` files only save reading it from the start.
 * One never tells of what is not durable; and the first one, which tells of nobody, is durable before the first batch of
 * any such producer: without one there is nothing to look for. So nothing is read, and nothing is written, before such a
 * batch comes.
 *
 * Source: Kafka's ProducerStateManager.java and ProducerAppendInfo.java.
 */
export class ProducerStates {
  /** Those that were heard of last stand last. */
  private producers = new Map<number, ProducerEntry>()
  private loaded = false
  private isChanged = false
  private captured: { offset: number; entries: SnapshotEntry[] } | null = null
  private readonly snapshots: ProducerSnapshots
  /** Offsets of the snapshots there are, ascending. */
  private stored: number[] = []
  private storing: Promise<void> = Promise.resolve()
  /** Monotonic time of the last look, ms. */
  private nowMs = 0

  constructor(private readonly context: SegmentContext) {
    this.snapshots = new ProducerSnapshots(context.storage, context.directory)
  }

  /** Whether `check` may be called. */
  get isLoaded(): boolean {
    return this.loaded
  }

  /**
   * Reads the newest snapshot and what the log has after it, and shortly before it; makes the first one where there is none.
   * A task of the write loop.
   *
   * @throws VarveError when it cannot be read now
   */
  async load(log: PartitionLog): Promise<void> {
    await this.reading(async () => {
      if (!(await this.recall(log))) await this.write(log.contentEndOffset, [])
      this.loaded = true
    })
  }

  /**
   * Those that are remembered. Writes nothing. A task of the write loop.
   *
   * @throws VarveError when it cannot be read now
   */
  async list(log: PartitionLog): Promise<ActiveProducer[]> {
    if (!this.loaded) await this.reading(async () => void (this.loaded = await this.recall(log)))
    this.forget()
    return this.entries().map(({ producerId, epoch, batch: { lastSequence, timestamp } }) => {
      return { producerId, epoch, lastSequence, lastTimestamp: timestamp }
    })
  }

  /**
   * Whether a batch may be appended next.
   *
   * @param records in the batch
   * @returns the batch as it was appended when it came before, or null when it is new
   * @throws VarveError INVALID_PRODUCER_EPOCH or OUT_OF_ORDER_SEQUENCE_NUMBER
   */
  check({ producerId, producerEpoch, baseSequence }: BatchDetails, records: number): ProducerBatch | null {
    this.forget()
    const known = this.producers.get(producerId)
    if (known === undefined) return null
    if (producerEpoch < known.epoch) {
      throw refusal('INVALID_PRODUCER_EPOCH', producerId, `has the epoch ${known.epoch}, not ${producerEpoch} any more`)
    }
    const lastSequence = sequenceAfter(baseSequence, records - 1)
    const isSame = (it: ProducerBatch) => it.firstSequence === baseSequence && it.lastSequence === lastSequence
    const same = producerEpoch === known.epoch ? known.batches.find(isSame) : undefined
    if (same !== undefined) return same
    const expected = producerEpoch > known.epoch ? 0 : sequenceAfter(lastOf(known).lastSequence, 1)
    if (baseSequence === expected) return null
    throw refusal('OUT_OF_ORDER_SEQUENCE_NUMBER', producerId, `goes on with ${expected}, not ${baseSequence}`)
  }

  /** Batches were appended: the first of them at `baseOffset`. */
  appended(bytes: Buffer, batches: readonly BatchSpan[]): void {
    if (!this.loaded) return
    for (const { start } of batches) this.add(bytes, start)
  }

  /** Remembers what is known now, up to `offset`, to be stored when all of that is durable. */
  capture(offset: number): void {
    if (!this.loaded) return
    this.forget()
    if (!this.isChanged) return
    this.isChanged = false
    this.captured = { offset, entries: this.entries() }
  }

  /** Stores what was captured, if it tells only of what is before `durableOffset`. A failure costs a later look, no more. */
  async store(durableOffset: number): Promise<void> {
    const { captured } = this
    if (captured === null || captured.offset > durableOffset) return
    this.captured = null
    this.storing = this.storing
      .then(() => this.write(captured.offset, captured.entries))
      .catch(() => {
        this.isChanged = true
      })
    await this.storing
  }

  private add(bytes: Buffer, at: number): void {
    const { producerId, producerEpoch, baseSequence } = readBatchDetails(bytes, at)
    if (producerId < 0) return
    const { attributes, baseOffset, lastOffset, maxTimestamp } = readBatchHeader(bytes, at)
    if (isControlBatch(attributes)) return
    const known = this.producers.get(producerId)
    const batches = known?.epoch === producerEpoch ? known.batches : []
    const lastSequence = sequenceAfter(baseSequence, lastOffset - baseOffset)
    batches.push({ firstSequence: baseSequence, lastSequence, baseOffset, lastOffset, timestamp: maxTimestamp })
    if (batches.length > BATCHES_KEPT) batches.shift()
    this.put(producerId, producerEpoch, batches)
    this.isChanged = true
  }

  private put(producerId: number, epoch: number, batches: ProducerBatch[]): void {
    this.producers.delete(producerId)
    this.producers.set(producerId, { epoch, batches, heardMs: this.nowMs })
    if (this.producers.size <= PRODUCERS_MAX) return
    const [[longest]] = this.producers
    this.producers.delete(longest)
  }

  /** Drops those that have been silent for too long. */
  private forget(): void {
    this.nowMs = this.context.monotonicMs()
    for (const [producerId, { heardMs }] of this.producers) {
      if (this.nowMs - heardMs < PRODUCER_EXPIRATION_MS) break
      this.producers.delete(producerId)
      this.isChanged = true
    }
  }

  /** Takes over what the newest snapshot and the log tell; false where there is no snapshot, and so nothing to tell of. */
  private async recall(log: PartitionLog): Promise<boolean> {
    this.producers = new Map()
    this.nowMs = this.context.monotonicMs()
    this.stored = await this.snapshots.list(log.contentEndOffset)
    if (this.stored.length === 0) return false
    const newest = await this.snapshots.newestOf(this.stored)
    // where none can be read, all that there is to read is the log
    await this.replay(log, newest?.offset ?? 0)
    const replayed = this.producers
    this.producers = new Map()
    for (const { producerId, epoch, batch } of newest?.entries ?? []) this.put(producerId, epoch, [batch])
    for (const [producerId, { epoch, batches }] of replayed) {
      const known = this.producers.get(producerId)
      // compaction may have left earlier batches of a producer, and not its last one
      if (known === undefined || lastOf(known).lastOffset <= batches[batches.length - 1].lastOffset) {
        this.put(producerId, epoch, batches)
      } else if (epoch === known.epoch) this.put(producerId, epoch, [...batches, lastOf(known)].slice(-BATCHES_KEPT))
    }
    return true
  }

  /**
   * Reads what the log has after a snapshot, and some of what it has before: a snapshot tells of the last batch of each
   * producer, and a client whose connection was lost with the process may send five again.
   */
  private async replay({ segments }: PartitionLog, snapshotOffset: number): Promise<void> {
    let { index, position } = await placeBefore(segments, snapshotOffset)
    for (; index < segments.length; index++, position = 0) {
      const segment = segments[index]
      const visit = ({ bytes, at }: { bytes: Buffer; at: number }) => this.add(bytes, at)
      await segment.inspect((file) => scanBatches(file, position, segment.sizeBytes, 'header', visit))
    }
  }

  /** Stores a snapshot durably; the one before it stays, in case that this one is damaged. */
  private async write(offset: number, entries: readonly SnapshotEntry[]): Promise<void> {
    await this.snapshots.write(offset, entries)
    const others = this.stored.filter((it) => it !== offset)
    for (const old of others.slice(0, -1)) await this.snapshots.remove(old)
    this.stored = [...others.slice(-1), offset]
  }

  private entries(): SnapshotEntry[] {
    return [...this.producers].map(([producerId, it]) => ({ producerId, epoch: it.epoch, batch: lastOf(it) }))
  }

  private async reading(action: () => Promise<void>): Promise<void> {
    const { directory } = this.context
    try {
      await action()
    } catch (error) {
      throw storageError(error, `read what the producers of '${directory}' have sent`, { path: directory })
    }
  }
}

function lastOf({ batches }: ProducerEntry): ProducerBatch {
  return batches[batches.length - 1]
}

/** Where a batch begins that lies about LOOK_BACK_BYTES before `offset`. */
async function placeBefore(segments: readonly Segment[], offset: number): Promise<{ index: number; position: number }> {
  let index = segments.findLastIndex(({ baseOffset }) => baseOffset <= offset)
  if (index < 0) return { index: 0, position: 0 }
  let { position } = await segments[index].lookup(offset)
  let wanted = position - LOOK_BACK_BYTES
  while (wanted < 0 && index > 0) {
    index--
    position = segments[index].sizeBytes
    wanted += position
  }
  if (wanted <= 0) return { index, position: 0 }
  // the index knows positions by offsets
  let [low, high] = [segments[index].baseOffset, segments[index + 1]?.baseOffset ?? offset]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if ((await segments[index].lookup(middle)).position <= wanted) low = middle
    else high = middle
  }
  return { index, position: (await segments[index].lookup(low)).position }
}

function refusal(code: ErrorCode, producerId: number, why: string): VarveError {
  return new VarveError(code, `producer ${producerId} ${why}`)
}
