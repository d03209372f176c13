/**
 * A process that appends to a log until it is killed: `node --import tsx kill-child.ts <directory> <flush> <seed> <file>`.
 *
 * Prints a line when the log is open, and then writes one to the file for each record as soon as it is acknowledged,
 * "<partition> <offset> <value>". The write is synchronous: a line that is there was acknowledged, and none gets lost
 * with the process.
 */
import { openSync, writeSync } from 'node:fs'
import { Varve, type Flush } from '../../src/index.ts'
import { SeededRandom } from './seeded-random.ts'

const [, , directory, flush, seed, file] = process.argv
const acknowledgements = openSync(file, 'w')
const random = new SeededRandom(Number(seed))
const log = await Varve.open({ directory, flush: JSON.parse(flush) as Flush })
if ((await log.listTopics()).length === 0) {
  await log.createTopic({ name: 't', partitions: 3, segmentBytes: 20_000, valueCodec: 'string' })
}
process.stdout.write('open\n')

let count = 0
async function worker(): Promise<void> {
  for (;;) {
    const value = `${seed}:${count++}:${'x'.repeat(random.below(400))}`
    if (random.chance(0.05)) {
      const values = Array.from({ length: random.between(1, 50) }, (_, i) => `${value}:${i}`)
      const results = await log.appendBatch(
        't',
        values.map((each, i) => ({ key: `${i}`, value: each })),
      )
      writeSync(
        acknowledgements,
        results.map(({ partition, offset }, i) => `${partition} ${offset} ${values[i]}\n`).join(''),
      )
    } else {
      const { partition, offset } = await log.append('t', { key: value, value })
      writeSync(acknowledgements, `${partition} ${offset} ${value}\n`)
    }
    if (random.chance(0.002)) await log.flush()
  }
}
await Promise.all(Array.from({ length: 8 }, worker))
