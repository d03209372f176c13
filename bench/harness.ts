import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { median } from './statistics.ts'

/** How much a run does: `smoke` only looks for blunders. */
export interface Scale {
  /** Seconds that a timed run takes, roughly. */
  seconds: number
  /** Interleaved runs of each variant; medians are reported. */
  runs: number
  smoke: boolean
}

/** What a run is measured by. */
export type Metric = 'recordsPerSecond' | 'ms' | 'loopDelayP99Ms' | 'scannedBytes' | 'peakRssBytes' | 'rssGrowth'

/** What one run of a variant found. */
export type Sample = { [metric in Metric]?: number }

/** One way to do a workload's work: ours, or a floor that does the bare minimum. */
export interface Variant {
  name: string
  /** @param directory an empty one, or what `prepare` left */
  run(directory: string, scale: Scale): Promise<Sample>
}

/** The goal: of a metric of the first variant, alone or as a multiple of what a floor has. */
export interface Goal {
  metric: Metric
  /** The floor's name; without one the metric itself is bounded. */
  floor?: string
  atLeast?: number
  atMost?: number
  /** The disk decides this ratio more than the code does: never a blunder. */
  decidedByDisk?: boolean
}

/** Something that is measured, with what it is compared with. */
export interface Workload {
  /** For instance `fill-group`. */
  name: string
  recordBytes: number
  /** The first is ours; the others are floors. */
  variants: Variant[]
  goals: Goal[]
  /** Fills a directory that all runs then share. Without it each run gets an empty one. */
  prepare?(directory: string, scale: Scale): Promise<void>
  /** Where one run takes long: at most so many. */
  maxRuns?: number
}

/** The middle, the least and the greatest of several runs. */
export interface Spread {
  median: number
  min: number
  max: number
}

/** What all runs of one variant found. */
export interface Measured {
  variant: string
  metrics: { [metric in Metric]?: Spread }
}

const DATA_DIRECTORY = fileURLToPath(new URL('.data', import.meta.url))

/** A directory of its own on the disk that is measured, removed afterwards. */
export async function withDirectory<T>(action: (directory: string) => Promise<T>): Promise<T> {
  mkdirSync(DATA_DIRECTORY, { recursive: true })
  const directory = mkdtempSync(`${DATA_DIRECTORY}/run-`)
  try {
    return await action(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Runs all variants in turn, several times over, so that a drift of the machine falls on all of them alike. */
export async function measure(workload: Workload, scale: Scale, progress: (text: string) => void): Promise<Measured[]> {
  if (workload.prepare === undefined) return measureRuns(workload, scale, withDirectory, progress)
  return withDirectory(async (directory) => {
    progress('preparing')
    await workload.prepare!(directory, scale)
    return measureRuns(workload, scale, (action) => action(directory), progress)
  })
}

async function measureRuns(
  { variants, maxRuns = Infinity }: Workload,
  scale: Scale,
  inDirectory: typeof withDirectory,
  progress: (text: string) => void,
): Promise<Measured[]> {
  const runs = Math.min(scale.runs, maxRuns)
  const samples = variants.map((): Sample[] => [])
  for (let run = 0; run < runs; run++) {
    for (const [i, variant] of variants.entries()) {
      progress(`${variant.name}, run ${run + 1} of ${runs}`)
      samples[i].push(await inDirectory((directory) => variant.run(directory, scale)))
    }
  }
  return variants.map(({ name }, i) => ({ variant: name, metrics: spreads(samples[i]) }))
}

function spreads(samples: Sample[]): Measured['metrics'] {
  const metrics: Measured['metrics'] = {}
  for (const metric of Object.keys(samples[0]) as Metric[]) {
    const values = samples.map((sample) => sample[metric]!)
    metrics[metric] = { median: median(values), min: Math.min(...values), max: Math.max(...values) }
  }
  return metrics
}

/** Calls `step`, which does `recordsPerStep` records, until the time is over. */
export async function repeatFor(
  { seconds }: Scale,
  recordsPerStep: number,
  step: (i: number) => Promise<unknown> | void,
): Promise<Sample> {
  for (let i = 0; i < 3; i++) await step(i)
  const start = performance.now()
  const end = start + seconds * 1000
  let steps = 0
  while (performance.now() < end) {
    const pending = step(steps++)
    if (pending !== undefined) await pending
  }
  return rate(steps * recordsPerStep, start)
}

/** Keeps `inFlight` calls going until the time is over. */
export async function inFlightFor(
  { seconds }: Scale,
  inFlight: number,
  call: (i: number) => Promise<unknown>,
): Promise<Sample> {
  const start = performance.now()
  const end = start + seconds * 1000
  let calls = 0
  const worker = async () => {
    while (performance.now() < end) await call(calls++)
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return rate(calls, start)
}

/** So many records since `startMs`. */
export function rate(records: number, startMs: number): Sample {
  return { recordsPerSecond: records / ((performance.now() - startMs) / 1000) }
}
