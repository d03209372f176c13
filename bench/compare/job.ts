/** The work that is compared. `prepare` fills the store that reads then share; `count-syncs` runs under strace. */
export type Work =
  | 'fill-each'
  | 'fill-group'
  | 'fill-batch'
  | 'fill-os'
  | 'replay'
  | 'read-random'
  | 'open'
  | 'prepare'
  | 'count-syncs'
  | 'load'

/** What a process of its own is told to do. */
export interface Job {
  work: Work
  peer: string
  /** The compiled index of Varve. */
  varveUrl: string
  directory: string
  recordBytes: number
  /** How long a timed loop goes on. */
  seconds: number
  /** How many records the store holds, or shall hold. */
  records: number
  /** Of `count-syncs`: durable appends of one record, and durable batches. */
  appends?: number
  batches?: number
}

/** What it found. */
export interface Found {
  recordsPerSecond?: number
  latencyUs?: LatencyUs
  ms?: number
  peakRssBytes?: number
}

/** How long acknowledgements took, or reads, in microseconds. */
export interface LatencyUs {
  p50: number
  p99: number
  max: number
}

export const BATCH_RECORDS = 1000
export const IN_FLIGHT = 256
