import { formatShort } from '../../src/cli/comparison/figures.ts'
import type { BenchDocument } from '../document.ts'
import type { Result } from '../judge.ts'
import type { Measured, Metric, Spread } from '../workload.ts'

/** Vega's expression for the labels of a logarithmic axis of counts: `1 k`, `100 k`, `1 M`. */
export const COUNT_LABELS =
  "datum.value >= 1e6 ? datum.value / 1e6 + ' M' : datum.value >= 1e3 ? datum.value / 1e3 + ' k' : datum.value"

/** Which part of a logarithmic axis is shown. */
export interface LogRange {
  domain: [number, number]
  /** The powers of ten in it. */
  ticks: number[]
}

/** A logarithmic axis that holds some values and leaves room below and above: by such a factor. */
export function logRange(values: readonly number[], below: number, above: number): LogRange {
  const domain: [number, number] = [Math.min(...values) / below, Math.max(...values) * above]
  const first = Math.ceil(Math.log10(domain[0]))
  const count = Math.floor(Math.log10(domain[1])) - first + 1
  return { domain, ticks: Array.from({ length: Math.max(count, 0) }, (_, i) => 10 ** (first + i)) }
}

/** The results of one workload. */
export function resultsOf({ results }: BenchDocument, workload: string): Result[] {
  return results.filter((result) => result.workload === workload)
}

/** A metric that must have been measured. */
export function metricOf({ variant, metrics }: Measured, metric: Metric): Spread {
  const found = metrics[metric]
  if (found === undefined) throw new Error(`${variant} has no ${metric}`)
  return found
}

/** A rate for a label beside a point: two digits, `1.3 M`. */
export function shortRate(rate: number): string {
  return formatShort(Number(rate.toPrecision(2)))
    .replace(/(\.\d)0(?= )/, '$1')
    .replace('.0 ', ' ')
}

/** What stands under every title: where and how it was measured. */
export function provenance({ machine, fileSystem, node, scale, date }: BenchDocument): string {
  const cores = `${machine.cores} ${machine.cores === 1 ? 'core' : 'cores'}`
  return `${cores}, ${fileSystem}, Node ${node.slice(1)}, medians of ${scale.runs} runs, ${date.slice(0, 10)}`
}

/** The same for microseconds: `10 µs`, `1 ms`. */
export const TIME_LABELS =
  "datum.value >= 1e6 ? datum.value / 1e6 + ' s' : datum.value >= 1e3 ? datum.value / 1e3 + ' ms' : datum.value + ' µs'"
