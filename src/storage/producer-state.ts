import { crc32c } from '../codec/checksum.ts'
import {
  isControlBatch,
  readBatchDetails,
  readBatchHeader,
  readInt64,
  writeInt64,
  type BatchDetails,
} from '../codec/record-batch.ts'
import type { BatchSpan } from '../codec/batch-encoder.ts'
import { storageError, VarveError, type ErrorCode } from '../errors.ts'
import { scanBatches } from './batch-scanner.ts'
import type { PartitionLog } from './partition-log.ts'
import type { Segment } from './segment.ts'
import type { SegmentContext } from './segment-context.ts'
import { removeIfPresent, replaceFile } from './storage.ts'

/** A batch of a producer, as it is remembered. */
export interface ProducerBatch {
  firstSequence: number
  lastSequence: number
  baseOffset: number
  lastOffset: number
  timestamp: number
}

/** What is known of one idempotent producer. */
interface ProducerEntry {
  epoch: number
  /** Its last ones, oldest first. */
  batches: ProducerBatch[]
}

/** As many as a client may have in flight. */
const BATCHES_KEPT = 5
/** Those that have been silent for longest are forgotten beyond it: what they send next is taken, whatever its sequence. */
const PRODUCERS_MAX = 10_000
const SEQUENCES = 2 ** 31
/** What is read again of what lies before a snapshot. */
const LOOK_BACK_BYTES = 16 * 1024 * 1024

const VERSION = 1
const HEADER_BYTES = 2 + 4 + 4
const ENTRY_BYTES = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8
const NONE = -1

/**
 * What the idempotent producers of one partition have sent last: a batch that comes again is not appended again, and one
 * that comes too early is refused.
 *
 * It is what the log says: the batches carry id, epoch and sequence. `.snapshot` files in Kafka's format only save reading
 * it from the start. One never tells of what is not durable; and the first one, which tells of nobody, is durable before
 * the first batch of any such producer: without one there is nothing to look for. So nothing is read, and nothing is
 * written, before such a batch comes.
 *
 * Snapshot: int16 version 1, CRC-32C of what follows it, int32 count, and of each: int64 id, int16 epoch, int32 last
 * sequence, int64 last offset, int32 offsets before it in its batch, int64 timestamp, int32 coordinator's epoch and int64
 * first offset of its transaction (-1: none). Its name is the offset up to which it tells.
 *
 * Source: Kafka's ProducerStateManager.java and ProducerAppendInfo.java.
 */
export class ProducerStates {
  /** Those that were heard of last stand last. */
  private producers = new Map<number, ProducerEntry>()
  private loaded = false
  private isChanged = false
  private captured: { offset: number; content: Buffer } | null = null
  /** Offsets of the snapshots there are, ascending. */
  private stored: number[] = []
  private storing: Promise<void> = Promise.resolve()

  constructor(private readonly context: SegmentContext) {}

  /** Whether `check` may be called. */
  get isLoaded(): boolean {
    return this.loaded
  }

  /**
   * Reads the newest snapshot and what the log has after it, and shortly before it. A task of the write loop.
   *
   * @throws VarveError when it cannot be read now
   */
  async load(log: PartitionLog): Promise<void> {
    const { directory } = this.context
    try {
      this.producers = new Map()
      this.stored = await listSnapshots(this.context, log.logEndOffset)
      if (this.stored.length === 0) await this.write(log.logEndOffset, this.encode())
      else await this.replay(log, await this.readNewest())
      this.loaded = true
    } catch (error) {
      throw storageError(error, `read what the producers of '${directory}' have sent`, { path: directory })
    }
  }

  /**
   * Whether a batch may be appended next.
   *
   * @param records in the batch
   * @returns the batch as it was appended when it came before, or null when it is new
   * @throws VarveError INVALID_PRODUCER_EPOCH or OUT_OF_ORDER_SEQUENCE_NUMBER
   */
  check({ producerId, producerEpoch, baseSequence }: BatchDetails, records: number): ProducerBatch | null {
    const known = this.producers.get(producerId)
    if (known === undefined) return null
    if (producerEpoch < known.epoch) {
      throw refusal('INVALID_PRODUCER_EPOCH', producerId, `has the epoch ${known.epoch}, not ${producerEpoch} any more`)
    }
    const lastSequence = sequenceAfter(baseSequence, records - 1)
    const isSame = (it: ProducerBatch) => it.firstSequence === baseSequence && it.lastSequence === lastSequence
    const same = producerEpoch === known.epoch ? known.batches.find(isSame) : undefined
    if (same !== undefined) return same
    const isNewEpoch = producerEpoch > known.epoch
    const expected = isNewEpoch ? 0 : sequenceAfter(known.batches[known.batches.length - 1].lastSequence, 1)
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
    if (!this.loaded || !this.isChanged) return
    this.isChanged = false
    this.captured = { offset, content: this.encode() }
  }

  /** Stores what was captured, if it tells only of what is before `durableOffset`. A failure costs a later look, no more. */
  async store(durableOffset: number): Promise<void> {
    const { captured } = this
    if (captured === null || captured.offset > durableOffset) return
    this.captured = null
    this.storing = this.storing
      .then(() => this.write(captured.offset, captured.content))
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
    this.put(producerId, { epoch: producerEpoch, batches })
    this.isChanged = true
  }

