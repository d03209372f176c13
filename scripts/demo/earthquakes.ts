import { readFileSync } from 'node:fs'

/** One line of data/earthquakes.ndjson: its bytes, and what the demonstration uses of it. */
export interface Earthquake {
  /** The line itself, without its end. */
  bytes: Buffer
  /** The line parsed; data/README.md says what is in it. */
  event: { time: number; net: string; magnitude: number | null; place: string }
}

/** The records of one partition's events are appended in the order of this file. */
export const TOPIC = { name: 'earthquakes', partitions: 4, valueCodec: 'json' } as const

/** Reads all 1,707 events, oldest first. */
export function readEarthquakes(): Earthquake[] {
  const file = readFileSync(new URL('../../data/earthquakes.ndjson', import.meta.url))
  const lines = file
    .toString()
    .split('\n')
    .filter((line) => line !== '')
  return lines.map((line) => ({ bytes: Buffer.from(line), event: JSON.parse(line) as Earthquake['event'] }))
}
