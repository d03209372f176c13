import { systemClock, type Clock } from '../../environment.ts'

/**
 * The machine's clock, which remembers when the engine last looked at it.
 *
 * Under a window that is when it acknowledged: the program itself may come to see it later, when it waits for a
 * processor, and that is no loss.
 */
export class WatchedClock {
  lastLookMs = 0
  readonly clock: Clock = {
    ...systemClock,
    monotonicMs: () => (this.lastLookMs = systemClock.monotonicMs()),
  }
}
