import type { FlushWindow } from './flush.ts'

/** What was acknowledged and is not known to be durable. */
interface Unsynced {
  bytes: number
  records: number
  /** Monotonic ms of the oldest acknowledgement; Infinity when there is none. */
  oldestMs: number
}

const nothing = (): Unsynced => ({ bytes: 0, records: 0, oldestMs: Infinity })

/**
 * Accounts for the records that a power cut would lose under a {@link FlushWindow}.
 *
 * Pure: says what is due, does nothing. Syncs start at half of a bound, so that on a disk that keeps up no
 * acknowledgement ever waits; on one that does not, `mustStall` holds the next acknowledgement back.
 */
export class LossWindow {
  private current = nothing()
  /** Covered by the sync that is under way. */
  private syncing = nothing()

  constructor(private readonly bounds: FlushWindow) {}

  /** Whether acknowledging so much more now would exceed a bound. */
  mustStall(bytes: number, records: number, nowMs: number): boolean {
    const { current, syncing, bounds } = this
    return (
      nowMs - Math.min(current.oldestMs, syncing.oldestMs) >= bounds.ms ||
      current.bytes + syncing.bytes + bytes > (bounds.bytes ?? Infinity) ||
      current.records + syncing.records + records > (bounds.records ?? Infinity)
    )
  }

  acknowledged(bytes: number, records: number, nowMs: number): void {
    this.current.bytes += bytes
    this.current.records += records
    if (nowMs < this.current.oldestMs) this.current.oldestMs = nowMs
  }

  /** Milliseconds until a sync has to start; 0 or less: now; Infinity: nothing is unsynced. */
  syncDueInMs(nowMs: number): number {
    const { current, bounds } = this
    if (current.bytes * 2 >= (bounds.bytes ?? Infinity) || current.records * 2 >= (bounds.records ?? Infinity)) return 0
    return current.oldestMs + bounds.ms / 2 - nowMs
  }

  syncStarted(): void {
    this.syncing = this.current
    this.current = nothing()
  }

  syncEnded(): void {
    this.syncing = nothing()
  }
}
