import { randomBytes } from 'node:crypto'

/**
 * The clock and the timers that the engine uses, so that tests can drive time and a simulation can replay it.
 * Timers do not keep the process alive.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch: record timestamps and retention. */
  now(): number
  /** Milliseconds from an arbitrary start, never going back: intervals and loss windows. */
  monotonicMs(): number
  /** Calls `callback` once after `ms`; returns a function that cancels it. */
  setTimer(ms: number, callback: () => void): () => void
  /** Calls `callback` once the event loop has served what is ready now. */
  defer(callback: () => void): void
  /** Keeps the process alive until the returned function is called: somebody waits for what may come. */
  hold(): () => void
}

/** The randomness that the engine uses: identifiers and the sticky partitioner's choice. */
export interface Random {
  /** A number in [0, 1). */
  next(): number
  /** `count` random bytes. */
  bytes(count: number): Uint8Array
}

const LONGEST_INTERVAL_MS = 2 ** 31 - 1

/** The machine's own clock and timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(ms, callback) {
    const timer = setTimeout(callback, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
  defer(callback) {
    setImmediate(callback)
  },
  hold() {
    const timer = setInterval(() => {}, LONGEST_INTERVAL_MS)
    return () => clearInterval(timer)
  },
}

/** The machine's own randomness. */
export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: (count) => randomBytes(count),
}
