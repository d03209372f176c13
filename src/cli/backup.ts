import type { Command } from 'commander'
import type { BackupProgress, BackupResult } from '../client/backup.ts'
import { VarveError } from '../errors.ts'
import { directoryOption, jsonOption } from './arguments.ts'
import { printDamage } from './damage-table.ts'
import { ExitCode, usageError } from './exit.ts'
import { Interruption, whatIsLeft } from './interruption.ts'
import { withLog } from './log-access.ts'
import { output, say } from './output.ts'
import { Progress } from './progress.ts'
import { countOf, formatBytes, formatSeconds } from './units.ts'

const HELP = `
Copies the log to a directory that is not there yet, or empty, and checks the
copy; until it is complete it is called <target>.partial. What is damaged is
copied as it is, and listed as by \`varve verify\`, with exit code 1. A program
that has the log open takes its backups itself, with log.backup(target). Ctrl-C
takes the partial copy away.

Examples:
  varve backup /mnt/backups/events-monday
  varve backup /mnt/backups/events-monday -d /var/lib/events --json
`

/** `varve backup` */
export function registerBackup(program: Command): void {
  program
    .command('backup <target>')
    .description('copy a log to a new directory, and check the copy')
    .addOption(directoryOption())
    .addOption(jsonOption('print what was copied as JSON'))
    .addHelpText('after', HELP)
    .action(backup)
}

async function backup(target: string, { directory, json }: { directory: string; json?: boolean }): Promise<void> {
  using interruption = new Interruption()
  const result = await take(directory, target, interruption)
  if (result === null) return
  if (result.damage.length > 0) process.exitCode = ExitCode.failed
  if (json) return void output.json(result)
  if (result.damage.length > 0) printDamage(result.damage)
  const { partitions, sizeBytes, damage, ms } = result
  const what = `${countOf(partitions.length, 'partition')}, ${formatBytes(sizeBytes)} in ${formatSeconds(ms / 1000)}`
  const state = damage.length === 0 ? 'sound' : `damaged in ${countOf(damage.length, 'place')}, as the log is`
  say(`'${result.directory}' is complete and ${state}: ${what}`)
}

/** Null when it was interrupted, which is said. */
async function take(directory: string, target: string, interruption: Interruption): Promise<BackupResult | null> {
  let progress: Progress | null = null
  const onProgress = ({ bytesDone, bytesTotal }: BackupProgress) => {
    progress ??= new Progress(bytesTotal, 'bytes', true)
    progress.update({ done: bytesDone })
  }
  try {
    return await withLog(directory, 'write', (log) => {
      // a close ends a backup, which then takes its partial copy away
      interruption.onInterrupted(() => void log.close().catch(() => {}))
      return log.backup(target, { onProgress })
    })
  } catch (error) {
    if (interruption.exitCode !== null && error instanceof VarveError && error.code === 'CLOSED') {
      process.exitCode = interruption.exitCode
      say(`varve: interrupted: ${whatIsLeft(target)}, and '${directory}' is closed in order`)
      return null
    }
    if (error instanceof RangeError) throw usageError(error.message)
    if (!(error instanceof VarveError) || error.code !== 'LOCKED' || error.details.path !== directory) throw error
    const holder = error.message.replace(/: end that first;.*$/, '')
    const message = `${holder}: end that first, or have it call log.backup(${JSON.stringify(target)})`
    throw new VarveError('LOCKED', message, { details: error.details, cause: error })
  } finally {
    ;(progress as Progress | null)?.stop()
  }
}
