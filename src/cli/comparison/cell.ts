import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { Varve } from '../../client/varve.ts'
import type { CountingStorage, SyncCounts } from './counting-storage.ts'
import type { Load } from './loads.ts'
import type { Loss, LossMeter } from './loss-meter.ts'
import type { WatchedClock } from './watched-clock.ts'

/** When a single measurement ends: whichever comes first. */
export interface Bounds {
  seconds: number
  bytes: number
  signal?: AbortSignal
}

/** One measurement of one load. */
export interface Cell {
  records: number
  /** Bytes of values. */
  bytes: number
  seconds: number
  /** Nanoseconds from the call to its acknowledgement. */
  latency: RecordableHistogram
  syncs: SyncCounts
  loss: Loss
}

/** What measurements share, so that none of them pays for it. */
export interface Instruments {
  values: readonly Buffer[]
  disk: CountingStorage
  watch: WatchedClock
  meter: LossMeter
}

const TOPIC = 'bench'

/** A histogram of nanoseconds, exact to three digits. */
export function latencyHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: 3_600e9, figures: 3 })
}

/** Appends to a fresh log in `directory`, `load.inFlight` records at a time, until a bound is reached. */
export async function measureLoad(
  load: Load,
  directory: string,
  bounds: Bounds,
  instruments: Instruments,
): Promise<Cell> {
  const { values, disk, watch, meter } = instruments
  const log = await Varve.open({ directory, flush: load.flush, storage: disk.storage, clock: watch.clock })
  try {
    await log.createTopic({ name: TOPIC, valueCodec: 'bytes' })
    const latency = latencyHistogram()
    meter.start(() => log.offsets(TOPIC)[0].durableOffset)
    disk.reset()
    const start = performance.now()
    const deadline = start + bounds.seconds * 1000
    let records = 0
    let bytes = 0
    const appendInTurn = async (): Promise<void> => {
      for (let before = performance.now(); before < deadline && bytes < bounds.bytes; before = performance.now()) {
        if (bounds.signal?.aborted) return
        const value = values[records++ % values.length]
        bytes += value.length
        const { offset } = await log.append(TOPIC, { value })
        const now = performance.now()
        latency.record(Math.max(1, Math.round((now - before) * 1e6)))
        meter.acknowledge(offset, value.length, watch.lastLookMs)
      }
    }
    await Promise.all(Array.from({ length: load.inFlight }, appendInTurn))
    const end = performance.now()
    return { records, bytes, seconds: (end - start) / 1000, latency, syncs: { ...disk.counts }, loss: meter.stop(end) }
  } finally {
    await log.close()
  }
}