  private put(producerId: number, entry: ProducerEntry): void {
    this.producers.delete(producerId)
    this.producers.set(producerId, entry)
    if (this.producers.size <= PRODUCERS_MAX) return
    const [[longest]] = this.producers
    this.producers.delete(longest)
  }

  /**
   * Reads what the log has after a snapshot, and some of what it has before: a snapshot tells of the last batch of each
   * producer, and a client whose connection was lost with the process may send five again.
   */
  private async replay({ segments }: PartitionLog, snapshotOffset: number): Promise<void> {
    const fromSnapshot = this.producers
    this.producers = new Map()
    let { index, position } = await placeBefore(segments, snapshotOffset)
    for (; index < segments.length; index++, position = 0) {
      const segment = segments[index]
      const visit = ({ bytes, at }: { bytes: Buffer; at: number }) => this.add(bytes, at)
      await segment.inspect((file) => scanBatches(file, position, segment.sizeBytes, 'header', visit))
    }
    const replayed = this.producers
    this.producers = fromSnapshot
    for (const [producerId, entry] of replayed) this.put(producerId, entry)
  }

  /** Takes over the newest snapshot that is whole; gives where to go on from there. */
  private async readNewest(): Promise<number> {
    for (const offset of this.stored.toReversed()) {
      const producers = decodeSnapshot(await this.context.storage.readFile(this.pathOf(offset)))
      if (producers === null) continue
      this.producers = producers
      return offset
    }
    return this.stored[0]
  }

  /** Stores a snapshot durably; the one before it stays, in case that this one is damaged. */
  private async write(offset: number, content: Buffer): Promise<void> {
    const { directory, storage } = this.context
    await replaceFile(storage, directory, snapshotName(offset), content)
    const others = this.stored.filter((it) => it !== offset)
    for (const old of others.slice(0, -1)) await removeIfPresent(storage, this.pathOf(old))
    this.stored = [...others.slice(-1), offset]
  }

  private encode(): Buffer {
    const bytes = Buffer.alloc(HEADER_BYTES + this.producers.size * ENTRY_BYTES)
    bytes.writeInt16BE(VERSION, 0)
    bytes.writeInt32BE(this.producers.size, 6)
    let at = HEADER_BYTES
    for (const [producerId, { epoch, batches }] of this.producers) {
      const last = batches[batches.length - 1]
      writeInt64(bytes, at, producerId)
      bytes.writeInt16BE(epoch, at + 8)
      bytes.writeInt32BE(last.lastSequence, at + 10)
      writeInt64(bytes, at + 14, last.lastOffset)
      bytes.writeInt32BE(last.lastOffset - last.baseOffset, at + 22)
      writeInt64(bytes, at + 26, last.timestamp)
      bytes.writeInt32BE(NONE, at + 34)
      writeInt64(bytes, at + 38, NONE)
      at += ENTRY_BYTES
    }
    bytes.writeUInt32BE(crc32c(bytes, 6, bytes.length), 2)
    return bytes
  }

  private pathOf(offset: number): string {
    return `${this.context.directory}/${snapshotName(offset)}`
  }
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

/**
 * The offsets of the snapshots there are, ascending. Those that tell of more than the log has after a recovery, and what an
 * interrupted write has left, are removed.
 */
export async function listSnapshots({ directory, storage }: SegmentContext, endOffset: number): Promise<number[]> {
  const offsets: number[] = []
  for (const { name } of await storage.list(directory)) {
    const [, digits, suffix] = /^(\d{20})\.snapshot(\.tmp)?$/.exec(name) ?? []
    if (digits === undefined) continue
    if (suffix === undefined && Number(digits) <= endOffset) offsets.push(Number(digits))
    else await removeIfPresent(storage, `${directory}/${name}`)
  }
  return offsets.sort((a, b) => a - b)
}

/** The producers that a snapshot tells of, or null where it is damaged. */
function decodeSnapshot(bytes: Buffer): Map<number, ProducerEntry> | null {
  if (bytes.length < HEADER_BYTES || bytes.readInt16BE(0) !== VERSION) return null
  if (bytes.readUInt32BE(2) !== crc32c(bytes, 6, bytes.length)) return null
  if (bytes.length !== HEADER_BYTES + bytes.readInt32BE(6) * ENTRY_BYTES) return null
  const producers = new Map<number, ProducerEntry>()
  for (let at = HEADER_BYTES; at < bytes.length; at += ENTRY_BYTES) {
    const lastSequence = bytes.readInt32BE(at + 10)
    // of one that has only begun a transaction
    if (lastSequence < 0) continue
    const lastOffset = readInt64(bytes, at + 14)
    const delta = bytes.readInt32BE(at + 22)
    const firstSequence = sequenceAfter(lastSequence, -delta)
    const timestamp = readInt64(bytes, at + 26)
    const batch = { firstSequence, lastSequence, baseOffset: lastOffset - delta, lastOffset, timestamp }
    producers.set(readInt64(bytes, at), { epoch: bytes.readInt16BE(at + 8), batches: [batch] })
  }
  return producers
}

/** Sequences go round: after the greatest int32 comes 0. */
function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count + SEQUENCES) % SEQUENCES
}

function snapshotName(offset: number): string {
  return `${String(offset).padStart(20, '0')}.snapshot`
}

function refusal(code: ErrorCode, producerId: number, why: string): VarveError {
  return new VarveError(code, `producer ${producerId} ${why}`)
}
