/**
 * `npm run bench:micro [word ...]`: the small things that everything else is made of, one by one. With words only those
 * whose name holds one of them. What a step costs here it costs in a tight loop, with all it needs in the cache.
 */
import Table from 'cli-table3'
import { Bench } from 'tinybench'
import { formatShort } from '../src/cli/comparison/figures.ts'
import { CHARACTERS } from './table.ts'
import { microTasks } from './micro-tasks.ts'

const TASK_MS = 300

const words = process.argv.slice(2)
const tasks = microTasks().filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
const bench = new Bench({ throws: true, time: TASK_MS, warmupTime: TASK_MS / 3 })
for (const { name, run } of tasks) bench.add(name, run, { async: false })
await bench.run()

const table = new Table({
  head: ['', 'median, ns', 'p99, ns', 'of a', 'MB/s'],
  colAligns: ['left', 'right', 'right', 'left', 'right'],
  chars: CHARACTERS,
  style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
})
for (const [i, { result }] of bench.tasks.entries()) {
  if (!('latency' in result)) throw new Error(`${tasks[i].name} gave no result`)
  const { repeats, bytes } = tasks[i]
  const nanoseconds = (result.latency.p50 * 1e6) / repeats
  table.push([
    tasks[i].name,
    formatShort(nanoseconds),
    formatShort((result.latency.p99 * 1e6) / repeats),
    tasks[i].unit,
    bytes === undefined ? '' : ((bytes / nanoseconds) * 1000).toFixed(0),
  ])
}
console.log(table.toString().replaceAll(/ +$/gm, ''))
