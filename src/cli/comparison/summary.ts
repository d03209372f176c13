import { VarveError } from '../../errors.ts'
import { acknowledgesDurably, type Flush } from '../../engine/flush.ts'
import { latencyHistogram, type Cell } from './cell.ts'
import type { FloorCell } from './floor.ts'
import { LOADS } from './loads.ts'
import { NO_LOSS, worseLoss, type Loss } from './loss-meter.ts'

/** The figures of one load, over all rounds. */
export interface LoadSummary {
  /** For instance `window 10 ms`. */
  name: string
  /** Null for the bare loop. */
  flush: Flush | null
  inFlight: number
  recordsPerSecond: { median: number; min: number; max: number }
  /** Megabytes of values, the median. */
  megabytesPerSecond: number
  /** From the call to its acknowledgement, in microseconds, over all rounds. */
  latencyUs: { p50: number; p99: number; max: number }
  /** In all rounds together. */
  records: number
  seconds: number
  fdatasyncs: number
  /** Those of `fdatasyncs` that were not for the log itself but for checkpoints and indexes. */
  checkpointSyncs: number
  /** What a power cut at the worst moment would have cost. */
  loss: Loss
}

/** What the comparison found on one disk. */
export interface Comparison {
  directory: string
  rounds: number
  seconds: number
  /** Average bytes of a value. */
  recordBytes: number
  /** Microseconds: an fdatasync after one record was written. */
  syncUs: { p50: number; p99: number }
  /** In large pieces, sync included. */
  diskMegabytesPerSecond: number
  /** One record at a time, `writeSync` and `fdatasyncSync`. */
  floor: LoadSummary
  loads: LoadSummary[]
}

interface Measurements {
  directory: string
  seconds: number
  bandwidth: number
  values: readonly Buffer[]
  floors: readonly FloorCell[]
  cells: readonly (readonly Cell[])[]
}

/**
 * Puts the rounds together.
 *
 * @throws VarveError when a mode that promises to lose nothing had acknowledged what was not durable
 */
export function summarize({ directory, seconds, bandwidth, values, floors, cells }: Measurements): Comparison {
  const syncLatency = latencyHistogram()
  for (const floor of floors) syncLatency.add(floor.syncLatency)
  const loads = LOADS.map((load, index) => {
    const summary = summarizeLoad({ ...load }, cells[index])
    if (acknowledgesDurably(load.flush) && summary.loss.records > 0) throw brokenPromise(summary)
    return summary
  })
  return {
    directory,
    rounds: floors.length,
    seconds,
    recordBytes: values.reduce((sum, { length }) => sum + length, 0) / values.length,
    syncUs: { p50: syncLatency.percentile(50) / 1000, p99: syncLatency.percentile(99) / 1000 },
    diskMegabytesPerSecond: bandwidth / 1e6,
    floor: summarizeLoad({ name: 'bare loop', flush: null, inFlight: 1 }, floors),
    loads,
  }
}

function summarizeLoad(
  load: { name: string; flush: Flush | null; inFlight: number },
  cells: readonly Cell[],
): LoadSummary {
  const latency = latencyHistogram()
  for (const cell of cells) latency.add(cell.latency)
  const sum = (part: (cell: Cell) => number) => cells.reduce((total, cell) => total + part(cell), 0)
  const checkpointSyncs = sum(({ syncs }) => syncs.other)
  return {
    ...load,
    recordsPerSecond: spread(cells.map(({ records, seconds }) => records / seconds)),
    megabytesPerSecond: spread(cells.map(({ bytes, seconds }) => bytes / seconds)).median / 1e6,
    latencyUs: { p50: latency.percentile(50) / 1000, p99: latency.percentile(99) / 1000, max: latency.max / 1000 },
    records: sum(({ records }) => records),
    seconds: sum(({ seconds }) => seconds),
    fdatasyncs: sum(({ syncs }) => syncs.log) + checkpointSyncs,
    checkpointSyncs,
    loss: cells.reduce((worst, { loss }) => worseLoss(worst, loss), NO_LOSS),
  }
}

function spread(values: number[]): { median: number; min: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b)
  return { median: sorted[sorted.length >> 1], min: sorted[0], max: sorted[sorted.length - 1] }
}

function brokenPromise({ name, inFlight, loss }: LoadSummary): VarveError {
  const what = `flush '${name}' with ${inFlight} in flight acknowledged ${loss.records} records that were not durable`
  return new VarveError('KAFKA_STORAGE_ERROR', `${what}: this is a fault in Varve, please report it`)
}
