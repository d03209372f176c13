import { killWriter, openInChild } from '../children.ts'
import type { Workload } from '../workload.ts'
import { withLog } from '../logs.ts'
import { payloads } from '../payloads.ts'

const RECORDS_EACH = 20

/** Opens a log of many partitions that was closed in order. */
export function openPartitions(recordBytes: number, partitions: number): Workload {
  return {
    name: 'open-partitions',
    recordBytes,
    prepare: (directory) => fillPartitions(directory, recordBytes, partitions),
    variants: [{ name: 'varve', run: (directory) => openInChild(directory) }],
    goals: [{ metric: 'ms', atMost: 1000 }],
    maxRuns: 3,
  }
}

/** The same after a writer was killed that had written to all of them. */
export function openPartitionsKilled(recordBytes: number, partitions: number): Workload {
  return {
    ...openPartitions(recordBytes, partitions),
    name: 'open-partitions-killed',
    variants: [
      {
        name: 'varve',
        async run(directory) {
          await killWriter(directory, 2 * partitions)
          return openInChild(directory)
        },
      },
    ],
  }
}

async function fillPartitions(directory: string, recordBytes: number, partitions: number): Promise<void> {
  const values = payloads(recordBytes)
  await withLog(
    directory,
    'os',
    async (log) => {
      for (let i = 0; i < RECORDS_EACH; i++) {
        const records = Array.from({ length: partitions }, (_, partition) => ({ partition, value: values[i] }))
        await log.appendBatch('t', records)
      }
    },
    { partitions },
  )
}
