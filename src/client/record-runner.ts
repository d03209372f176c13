import { setMaxListeners } from 'node:events'
import type { ConsumerRecord } from '../codec/record.ts'
import { VarveError } from '../errors.ts'
import type { ConsumerCore } from './consumer-core.ts'
import type { Claim } from './fetcher.ts'
import { Turns } from './turns.ts'

/** Told to a handler beside the record. */
export interface HandlerContext {
  /** Aborts when the record's partition was taken away, or the time to close is over: whatever is done now is in vain. */
  readonly signal: AbortSignal
}

/** Processes one record; the next one of its partition comes when what it returns has resolved. */
export type RecordHandler = (record: ConsumerRecord, context: HandlerContext) => unknown

/** Hands records to a handler, several partitions at a time and each in order, and has those committed that it is done with. */
export class RecordRunner {
  private readonly stop = new AbortController()
  private readonly turns: Turns

  constructor(
    private readonly core: ConsumerCore,
    private readonly handler: RecordHandler,
    private readonly concurrency: number,
  ) {
    this.turns = new Turns(core.engine.clock)
    // each that waits listens: not a leak, however many there are
    setMaxListeners(0, this.stop.signal)
  }

  /**
   * Resolves when `signal` aborts, after the records that are being handled.
   *
   * @throws VarveError HANDLER_FAILED; what reading throws
   */
  async run(signal: AbortSignal): Promise<void> {
    const end = () => this.end()
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
    try {
      const workers = Array.from({ length: this.concurrency }, () => this.work())
      const results = await Promise.allSettled(workers)
      for (const result of results) if (result.status === 'rejected') throw result.reason
    } finally {
      signal.removeEventListener('abort', end)
    }
  }

  private end(): void {
    this.stop.abort()
    this.core.fetcher.interrupt()
  }

  private async work(): Promise<void> {
    const { core, stop } = this
    try {
      for (;;) {
        const claim = await core.fetcher.next(stop.signal)
        if (claim === null) return
        await this.handle(claim)
      }
    } catch (error) {
      // the others stop after the records that they are at
      this.end()
      throw error
    }
  }

  private async handle({ assigned, batch }: Claim): Promise<void> {
    const { core, handler, turns } = this
    const { committer } = core
    const { context } = assigned
    // what was left unprocessed before, for the next taker
    let rest: ConsumerRecord | null = null
    core.lastPollMs = core.engine.clock.monotonicMs()
    try {
      if (this.stop.signal.aborted) assigned.isInterrupted = true
      for (const record of batch) {
        rest = record
        if (turns.isOver) await turns.next()
        if (assigned.isInterrupted) return
        const result = handler(record, context)
        if (isThenable(result)) await result
        rest = null
        if (assigned.isMoved || assigned.isLost) continue
        assigned.advanceTo(record.offset + 1)
        committer.request()
      }
      // offsets at the end of a batch may have no record any more
      if (!assigned.isMoved && !assigned.isLost) assigned.advanceTo(batch.lastOffset + 1)
    } catch (error) {
      // it was told to stop, and whatever came of it is in vain
      if (context.signal.aborted) return
      if (rest !== null) {
        if (!assigned.isMoved) assigned.leftOffset = rest.offset + 1
        throw handlerFailed(rest, error, assigned.processedOffset > rest.offset)
      }
      // a batch that cannot be decoded is not passed over in silence
      if (!assigned.isMoved) assigned.readFrom(assigned.processedOffset)
      throw error
    } finally {
      core.fetcher.release(assigned, rest)
    }
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

function handlerFailed(record: ConsumerRecord, cause: unknown, isCommitted: boolean): VarveError {
  const { topic, partition, offset } = record
  const reason = cause instanceof Error ? cause.message : String(cause)
  const message =
    `the handler failed at offset ${offset} of ${topic}-${partition}: ${reason}; what came before is committed, ` +
    (isCommitted ? 'and so is this record' : 'and this record comes again when you run again')
  return new VarveError('HANDLER_FAILED', message, { details: { topic, partition, offset }, cause })
}
