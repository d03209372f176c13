import { framedReplay } from '../floors/read.ts'
import { countByRecords, fillLog, replayVariant } from '../logs.ts'
import type { Workload } from '../workload.ts'

/** All records by `for await`, offsets taken, values left undecoded. */
export function replayRecords(recordBytes: number, records: number): Workload {
  return {
    name: 'replay-records',
    recordBytes,
    prepare: (directory) => fillLog(directory, records, recordBytes),
    variants: [replayVariant('varve', { recordBytes, records }, countByRecords), framedReplay(recordBytes, records)],
    goals: [
      { metric: 'recordsPerSecond', floor: 'R5', atLeast: 0.9 },
      ...(recordBytes === 100 ? [{ metric: 'recordsPerSecond' as const, atLeast: 3e6 }] : []),
    ],
  }
}
