import type { Flush } from '../../engine/flush.ts'

/** One way of appending that the comparison measures. */
export interface Load {
  /** For instance `window 10 ms`. */
  name: string
  flush: Flush
  /** How many appends wait for their acknowledgement at any moment. */
  inFlight: number
}

/** In flight where a program appends as fast as it can without waiting for each. */
export const MANY = 256

const WINDOWS: Load[] = [1, 10, 100].map((ms) => ({ name: `window ${ms} ms`, flush: { ms }, inFlight: 1 }))
const OS: Load = { name: 'os', flush: 'os', inFlight: 1 }

/** All flush modes, the ones with the same number in flight together: only those compare with one another. */
export const LOADS: readonly Load[] = [
  { name: 'each', flush: 'each', inFlight: 1 },
  { name: 'group', flush: 'group', inFlight: 1 },
  ...WINDOWS,
  OS,
  { name: 'group', flush: 'group', inFlight: 16 },
  { name: 'group', flush: 'group', inFlight: MANY },
  ...WINDOWS.map((load) => ({ ...load, inFlight: MANY })),
  { ...OS, inFlight: MANY },
]

/** Says how many appends wait at a time, as a heading. */
export function describeInFlight(inFlight: number): string {
  return inFlight === 1 ? 'one append at a time' : `${inFlight} appends in flight`
}
