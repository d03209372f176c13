import type { Clock } from '../environment.ts'

/** The rest of the program has its turn at least this often, also where nobody ever waits. */
const MAX_TURN_MS = 10
/** Steps that take no time need not ask for it each: after some that found it so, this many do not. */
const MAX_SKIPS = 15
const NO_TIME_MS = 0.1

/** Says when it is time to let the rest of the program run: a loop of promises alone would starve timers and sockets. */
export class Turns {
  private startMs = 0
  private askedMs = -Infinity
  private skips = 0
  private skipped = 0

  constructor(private readonly clock: Clock) {}

  get isOver(): boolean {
    if (this.skipped++ < this.skips) return false
    const nowMs = this.clock.monotonicMs()
    this.skips = nowMs - this.askedMs < NO_TIME_MS ? Math.min(this.skips * 2 + 1, MAX_SKIPS) : 0
    this.skipped = 0
    this.askedMs = nowMs
    return nowMs - this.startMs > MAX_TURN_MS
  }

  async next(): Promise<void> {
    await new Promise<void>((resolve) => this.clock.defer(resolve))
    this.startMs = this.clock.monotonicMs()
  }
}
