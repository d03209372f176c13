import { framedReplay, sequentialRead } from '../floors/read.ts'
import { countByBatches, fillLog, replayVariant } from '../logs.ts'
import type { Workload } from '../workload.ts'

/** All records in batches, checksums verified, the value's bytes taken. */
export function replayBatches(recordBytes: number, records: number): Workload {
  const goal = recordBytes < 1024 ? { floor: 'R5', atLeast: 1.5 } : { floor: 'R4', atLeast: 0.5 }
  return {
    name: 'replay-batches',
    recordBytes,
    prepare: (directory) => fillLog(directory, records, recordBytes),
    variants: [
      replayVariant('varve', { recordBytes, records }, countByBatches),
      framedReplay(recordBytes, records),
      sequentialRead(recordBytes, records),
    ],
    goals: [{ metric: 'recordsPerSecond', ...goal }],
  }
}
