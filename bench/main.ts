/**
 * `npm run bench`: Varve beside the bare minimum of each workload, on the disk of this directory. What counts are the
 * ratios: all variants of a workload run in turn, several times, in the same minutes. See docs/benchmarks.md.
 *
 * Sources run through tsx, which costs nothing measurable against built code; processes of their own run built code.
 *
 * `npm run bench -- [workload ...] [--json <file>] [--smoke] [--seconds <n>] [--runs <n>]`. `--smoke` takes less than a
 * minute; it exits with 1 when a ratio is below a third of its goal in the median and in the best run, which is a blunder
 * and no noise.
 */
import { mkdirSync, statfsSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { formatBytes } from '../src/cli/units.ts'
import { formatSize } from './figures.ts'
import { benchDocument, serialize } from './document.ts'
import { countSteps, DATA_DIRECTORY, measure } from './harness.ts'
import { judge, type Result } from './judge.ts'
import { BenchProgress } from './progress.ts'
import { describeGoal, describeResult } from './table.ts'
import type { Scale, Workload } from './workload.ts'
import { suite } from './workloads.ts'

const FULL: Scale = { seconds: 0.7, runs: 5, bytesMax: 1e9, smoke: false }
const SMOKE: Scale = { seconds: 0.15, runs: 3, bytesMax: 2e8, smoke: true }
const RETRIES = 2
const RETRY_FACTOR = 3
/** Records of 100 B as they are stored, with room to spare. */
const ENDURANCE_BYTES = 15e9

const { values: options, positionals: wanted } = parseArgs({
  options: {
    json: { type: 'string' },
    smoke: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    runs: { type: 'string' },
  },
  allowPositionals: true,
})
const { smoke } = options
const scale = { ...(smoke ? SMOKE : FULL) }
if (options.seconds !== undefined) scale.seconds = positive('seconds', options.seconds)
if (options.runs !== undefined) scale.runs = Math.ceil(positive('runs', options.runs))
const workloads = choose()
requireSpace(workloads.some(({ name }) => name === 'endurance') ? ENDURANCE_BYTES : smoke ? 1e9 : 4e9)

const results: Result[] = []
const started = performance.now()
const progress = new BenchProgress(workloads.reduce((sum, workload) => sum + countSteps(workload, scale), 0))
for (const workload of workloads) {
  results.push(await measureAndJudge(workload))
  progress.print(describeResult(results.at(-1)!))
}
progress.stop()
const minutes = (performance.now() - started) / 60_000
console.log(`medians of ${scale.runs} runs, ${scale.seconds} s each; ${minutes.toFixed(1)} minutes in all`)
if (options.json !== undefined) {
  mkdirSync(dirname(options.json), { recursive: true })
  writeFileSync(options.json, serialize(benchDocument(scale, results)))
}
if (smoke) failOnBlunders()

/** In a smoke test what looks like a blunder gets a second and a third chance, and more time: noise passes, code stays. */
async function measureAndJudge(workload: Workload): Promise<Result> {
  let result = judge(workload, await measure(workload, scale, (text) => tell(workload, text)))
  for (let again = 0; smoke && hasBlunder(result) && again < RETRIES; again++) {
    const longer = { ...scale, seconds: scale.seconds * RETRY_FACTOR }
    result = judge(workload, await measure(workload, longer, () => {}))
  }
  return result
}

function hasBlunder({ goals }: Result): boolean {
  return goals.some(({ blunder }) => blunder)
}

function tell({ name, recordBytes }: Workload, text: string): void {
  progress.step(`${name} ${formatSize(recordBytes)}: ${text}`)
}

function choose(): Workload[] {
  const { usual, onDemand } = suite(scale)
  if (wanted.length === 0) return usual
  const all = [...usual, ...onDemand]
  const names = new Set(all.map(({ name }) => name))
  const unknown = wanted.filter((name) => !names.has(name))
  if (unknown.length > 0) refuse(`no workload ${unknown.join(', ')}; there are ${[...names].join(', ')}`)
  return all.filter(({ name }) => wanted.includes(name))
}

function requireSpace(bytes: number): void {
  mkdirSync(DATA_DIRECTORY, { recursive: true })
  const { bavail, bsize } = statfsSync(DATA_DIRECTORY)
  if (bavail * bsize < bytes) refuse(`the disk of this directory has less than ${formatBytes(bytes)} free`)
}

function failOnBlunders(): void {
  for (const { workload, recordBytes, goals } of results) {
    for (const goal of goals.filter(({ blunder }) => blunder)) {
      console.error(`${workload}, ${formatSize(recordBytes)}: ${describeGoal(goal)}`)
      process.exitCode = 1
    }
  }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) refuse(`--${name} must be a positive number, not '${text}'`)
  return value
}

function refuse(message: string): never {
  console.error(message)
  process.exit(2)
}
