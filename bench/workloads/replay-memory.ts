import { replayInChild } from '../children.ts'
import type { Workload } from '../workload.ts'
import { fillLog } from '../logs.ts'

const MIB = 1024 * 1024

/** Memory of a fresh process that only replays, by batches: its greatest, and how much it grows on the way. */
export function replayMemory(recordBytes: number, records: number): Workload {
  return {
    name: 'replay-memory',
    recordBytes,
    prepare: (directory) => fillLog(directory, records, recordBytes),
    variants: [{ name: 'varve', run: (directory) => replayInChild(directory, records) }],
    goals: [
      { metric: 'peakRssBytes', atMost: 120 * MIB },
      { metric: 'rssGrowth', atMost: 1.1 },
    ],
    maxRuns: 1,
  }
}
