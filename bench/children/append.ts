/** Appends records to topic `t`, 256 in flight, durably, and prints how much memory this process had meanwhile. */
import { Varve } from '../../src/index.ts'
import { payloads } from '../payloads.ts'
import { MemorySamples } from './memory-samples.ts'

const IN_FLIGHT = 256

const [directory, recordsText, recordBytesText] = process.argv.slice(2)
const records = Number(recordsText)
const values = payloads(Number(recordBytesText))
const log = await Varve.open({ directory, flush: 'group' })
await log.createTopic({ name: 't', valueCodec: 'bytes' })
const memory = new MemorySamples(records)
let next = 0
let acknowledged = 0

async function appendInTurn(): Promise<void> {
  while (next < records) {
    await log.append('t', { value: values[next++ % values.length] })
    memory.at(++acknowledged)
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, appendInTurn))
const report = memory.report()
await log.close()
console.log(JSON.stringify(report))
