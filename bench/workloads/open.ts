import { openInChild, killWriter } from '../children.ts'
import type { Workload } from '../workload.ts'
import { fillLog } from '../logs.ts'

const KILLED_AFTER = 50_000

/** From the call of `open` to the first record, in a fresh process that has loaded its modules; closed in order before. */
export function openClean(recordBytes: number, records: number): Workload {
  return {
    name: 'open',
    recordBytes,
    prepare: (directory) => fillLog(directory, records, recordBytes),
    variants: [{ name: 'varve', run: (directory) => openInChild(directory) }],
    goals: [{ metric: 'ms', atMost: 5 }],
  }
}

/** The same after a writer was killed. */
export function openKilled(recordBytes: number, records: number): Workload {
  return {
    name: 'open-killed',
    recordBytes,
    prepare: (directory) => fillLog(directory, records, recordBytes),
    variants: [
      {
        name: 'varve',
        async run(directory) {
          await killWriter(directory, KILLED_AFTER)
          return openInChild(directory)
        },
      },
    ],
    goals: [],
  }
}
