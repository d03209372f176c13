import { CommanderError } from 'commander'
import { systemErrorCode, VarveError, type ErrorCode } from '../errors.ts'

/** What the process ends with; `varve --help` and docs/cli.md list the same. */
export const ExitCode = {
  ok: 0,
  /** The operation failed, or damage was found. */
  failed: 1,
  /** The command line is wrong: nothing was done. */
  usage: 2,
  /** No such topic, partition or group, or no log in the directory. */
  missing: 3,
} as const

/** Errors of the engine that are not plain failures. */
const EXIT_CODES: { [code in ErrorCode]?: number } = {
  UNKNOWN_TOPIC_OR_PARTITION: ExitCode.missing,
  GROUP_ID_NOT_FOUND: ExitCode.missing,
  INVALID_TOPIC_EXCEPTION: ExitCode.usage,
}

/** A failure that the command line itself finds, as against those of the engine, which are `VarveError`. */
export class CliFailure extends Error {
  override readonly name = 'CliFailure'

  constructor(
    readonly exitCode: number,
    readonly code: string,
    message: string,
    readonly details: object = {},
  ) {
    super(message)
  }
}

/** The command line asks for what cannot be: exit code 2. */
export function usageError(message: string): CliFailure {
  return new CliFailure(ExitCode.usage, 'USAGE', message)
}

/** A file that the command line names cannot be read. */
export function cannotRead(file: string, error: unknown): CliFailure {
  return cannotUse('read', file, error)
}

/** A file that the command line names cannot be written. */
export function cannotWrite(file: string, error: unknown): CliFailure {
  return cannotUse('write', file, error)
}

function cannotUse(use: 'read' | 'write', file: string, error: unknown): CliFailure {
  const reason = oneLine(error).replace(/^[A-Z0-9]+: (.*?), \w+( '.*')?$/, '$1')
  const code = systemErrorCode(error) ?? `CANNOT_${use.toUpperCase()}`
  return new CliFailure(ExitCode.failed, code, `cannot ${use} '${file}': ${reason}`, { path: file })
}

/** What a failed command leaves behind: its exit code, and the error as text and as JSON show it. */
export interface FailureReport {
  exitCode: number
  code: string
  /** One line; empty where the help that was printed says it all. */
  message: string
  details: object
}

/** Says in one line what went wrong. */
export function describeFailure(error: unknown): FailureReport {
  if (error instanceof CommanderError) {
    const message = error.code === 'commander.help' ? '' : oneLine(error).replace(/^error: /, '')
    return { exitCode: error.exitCode === 0 ? ExitCode.ok : ExitCode.usage, code: 'USAGE', message, details: {} }
  }
  if (error instanceof CliFailure) {
    return { exitCode: error.exitCode, code: error.code, message: oneLine(error), details: error.details }
  }
  if (error instanceof VarveError) {
    const { code, details } = error
    return { exitCode: EXIT_CODES[code] ?? ExitCode.failed, code, message: oneLine(error), details }
  }
  return { exitCode: ExitCode.failed, code: systemErrorCode(error) ?? 'ERROR', message: oneLine(error), details: {} }
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s*\n\s*/g, ' ')
}
