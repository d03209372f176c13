import { BatchEncoder, type BatchEncoderOptions, type EncodedHeader } from '../codec/batch-encoder.ts'
import type { BufferPool } from '../codec/buffer-pool.ts'
import type { BatchHeader } from '../codec/record-batch.ts'
import type { Clock } from '../environment.ts'
import type { VarveError } from '../errors.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import { AppendChunk, type AppendResult, type ChunkMark } from './append-chunk.ts'
import { fittingRun, NOTHING_BEFORE, unexpectedOffset, type Chunk } from './chunk.ts'
import { acknowledgesDurably, type Flush } from './flush.ts'
import { LossWindow } from './loss-window.ts'
import { OffsetReservation } from './offset-reservation.ts'
import type { PendingBytes } from './pending-bytes.ts'
import { ReceivedChunk, type AppendedBatch } from './received-chunk.ts'
import type { TopicConfig } from './topic-config.ts'

/** What the writer of a partition needs from the engine. */
export interface WriterContext {
  topic: string
  clock: Clock
  pending: PendingBytes
  buffers: BufferPool
  config(): TopicConfig
  flush(): Flush
  /** Makes it durable that offsets below the log's reservation may be handed out. */
  storeReservation(): Promise<void>
  /** So many bytes became durable. */
  synced(bytes: number): void
  /** Records became visible: up to `highWatermark`. */
  advanced(highWatermark: number): void
}

/** An append call that is adding records. */
export interface BatchCall {
  chunk: AppendChunk
  mark: ChunkMark
}

interface Task {
  run: () => Promise<void>
}

/** Records per batch are bounded by bytes: Kafka's default batch.size. A lookup decodes one batch, so small is good. */
const BATCH_BYTES = 16 * 1024
/** The loop lets the rest of the program run at least this often. */
const MAX_TURN_MS = 2

/**
 * The write loop of one partition: everything that changes its log is a task here, and one runs at a time.
 *
 * Appends queue up in a chunk; the loop takes all that is queued, writes it at once and acknowledges it as the flush
 * mode promises: after one shared fdatasync, after one of its own, or when it is written.
 */
export class BatchWriter {
  private readonly queue: (Chunk | Task)[] = []
  private encoderOptions!: BatchEncoderOptions
  /** Of the last chunk: the next one is likely to be as large. */
  private lastBytes = 0
  private running = false
  private closed: VarveError | null = null
  private turnStartMs = 0

  /** As it was when `configure` was last called: a change of mode takes effect between two tasks. */
  private mode!: Flush
  private window: LossWindow | null = null
  private syncing: Promise<void> | null = null
  private cancelTimer: (() => void) | null = null
  private readonly reservation: OffsetReservation

  constructor(
    private readonly log: PartitionLog,
    private readonly context: WriterContext,
    private readonly partition: number,
  ) {
    this.reservation = new OffsetReservation(log, () => context.storeReservation())
    this.configure()
  }

  /** Takes over a changed configuration. Called as a task of this loop, when everything is synced. */
  configure(): void {
    this.mode = this.context.flush()
    this.window = typeof this.mode === 'object' ? new LossWindow(this.mode) : null
    const { compressionType, messageTimestampType: timestampType, maxMessageBytes } = this.context.config()
    const batchBytes = Math.min(BATCH_BYTES, maxMessageBytes)
    this.encoderOptions = { batchBytes, compressionType, timestampType, now: () => this.context.clock.now() }
  }

  /**
   * Queues one record; resolves as the flush mode promises. The bytes are copied before it returns.
   *
   * @param timestamp ms since the epoch
   */
  append(
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly EncodedHeader[],
    timestamp: number,
    expectedOffset: number | null,
  ): Promise<AppendResult> {
    return new Promise((resolve, reject) => {
      const result = { partition: this.partition, offset: -1, timestamp }
      const chunk = this.openChunk(expectedOffset)
      chunk.addRecord(result, key, value, headers)
      this.endCall(chunk, result, resolve, reject)
    })
  }

  /** Starts a call that adds several records: add them to the chunk, then `endBatch` or `cancelBatch`, all in one go. */
  beginBatch(expectedOffset: number | null): BatchCall {
    const chunk = this.openChunk(expectedOffset)
    // a value codec may append records of its own meanwhile: those must not get in between
    chunk.sealed = true
    return { chunk, mark: chunk.mark() }
  }

  /** Queues the records of a call; their results are filled in when the promise resolves. */
  endBatch({ chunk, mark }: BatchCall): Promise<void> {
    chunk.join(mark)
    chunk.sealed = false
    return new Promise((resolve, reject) => this.endCall(chunk, undefined, resolve, reject))
  }

