/**
 * `npm run bench`: Varve beside the bare minimum of each workload, on the disk of this directory. What counts are the
 * ratios: all variants of a workload run in turn, several times, in the same minutes.
 *
 * Sources run through tsx, which costs nothing measurable against built code; processes of their own run built code.
 *
 * `npm run bench -- [workload ...] [--smoke] [--json <file>]`. `--smoke` takes less than a minute; it exits with 1 when a
 * ratio is below an eighth of its goal, which is a blunder and no noise.
 */
import { statfsSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { parseArgs } from 'node:util'
import { measure, type Scale, type Workload } from './harness.ts'
import { describeResult, judge, type Result } from './report.ts'
import { fillBatch } from './workloads/fill-batch.ts'
import { fillEach } from './workloads/fill-each.ts'
import { fillGroup } from './workloads/fill-group.ts'
import { fillOs } from './workloads/fill-os.ts'
import { fillWindow } from './workloads/fill-window.ts'
import { manyPartitions } from './workloads/many-partitions.ts'
import { openPartitions, openPartitionsKilled } from './workloads/open-partitions.ts'
import { openClean, openKilled } from './workloads/open.ts'
import { readRandom } from './workloads/read-random.ts'
import { replayBatches } from './workloads/replay-batches.ts'
import { replayMemory } from './workloads/replay-memory.ts'
import { replayRecords } from './workloads/replay-records.ts'

const SIZES = [100, 1024]
const REPLAY_BYTES = 200_000_000

const { values: options, positionals: wanted } = parseArgs({
  options: { smoke: { type: 'boolean', default: false }, json: { type: 'string' } },
  allowPositionals: true,
})
const { smoke } = options
const scale: Scale = smoke ? { seconds: 0.2, runs: 3, smoke } : { seconds: 1, runs: 5, smoke }
const all = workloads()
const unknown = wanted.filter((name) => !all.some((workload) => workload.name === name))
if (unknown.length > 0) {
  console.error(`no workload ${unknown.join(', ')}; there are ${[...new Set(all.map(({ name }) => name))].join(', ')}`)
  process.exit(2)
}
const { bavail, bsize } = statfsSync(new URL('.', import.meta.url))
if (bavail * bsize < (smoke ? 1e9 : 4e9)) {
  console.error(`the disk of this directory has less than ${smoke ? 1 : 4} GB free`)
  process.exit(2)
}
const results: Result[] = []
for (const workload of all) {
  if (wanted.length > 0 && !wanted.includes(workload.name)) continue
  const measured = await measure(workload, scale, (text) =>
    showProgress(`${workload.name} ${workload.recordBytes} B: ${text}`),
  )
  showProgress('')
  const result = judge(workload, measured)
  results.push(result)
  console.log(describeResult(result).join('\n'))
}
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(document(), null, 2)}\n`)
const blunders = results.filter(({ goals }) => goals.some(({ blunder }) => blunder))
if (smoke && blunders.length > 0) {
  console.error(
    `far below the goal: ${blunders.map((result) => `${result.workload} ${result.recordBytes} B`).join(', ')}`,
  )
  process.exitCode = 1
}

function workloads(): Workload[] {
  const replayed = (recordBytes: number) =>
    smoke ? 200_000 : Math.floor(REPLAY_BYTES / (recordBytes + 100) / 1000) * 1000
  const [small] = SIZES
  const partitions = smoke ? 100 : 1000
  return [
    ...(smoke ? [small] : SIZES).flatMap((recordBytes) => [
      fillOs(recordBytes),
      fillBatch(recordBytes),
      fillGroup(recordBytes),
      fillEach(recordBytes),
      fillWindow(recordBytes),
      replayBatches(recordBytes, replayed(recordBytes)),
      replayRecords(recordBytes, replayed(recordBytes)),
    ]),
    manyPartitions(small),
    readRandom(small),
    openClean(small),
    openKilled(small),
    openPartitions(small, partitions),
    openPartitionsKilled(small, partitions),
    replayMemory(small, smoke ? 1_000_000 : 10_000_000),
  ]
}

/** Where it was measured, and what. */
function document(): object {
  const [{ model }] = cpus()
  const machine = {
    node: process.version,
    platform: `${process.platform} ${release()}`,
    processors: `${cpus().length} x ${model}`,
  }
  return { date: new Date().toISOString(), machine, scale, results }
}

function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${text}`)
}
