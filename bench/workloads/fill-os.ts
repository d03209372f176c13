import { framedBatches, writeChunks } from '../floors.ts'
import { repeatFor, type Workload } from '../harness.ts'
import { BATCH_RECORDS, batches, withLog } from '../logs.ts'

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
            repeatFor(scale, BATCH_RECORDS, (i) => log.appendBatch('t', all[i % all.length])),
          ),
      },
      framedBatches(recordBytes, { sync: false }),
      writeChunks(recordBytes),
    ],
    goals: [{ metric: 'recordsPerSecond', floor: 'R5', atLeast: 0.9 }],
  }
}
