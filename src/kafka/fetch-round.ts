import { BATCH_HEADER_BYTES, batchSizeAt, findBatchFault, readBatchHeader } from '../codec/record-batch.ts'
import type { Partition } from '../engine/partition.ts'
import type { LogSlice } from '../storage/log-reader.ts'
import type { AnswerBuffers } from './answer-buffers.ts'
import { errorNumber } from './api.ts'
import { leaderEpochFault, type Broker } from './broker.ts'
import type { SessionPartition } from './fetch-sessions.ts'
import type { Pace } from './pace.ts'

/** What a fetch has found of one partition. */
export interface Fetched {
  asked: SessionPartition
  errorCode: number
  highWatermark: number
  logStartOffset: number
  /** Whole batches, one behind the other. */
  pieces: Buffer[]
  /** Whether it is anything that the session has not been told yet. */
  isNews: boolean
}

/** How much is wanted, and how long one waits for it. */
export interface FetchBounds {
  maxWaitMs: number
  minBytes: number
  maxBytes: number
}

/** Of one answer, whatever a client asks for: it is in memory until it is sent. Kafka's fetch.max.bytes. */
const ANSWER_BYTES_MAX = 55 * 1024 * 1024

/** One partition on its way. */
interface Reading {
  partition: Partition | null
  fetched: Fetched
  nextOffset: number
  bytes: number
  previous: LogSlice | undefined
}

/** One fetch: reads what there is, and waits for more where that is not enough. What was read is not read again. */
export class FetchRound {
  private readonly readings: Reading[] = []
  private bytes = 0
  /** There is more than a partition, or the answer, has room for: nothing is waited for then. */
  private isFull = false
  private readonly maxBytes: number

  constructor(
    private readonly broker: Broker,
    private readonly asked: readonly SessionPartition[],
    private readonly bounds: FetchBounds,
    private readonly buffers: AnswerBuffers,
    private readonly pace: Pace,
  ) {
    this.maxBytes = Math.min(Math.max(bounds.maxBytes, 0), ANSWER_BYTES_MAX)
  }

  get fetched(): Fetched[] {
    return this.readings.map(({ fetched }) => fetched)
  }

  /** @param onGone calls what it is given when nobody waits for the answer any more; returns what takes that back */
  async run(onGone: (wake: () => void) => () => void): Promise<void> {
    const { broker, bounds, pace } = this
    for (const one of this.asked) {
      this.readings.push(this.begin(one))
      if (pace.isOver) await pace.rest()
    }
    let isOver = bounds.maxWaitMs <= 0
    let wake = () => {}
    const end = () => {
      isOver = true
      wake()
    }
    const cancels = isOver ? [] : [broker.clock.setTimer(bounds.maxWaitMs, end), broker.onClosing(end), onGone(end)]
    const always = cancels.length
    try {
      for (;;) {
        await this.readAll()
        if (isOver || this.isEnough) return
        if (pace.isOver) await pace.rest()
        await new Promise<void>((resolve) => {
          wake = resolve
          if (isOver) resolve()
          for (const { partition, nextOffset } of this.readings)
            if (partition !== null) cancels.push(partition.onRecords(nextOffset, resolve))
        })
        // one that was woken need not be told again
        for (const cancel of cancels.splice(always)) cancel()
      }
    } finally {
      for (const cancel of cancels) cancel()
      for (const reading of this.readings) this.settle(reading)
    }
  }

  /** An error is told at once, and so is what fills the answer. */
  private get isEnough(): boolean {
    if (this.bytes >= Math.min(this.bounds.minBytes, this.maxBytes) || this.isFull) return true
    return this.readings.some(({ partition, fetched }) => partition === null || fetched.errorCode !== 0)
  }

  private begin(asked: SessionPartition): Reading {
    const fetched: Fetched = { asked, errorCode: 0, highWatermark: -1, logStartOffset: -1, pieces: [], isNews: false }
    const reading: Reading = { partition: null, fetched, nextOffset: asked.fetchOffset, bytes: 0, previous: undefined }
    const topic = this.broker.find(asked.topic, asked.topicId)
    if (typeof topic === 'number') {
      fetched.errorCode = topic
      return reading
    }
    try {
      const partition = topic.partition(asked.partition)
      fetched.errorCode = leaderEpochFault(partition, asked.currentLeaderEpoch)
      if (fetched.errorCode !== 0) return reading
      partition.checkRange(asked.fetchOffset)
      reading.partition = partition
      this.look(reading, partition)
    } catch (error) {
      fetched.errorCode = errorNumber(error)
    }
    return reading
  }

