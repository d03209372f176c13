import { places, randomRead } from '../floors/read.ts'
import { fillLog, withLog } from '../logs.ts'
import { repeatFor } from '../loops.ts'
import type { Workload } from '../workload.ts'

/** Kafka's index.interval.bytes. */
const INDEX_INTERVAL_BYTES = 4096

/** One record by its offset, at random, against one `pread` of an index interval. */
export function readRandom(recordBytes: number, records: number): Workload {
  return {
    name: 'read-random',
    recordBytes,
    prepare: (directory) => fillLog(directory, records, recordBytes),
    variants: [
      {
        name: 'varve',
        run: (directory, scale) =>
          withLog(directory, 'os', async (log) => {
            const next = places(records)
            return repeatFor(scale, { recordBytes }, async () => {
              const from = next()
              for await (const record of log.read('t', { partition: 0, from })) {
                if (record.offset !== from) throw new Error(`found offset ${record.offset} in place of ${from}`)
                break
              }
            })
          }),
      },
      randomRead((directory) => `${directory}/t-0/00000000000000000000.log`, {
        fileBytes: records * recordBytes,
        bytes: INDEX_INTERVAL_BYTES,
        recordBytes,
      }),
    ],
    goals: [
      { metric: 'recordsPerSecond', floor: 'pread', atLeast: 1 / 1.5, toldOnly: true },
      { metric: 'latencyP50Us', floor: 'pread', atMost: 1.5 },
    ],
  }
}
