import type { Command } from 'commander'
import { VarveError } from '../errors.ts'
import { repairDirectory, type RepairOptions, type RepairReport } from '../inspect/repair-directory.ts'
import { nodeStorage } from '../storage/node-storage.ts'
import { directoryGiven, directoryOption, jsonOption } from './arguments.ts'
import { ExitCode, usageError } from './exit.ts'
import { Interruption, whatIsLeft } from './interruption.ts'
import { requireDirectory } from './log-access.ts'
import { output, say } from './output.ts'
import { bytesColumn, countColumn, printTable, textColumn, type Column } from './table.ts'
import { countOf, formatBytes, formatSeconds } from './units.ts'

const HELP = `
Saves what can be read of a damaged log into a new directory, which opens without
damage; the damaged one is only read. Needs neither catalog nor checkpoint: topics
that no catalog tells of any more are named after their directories, with values
as bytes (set another valueCodec with \`varve topic alter\`). No program may have
the log open for writing. Ctrl-C leaves <output>.partial, which the next repair
to that place takes away.

Prints a line for each place of which nothing could be saved: topic, partition,
the offsets that are lost, file, byte position, bytes, and why. Exit code 1 if
there is any, a topic had to be guessed, or the catalog or a checkpoint is damaged.
Where the catalog is, configurations may be older than they were: retentionMs and
retentionBytes of its topics become -1, so that nothing is deleted on doubt.

Examples:
  varve repair --dry-run
  varve repair /var/lib/events --output /var/lib/events-repaired
`

interface Options {
  output?: string
  dryRun?: boolean
  json?: boolean
}

/** `varve repair` */
export function registerRepair(program: Command): void {
  program
    .command('repair [directory]')
    .description('save what can be read of a damaged log into a new directory')
    .option('-o, --output <directory>', 'where what is saved goes: a directory that is not there yet, or empty')
    .option('--dry-run', 'only say what would be saved and what is lost')
    .addOption(directoryOption())
    .addOption(jsonOption('print the report as JSON'))
    .addHelpText('after', HELP)
    .action(repair)
}

async function repair(given: string | undefined, options: Options, command: Command): Promise<void> {
  const { output: target, dryRun = false, json } = options
  if (target === undefined && !dryRun) throw usageError('name a new directory with --output, or look with --dry-run')
  const directory = directoryGiven(given, command)
  await requireDirectory(directory)
  using interruption = new Interruption()
  // the damaged log is only read, and what is half written is marked as such: nothing is to be put in order
  interruption.onInterrupted(() => {
    const left = target === undefined || dryRun ? 'nothing was written' : whatIsLeft(target)
    say(`varve: interrupted: ${left}`)
    process.exit(interruption.exitCode)
  })
  if (!dryRun) await refuseWhileWritten(directory)
  const report = await run(directory, { dryRun, ...(target !== undefined && { output: target }) })
  if (!report.ok) process.exitCode = ExitCode.failed
  if (json) return void output.json(report)
  printReport(report)
}

/** What a program that has the log open takes away meanwhile would be told as lost. */
async function refuseWhileWritten(directory: string): Promise<void> {
  try {
    await (await nodeStorage().lockDirectory(directory)).release()
  } catch (error) {
    // where nothing can be written nobody writes
    if (error instanceof VarveError && error.code === 'LOCKED') throw error
  }
}

async function run(directory: string, options: RepairOptions): Promise<RepairReport> {
  try {
    return await repairDirectory(directory, options)
  } catch (error) {
    if (error instanceof RangeError) throw usageError(error.message)
    throw error
  }
}

function printReport(report: RepairReport): void {
  const { directory, output: target, partitions, guessedTopics, damage, retentionOff, leftOut, ms } = report
  const lost = partitions.flatMap(({ topic, partition, lost }) => lost.map((one) => ({ topic, partition, ...one })))
  if (lost.length > 0) printTable(lostColumns, lost)
  for (const name of guessedTopics)
    say(`varve: note: no catalog tells of topic '${name}' any more: its values are taken as bytes`)
  for (const { path, position, reason } of damage)
    say(`varve: note: '${path}' is damaged at byte ${position}: ${reason}`)
  if (retentionOff.length > 0) {
    const advice = 'retentionMs and retentionBytes are -1 now; set them with `varve topic alter`'
    say(`varve: note: configurations of topics may be older (${retentionOff.join(', ')}): ${advice}`)
  }
  for (const path of leftOut)
    say(`varve: note: '${path}' belongs to no topic, as far as anything tells, and is left out`)
  const sum = (of: (one: (typeof partitions)[number]) => number) => partitions.reduce((all, one) => all + of(one), 0)
  const records = countOf(
    sum((one) => one.records),
    'record',
  )
  const saved = `${records} of ${countOf(partitions.length, 'partition')}, ${formatBytes(sum((one) => one.sizeBytes))}`
  const losses = lost.length === 0 ? 'nothing is lost' : `${countOf(lost.length, 'place')} could not be saved`
  const what = target === null ? `of '${directory}' can be saved` : `saved in '${target}'`
  say(`${saved} ${what}, in ${formatSeconds(ms / 1000)}; ${losses}`)
}

type Lost = { topic: string; partition: number } & RepairReport['partitions'][number]['lost'][number]

const lostColumns: Column<Lost>[] = [
  textColumn('topic', ({ topic }) => topic),
  countColumn('partition', ({ partition }) => partition),
  textColumn('offsets lost', ({ offset, nextOffset }) => (nextOffset > offset ? `${offset}-${nextOffset - 1}` : '-')),
  textColumn('file', ({ path }) => path),
  countColumn('at byte', ({ position }) => position),
  bytesColumn('bytes', ({ bytes }) => bytes),
  textColumn('what is wrong', ({ reason }) => reason),
]
