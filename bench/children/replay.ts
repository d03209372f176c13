/** Replays topic `t` by batches and prints how much memory this process had meanwhile. */
import { Varve } from '../../src/index.ts'
import { MemorySamples } from './memory-samples.ts'

const [directory, recordsText] = process.argv.slice(2)
const records = Number(recordsText)
const log = await Varve.open({ directory })
const memory = new MemorySamples(records)
let count = 0
for await (const batch of log.readBatches('t')) {
  for (const record of batch) if (record.valueBytes !== null) count++
  memory.at(count)
}
const report = memory.report()
await log.close()
if (count !== records) throw new Error(`read ${count} of ${records} records`)
console.log(JSON.stringify(report))
