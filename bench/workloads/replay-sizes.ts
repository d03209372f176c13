import { framedReplay } from '../floors/read.ts'
import { countByBatches, countByRecords, fillLog, replayVariant } from '../logs.ts'
import type { Workload } from '../workload.ts'

/** Replay of one record size, in both ways; run for many sizes. */
export function replaySizes(recordBytes: number, records: number): Workload {
  return {
    name: 'replay-sizes',
    recordBytes,
    prepare: (directory) => fillLog(directory, records, recordBytes),
    variants: [
      replayVariant('batches', { recordBytes, records }, countByBatches),
      replayVariant('for await', { recordBytes, records }, countByRecords),
      framedReplay(recordBytes, records),
    ],
    goals: [],
  }
}
