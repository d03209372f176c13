import type { Command } from 'commander'
import { verifyDirectory, type VerifyReport } from '../inspect/verify-directory.ts'
import { directoryGiven, directoryOption, jsonOption } from './arguments.ts'
import { printDamage } from './damage-table.ts'
import { ExitCode } from './exit.ts'
import { requireDirectory } from './log-access.ts'
import { output, say } from './output.ts'
import { Progress } from './progress.ts'
import { bytesColumn, countColumn, printTable, textColumn, type Column } from './table.ts'
import { countOf, formatBytes, formatSeconds } from './units.ts'

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

async function verify(given: string | undefined, options: { json?: boolean }, command: Command): Promise<void> {
  const directory = directoryGiven(given, command)
  const report = await check(directory)
  if (!report.ok) process.exitCode = ExitCode.failed
  if (options.json) return void output.json(report)
  printReport(report)
}

async function check(directory: string): Promise<VerifyReport> {
  await requireDirectory(directory)
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
    printTable(partitionColumns, partitions)
    void output.line('')
  }
  if (damage.length > 0) printDamage(damage)
  for (const { path, reason } of warnings) say(`varve: note: '${path}': ${reason}`)
  const records = partitions.reduce((total, partition) => total + partition.records, 0)
  const read = `${countOf(records, 'record')}, ${formatBytes(checkedBytes)} read in ${formatSeconds(ms / 1000)}`
  say(
    ok
      ? `'${directory}' is sound: ${read}`
      : `'${directory}' is damaged in ${countOf(damage.length, 'place')}: ${read}`,
  )
}

type VerifiedPartition = VerifyReport['partitions'][number]

const partitionColumns: Column<VerifiedPartition>[] = [
  textColumn('topic', ({ topic }) => topic),
  countColumn('partition', ({ partition }) => partition),
  countColumn('start', ({ logStartOffset }) => logStartOffset),
  countColumn('end', ({ logEndOffset }) => logEndOffset),
  countColumn('records', ({ records }) => records),
  countColumn('batches', ({ batches }) => batches),
  countColumn('segments', ({ segments }) => segments),
  bytesColumn('size', ({ sizeBytes }) => sizeBytes),
]
