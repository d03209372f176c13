import { copyChunks } from '../floors/copy.ts'
import { withLog } from '../logs.ts'
import { passOver } from '../loops.ts'
import { withLoopDelay } from '../observation.ts'
import { BATCH_RECORDS, payloads } from '../payloads.ts'
import type { Varve } from '../../src/index.ts'
import type { Workload } from '../workload.ts'

const SEGMENT_BYTES = 32 * 1024 * 1024

/**
 * A partition that was never compacted, in which each key was written twice on average, in no order: 43 in 100 records
 * stay, and hardly a batch stays as it is. Beside it the same bytes read and written, as they are.
 */
export function compaction(recordBytes: number, records: number): Workload {
  const size = { recordBytes, records }
  return {
    name: 'compaction',
    recordBytes,
    variants: [
      {
        name: 'varve',
        run: (directory) =>
          withLog(directory, 'os', (log) => compact(log, size), {
            cleanupPolicy: 'compact',
            segmentBytes: SEGMENT_BYTES,
          }),
      },
      copyChunks(size),
    ],
    goals: [
      { metric: 'recordsPerSecond', floor: 'copy', atLeast: 0.5, toldOnly: true },
      { metric: 'loopDelayMaxMs', atMost: 20 },
    ],
    maxRuns: 3,
  }
}

async function compact(log: Varve, size: { recordBytes: number; records: number }) {
  await fillWithKeys(log, size)
  return withLoopDelay(() =>
    passOver(size, async () => {
      const [{ recordsBefore, recordsAfter }] = await log.compact('t')
      if (recordsAfter > recordsBefore / 2) throw new Error(`kept ${recordsAfter} of ${recordsBefore} records`)
      return size.records
    }),
  )
}

async function fillWithKeys(log: Varve, { recordBytes, records }: { recordBytes: number; records: number }) {
  const values = payloads(recordBytes)
  let state = 1
  const nextKey = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return `key-${Math.floor((state / 2 ** 32) * (records / 2))}`
  }
  for (let done = 0; done < records; done += BATCH_RECORDS) {
    const value = (i: number) => values[(done + i) % values.length]
    await log.appendBatch(
      't',
      Array.from({ length: BATCH_RECORDS }, (_, i) => ({ key: nextKey(), value: value(i) })),
    )
  }
  await log.flush()
}
