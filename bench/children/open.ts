/** Opens the log in a directory, reads its first record, and prints how long that took and what opening found. */
import { Varve } from '../../src/index.ts'

const [directory] = process.argv.slice(2)
const start = performance.now()
const log = await Varve.open({ directory })
for await (const record of log.read('t', { partition: 0 })) {
  if (record.offset !== 0) throw new Error(`the first record has offset ${record.offset}`)
  break
}
const ms = performance.now() - start
const { scannedBytes, cutBytes, clean } = log.recovery
await log.close()
console.log(JSON.stringify({ ms, scannedBytes, cutBytes, clean }))
