/**
 * The process that `npm start` kills: appends the earthquakes over and over, 256 in flight, and tells after each turn on
 * standard output how many records of each partition were acknowledged: `12 0 7 31`. Ends when nobody listens any more.
 *
 * `node --import tsx writer.ts <directory>`
 */
import { writeSync } from 'node:fs'
import { Varve } from '../../src/index.ts'
import { readEarthquakes, TOPIC } from './earthquakes.ts'

const IN_FLIGHT = 256
const STANDARD_OUTPUT = 1

const [directory] = process.argv.slice(2)
const events = readEarthquakes()
const log = await Varve.open({ directory, flush: 'group' })
await log.createTopic(TOPIC)

const acknowledged = Array<number>(TOPIC.partitions).fill(0)
let told = true
let next = 0

async function appendInTurn(): Promise<never> {
  for (;;) {
    const { event } = events[next++ % events.length]
    const { partition, offset } = await log.append(TOPIC.name, { key: event.net, value: event, timestamp: event.time })
    acknowledged[partition] = offset + 1
    if (told) setImmediate(tell)
    told = false
  }
}

/** At once, past every buffer of this process: what was told must be true, and what is true soon told. */
function tell(): void {
  told = true
  writeSync(STANDARD_OUTPUT, `${acknowledged.join(' ')}\n`)
}

await Promise.all(Array.from({ length: IN_FLIGHT }, appendInTurn))
