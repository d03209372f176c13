import { groupCommit } from '../floors.ts'
import { inFlightFor, type Workload } from '../harness.ts'
import { withLog, payloads } from '../logs.ts'
import { withLoopDelay } from '../loop-delay.ts'

const IN_FLIGHT = 256

/** 256 in flight, one promise each, durable; and how long the rest of the program has to wait meanwhile. */
export function fillGroup(recordBytes: number): Workload {
  const values = payloads(recordBytes)
  const floor = groupCommit(recordBytes, IN_FLIGHT)
  return {
    name: 'fill-group',
    recordBytes,
    variants: [
      {
        name: 'varve',
        run: (directory, scale) =>
          withLog(directory, 'group', (log) =>
            withLoopDelay(() =>
              inFlightFor(scale, IN_FLIGHT, (i) => log.append('t', { value: values[i % values.length] })),
            ),
          ),
      },
      { ...floor, run: (directory, scale) => withLoopDelay(() => floor.run(directory, scale)) },
    ],
    goals: [{ metric: 'recordsPerSecond', floor: 'R3', atLeast: 0.8 }],
  }
}
