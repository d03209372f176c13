import type { Clock } from '../environment.ts'

/** How long one request may keep the event loop at a time. */
const TURN_MS = 8

/**
 * Lets others have their turn while a request takes long: `if (pace.isOver) await pace.rest()` between two steps of it. What
 * is short never waits.
 */
export class Pace {
  private turnStartMs: number

  constructor(private readonly clock: Clock) {
    this.turnStartMs = clock.monotonicMs()
  }

  /** Whether the turn has been long enough. */
  get isOver(): boolean {
    return this.clock.monotonicMs() - this.turnStartMs > TURN_MS
  }

  /** Resolves in a later turn. */
  async rest(): Promise<void> {
    await new Promise<void>((resolve) => this.clock.defer(resolve))
    this.turnStartMs = this.clock.monotonicMs()
  }
}
