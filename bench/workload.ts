/** How much a run does: `smoke` only looks for blunders. */
export interface Scale {
  /** Seconds that a timed run takes, roughly. */
  seconds: number
  /** Interleaved runs of each variant; medians are reported. */
  runs: number
  /** A run that has passed so many bytes ends early: what it leaves unsynced must not fall on the next one. */
  bytesMax: number
  smoke: boolean
}

/** What a run is measured by. */
export type Metric =
  | 'recordsPerSecond'
  | 'megabytesPerSecond'
  /** Microseconds from a call to its acknowledgement. */
  | 'latencyP50Us'
  | 'latencyP99Us'
  | 'latencyMaxUs'
  | 'syncsPerSecond'
  | 'recordsPerSync'
  /** Microseconds of all processors and of kernel and program together. */
  | 'cpuUsPerRecord'
  | 'peakRssBytes'
  /** The greatest growth of memory within a run: 1 is flat. */
  | 'rssGrowth'
  | 'loopDelayP99Ms'
  | 'loopDelayMaxMs'
  /** What a power cut would have cost at the worst moment. */
  | 'lossMs'
  | 'lossBytes'
  | 'lossRecords'
  | 'ms'
  | 'scannedBytes'
  /** Partitions that got another owner, and the same as a multiple of the fewest that could. */
  | 'movedPartitions'
  | 'movedAgainstLeast'
  /** Of log, of what was consumed and of `__consumer_offsets`. */
  | 'topicBytes'
  | 'offsetsBytes'

/** What one run of a variant found. */
export type Sample = { [metric in Metric]?: number }

/** One way to do a workload's work: ours, or a floor that does the bare minimum. */
export interface Variant {
  name: string
  /** Ours is told as a multiple of it. */
  isFloor?: boolean
  /** Appends that wait for their acknowledgement at any moment, where variants differ in it. */
  inFlight?: number
  /** Loss window in milliseconds, or the name of the flush mode, where variants differ in it. */
  flush?: string | number
  /** Where one run takes long, or one is enough: at most so many. */
  maxRuns?: number
  /** Adds to the directory that the runs of the workload share; only where the workload prepares one. */
  prepare?(directory: string): Promise<void> | void
  /** @param directory an empty one, or what was prepared */
  run(directory: string, scale: Scale): Promise<Sample>
}

/** The goal: of a metric, alone or as a multiple of what a floor has. */
export interface Goal {
  metric: Metric
  /** Whose metric; the first variant's by default. */
  variant?: string
  /** The floor's name; without one the metric itself is bounded. */
  floor?: string
  atLeast?: number
  atMost?: number
  /** The worst run counts, not the median. */
  always?: boolean
  /** The disk, the scheduler or the garbage collector decides this ratio more than the code does: never a blunder. */
  toldOnly?: boolean
}

/** Something that is measured, with what it is compared with. */
export interface Workload {
  /** For instance `fill-group`. */
  name: string
  /** 0 where no records pass. */
  recordBytes: number
  /** What tells it from others of the same name and record size: `16 in flight`. */
  detail?: string
  /** The first is ours; others are floors, or ours in other ways. */
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
  inFlight?: number
  flush?: string | number
  runs: number
  metrics: { [metric in Metric]?: Spread }
  /** Of a floor: our records a second as a multiple of its own, run by run. */
  ratio?: Spread
}
