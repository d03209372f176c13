import { framedReplay, sequentialRead } from '../floors.ts'
import { openLog, payloads, type Variant, type Workload } from '../harness.ts'
import type { Varve } from '../../src/index.ts'

const BATCH_RECORDS = 1000

function varveReplay(recordBytes: number, records: number, replay: (log: Varve) => Promise<number>): Variant {
  const values = payloads(recordBytes)
  return {
    name: 'varve',
    async run(directory) {
      const log = await openLog(directory, 'os')
      for (let done = 0; done < records; done += BATCH_RECORDS) {
        await log.appendBatch('t', Array.from({ length: BATCH_RECORDS }, (_, i) => ({ value: values[(done + i) % values.length]! })))
      }
      const start = performance.now()
      const count = await replay(log)
      const seconds = (performance.now() - start) / 1000
      await log.close()
      if (count !== records) throw new Error(`read ${count} of ${records} records`)
      return { records, seconds }
    },
  }
}

/** All records in batches, checksums verified, the value's bytes taken. */
export function replayBatches(recordBytes: number, records: number): Workload {
  const ours = varveReplay(recordBytes, records, async (log) => {
    let count = 0
    for await (const batch of log.readBatches('t')) for (const record of batch) if (record.valueBytes!.length === recordBytes) count++
    return count
  })
  const goal = recordBytes < 1024 ? { floor: 'R5', ratio: 1.5 } : { floor: 'R4', ratio: 0.5 }
  return { name: 'replay-batches', recordBytes, variants: [ours, framedReplay(recordBytes, records), sequentialRead(recordBytes, records)], goal }
}

/** All records by `for await`, offsets taken, values left undecoded. */
export function replayRecords(recordBytes: number, records: number): Workload {
  const ours = varveReplay(recordBytes, records, async (log) => {
    let count = 0
    for await (const record of log.read('t')) if (record.offset === count) count++
    return count
  })
  return { name: 'replay-records', recordBytes, variants: [ours, framedReplay(recordBytes, records)], goal: { floor: 'R5', ratio: 0.9 } }
}
