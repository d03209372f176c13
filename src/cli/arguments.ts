import { InvalidArgumentError, Option } from 'commander'
import { valueCodecNames } from '../codec/value-codec.ts'
import type { Flush } from '../engine/flush.ts'

const DEFAULT_DIRECTORY = './events'

/** The option that every command has: where the log is. */
export function directoryOption(): Option {
  return new Option('-d, --directory <path>', 'directory of the log').env('VARVE_DIRECTORY').default(DEFAULT_DIRECTORY)
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
  return new Option('--value-codec <name>', "decode values with this codec in place of the topic's own").choices(valueCodecNames)
}

/**
 * Reads a flush mode: `each`, `group`, `os`, `<ms>ms`, or a window as JSON.
 *
 * @returns null for anything else
 */
export function parseFlush(text: string): Flush | null {
  if (text === 'each' || text === 'group' || text === 'os') return text
  const ms = /^(\d+(?:\.\d+)?)ms$/.exec(text)?.[1]
  if (ms !== undefined) return { ms: Number(ms) }
  if (!text.startsWith('{')) return null
  try {
    return JSON.parse(text) as Flush
  } catch {
    return null
  }
}

/** The form that {@link parseFlush} reads. */
export function formatFlush(flush: Flush): string {
  if (typeof flush === 'string') return flush
  const { ms, ...others } = flush
  return Object.keys(others).length === 0 ? `${ms}ms` : JSON.stringify(flush)
}
