import { repeatFor, type Variant, type Workload } from '../harness.ts'
import { payloads, withLog } from '../logs.ts'
import type { Flush } from '../../src/index.ts'

/** One in flight, acknowledged when written, at most 10 ms to lose; the floor is ours with `'group'`. */
export function fillWindow(recordBytes: number): Workload {
  const values = payloads(recordBytes)
  const variant = (name: string, flush: Flush): Variant => ({
    name,
    run: (directory, scale) =>
      withLog(directory, flush, (log) =>
        repeatFor(scale, 1, (i) => log.append('t', { value: values[i % values.length] })),
      ),
  })
  return {
    name: 'fill-window',
    recordBytes,
    variants: [variant('varve', { ms: 10 }), variant("'group'", 'group')],
    goals: [{ metric: 'recordsPerSecond', floor: "'group'", atLeast: 20 }],
  }
}
