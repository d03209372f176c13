import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { verifyDirectory, type VerifiedPartition, type VerifyReport } from '../engine/verify-directory.ts'
import type { Damage } from '../storage/recovery.ts'
import { directoryOption, jsonOption } from './arguments.ts'
import { CliFailure, ExitCode } from './exit.ts'
import { output, say } from './output.ts'
import { Progress } from './progress.ts'
import { printTable } from './table.ts'
import { countOf } from './topic-view.ts'
import { formatBytes, formatCount, formatSeconds } from './units.ts'

const HELP = `
Reads every byte of the log and holds it against checksums, indexes and the
catalog; changes nothing, and works beside a live writer. Prints one line for
each place that is damaged: file, byte position, the offsets that cannot be
read, and why. Exit code 1 if there is any.

Examples:
  varve verify
  varve verify /var/lib/events --json
  varve verify ./kafka-logs
`

/** `varve verify` */
export function registerVerify(program: Command): void {
  program
    .command('verify [directory]')
    .description('check every byte of a log, and list what is damaged')
    .addOption(directoryOption())
    .addOption(jsonOption('print the report as JSON'))
    .addHelpText('after', HELP)
    .action(verify)
}

async function verify(given: string | undefined, options: { directory: string; json?: boolean }): Promise<void> {
  const directory = given ?? options.directory
  const report = await check(directory)
  if (!report.ok) process.exitCode = ExitCode.failed
  if (options.json) return void output.json(report)
  printReport(report)
}

async function check(directory: string): Promise<VerifyReport> {
  await stat(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') return
    throw new CliFailure(ExitCode.missing, 'NO_LOG', `there is no directory '${directory}': -d names another one`, { path: directory })
  })
  let progress: Progress | null = null
  try {
    return await verifyDirectory(directory, {
      onProgress({ bytesDone, bytesTotal }) {
        progress ??= new Progress(bytesTotal, 'bytes', true)
        progress.update({ done: bytesDone })
      },
    })
  } finally {
    ;(progress as Progress | null)?.stop()
  }
}

function printReport({ directory, ok, damage, warnings, partitions, checkedBytes, ms }: VerifyReport): void {
  if (output.isTerminal && partitions.length > 0) {
    printPartitions(partitions)
    void output.line('')
  }
  printDamage(damage)
  if (output.isTerminal && damage.length > 0) void output.line('')
  for (const { path, reason } of warnings) say(`varve: note: '${path}': ${reason}`)
  const records = partitions.reduce((total, partition) => total + partition.records, 0)
  const read = `${countOf(records, 'record')}, ${formatBytes(checkedBytes)} read in ${formatSeconds(ms / 1000)}`
  say(ok ? `'${directory}' is sound: ${read}` : `'${directory}' is damaged in ${countOf(damage.length, 'place')}: ${read}`)
}

function printPartitions(partitions: VerifiedPartition[]): void {
  printTable(
    [
      { head: 'topic', cell: ({ topic }) => topic },
      { head: 'partition', cell: ({ partition }) => partition, align: 'right' },
      { head: 'start', cell: ({ logStartOffset }) => logStartOffset, shown: (row) => formatCount(row.logStartOffset), align: 'right' },
      { head: 'end', cell: ({ logEndOffset }) => logEndOffset, shown: (row) => formatCount(row.logEndOffset), align: 'right' },
      { head: 'records', cell: ({ records }) => records, shown: (row) => formatCount(row.records), align: 'right' },
      { head: 'batches', cell: ({ batches }) => batches, shown: (row) => formatCount(row.batches), align: 'right' },
      { head: 'segments', cell: ({ segments }) => segments, shown: (row) => formatCount(row.segments), align: 'right' },
      { head: 'size', cell: ({ sizeBytes }) => sizeBytes, shown: (row) => formatBytes(row.sizeBytes), align: 'right' },
    ],
    partitions,
  )
}

function printDamage(damage: Damage[]): void {
  if (damage.length === 0) return
  const lost = ({ offset, nextOffset }: Damage) => (nextOffset > offset ? `${offset}-${nextOffset - 1}` : '')
  printTable(
    [
      { head: 'damaged file', cell: ({ path }) => path },
      { head: 'at byte', cell: ({ position }) => position, shown: (row) => formatCount(row.position), align: 'right' },
      { head: 'offsets lost', cell: lost, shown: (row) => lost(row) || 'none', align: 'right' },
      { head: 'what is wrong', cell: ({ reason }) => reason },
    ],
    damage,
  )
}
