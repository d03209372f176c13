import { formatMicroseconds, formatShort } from '../src/cli/comparison/figures.ts'
import { formatBytes } from '../src/cli/units.ts'
import type { Metric } from './workload.ts'

const MIB = 1024 * 1024

/** A figure as people read it, with its unit where the metric's heading does not say it. */
export function formatMetric(metric: Metric, value: number): string {
  switch (metric) {
    case 'recordsPerSecond':
    case 'syncsPerSecond':
    case 'recordsPerSync':
    case 'lossRecords':
    case 'movedPartitions':
      return formatShort(value)
    case 'megabytesPerSecond':
      return value >= 99.5 ? value.toFixed(0) : value.toPrecision(3)
    case 'latencyP50Us':
    case 'latencyP99Us':
    case 'latencyMaxUs':
    case 'cpuUsPerRecord':
      return value < 10 ? `${value.toFixed(value < 1 ? 2 : 1)} µs` : formatMicroseconds(value)
    case 'ms':
    case 'lossMs':
    case 'loopDelayP99Ms':
    case 'loopDelayMaxMs':
      return formatMicroseconds(value * 1000)
    case 'lossBytes':
    case 'scannedBytes':
    case 'topicBytes':
    case 'offsetsBytes':
      return formatBytes(value)
    case 'peakRssBytes':
      return `${(value / MIB).toFixed(0)} MiB`
    case 'rssGrowth':
    case 'movedAgainstLeast':
      return formatRatio(value)
  }
}

/** `0.92`, `12.3`, `104` */
export function formatRatio(value: number): string {
  if (value >= 99.5) return value.toFixed(0)
  return value.toFixed(value >= 9.95 ? 1 : 2)
}

/** `100 B`, `1 KiB`, `16 KiB` */
export function formatSize(bytes: number): string {
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} B`
}
