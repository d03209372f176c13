import { createHistogram } from 'node:perf_hooks'
import { IN_FLIGHT, type Found } from './job.ts'
import type { MaybePromise } from './peer.ts'

const WARM_UP_MS = 200
/** Of 256 in flight so many are timed, as the clock itself costs time. */
const TIMED_IN_FLIGHT = 16

/** Calls `step`, which does `recordsPerStep` records, one after the other until the time is over; times each nth. */
export async function repeat(
  seconds: number,
  recordsPerStep: number,
  timedEach: number,
  step: () => MaybePromise<unknown>,
): Promise<Found> {
  const histogram = createHistogram()
  const warm = performance.now() + WARM_UP_MS
  while (performance.now() < warm) {
    const pending = step()
    if (pending instanceof Promise) await pending
  }
  const startMs = performance.now()
  const endMs = startMs + seconds * 1000
  let steps = 0
  for (let now = startMs; now < endMs; steps += timedEach) {
    for (let i = 1; i < timedEach; i++) {
      const untimed = step()
      if (untimed instanceof Promise) await untimed
    }
    const before = performance.now()
    const timed = step()
    if (timed instanceof Promise) await timed
    now = performance.now()
    recordMs(histogram, now - before)
  }
  const recordsPerSecond = (steps * recordsPerStep) / ((performance.now() - startMs) / 1000)
  return { recordsPerSecond, latencyUs: latencyUs(histogram) }
}

/** Keeps 256 calls of `append` in flight until the time is over. */
export async function keepInFlight(seconds: number, append: () => MaybePromise<unknown>): Promise<Found> {
  const histogram = createHistogram()
  const startMs = performance.now() + WARM_UP_MS
  const endMs = startMs + seconds * 1000
  let phase: 'warm-up' | 'timed' | 'over' = 'warm-up'
  let appends = 0
  let firstMs = 0
  const worker = async () => {
    for (; phase !== 'over'; appends++) await append()
  }
  const timedWorker = async () => {
    for (; phase !== 'over'; appends++) {
      const before = performance.now()
      await append()
      const now = performance.now()
      if (phase === 'timed') recordMs(histogram, now - before)
      if (phase === 'warm-up' && now >= startMs) {
        phase = 'timed'
        firstMs = now
        appends = 0
      } else if (now >= endMs) phase = 'over'
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, (_, i) => (i < TIMED_IN_FLIGHT ? timedWorker() : worker())))
  const recordsPerSecond = appends / ((performance.now() - firstMs) / 1000)
  return { recordsPerSecond, latencyUs: latencyUs(histogram) }
}

type Histogram = ReturnType<typeof createHistogram>

function recordMs(histogram: Histogram, ms: number): void {
  histogram.record(Math.max(Math.round(ms * 1e6), 1))
}

function latencyUs(histogram: Histogram): Found['latencyUs'] {
  const us = (ns: number) => Math.round(ns / 100) / 10
  return { p50: us(histogram.percentile(50)), p99: us(histogram.percentile(99)), max: us(histogram.max) }
}
