import { readFileSync } from 'node:fs'
import type { Varve } from '../../src/index.ts'
import { framedReplayOf } from '../floors/read.ts'
import { encodedGroupCommit } from '../floors/write.ts'
import { withLog } from '../logs.ts'
import { inFlightFor, passOver } from '../loops.ts'
import { BATCH_RECORDS } from '../payloads.ts'
import type { Variant, Workload } from '../workload.ts'

const IN_FLIGHT = 256
const PARTITIONS = 4
const CODECS = ['json', 'msgpack'] as const

interface Earthquake {
  net: string
  time: number
}

const lines = readFileSync(new URL('../../data/earthquakes.ndjson', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
const records = lines.map((line) => {
  const value = JSON.parse(line) as Earthquake
  return { key: value.net, value, timestamp: value.time }
})
const values = records.map(({ value }) => value)
const encode = (value: unknown) => Buffer.from(JSON.stringify(value))
const recordBytes = Math.round(lines.reduce((sum, line) => sum + line.length, 0) / lines.length)

/** Real events, keyed, on 4 partitions, durable, 256 in flight. The floor makes JSON of them and writes one file. */
export function eventsAppend(): Workload {
  return {
    name: 'events-append',
    recordBytes,
    variants: [
      ...CODECS.map(
        (codec) =>
          ({
            name: codec,
            run: (directory, scale) =>
              withLog(
                directory,
                'group',
                (log) =>
                  inFlightFor(scale, { recordBytes, inFlight: IN_FLIGHT }, (i) =>
                    log.append('t', records[i % records.length]),
                  ),
                { partitions: PARTITIONS, valueCodec: codec },
              ),
          }) satisfies Variant,
      ),
      encodedGroupCommit('R3 json', values, encode, { recordBytes, inFlight: IN_FLIGHT }),
    ],
    goals: [],
  }
}

/** The same events replayed, every value decoded. The floor reads its file back, checks CRCs and parses the JSON. */
export function eventsReplay(count: number): Workload {
  const size = { recordBytes, records: count }
  return {
    name: 'events-replay',
    recordBytes,
    async prepare(directory) {
      for (const codec of CODECS) await fillEvents(`${directory}/${codec}`, codec, count)
    },
    variants: [
      ...CODECS.map(
        (codec) =>
          ({
            name: codec,
            run: (directory) =>
              withLog(`${directory}/${codec}`, 'os', (log) => passOver(size, () => countDecoded(log))),
          }) satisfies Variant,
      ),
      framedReplayOf('R5 json', values.map(encode), size, (bytes) => JSON.parse(bytes.toString()) as unknown),
    ],
    goals: [],
  }
}

async function countDecoded(log: Varve): Promise<number> {
  let count = 0
  for await (const record of log.read('t')) if (typeof (record.value as Earthquake).net === 'string') count++
  return count
}

async function fillEvents(directory: string, codec: (typeof CODECS)[number], count: number): Promise<void> {
  await withLog(
    directory,
    'os',
    async (log) => {
      for (let done = 0; done < count; done += BATCH_RECORDS) {
        const batch = Array.from({ length: BATCH_RECORDS }, (_, i) => records[(done + i) % records.length])
        await log.appendBatch('t', batch)
      }
    },
    { partitions: PARTITIONS, valueCodec: codec },
  )
}
