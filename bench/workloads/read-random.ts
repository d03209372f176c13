import { places, randomRead } from '../floors.ts'
import { repeatFor, type Workload } from '../harness.ts'
import { fillLog, withLog } from '../logs.ts'

const RECORDS = 1_000_000
/** Kafka's index.interval.bytes. */
const INDEX_INTERVAL_BYTES = 4096

/** One record by its offset, at random, against one `pread` of an index interval. */
export function readRandom(recordBytes: number): Workload {
  return {
    name: 'read-random',
    recordBytes,
    prepare: (directory) => fillLog(directory, RECORDS, recordBytes),
    variants: [
      {
        name: 'varve',
        run: (directory, scale) =>
          withLog(directory, 'os', async (log) => {
            const next = places(RECORDS)
            return repeatFor(scale, 1, async () => {
              const from = next()
              for await (const record of log.read('t', { partition: 0, from })) {
                if (record.offset !== from) throw new Error(`found offset ${record.offset} in place of ${from}`)
                break
              }
            })
          }),
      },
      randomRead(
        (directory) => `${directory}/t-0/00000000000000000000.log`,
        RECORDS * recordBytes,
        INDEX_INTERVAL_BYTES,
      ),
    ],
    goals: [{ metric: 'recordsPerSecond', floor: 'pread', atLeast: 1 / 1.5 }],
  }
}
