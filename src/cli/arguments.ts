import { InvalidArgumentError, Option, type Command } from 'commander'
import { valueCodecNames } from '../codec/value-codec.ts'
import { flushCheck, type Flush } from '../engine/flush.ts'
import { usageError } from './exit.ts'

const DEFAULT_DIRECTORY = './events'

/** The option that every command has: where the log is. */
export function directoryOption(): Option {
  return new Option('-d, --directory <path>', 'directory of the log').env('VARVE_DIRECTORY').default(DEFAULT_DIRECTORY)
}

/**
 * The directory of a command that takes it as its argument, too.
 *
 * @throws CliFailure USAGE where both are given
 */
export function directoryGiven(argument: string | undefined, command: Command): string {
  const option = command.getOptionValue('directory') as string
  if (argument === undefined) return option
  if (command.getOptionValueSource('directory') === 'cli')
    throw usageError(`two directories are named, '${argument}' and, with -d, '${option}': name one`)
  return argument
}

/** The words that make another command use the same directory, for messages; empty where it would anyway. */
export function directoryWords(directory: string): string {
  if (directory === (process.env.VARVE_DIRECTORY ?? DEFAULT_DIRECTORY)) return ''
  return ` -d ${/^[\w./~+-]+$/.test(directory) ? directory : JSON.stringify(directory)}`
}

export function jsonOption(what: string): Option {
  return new Option('--json', what)
}

/** Reads an integer of at least `min`. */
export function integerArgument(min: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN
    if (Number.isSafeInteger(value) && value >= min) return value
    throw new InvalidArgumentError(`It must be an integer of at least ${min}.`)
  }
}

/** Gathers the values of an option that may be given several times. */
export function repeatable(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value]
}

export function valueCodecOption(): Option {
  return new Option('--value-codec <name>', "decode values with this codec in place of the topic's own").choices(
    valueCodecNames,
  )
}

/** What {@link parseFlush} takes, for messages. */
export const FLUSH_FORMS =
  'must be each, group, os, a loss window such as 10ms, or {"ms":10,"bytes":1000000,"records":5000}'

/** Reads a flush mode; null for anything that is none. */
export function parseFlush(text: string): Flush | null {
  try {
    const ms = /^(\d+(?:\.\d+)?)ms$/.exec(text)?.[1]
    const flush: unknown = text.startsWith('{') ? JSON.parse(text) : ms === undefined ? text : { ms: Number(ms) }
    return flushCheck(flush) === null ? (flush as Flush) : null
  } catch {
    return null
  }
}

/** Reads the flush mode of an option. */
export function parseFlushOption(text: string): Flush {
  const flush = parseFlush(text)
  if (flush === null) throw usageError(`--flush ${FLUSH_FORMS}, not '${text}'`)
  return flush
}

/** The form that {@link parseFlush} reads. */
export function formatFlush(flush: Flush): string {
  if (typeof flush === 'string') return flush
  const { ms, ...others } = flush
  return Object.keys(others).length === 0 ? `${ms}ms` : JSON.stringify(flush)
}
