import { groupCommits } from '../floors/write.ts'
import { withLog } from '../logs.ts'
import { inFlightFor } from '../loops.ts'
import { payloads } from '../payloads.ts'
import type { Variant, Workload } from '../workload.ts'

const IN_FLIGHT = 256
const PARTITIONS = 100

/**
 * 100 partitions written in turn, durable, 256 in flight; beside it ours with one partition, and the bare minimum where
 * each file is synced by itself.
 */
export function manyPartitions(recordBytes: number): Workload {
  const values = payloads(recordBytes)
  const variant = (name: string, partitions: number): Variant => ({
    name,
    run: (directory, scale) =>
      withLog(
        directory,
        'group',
        async (log) => {
          // their files are made at the first append: that is not what is measured
          const first = Array.from({ length: partitions }, (_, partition) => ({ partition, value: values[partition] }))
          await log.appendBatch('t', first)
          return inFlightFor(scale, { recordBytes, inFlight: IN_FLIGHT }, (i) =>
            log.append('t', { partition: i % partitions, value: values[i % values.length] }),
          )
        },
        { partitions },
      ),
  })
  return {
    name: 'many-partitions',
    recordBytes,
    variants: [
      variant('varve', PARTITIONS),
      { ...variant('one', 1), isFloor: true },
      groupCommits(recordBytes, IN_FLIGHT, PARTITIONS),
    ],
    goals: [
      { metric: 'recordsPerSecond', floor: 'one', atLeast: 0.5, toldOnly: true },
      { metric: 'recordsPerSecond', floor: `R3 x ${PARTITIONS}`, atLeast: 0.8 },
    ],
  }
}
