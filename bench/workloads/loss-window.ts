import type { Flush } from '../../src/index.ts'
import { withLog } from '../logs.ts'
import { inFlightFor } from '../loops.ts'
import { lossVariant } from '../metered.ts'
import { payloads } from '../payloads.ts'
import type { Variant, Workload } from '../workload.ts'

const WINDOWS_MS = [1, 10, 100, 1000]
const IN_FLIGHT = [1, 256]
/** A run shorter than its window would never sync. */
const WINDOWS_PER_RUN = 1.5

/** Every flush mode, one at a time and with many in flight: what a loss window costs, and what it buys. */
export function lossWindow(recordBytes: number, windowsMs: readonly number[] = WINDOWS_MS): Workload {
  const modes: Flush[] = ['each', 'group', ...windowsMs.map((ms) => ({ ms })), 'os']
  const loads = IN_FLIGHT.flatMap((inFlight) => modes.map((flush) => ({ flush, inFlight })))
  return {
    name: 'loss-window',
    recordBytes,
    variants: [
      ...loads.map(({ flush, inFlight }) => fill(recordBytes, flush, inFlight)),
      ...loads.map(({ flush, inFlight }) =>
        lossVariant({ name: `${nameOf(flush, inFlight)}: loss`, flush, inFlight }, recordBytes, {
          maxRuns: 1,
          inFlight,
          flush: keyOf(flush),
        }),
      ),
    ],
    goals: [],
  }
}

function fill(recordBytes: number, flush: Flush, inFlight: number): Variant {
  const values = payloads(recordBytes)
  const windowSeconds = typeof flush === 'object' ? flush.ms / 1000 : 0
  return {
    name: nameOf(flush, inFlight),
    inFlight,
    flush: keyOf(flush),
    run: (directory, scale) => {
      const seconds = scale.smoke ? scale.seconds : Math.max(scale.seconds, windowSeconds * WINDOWS_PER_RUN)
      return withLog(directory, flush, (log) =>
        inFlightFor({ ...scale, seconds }, { recordBytes, inFlight }, (i) =>
          log.append('t', { value: values[i % values.length] }),
        ),
      )
    },
  }
}

function nameOf(flush: Flush, inFlight: number): string {
  return `${typeof flush === 'object' ? `${flush.ms} ms` : flush}, ${inFlight}`
}

function keyOf(flush: Flush): string | number {
  return typeof flush === 'object' ? flush.ms : flush
}