  /** Takes the records of a call back. */
  cancelBatch({ chunk, mark }: BatchCall): void {
    chunk.rollback(mark)
    chunk.sealed = chunk.expectedOffset !== null
    this.schedule()
  }

  /**
   * Queues a batch as a client has made it, behind everything that is queued; resolves as the flush mode promises. The
   * bytes are used until then: offset and epoch are filled in, and under LogAppendTime the time.
   *
   * @param header that of the batch, which was checked and fills the bytes
   */
  appendReceived(bytes: Buffer, header: BatchHeader): Promise<AppendedBatch> {
    return new Promise((resolve, reject) => {
      this.throwIfClosed()
      this.log.throwIfFailed()
      const chunk = new ReceivedChunk(bytes, header, this.encoderOptions, resolve, reject)
      this.queue.push(chunk)
      this.queued(chunk)
    })
  }

  /** Runs `action` after everything that is queued now, while nothing else changes the log. */
  runTask<T>(action: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.throwIfClosed()
      this.queue.push({ run: () => action().then(resolve, reject) })
      this.schedule()
    })
  }

  /** Makes everything durable that was appended before this call. */
  flush(): Promise<void> {
    return this.runTask(() => this.syncAll())
  }

  /** Syncs until nothing is unsynced; part of a task. */
  async syncAll(): Promise<void> {
    this.log.throwIfFailed()
    // a sync that was due may have started in the meantime: then nothing is left to sync, and it is not durable yet
    while (this.syncing !== null || this.log.hasUnsynced) await (this.syncing ?? this.startSync())
  }

  /** Refuses new work with `error`, and resolves when all that was queued before is done. */
  async close(error: VarveError): Promise<void> {
    const done = this.runTask(async () => {})
    this.closed = error
    await done
    this.cancelTimer?.()
    await this.syncing?.catch(() => {})
    await this.reservation.idle()
  }

  /** Whether new work is refused. */
  get isClosed(): boolean {
    return this.closed !== null
  }

  private throwIfClosed(): void {
    if (this.closed !== null) throw this.closed
  }

  private openChunk(expectedOffset: number | null): AppendChunk {
    this.throwIfClosed()
    this.log.throwIfFailed()
    const last = this.queue[this.queue.length - 1]
    if (expectedOffset === null && last instanceof AppendChunk && !last.sealed) return last
    const encoder = new BatchEncoder(this.encoderOptions, this.context.buffers, this.lastBytes)
    const chunk = new AppendChunk(encoder, expectedOffset)
    this.queue.push(chunk)
    return chunk
  }

  private endCall(
    chunk: AppendChunk,
    value: unknown,
    resolve: (value: never) => void,
    reject: (error: unknown) => void,
  ): void {
    chunk.addCall(value, resolve, reject)
    this.lastBytes = chunk.sizeBytes
    // a guarded call stands alone, and so does every call when each is to have its own sync
    if (chunk.expectedOffset !== null || this.mode === 'each') chunk.sealed = true
    this.queued(chunk)
  }

  private queued(chunk: Chunk): void {
    this.context.pending.add(chunk.sizeBytes - chunk.chargedBytes)
    chunk.chargedBytes = chunk.sizeBytes
    this.schedule()
  }

  private schedule(): void {
    if (this.running) return
    this.running = true
    queueMicrotask(() => void this.run())
  }

  private async run(): Promise<void> {
    const { clock } = this.context
    while (this.queue.length > 0) {
      // callers that were just acknowledged append again in the meantime; and a loop of promises alone would starve timers
      if (acknowledgesDurably(this.mode) || clock.monotonicMs() - this.turnStartMs > MAX_TURN_MS) {
        await new Promise<void>((resolve) => clock.defer(resolve))
        this.turnStartMs = clock.monotonicMs()
      }
      const first = this.queue[0]
      if (!isTask(first)) await this.commitOrFail(this.takeRound())
      else {
        this.queue.shift()
        await first.run()
      }
    }
    this.running = false
  }

  /** What gets here in spite of all is a fault in this program: the partition stops, the process goes on. */
  private async commitOrFail(round: Chunk[]): Promise<void> {
    try {
      await this.commit(round)
    } catch (error) {
      const failure = this.log.fail(error)
      for (const chunk of round) chunk.reject(failure)
    }
  }

  /** The chunks at the head of the queue: all of them, or one where each call has its own sync. */
  private takeRound(): Chunk[] {
    let count = 0
    while (count < this.queue.length && !isTask(this.queue[count])) count++
    return this.queue.splice(0, this.mode === 'each' ? 1 : count) as Chunk[]
  }

  private async commit(round: Chunk[]): Promise<void> {
    if (acknowledgesDurably(this.mode)) return this.commitDurably(round)
    for (const chunk of round) {
      const { sizeBytes, recordCount: records } = chunk
      const { window } = this
      try {
        await this.stallFor(sizeBytes, records)
      } catch (error) {
        this.refuse(chunk, error)
        continue
      }
      if (!(await this.write(chunk))) continue
      // the write may have taken longer than the window allows, and the records may exceed it by themselves
      if (window?.mustStall(sizeBytes, records, this.context.clock.monotonicMs())) {
        await this.syncAll().then(
          () => this.acknowledge(chunk),
          (error: unknown) => chunk.reject(error),
        )
      } else {
        this.acknowledge(chunk)
        this.acknowledgedUnsynced(sizeBytes, records)
      }
    }
  }

  private async commitDurably(round: Chunk[]): Promise<void> {
    const written: Chunk[] = []
    for (const chunk of round) if (await this.write(chunk)) written.push(chunk)
    try {
      if (this.log.hasUnsynced) await this.startSync()
    } catch (error) {
      for (const chunk of written) chunk.reject(error)
      return
    }
    this.context.advanced(this.log.durableOffset)
    for (const chunk of written) chunk.acknowledge()
  }

  private acknowledge(chunk: Chunk): void {
    this.context.advanced(this.log.logEndOffset)
    chunk.acknowledge()
  }

  /** Writes one chunk; false when nothing of it is left to acknowledge, because its callers were told of a failure. */
  private async write(chunk: Chunk): Promise<boolean> {
    const { log } = this
    let baseOffset = log.logEndOffset
    let written = 0
    try {
      const admitted = chunk.admit(log)
      if (admitted !== undefined) await admitted
      const { bytes, batches } = chunk.finish()
      const { segmentBytes } = this.context.config()
      if ((chunk.expectedOffset ?? baseOffset) !== baseOffset)
        throw unexpectedOffset(this.context.topic, this.partition, chunk.expectedOffset!, baseOffset)
      if (!acknowledgesDurably(this.mode)) await this.reservation.cover(chunk.recordCount)
      baseOffset = log.logEndOffset
      for (let i = 0; i < batches.length;) {
        const { span } = chunk.unitAt(i, segmentBytes)
        if (log.mustPrepare(span, NOTHING_BEFORE)) await log.prepare(span)
        const run = fittingRun(chunk, i, segmentBytes, log)
        log.append({ bytes, batches: run })
        written = log.logEndOffset - baseOffset
        i += run.length
      }
      chunk.assignOffsets(baseOffset)
      this.release(chunk)
      return true
    } catch (error) {
      const cause = log.failure ?? (await log.undoAppend(error))
      chunk.assignOffsets(baseOffset)
      this.release(chunk)
      return chunk.reject(cause, written)
    }
  }

  private refuse(chunk: Chunk, error: unknown): void {
    this.release(chunk)
    chunk.reject(error)
  }

  private release(chunk: Chunk): void {
    const { chargedBytes } = chunk
    chunk.release()
    chunk.chargedBytes = 0
    // last, because appends that wait for room go on from here
    this.context.pending.remove(chargedBytes)
  }

  /** Holds the next acknowledgement back while it would exceed the loss window. */
  private async stallFor(sizeBytes: number, records: number): Promise<void> {
    const { window } = this
    if (window === null || !window.mustStall(sizeBytes, records, this.context.clock.monotonicMs())) return
    await this.syncAll()
  }

  private acknowledgedUnsynced(sizeBytes: number, records: number): void {
    if (this.window === null) return
    this.window.acknowledged(sizeBytes, records, this.context.clock.monotonicMs())
    this.syncWhenDue()
  }

  private syncWhenDue(): void {
    if (this.window === null || this.syncing !== null || this.log.failure !== null || this.closed !== null) return
    const dueMs = this.window.syncDueInMs(this.context.clock.monotonicMs())
    if (dueMs <= 0) {
      // the failure is sticky in the log: whoever comes next is told
      this.startSync().catch(() => {})
    } else if (dueMs < Infinity && this.cancelTimer === null) {
      this.cancelTimer = this.context.clock.setTimer(dueMs, () => {
        this.cancelTimer = null
        this.syncWhenDue()
      })
    }
  }

  /** One fdatasync of everything written so far. Called only while none is under way. */
  private async startSync(): Promise<void> {
    this.cancelTimer?.()
    this.cancelTimer = null
    this.syncing = this.sync().finally(() => {
      this.syncing = null
    })
    await this.syncing
    this.syncWhenDue()
  }

  private async sync(): Promise<void> {
    const before = this.log.durableOffset
    this.window?.syncStarted()
    await this.log.sync()
    this.window?.syncEnded()
    if (this.log.durableOffset > before) this.context.synced(this.log.takeSyncedBytes())
  }
}

function isTask(entry: Chunk | Task): entry is Task {
  return 'run' in entry
}
