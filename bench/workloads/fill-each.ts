import { syncEach } from '../floors.ts'
import { repeatFor, type Workload } from '../harness.ts'
import { payloads, withLog } from '../logs.ts'

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
            repeatFor(scale, 1, (i) => log.append('t', { value: values[i % values.length] })),
          ),
      },
      syncEach(recordBytes),
    ],
    goals: [{ metric: 'recordsPerSecond', floor: 'R2', atLeast: 0.9 }],
  }
}
