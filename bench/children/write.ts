/** Appends to every partition of topic `t` in turn, durably, prints a line after so many records, and goes on. */
import { Varve } from '../../src/index.ts'

const IN_FLIGHT = 256

const [directory, records] = process.argv.slice(2)
const log = await Varve.open({ directory, flush: 'group' })
const { partitions } = await log.describeTopic('t')
const value = Buffer.alloc(100, 'what a killed writer leaves')
let next = 0
let acknowledged = 0
let told = false

async function appendInTurn(): Promise<never> {
  for (;;) {
    await log.append('t', { partition: next++ % partitions.length, value })
    acknowledged++
    if (acknowledged < Number(records) || told) continue
    told = true
    console.log('ready')
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, appendInTurn))
