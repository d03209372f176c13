/**
 * A process that appends to a log until it is killed: `node kill-child.mjs <directory> <flush> <seed> <file>`, bundled.
 *
 * Prints a line when the log is open, and then writes one to the file for each thing as soon as it is so. The write is
 * synchronous: a line that is there was acknowledged, and none gets lost with the process.
 *
 * "# <topic> ...": the topics that were found, and no others. "A <topic> <partition> <offset> <value>": the record was
 * acknowledged. "+ <topic> <segmentBytes>": the topic was created. "? <topic> <segmentBytes>": it is about to be changed;
 * "= <topic> <segmentBytes>": it was changed, or found. "- <topic>": it is about to be deleted; "! <topic>": it was deleted.
 */
import { openSync, writeSync } from 'node:fs'
import { Varve, type Flush } from '../../src/index.ts'
import { SeededRandom } from './seeded-random.ts'

const APPENDERS = 8
const PASSING_TOPICS = 3

const [, , directory, flush, seed, file] = process.argv
const acknowledgements = openSync(file, 'w')
const tell = (...lines: string[]) => void writeSync(acknowledgements, lines.map((line) => `${line}\n`).join(''))
const random = new SeededRandom(Number(seed))
const log = await Varve.open({ directory, flush: JSON.parse(flush) as Flush })
const found = await log.listTopics()
const there = new Set(found.map(({ name }) => name))
tell(['#', ...there].join(' '), ...found.map(({ name, config }) => `= ${name} ${config.segmentBytes}`))
if (!there.has('t')) {
  await log.createTopic({ name: 't', partitions: 3, segmentBytes: 20_000, valueCodec: 'string' })
  tell('+ t 20000')
}
process.stdout.write('open\n')

let count = 0
const nextValue = () => `${seed}:${count++}:${'x'.repeat(random.below(400))}`

async function appendOnAndOn(): Promise<never> {
  for (;;) {
    const value = nextValue()
    if (random.chance(0.05)) {
      const values = Array.from({ length: random.between(1, 50) }, (_, i) => `${value}:${i}`)
      const results = await log.appendBatch(
        't',
        values.map((each, i) => ({ key: `${i}`, value: each })),
      )
      tell(...results.map(({ partition, offset }, i) => `A t ${partition} ${offset} ${values[i]}`))
    } else {
      const { partition, offset } = await log.append('t', { key: value, value })
      tell(`A t ${partition} ${offset} ${value}`)
    }
    if (random.chance(0.002)) await log.flush()
  }
}

/** Creates topics, uses them, changes them and deletes them again. */
async function changeTopics(): Promise<never> {
  for (;;) {
    const name = `passing${random.below(PASSING_TOPICS)}`
    if (there.has(name) && random.chance(0.3)) {
      tell(`- ${name}`)
      await log.deleteTopic(name)
      tell(`! ${name}`)
      there.delete(name)
    } else if (there.has(name)) {
      const segmentBytes = random.between(1000, 5000)
      tell(`? ${name} ${segmentBytes}`)
      await log.alterTopic(name, { segmentBytes })
      tell(`= ${name} ${segmentBytes}`)
    } else {
      await log.createTopic({ name, segmentBytes: 3000, valueCodec: 'string' })
      tell(`+ ${name} 3000`)
      there.add(name)
    }
    if (!there.has(name)) continue
    const value = nextValue()
    const { offset } = await log.append(name, { value })
    tell(`A ${name} 0 ${offset} ${value}`)
  }
}

await Promise.all([...Array.from({ length: APPENDERS }, appendOnAndOn), changeTopics()])
