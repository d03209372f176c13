import { appendInChild, replayInChild } from '../children.ts'
import type { Workload } from '../workload.ts'

const MIB = 1024 * 1024
const GROWTH_MAX = 1.1
const APPEND_RSS_MAX = 250 * MIB
const REPLAY_RSS_MAX = 120 * MIB

/**
 * So many records appended by 256 callers, then replayed, each in a process of its own, memory sampled all the while.
 * Growth is the most of the second half against the most of the first.
 */
export function endurance(recordBytes: number, records: number): Workload {
  return {
    name: 'endurance',
    recordBytes,
    async prepare() {},
    variants: [
      { name: 'append', run: (directory) => appendInChild(directory, records, recordBytes) },
      { name: 'replay', run: (directory) => replayInChild(directory, records) },
    ],
    goals: [
      { metric: 'rssGrowth', variant: 'append', atMost: GROWTH_MAX },
      { metric: 'peakRssBytes', variant: 'append', atMost: APPEND_RSS_MAX },
      { metric: 'rssGrowth', variant: 'replay', atMost: GROWTH_MAX },
      { metric: 'peakRssBytes', variant: 'replay', atMost: REPLAY_RSS_MAX },
    ],
    maxRuns: 1,
  }
}
