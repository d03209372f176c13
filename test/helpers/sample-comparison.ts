import { LOADS } from '../../src/cli/comparison/loads.ts'
import type { Comparison, LoadSummary } from '../../src/cli/comparison/summary.ts'

/** Records a second of each load, in their order: plausible figures of a disk whose sync takes 0.1 ms. */
const RATES = [
  9_800, 9_900, 210_000, 300_000, 330_000, 400_000, 101_000, 700_000, 800_000, 1_000_000, 1_100_000, 1_200_000,
]

/** A comparison as it might have come out, for tests of what is made of it. */
export function sampleComparison(changes: Partial<Comparison> = {}): Comparison {
  return {
    directory: '/srv/data',
    rounds: 5,
    seconds: 58.3,
    recordBytes: 674,
    syncUs: { p50: 98.4, p99: 310 },
    diskMegabytesPerSecond: 812,
    floor: load('bare loop', null, 1, 11_200),
    loads: LOADS.map(({ name, flush, inFlight }, i) => load(name, flush, inFlight, RATES[i])),
    ...changes,
  }
}

function load(name: string, flush: LoadSummary['flush'], inFlight: number, rate: number): LoadSummary {
  const ms = typeof flush === 'object' && flush !== null ? flush.ms * 0.6 : flush === 'os' ? 812 : 0
  const records = Math.round((rate * ms) / 1000)
  return {
    name,
    flush,
    inFlight,
    recordsPerSecond: { median: rate, min: rate * 0.9, max: rate * 1.1 },
    megabytesPerSecond: (rate * 674) / 1e6,
    latencyUs: { p50: 1e6 / rate, p99: 3e6 / rate, max: 40e6 / rate },
    records: rate * 4,
    seconds: 4,
    fdatasyncs: 400,
    checkpointSyncs: flush === 'os' ? 3 : 0,
    loss: { records, bytes: records * 674, ms, ageMs: ms },
  }
}
