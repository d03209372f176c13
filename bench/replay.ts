import type { Varve } from '../src/index.ts'
import { rate, type Variant } from './harness.ts'
import { withLog } from './logs.ts'

/** Ours: times `replay` of a log that was prepared; it returns how many records it saw. */
export function replayVariant(records: number, replay: (log: Varve) => Promise<number>): Variant {
  return {
    name: 'varve',
    run: (directory) =>
      withLog(directory, 'os', async (log) => {
        const start = performance.now()
        const count = await replay(log)
        if (count !== records) throw new Error(`read ${count} of ${records} records`)
        return rate(records, start)
      }),
  }
}
