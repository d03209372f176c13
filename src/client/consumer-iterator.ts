import type { ConsumerRecord } from '../codec/record.ts'
import type { RecordBatch } from '../codec/stored-batch.ts'
import type { ConsumerCore } from './consumer-core.ts'
import type { Claim } from './fetcher.ts'
import { Turns } from './turns.ts'

const DONE: IteratorResult<never> = { value: undefined, done: true }

/**
 * Consumes batch by batch: asking for the next item says that the one before is processed. Ends when the consumer does,
 * and when the loop is left; then what the loop was at is not processed, and comes again.
 */
abstract class ClaimIterator<T> implements AsyncIterableIterator<T> {
  protected claim: Claim | null = null
  private isEnded = false
  /** Aborts when the consumer ends, and when the loop is left: nobody waits any more. */
  private readonly stop = new AbortController()
  private readonly onConsumerEnd = () => this.stop.abort()
  private readonly turns: Turns
  private last: Promise<unknown> = Promise.resolve()
  /** Calls of `next` that wait: whatever comes after them has to wait too. */
  private waiting = 0

  /** @param onEnd called once, when nothing more is taken */
  constructor(
    protected readonly core: ConsumerCore,
    private readonly onEnd: () => void,
  ) {
    this.turns = new Turns(core.engine.clock)
    core.ended.signal.addEventListener('abort', this.onConsumerEnd)
  }

  /** Begins a batch that was taken. */
  protected abstract begin(claim: Claim): void
  /** The offset behind what was given out of what was taken, or null when nothing was. */
  protected abstract givenOffset(claim: Claim): number | null
  /** The next item of what was taken, or null when it is used up. */
  protected abstract following(): T | null
  /** The first record of what was taken that was not given out. */
  protected abstract rest(): ConsumerRecord | null

  next(): Promise<IteratorResult<T>> {
    const { claim } = this
    if (claim !== null && !claim.assigned.isMoved && !claim.assigned.isLost) {
      // at once: it may be that nothing comes of asking, and what was given out is processed all the same
      this.settle(claim)
      const mustWait = this.waiting > 0 || claim.assigned.isInterrupted || this.turns.isOver
      const value = mustWait ? null : this.following()
      if (value !== null) return Promise.resolve({ value, done: false })
    }
    // calls that come while one waits are served in order
    this.waiting++
    const step = this.last.then(() => this.advance())
    this.last = step.catch(() => {})
    return step
  }

  async return(): Promise<IteratorResult<T>> {
    const { claim } = this
    if (claim !== null) {
      this.claim = null
      const { assigned } = claim
      if (!assigned.isMoved) {
        assigned.readFrom(assigned.processedOffset)
        assigned.leftOffset = this.givenOffset(claim) ?? -1
      }
      this.core.fetcher.release(assigned)
    }
    this.end()
    return DONE
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  private async advance(): Promise<IteratorResult<T>> {
    const { core, turns } = this
    const { clock } = core.engine
    const { signal } = this.stop
    try {
      for (;;) {
        if (turns.isOver) await turns.next()
        if (this.isEnded) return DONE
        const value = this.claim === null || this.claim.assigned.isInterrupted ? null : this.following()
        if (value !== null) return { value, done: false }
        this.giveBack()
        core.lastPollMs = clock.monotonicMs()
        const claim = await core.fetcher.next(signal)
        if (claim === null || signal.aborted) {
          if (claim !== null) this.putBack(claim)
          if (this.isEnded) return DONE
          core.throwIfFailed()
          this.end()
          return DONE
        }
        this.claim = claim
        this.begin(claim)
      }
    } catch (error) {
      this.end()
      throw error
    } finally {
      this.waiting--
    }
  }

  /** What was given out last is processed. */
  private settle(claim: Claim): void {
    const offset = this.givenOffset(claim)
    if (offset !== null) claim.assigned.advanceTo(offset)
    this.core.committer.request()
  }

  /** Gives back what was taken, and what is left of it. */
  private giveBack(): void {
    const { claim } = this
    if (claim === null) return
    const { assigned } = claim
    if (!assigned.isMoved && !assigned.isLost) this.settle(claim)
    const rest = this.rest()
    this.claim = null
    this.core.fetcher.release(assigned, rest)
  }

  /** Gives back what came when nothing was wanted any more: it is read again. */
  private putBack({ assigned }: Claim): void {
    assigned.readFrom(assigned.processedOffset)
    this.core.fetcher.release(assigned)
  }

  private end(): void {
    if (this.isEnded) return
    this.isEnded = true
    this.core.ended.signal.removeEventListener('abort', this.onConsumerEnd)
    this.stop.abort()
    this.onEnd()
  }
}

/** The records that a consumer is given, one at a time. */
export class ConsumedRecords extends ClaimIterator<ConsumerRecord> {
  private records: ConsumerRecord[] = []
  private index = 0

  protected begin({ assigned, batch }: Claim): void {
    this.index = 0
    this.records = []
    try {
      this.records = batch.records()
    } catch (error) {
      // a batch that cannot be decoded is not passed over in silence
      this.claim = null
      assigned.readFrom(assigned.processedOffset)
      this.core.fetcher.release(assigned)
      throw error
    }
  }

  protected givenOffset({ batch }: Claim): number | null {
    const { records, index } = this
    // offsets at the end of a batch may have no record any more
    if (index === records.length) return batch.lastOffset + 1
    return index > 0 ? records[index - 1].offset + 1 : null
  }

  protected following(): ConsumerRecord | null {
    return this.index < this.records.length ? this.records[this.index++] : null
  }

  protected rest(): ConsumerRecord | null {
    return this.index < this.records.length ? this.records[this.index] : null
  }
}

/** The batches that a consumer is given. */
export class ConsumedBatches extends ClaimIterator<RecordBatch> {
  private batch: RecordBatch | null = null

  protected begin({ batch }: Claim): void {
    this.batch = batch
  }

  protected givenOffset({ batch }: Claim): number | null {
    return this.batch === null ? batch.lastOffset + 1 : null
  }

  protected following(): RecordBatch | null {
    const { batch } = this
    this.batch = null
    return batch
  }

  protected rest(): ConsumerRecord | null {
    return this.batch?.records(1)[0] ?? null
  }
}
