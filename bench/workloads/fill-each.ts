import { syncEach, syncEachAside } from '../floors/write.ts'
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
      syncEachAside(recordBytes),
      syncEach(recordBytes, { preallocated: true }),
    ],
    goals: [
      // a busy machine delays the thread that syncs aside, and not the one that syncs itself
      { metric: 'recordsPerSecond', floor: 'R2', atLeast: 0.9, toldOnly: true },
      { metric: 'latencyP50Us', floor: 'R2a', atMost: 1.1 },
    ],
  }
}
