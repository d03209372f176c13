import type { EpochStart } from './checkpoint.ts'
import type { Segment } from './segment.ts'

/** What a recovery found: the state that a log starts from. */
export interface LogState {
  segments: Segment[]
  logStartOffset: number
  logEndOffset: number
  contentEndOffset: number
  leaderEpoch: number
  epochs: EpochStart[]
  sparse: boolean
  cleanedOffset: number
  exchanges: number
  /** The last segment must not be appended to: its file is damaged or shorter than it should be. */
  rollFirst: boolean
}
