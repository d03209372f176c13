import { median } from '../statistics.ts'
import type { LatencyUs } from './job.ts'

/** The middle, the least and the greatest of several rounds. */
export interface Spread {
  median: number
  min: number
  max: number
}

/** What one peer did in one workload. */
export interface PeerResult {
  name: string
  version: string
  recordsPerSecond?: Spread
  /** Medians over the rounds of what each round found. */
  latencyUs?: LatencyUs
  ms?: Spread
  peakRssBytes?: Spread
  /** Whether each acknowledgement promised that the record was on the disk; false where nothing was written. */
  durable: boolean
}

/** One workload at one record size. */
export interface WorkloadResult {
  workload: string
  recordBytes: number
  peers: PeerResult[]
}

/** What strace counted. */
export interface Durability {
  name: string
  appends: number
  appendSyncs: number
  batches: number
  batchSyncs: number
  calls: string[]
  durable: boolean
}

/** What could not be measured, and why. */
export interface Failure {
  name: string
  /** Absent if the peer could not be loaded at all. */
  workload?: string
  recordBytes?: number
  message: string
}

/** All that a run found. */
export interface Results {
  date: string
  machine: string
  node: string
  /** What is compared, as git names it; null without git. */
  commit: string | null
  rounds: number
  seconds: number
  /** Records that were replayed, by size. */
  records: Record<string, number>
  workloads: WorkloadResult[]
  /** Null where strace is missing: then nothing proves that what is called durable is. */
  durability: Durability[] | null
  failures: Failure[]
}

export function spread(values: number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}