  private look({ fetched }: Reading, { highWatermark, log }: Partition): void {
    fetched.highWatermark = highWatermark
    fetched.logStartOffset = log.logStartOffset
  }

  /** One partition after another, as the client has them in order, until the answer is full. */
  private async readAll(): Promise<void> {
    for (const reading of this.readings) {
      if (this.pace.isOver) await this.pace.rest()
      if (reading.partition !== null && reading.fetched.errorCode === 0) await this.readOn(reading, reading.partition)
    }
  }

  private async readOn(reading: Reading, partition: Partition): Promise<void> {
    const { fetched } = reading
    const { allocate } = this.buffers
    const isFirst = () => reading.bytes === 0
    try {
      partition.throwIfClosed()
      while (reading.nextOffset < partition.highWatermark) {
        const isShort = this.broker.queued.isHalfFull
        if (isShort && this.bytes > 0) return void (this.isFull = true)
        const room = isShort ? 1 : Math.min(this.maxBytes - this.bytes, fetched.asked.partitionMaxBytes - reading.bytes)
        // the first batch of an answer is sent whatever its size, so that nobody is stuck
        if (room <= 0 && !(this.bytes === 0 && isFirst())) return void (this.isFull = true)
        const read = await partition.read(reading.nextOffset, Math.max(room, 1), Infinity, reading.previous, allocate)
        if (read.length === 0 && read.fault === null) return void (reading.nextOffset = read.nextOffset)
        if (read.length === 0) throw await partition.log.corruption(read, 0, reading.nextOffset, read.fault!)
        const slice = atMost(read, room, this.bytes === 0)
        if (slice.length === 0 && slice.fault === null) return void (this.isFull = true)
        if (slice.length === 0) throw await partition.log.corruption(slice, 0, reading.nextOffset, slice.fault!)
        fetched.pieces.push(slice.bytes.subarray(0, slice.length))
        this.bytes += slice.length
        reading.bytes += slice.length
        reading.nextOffset = slice.nextOffset
        reading.previous = slice
        if (sizeAfter(slice) > room - slice.length) return void (this.isFull = true)
      }
    } catch (error) {
      // what is whole before the damage is sent, and the damage is met by the next fetch
      if (reading.bytes > 0) return void (reading.partition = null)
      this.broker.reportUnexpected('Fetch', error)
      fetched.errorCode = errorNumber(error)
    }
  }

  private settle(reading: Reading): void {
    const { fetched, partition } = reading
    if (partition !== null) this.look(reading, partition)
    const { asked, errorCode, pieces, highWatermark, logStartOffset } = fetched
    const isMoved = highWatermark !== asked.highWatermark || logStartOffset !== asked.logStartOffset
    fetched.isNews = errorCode !== 0 || pieces.length > 0 || isMoved
  }
}

/** Bytes of the batch behind a slice, where enough of it was read to tell; else 0. */
function sizeAfter({ bytes, length }: LogSlice): number {
  return bytes.length - length < BATCH_HEADER_BYTES ? 0 : batchSizeAt(bytes, length)
}

/**
 * As many of the batches of a slice as there is room for; the first one all the same where it must be. None from the first
 * damaged one on, which `fault` then tells of: no client is given what is not as it was written.
 */
function atMost(slice: LogSlice, room: number, takesFirst: boolean): LogSlice {
  let [length, nextOffset] = [0, slice.nextOffset]
  while (length < slice.length) {
    const { sizeBytes, lastOffset } = readBatchHeader(slice.bytes, length)
    if (length + sizeBytes > room && !(takesFirst && length === 0)) return { ...slice, length, nextOffset, fault: null }
    const fault = findBatchFault(slice.bytes, length, slice.length)
    if (fault !== null) return { ...slice, length, nextOffset, fault }
    length += sizeBytes
    nextOffset = lastOffset + 1
  }
  return slice
}
