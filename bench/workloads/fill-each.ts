import { syncEach } from '../floors/write.ts'
import { withLog } from '../logs.ts'
import { repeatFor } from '../loops.ts'
import { payloads } from '../payloads.ts'
import type { Workload } from '../workload.ts'

/** One in flight, durable. */
export function fillEach(recordBytes: number): Workload {
  const values = payloads(recordBytes)
  return {
    name: 'fill-each',
    recordBytes,
    variants: [
      {
        name: 'varve',
        run: (directory, scale) =>
          withLog(directory, 'each', (log) =>
            repeatFor(scale, { recordBytes }, (i) => log.append('t', { value: values[i % values.length] })),
          ),
      },
      syncEach(recordBytes, { preallocated: false }),
      syncEach(recordBytes, { preallocated: true }),
    ],
    goals: [{ metric: 'recordsPerSecond', floor: 'R2', atLeast: 0.9 }],
  }
}
