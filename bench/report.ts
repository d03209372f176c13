import type { Goal, Measured, Metric, Spread, Workload } from './harness.ts'

/** A goal held against what was measured. */
export interface Judged extends Goal {
  /** The metric itself, or as a multiple of the floor's. */
  value: number
  met: boolean
  /** So far off that it cannot be noise: less than an eighth of the goal. Only ratios to a floor count. */
  blunder: boolean
}

/** All there is to say of one workload. */
export interface Result {
  workload: string
  recordBytes: number
  variants: Measured[]
  goals: Judged[]
}

const BLUNDER_FACTOR = 8

/** Holds the goals of a workload against what was measured. */
export function judge({ name, recordBytes, goals }: Workload, measured: Measured[]): Result {
  return { workload: name, recordBytes, variants: measured, goals: goals.map((goal) => judgeGoal(goal, measured)) }
}

function judgeGoal(goal: Goal, measured: Measured[]): Judged {
  const { floor, atLeast = -Infinity, atMost = Infinity } = goal
  const value = valueOf(goal, measured, ({ median }) => median)
  // on a machine that does other things too the best runs are the ones to believe
  const best = valueOf(goal, measured, ({ max }) => max)
  const isFarOff = (found: number) => found < atLeast / BLUNDER_FACTOR || found > atMost * BLUNDER_FACTOR
  return {
    ...goal,
    value,
    met: value >= atLeast && value <= atMost,
    blunder: floor !== undefined && !goal.decidedByDisk && isFarOff(value) && isFarOff(best),
  }
}

/** Ours, or how many times the floor's it is. */
function valueOf({ metric, floor }: Goal, [ours, ...floors]: Measured[], of: (spread: Spread) => number): number {
  const own = of(ours.metrics[metric]!)
  if (floor === undefined) return own
  return own / of(floors.find(({ variant }) => variant === floor)!.metrics[metric]!)
}

/** A result as lines of text: what was measured, and each goal. */
export function describeResult({ workload, recordBytes, variants, goals }: Result): string[] {
  const head = `${workload.padEnd(23)}${String(recordBytes).padStart(5)} B`
  const figures = variants.map(({ variant, metrics }) => {
    const parts = Object.entries(metrics).map(([metric, spread]) => describeMetric(metric as Metric, spread))
    return `${variant} ${parts.join(', ')}`
  })
  return [`${head}  ${figures.join(' | ')}`, ...goals.map((goal) => `${' '.repeat(32)}${describeGoal(goal)}`)]
}

function describeGoal({ metric, floor, atLeast, atMost, value, met, blunder }: Judged): string {
  const wanted =
    atLeast === undefined
      ? `at most ${describe(metric, floor, atMost!)}`
      : `at least ${describe(metric, floor, atLeast)}`
  const mark = met ? '✓' : blunder ? '✗ far off' : '✗'
  return `${mark} ${describe(metric, floor, value)}${floor === undefined ? '' : ` of ${floor}`}, wanted: ${wanted}`
}

function describe(metric: Metric, floor: string | undefined, value: number): string {
  return floor === undefined ? format(metric, value) : value.toFixed(2)
}

function describeMetric(metric: Metric, { median, min, max }: Spread): string {
  if (min === max) return format(metric, median)
  return `${format(metric, median)} (${format(metric, min)} to ${format(metric, max)})`
}

function format(metric: Metric, value: number): string {
  switch (metric) {
    case 'recordsPerSecond':
      return `${short(value)}/s`
    case 'ms':
      return `${value.toFixed(1)} ms`
    case 'loopDelayP99Ms':
      return `${value.toFixed(2)} ms loop delay p99`
    case 'scannedBytes':
      return `${(value / 1e6).toFixed(2)} MB scanned`
    case 'peakRssBytes':
      return `${(value / 1024 ** 2).toFixed(0)} MiB`
    case 'rssGrowth':
      return `growth ${value.toFixed(2)}`
  }
}

function short(rate: number): string {
  if (rate >= 1e6) return `${(rate / 1e6).toFixed(2)} M`
  return rate >= 1e4 ? `${Math.round(rate / 1e3)} k` : `${(rate / 1e3).toFixed(1)} k`
}
