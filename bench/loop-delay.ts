import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Sample } from './harness.ts'

const RESOLUTION_MS = 1

/** Adds to what `action` finds how late a timer of 1 ms fires meanwhile: the 99th percentile. */
export async function withLoopDelay(action: () => Promise<Sample>): Promise<Sample> {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  const sample = await action()
  delay.disable()
  return { ...sample, loopDelayP99Ms: Math.max(delay.percentile(99) / 1e6 - RESOLUTION_MS, 0) }
}
