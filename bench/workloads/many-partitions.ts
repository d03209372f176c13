import { inFlightFor, type Variant, type Workload } from '../harness.ts'
import { payloads, withLog } from '../logs.ts'

const IN_FLIGHT = 256
const PARTITIONS = 100

/** 100 partitions written in turn, durable, 256 in flight; the floor is ours with one partition. */
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
          return inFlightFor(scale, IN_FLIGHT, (i) =>
            log.append('t', { partition: i % partitions, value: values[i % values.length] }),
          )
        },
        { partitions },
      ),
  })
  return {
    name: 'many-partitions',
    recordBytes,
    variants: [variant('varve', PARTITIONS), variant('one', 1)],
    goals: [{ metric: 'recordsPerSecond', floor: 'one', atLeast: 0.5 }],
  }
}
