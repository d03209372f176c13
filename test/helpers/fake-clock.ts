import type { Clock } from '../../src/environment.ts'

interface Timer {
  dueMs: number
  callback: () => void
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  private wallMs: number
  private elapsedMs = 0
  private readonly timers = new Set<Timer>()
  private readonly holds = new Set<symbol>()

  /** What `defer` does; the event loop's own setImmediate unless a test replaces it. */
  deferWith: (callback: () => void) => void = (callback) => void setImmediate(callback)

  /** @param startMs the wall-clock time at the start, ms since the epoch */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.wallMs = startMs
  }

  now(): number {
    return this.wallMs
  }

  monotonicMs(): number {
    return this.elapsedMs
  }

  /** Timers that are set and have not fired. */
  get timerCount(): number {
    return this.timers.size
  }

  /** Holds on the process that were not given back. */
  get holdCount(): number {
    return this.holds.size
  }

  hold(): () => void {
    const one = Symbol('hold')
    this.holds.add(one)
    return () => void this.holds.delete(one)
  }

  setTimer(ms: number, callback: () => void): () => void {
    const timer = { dueMs: this.elapsedMs + Math.max(0, ms), callback }
    this.timers.add(timer)
    return () => void this.timers.delete(timer)
  }

  defer(callback: () => void): void {
    this.deferWith(callback)
  }

  /** Lets time pass: fires the timers that fall due on the way, each at its own time, in the order in which they are due. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`advance: ${ms} ms; use setWallClock to go back`)
    const endMs = this.elapsedMs + ms
    for (let timer = this.nextTimer(endMs); timer !== null; timer = this.nextTimer(endMs)) {
      this.timers.delete(timer)
      this.moveTo(timer.dueMs)
      timer.callback()
    }
    this.moveTo(endMs)
  }

  /** As `advance`, but lets everything that a timer has set going run before time goes on. */
  async advanceSlowly(ms: number): Promise<void> {
    const endMs = this.elapsedMs + ms
    for (let timer = this.nextTimer(endMs); timer !== null; timer = this.nextTimer(endMs)) {
      this.advance(Math.max(0, timer.dueMs - this.elapsedMs))
      await new Promise((resolve) => setImmediate(resolve))
    }
    // somebody else may have moved it further meanwhile
    this.advance(Math.max(0, endMs - this.elapsedMs))
  }

  /** Sets the wall clock, as an administrator or NTP does; timers and `monotonicMs` do not notice. */
  setWallClock(ms: number): void {
    this.wallMs = ms
  }

  private moveTo(elapsedMs: number): void {
    this.wallMs += elapsedMs - this.elapsedMs
    this.elapsedMs = elapsedMs
  }

  /** The timer that is due first, at `latestMs` at the latest; of those due together the one set first. */
  private nextTimer(latestMs: number): Timer | null {
    let next: Timer | null = null
    for (const timer of this.timers) {
      if (timer.dueMs <= latestMs && (next === null || timer.dueMs < next.dueMs)) next = timer
    }
    return next
  }
}
