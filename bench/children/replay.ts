/**
 * Replays topic `t` by batches and prints how much memory this process had after each tenth, and at most. (What the system
 * calls the greatest of a process includes that of its parent.)
 */
import { Varve } from '../../src/index.ts'

const SAMPLES = 100

const [directory, recordsText] = process.argv.slice(2)
const records = Number(recordsText)
const log = await Varve.open({ directory })
const start = performance.now()
const rssBytes: number[] = []
let count = 0
for await (const batch of log.readBatches('t')) {
  for (const record of batch) if (record.valueBytes !== null) count++
  if (count >= ((rssBytes.length + 1) * records) / SAMPLES) rssBytes.push(process.memoryUsage.rss())
}
const seconds = (performance.now() - start) / 1000
await log.close()
if (count !== records) throw new Error(`read ${count} of ${records} records`)
const tenths = rssBytes.filter((_, i) => (i + 1) % (SAMPLES / 10) === 0)
console.log(JSON.stringify({ tenths, peakRssBytes: Math.max(...rssBytes), seconds }))
