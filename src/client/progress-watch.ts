import type { Clock } from '../environment.ts'
import type { AssignedPartition } from './assigned-partition.ts'

/** A record that has been worked on for a while. */
export interface StuckRecord {
  assigned: AssignedPartition
  /** Monotonic ms since when, to the nearest look. */
  sinceMs: number
}

/**
 * Tells how long a consumer has been at one record. Looks now and then, so that the records themselves cost nothing: it has
 * been at one at least since the look that found the same one.
 */
export class ProgressWatch {
  private readonly seen = new Map<AssignedPartition, { processedOffset: number; sinceMs: number }>()
  private cancelTimer: () => void = () => {}

  /**
   * @param claimed the partitions at whose records anybody is
   * @param onLook  called after each look
   */
  constructor(
    private readonly clock: Clock,
    private readonly intervalMs: number,
    private readonly claimed: () => Iterable<AssignedPartition>,
    private readonly onLook: () => void,
  ) {}

  start(): void {
    this.cancelTimer = this.clock.setTimer(this.intervalMs, () => {
      this.look()
      this.onLook()
      this.start()
    })
  }

  stop(): void {
    this.cancelTimer()
  }

  /** The record that has been worked on for longest, or null when none has for as long as from one look to the next. */
  oldest(): StuckRecord | null {
    let oldest: StuckRecord | null = null
    for (const assigned of this.claimed()) {
      const seen = this.seen.get(assigned)
      if (seen === undefined || seen.processedOffset !== assigned.processedOffset) continue
      if (oldest === null || seen.sinceMs < oldest.sinceMs) oldest = { assigned, sinceMs: seen.sinceMs }
    }
    return oldest
  }

  private look(): void {
    const claimed = new Set(this.claimed())
    const sinceMs = this.clock.monotonicMs()
    for (const assigned of this.seen.keys()) if (!claimed.has(assigned)) this.seen.delete(assigned)
    for (const assigned of claimed) {
      const { processedOffset } = assigned
      if (this.seen.get(assigned)?.processedOffset !== processedOffset)
        this.seen.set(assigned, { processedOffset, sinceMs })
    }
  }
}
