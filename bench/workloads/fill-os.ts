import { framedBatches, writeChunks } from '../floors/write.ts'
import { withLog } from '../logs.ts'
import { repeatFor } from '../loops.ts'
import { BATCH_RECORDS, batches } from '../payloads.ts'
import type { Workload } from '../workload.ts'

/** `appendBatch` of 1,000, no sync. */
export function fillOs(recordBytes: number): Workload {
  const all = batches(recordBytes)
  return {
    name: 'fill-os',
    recordBytes,
    variants: [
      {
        name: 'varve',
        run: (directory, scale) =>
          withLog(directory, 'os', (log) =>
            repeatFor(scale, { recordBytes, records: BATCH_RECORDS }, (i) => log.appendBatch('t', all[i % all.length])),
          ),
      },
      framedBatches(recordBytes, { sync: false }),
      writeChunks(recordBytes),
    ],
    goals: [{ metric: 'recordsPerSecond', floor: 'R5', atLeast: 0.9 }],
  }
}
