import type { Clock } from '../environment.ts'

/** The rest of the program has its turn at least this often, also where nobody ever waits. */
const MAX_TURN_MS = 10

/** Says when it is time to let the rest of the program run: a loop of promises alone would starve timers and sockets. */
export class Turns {
  private startMs = 0

  constructor(private readonly clock: Clock) {}

  get isOver(): boolean {
    return this.clock.monotonicMs() - this.startMs > MAX_TURN_MS
  }

  async next(): Promise<void> {
    await new Promise<void>((resolve) => this.clock.defer(resolve))
    this.startMs = this.clock.monotonicMs()
  }
}
