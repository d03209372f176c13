/**
 * A process that appends to a log and consumes it with a group of three until it is killed:
 * `node group-kill-child.mjs <directory> <flush> <seed> <file>`, bundled.
 *
 * Writes to the file, past every buffer of this process, one line for each thing that is so: "C <partition> <offset>" for
 * what the group has committed when the log is open, "A <partition> <offset>" for each acknowledged append and
 * "P <partition> <offset>" for each record that a handler is done with. Then prints a line when the log is open.
 */
import { openSync, writeSync } from 'node:fs'
import { Varve, type Flush } from '../../src/index.ts'
import { SeededRandom } from './seeded-random.ts'

const MEMBERS = 3
const APPENDERS = 4

const [, , directory, flush, seed, file] = process.argv
const told = openSync(file, 'w')
const tell = (kind: string, partition: number, offset: number) => writeSync(told, `${kind} ${partition} ${offset}\n`)
const random = new SeededRandom(Number(seed))
const log = await Varve.open({ directory, flush: JSON.parse(flush) as Flush })
if ((await log.listTopics()).length === 0) {
  await log.createTopic({ name: 't', partitions: 4, segmentBytes: 50_000, valueCodec: 'string' })
}
if ((await log.listGroups()).length > 0) {
  for (const { partition, committed } of await log.lag('g')) tell('C', partition, committed ?? 0)
}
process.stdout.write('open\n')

async function appendOnAndOn(): Promise<never> {
  for (;;) {
    const { partition, offset } = await log.append('t', { value: 'x'.repeat(random.below(300)) })
    tell('A', partition, offset)
  }
}

async function consume(): Promise<void> {
  for (;;) {
    const consumer = log.consumer({ groupId: 'g', topics: ['t'], assignors: ['cooperative-sticky', 'range'] })
    let left = random.between(50, 500)
    await consumer.run(
      async ({ partition, offset }) => {
        if (random.chance(0.3)) await new Promise((resolve) => setImmediate(resolve))
        tell('P', partition, offset)
        // now and then one leaves, and joins again
        if (--left === 0) void consumer.close()
      },
      { concurrency: random.between(1, 3) },
    )
  }
}

await Promise.all([...Array.from({ length: APPENDERS }, appendOnAndOn), ...Array.from({ length: MEMBERS }, consume)])
