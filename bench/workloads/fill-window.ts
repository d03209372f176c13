import type { Flush } from '../../src/index.ts'
import { withLog } from '../logs.ts'
import { repeatFor } from '../loops.ts'
import { lossVariant } from '../metered.ts'
import { payloads } from '../payloads.ts'
import type { Variant, Workload } from '../workload.ts'

const WINDOW = { ms: 10 }

/** One in flight, acknowledged when written, at most 10 ms to lose; the floor is ours with `'group'`. */
export function fillWindow(recordBytes: number): Workload {
  const values = payloads(recordBytes)
  const variant = (name: string, flush: Flush): Variant => ({
    name,
    run: (directory, scale) =>
      withLog(directory, flush, (log) =>
        repeatFor(scale, { recordBytes }, (i) => log.append('t', { value: values[i % values.length] })),
      ),
  })
  return {
    name: 'fill-window',
    recordBytes,
    variants: [
      variant('varve', WINDOW),
      { ...variant("'group'", 'group'), isFloor: true },
      lossVariant({ name: 'loss', flush: WINDOW, inFlight: 1 }, recordBytes),
    ],
    goals: [
      { metric: 'recordsPerSecond', floor: "'group'", atLeast: 20, toldOnly: true },
      { metric: 'lossMs', variant: 'loss', atMost: WINDOW.ms, always: true },
    ],
  }
}
