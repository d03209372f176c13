import { framedReplay } from '../floors.ts'
import type { Workload } from '../harness.ts'
import { fillLog } from '../logs.ts'
import { replayVariant } from '../replay.ts'

/** All records by `for await`, offsets taken, values left undecoded. */
export function replayRecords(recordBytes: number, records: number): Workload {
  const ours = replayVariant(records, async (log) => {
    let count = 0
    for await (const record of log.read('t')) if (record.offset === count) count++
    return count
  })
  return {
    name: 'replay-records',
    recordBytes,
    prepare: (directory) => fillLog(directory, records, recordBytes),
    variants: [ours, framedReplay(recordBytes, records)],
    goals: [{ metric: 'recordsPerSecond', floor: 'R5', atLeast: 0.9 }],
  }
}
