import { createHistogram, monitorEventLoopDelay, type RecordableHistogram } from 'node:perf_hooks'
import { disk } from './disk.ts'
import type { Sample } from './workload.ts'

const RSS_INTERVAL_MS = 20
const LOOP_DELAY_RESOLUTION_MS = 1

/**
 * What is seen while records pass: time, processor time, memory, syncs and how long callers waited. Ours and the floors
 * pay for it alike.
 */
export class Observation {
  private readonly latency: RecordableHistogram = createHistogram({ lowest: 1, highest: 3_600e9, figures: 3 })
  private readonly syncsBefore = disk.syncs
  private readonly timer = setInterval(() => this.lookAtMemory(), RSS_INTERVAL_MS)
  private peakRssBytes = process.memoryUsage.rss()
  private readonly cpuBefore = process.cpuUsage()
  readonly startMs = performance.now()

  /** A call took so many milliseconds: an HDR histogram, three digits. */
  called(ms: number): void {
    this.latency.record(ms < 1e-6 ? 1 : Math.round(ms * 1e6))
  }

  /** Ends it: so many records have passed, of so many bytes each. */
  stop(records: number, recordBytes: number): Sample {
    const seconds = (performance.now() - this.startMs) / 1000
    const cpu = process.cpuUsage(this.cpuBefore)
    clearInterval(this.timer)
    this.lookAtMemory()
    const syncs = disk.syncs - this.syncsBefore
    const sample: Sample = {
      recordsPerSecond: records / seconds,
      megabytesPerSecond: (records * recordBytes) / seconds / 1e6,
      cpuUsPerRecord: (cpu.user + cpu.system) / records,
      peakRssBytes: this.peakRssBytes,
    }
    if (this.latency.count > 0) {
      sample.latencyP50Us = this.latency.percentile(50) / 1000
      sample.latencyP99Us = this.latency.percentile(99) / 1000
      sample.latencyMaxUs = this.latency.max / 1000
    }
    if (syncs > 0) {
      sample.syncsPerSecond = syncs / seconds
      sample.recordsPerSync = records / syncs
    }
    return sample
  }

  private lookAtMemory(): void {
    this.peakRssBytes = Math.max(this.peakRssBytes, process.memoryUsage.rss())
  }
}

/** Adds to what `action` finds how late a timer of 1 ms fires meanwhile: the 99th percentile, and the greatest delay. */
export async function withLoopDelay(action: () => Promise<Sample>): Promise<Sample> {
  const delay = monitorEventLoopDelay({ resolution: LOOP_DELAY_RESOLUTION_MS })
  delay.enable()
  const sample = await action()
  delay.disable()
  const late = (ns: number) => Math.max(ns / 1e6 - LOOP_DELAY_RESOLUTION_MS, 0)
  return { ...sample, loopDelayP99Ms: late(delay.percentile(99)), loopDelayMaxMs: late(delay.max) }
}
