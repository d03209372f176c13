import type { Varve } from '../src/index.ts'
import { rate, type Variant } from './harness.ts'
import { fillLog, withLog } from './logs.ts'

/** Ours: fills a log and then times `replay`, which returns how many records it saw. */
export function replayVariant(recordBytes: number, records: number, replay: (log: Varve) => Promise<number>): Variant {
  return {
    name: 'varve',
    async run(directory) {
      await fillLog(directory, records, recordBytes)
      return withLog(directory, 'os', async (log) => {
        const start = performance.now()
        const count = await replay(log)
        if (count !== records) throw new Error(`read ${count} of ${records} records`)
        return rate(records, start)
      })
    },
  }
}
