import { groupCommit } from '../floors/write.ts'
import { withLog } from '../logs.ts'
import { inFlightFor } from '../loops.ts'
import { withLoopDelay } from '../observation.ts'
import { payloads } from '../payloads.ts'
import type { Variant, Workload } from '../workload.ts'

const IN_FLIGHT = 256

/** 256 in flight, one promise each, durable; and how long the rest of the program has to wait meanwhile. */
export function fillGroup(recordBytes: number): Workload {
  return {
    name: 'fill-group',
    recordBytes,
    variants: fillInFlight(recordBytes, IN_FLIGHT).variants.map(observed),
    goals: [
      { metric: 'recordsPerSecond', floor: 'R3', atLeast: 0.8 },
      { metric: 'loopDelayP99Ms', atMost: 20 },
    ],
  }
}

/** So many in flight, one promise each, durable. */
export function fillInFlight(recordBytes: number, inFlight: number): Workload {
  const values = payloads(recordBytes)
  const variants: Variant[] = [
    {
      name: 'varve',
      run: (directory, scale) =>
        withLog(directory, 'group', (log) =>
          inFlightFor(scale, { recordBytes, inFlight }, (i) => log.append('t', { value: values[i % values.length] })),
        ),
    },
    groupCommit(recordBytes, inFlight, { preallocated: false }),
    groupCommit(recordBytes, inFlight, { preallocated: true }),
  ]
  return {
    name: 'fill-in-flight',
    recordBytes,
    detail: `${inFlight} in flight`,
    variants: variants.map((variant) => ({ ...variant, inFlight })),
    goals: [],
  }
}

function observed(variant: Variant): Variant {
  const { inFlight: _, ...rest } = variant
  return { ...rest, run: (directory, scale) => withLoopDelay(() => variant.run(directory, scale)) }
}
