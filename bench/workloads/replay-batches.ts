import { framedReplay, sequentialRead } from '../floors.ts'
import type { Workload } from '../harness.ts'
import { fillLog } from '../logs.ts'
import { replayVariant } from '../replay.ts'

/** All records in batches, checksums verified, the value's bytes taken. */
export function replayBatches(recordBytes: number, records: number): Workload {
  const ours = replayVariant(records, async (log) => {
    let count = 0
    for await (const batch of log.readBatches('t')) {
      for (const record of batch) if (record.valueBytes!.length === recordBytes) count++
    }
    return count
  })
  const goal = recordBytes < 1024 ? { floor: 'R5', atLeast: 1.5 } : { floor: 'R4', atLeast: 0.5 }
  return {
    name: 'replay-batches',
    recordBytes,
    prepare: (directory) => fillLog(directory, records, recordBytes),
    variants: [ours, framedReplay(recordBytes, records), sequentialRead(recordBytes, records)],
    goals: [{ metric: 'recordsPerSecond', ...goal }],
  }
}
