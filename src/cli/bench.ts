import { lstat, open, rm, stat, writeFile } from 'node:fs/promises'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { jsonOption } from './arguments.ts'
import { compareFlushModes } from './comparison/comparison.ts'
import { inkFor, reportColumns } from './comparison/ink.ts'
import { ComparisonProgress } from './comparison/progress.ts'
import { comparisonReport } from './comparison/report.ts'
import type { Comparison } from './comparison/summary.ts'
import { comparisonSvg } from './comparison/svg.ts'
import { syntheticValues } from './comparison/values.ts'
import { describeRun } from './comparison/verdict.ts'
import { cannotWrite, usageError } from './exit.ts'
import { Interruption } from './interruption.ts'
import { output, say } from './output.ts'

interface BenchOptions {
  directory: string
  seconds: number
  quick?: boolean
  recordBytes: number
  svg?: string
  json?: boolean
}

const QUICK_SECONDS = 5
const HELP = `
Measures each flush mode on one disk, in turn and in several rounds: how many
records a second, how long an acknowledgement takes, how often the disk is
synced, and how much a power cut at the worst moment would have cost. Beside
them stands the least that durability can cost: a bare loop of write and sync.

It works in a temporary directory of its own, which it removes at the end.

Examples:
  varve bench
  varve bench --quick
  varve bench -d /mnt/ssd --record-bytes 1000 --svg ssd.svg
  varve bench --json > disk.json
`

/** `varve bench` */
export function registerBench(program: Command): void {
  program
    .command('bench')
    .description('measure what each flush mode costs and buys on this disk')
    .option('-d, --directory <path>', 'measure the disk that holds this directory', '.')
    .option('-s, --seconds <n>', 'how long it may take', numberArgument(1, 3600), 60)
    .addOption(new Option('-q, --quick', `a first look, in ${QUICK_SECONDS} seconds`).conflicts('seconds'))
    .option('-b, --record-bytes <n>', 'bytes of a value', numberArgument(1, 1_000_000), 100)
    .option('--svg <file>', 'write a picture of speed against loss')
    .addOption(jsonOption('print the figures as JSON'))
    .addHelpText('after', HELP)
    .action(bench)
}

async function bench(options: BenchOptions): Promise<void> {
  await requireDirectory(options.directory)
  if (options.svg !== undefined) await requireWritable(options.svg)
  using interruption = new Interruption()
  const comparison = await measure(options, interruption)
  if (comparison === null) {
    say('varve: interrupted')
    process.exitCode = interruption.exitCode ?? 1
    return
  }
  report(comparison, options)
  if (options.svg !== undefined) await writePicture(options.svg, comparison)
}

function report(comparison: Comparison, { json }: BenchOptions): void {
  if (json) return void output.json(comparison)
  const ink = inkFor(process.stdout)
  void output.line(`${ink('bold', 'varve bench')}  ${describeRun(comparison)}\n`)
  for (const line of comparisonReport(comparison, reportColumns(process.stdout), ink)) void output.line(line)
}

/** Comes after the figures: a disk that is full by now must not cost them. */
async function writePicture(file: string, comparison: Comparison): Promise<void> {
  try {
    await writeFile(file, comparisonSvg(comparison))
  } catch (error) {
    throw cannotWrite(file, error)
  }
  say(`picture: ${file}`)
}

/** Found out before a minute is spent on measuring; leaves everything as it was. */
async function requireWritable(file: string): Promise<void> {
  try {
    const existed = (await lstat(file).catch(() => null)) !== null
    await (await open(file, 'a')).close()
    if (!existed) await rm(file)
  } catch (error) {
    throw cannotWrite(file, error)
  }
}

/** Runs the comparison; null when it was interrupted. */
async function measure(options: BenchOptions, { signal }: Interruption): Promise<Comparison | null> {
  const progress = new ComparisonProgress()
  try {
    return await compareFlushModes({
      directory: options.directory,
      values: syntheticValues(options.recordBytes),
      seconds: options.quick ? QUICK_SECONDS : options.seconds,
      signal,
      progress: (what, done) => progress.update(what, done),
    })
  } catch (error) {
    if (signal.aborted) return null
    throw error
  } finally {
    progress.stop()
  }
}

async function requireDirectory(path: string): Promise<void> {
  const found = await stat(path).catch(() => null)
  if (found?.isDirectory() !== true)
    throw usageError(`'${path}' is not a directory: -d names one on the disk to measure`)
}

function numberArgument(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,7}$/.test(text) ? Number(text) : NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`It must be an integer from ${min} to ${max}.`)
  }
}
