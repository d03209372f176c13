import type { SegmentPool } from './segment-pool.ts'
import type { Storage } from './storage.ts'

/** What all segments of a log share. */
export interface SegmentContext {
  storage: Storage
  /** Of the partition. */
  directory: string
  pool: SegmentPool
  readOnly: boolean
  indexIntervalBytes(): number
  monotonicMs(): number
  /** Of a read-only log: the exchanges that the writer has made so far, as it has stored; see `PartitionCheckpoint`. */
  storedExchanges?: () => Promise<number>
}

/** What compaction has to do with a segment. */
export interface SegmentHistory {
  /** How often segments of this log had been exchanged when the segment was listed. */
  exchanges: number
  /** In a read-only log: the last exchange may not be complete, so that its files may still be named `.swap`. */
  mayBeSwap: boolean
}

/** Of a segment that no compaction has touched, in a log that is written here. */
export const NEW_SEGMENT: SegmentHistory = { exchanges: 0, mayBeSwap: false }
