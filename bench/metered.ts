import { mkdirSync } from 'node:fs'
import type { Flush } from '../src/index.ts'
import { measureLoad } from '../src/cli/comparison/cell.ts'
import { CountingStorage } from '../src/cli/comparison/counting-storage.ts'
import { LossMeter } from '../src/cli/comparison/loss-meter.ts'
import { WatchedClock } from '../src/cli/comparison/watched-clock.ts'
import { payloads } from './payloads.ts'
import type { Variant } from './workload.ts'

/** A run that meets its window at least once is the only one that tells what is lost. */
const WINDOWS_PER_RUN = 2.5

/**
 * What a power cut at the worst moment would have cost, seen from the caller's side. Runs apart from what is timed,
 * because an entry for each record and a look at each acknowledgement cost time.
 */
export function lossVariant(
  load: { name: string; flush: Flush; inFlight: number },
  recordBytes: number,
  about: Partial<Variant> = {},
): Variant {
  const values = payloads(recordBytes)
  return {
    ...about,
    name: load.name,
    async run(directory, { seconds, bytesMax, smoke }) {
      const meter = new LossMeter()
      const disk = new CountingStorage(() => meter.look(performance.now()))
      const instruments = { values, meter, disk, watch: new WatchedClock() }
      const atLeast = typeof load.flush === 'object' && !smoke ? (load.flush.ms / 1000) * WINDOWS_PER_RUN : 0
      mkdirSync(`${directory}/log`)
      const bounds = { seconds: Math.max(seconds, atLeast), bytes: bytesMax }
      const { loss } = await measureLoad(load, `${directory}/log`, bounds, instruments)
      return { lossMs: loss.ms, lossBytes: loss.bytes, lossRecords: loss.records }
    },
  }
}
