import type { ConsumerRecord } from '../codec/record.ts'
import type { RecordBatch } from '../codec/stored-batch.ts'
import type { Clock } from '../environment.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import { isOutOfRange } from './read-options.ts'

/** A batch of one partition, for whoever took it alone until he gives the partition back. */
export interface Claim {
  assigned: AssignedPartition
  batch: RecordBatch
}

/**
 * Hands out the batches of the partitions that a consumer owns: each partition to one taker at a time, so that its records
 * stay in order, and the partitions in turn.
 */
export class Fetcher {
  /** By `<topic>/<partition>`. */
  private readonly owned = new Map<string, AssignedPartition>()
  /** Those that may have records and that nobody is at, the one that has waited longest first. */
  private readonly ready = new Set<AssignedPartition>()
  private readonly waiting = new Set<() => void>()

  /**
   * @param reset      moves a partition to where reading goes on when what is to be read is gone, or throws
   * @param onReleased called when nobody is at a partition's records any more
   */
  constructor(
    private readonly clock: Clock,
    private readonly reset: (assigned: AssignedPartition, error: Error) => void,
    private readonly onReleased: (assigned: AssignedPartition) => void,
  ) {}

  get partitions(): AssignedPartition[] {
    return [...this.owned.values()]
  }

  find(topic: string, partition: number): AssignedPartition | undefined {
    return this.owned.get(`${topic}/${partition}`)
  }

  /** Takes a partition in; it takes part from `admit` on. */
  add(assigned: AssignedPartition): void {
    this.owned.set(`${assigned.topic}/${assigned.number}`, assigned)
  }

  admit(assigned: AssignedPartition): void {
    assigned.isAdmitted = true
    this.makeReady(assigned)
  }

  /** Hands out no more of a partition; whoever is at its records stops after the one that he is at. */
  revoke(assigned: AssignedPartition): void {
    assigned.isRevoked = assigned.isInterrupted = true
    this.ready.delete(assigned)
    this.cancelWait(assigned)
  }

  /** Lets a partition go that was revoked. */
  remove(assigned: AssignedPartition): void {
    this.revoke(assigned)
    this.owned.delete(`${assigned.topic}/${assigned.number}`)
    this.wakeAll()
  }

  /** Lets a partition take part that was taken in, resumed or moved, or that has new records. */
  makeReady(assigned: AssignedPartition): void {
    this.cancelWait(assigned)
    if (!assigned.isAdmitted || assigned.isClaimed || assigned.isPaused || assigned.isRevoked) return
    this.ready.add(assigned)
    this.wakeAll()
  }

  /** Has everybody stop after the record that he is at. */
  interrupt(): void {
    for (const assigned of this.owned.values()) assigned.isInterrupted = assigned.isClaimed
  }

  pause(assigned: AssignedPartition): void {
    assigned.isPaused = true
    assigned.isInterrupted = assigned.isClaimed
    this.ready.delete(assigned)
  }

  /** A batch that has been read already, or null. */
  private take(): Claim | null {
    for (const assigned of this.ready) {
      const batch = assigned.cursor.take()
      if (batch === null) continue
      this.claim(assigned)
      assigned.leaderEpoch = batch.leaderEpoch
      return { assigned, batch }
    }
    return null
  }

  /**
   * The next batch of any partition; waits for one.
   *
   * @returns null when `signal` aborts
   * @throws what reading throws
   */
  async next(signal: AbortSignal): Promise<Claim | null> {
    while (!signal.aborted) {
      const claim = this.take() ?? (await this.readNext())
      if (claim !== null) return claim
      if (this.ready.size === 0) await this.wait(signal)
    }
    return null
  }

  /** Gives a partition back; `rest`: what was taken of it and is not processed, to be handed out again. */
  release(assigned: AssignedPartition, rest: ConsumerRecord | null = null): void {
    // what was committed by hand does not come again
    if (rest !== null && !assigned.isMoved) assigned.readFrom(Math.max(rest.offset, assigned.processedOffset))
    assigned.isClaimed = false
    assigned.isMoved = false
    assigned.isInterrupted = assigned.isRevoked
    this.makeReady(assigned)
    this.onReleased(assigned)
    this.wakeAll()
  }

  /** Resolves when nobody is at any of these partitions, but for those that were lost. */
  async released(partitions: readonly AssignedPartition[]): Promise<void> {
    while (partitions.some(({ isClaimed, isLost }) => isClaimed && !isLost)) {
      await new Promise<void>((resolve) => this.waiting.add(resolve))
    }
  }

  private claim(assigned: AssignedPartition): void {
    this.ready.delete(assigned)
    assigned.isClaimed = true
    assigned.isInterrupted = false
    assigned.isMoved = false
  }

  private async readNext(): Promise<Claim | null> {
    const [assigned] = this.ready
    if (assigned === undefined) return null
    this.claim(assigned)
    const { cursor } = assigned
    const from = cursor.offset
    let batch: RecordBatch | null
    try {
      batch = await assigned.nextBatch()
    } catch (error) {
      const isCurrent = !assigned.isRevoked && assigned.cursor === cursor
      // the same again at the next try, until somebody seeks past it
      if (isCurrent) assigned.readFrom(from)
      this.release(assigned)
      if (!isCurrent) return null
      if (!isOutOfRange(error)) throw error
      this.reset(assigned, error as Error)
      return null
    }
    if (batch !== null && !assigned.isInterrupted) {
      assigned.leaderEpoch = batch.leaderEpoch
      return { assigned, batch }
    }
    // nobody gets it now: it is read again
    if (batch !== null && assigned.cursor === cursor) assigned.readFrom(from)
    const isAtEnd = batch === null && !assigned.isInterrupted
    this.release(assigned)
    if (isAtEnd) this.waitFor(assigned)
    return null
  }

  /** Makes a partition ready again when it has more than has been read. */
  private waitFor(assigned: AssignedPartition): void {
    this.ready.delete(assigned)
    let isWaiting = true
    const cancel = assigned.partition.onRecords(assigned.cursor.offset, () => {
      isWaiting = false
      assigned.cancelWait = null
      this.makeReady(assigned)
    })
    if (isWaiting) assigned.cancelWait = cancel
  }

  private cancelWait(assigned: AssignedPartition): void {
    assigned.cancelWait?.()
    assigned.cancelWait = null
  }

  private async wait(signal: AbortSignal): Promise<void> {
    // it may have aborted during a read, and says so only once
    if (signal.aborted) return
    const release = this.clock.hold()
    let wake = () => {}
    await new Promise<void>((resolve) => {
      wake = resolve
      this.waiting.add(wake)
      signal.addEventListener('abort', wake)
    })
    this.waiting.delete(wake)
    signal.removeEventListener('abort', wake)
    release()
  }

  private wakeAll(): void {
    if (this.waiting.size === 0) return
    const wakes = [...this.waiting]
    this.waiting.clear()
    for (const wake of wakes) wake()
  }
}
