/** Replays topic `t` by batches and prints how much memory this process had after each tenth, and at most. */
import { Varve } from '../../src/index.ts'

const [directory, recordsText] = process.argv.slice(2)
const records = Number(recordsText)
const log = await Varve.open({ directory })
const start = performance.now()
const rssBytes: number[] = []
let count = 0
for await (const batch of log.readBatches('t')) {
  for (const record of batch) if (record.valueBytes !== null) count++
  if (count >= ((rssBytes.length + 1) * records) / 10) rssBytes.push(process.memoryUsage.rss())
}
const seconds = (performance.now() - start) / 1000
await log.close()
if (count !== records) throw new Error(`read ${count} of ${records} records`)
console.log(JSON.stringify({ rssBytes, peakRssBytes: process.resourceUsage().maxRSS * 1024, seconds }))
