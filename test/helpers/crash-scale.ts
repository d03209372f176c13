import { REAL_SECTORS, SMALL_SECTORS, type Sectors } from './disk-profiles.ts'
import type { SeededRandom } from './seeded-random.ts'

/** How large the things of a run are, all in bytes. */
export interface Scale {
  valueBytes: number[]
  segmentBytes: number[]
  indexIntervalBytes: number[]
  retentionBytes: number
  sectors: Sectors
}

/** Small records and sectors stand for large ones, and cost less. */
export const SMALL_SCALE: Scale = {
  valueBytes: [10, 60, 200],
  segmentBytes: [250, 600, 2000],
  indexIntervalBytes: [0, 100, 1000],
  retentionBytes: 600,
  sectors: SMALL_SECTORS,
}

/** The sectors of real disks, and records that fill several. */
export const REAL_SCALE: Scale = {
  valueBytes: [60, 900, 6000],
  segmentBytes: [6000, 20_000, 60_000],
  indexIntervalBytes: [0, 4096],
  retentionBytes: 20_000,
  sectors: REAL_SECTORS,
}

/** Sizes for a topic. */
export function drawSizes(random: SeededRandom, { segmentBytes, indexIntervalBytes }: Scale) {
  return { segmentBytes: random.pick(segmentBytes), indexIntervalBytes: random.pick(indexIntervalBytes) }
}
