/**
 * Checks the options of public calls: every key must be known and every value of its kind, or the call throws at once.
 */

/**
 * Returns what is wrong with a value, as in "must be ...", or null.
 *
 * @param where the call and the option, for checks that throw an error of their own about a part of the value
 */
export type Check = (value: unknown, where?: string) => string | null

/** An integer in [min, max]. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Check {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  return (value) =>
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
      ? null
      : `must be an integer ${range}`
}

/** A number of milliseconds, fractions allowed. */
export function milliseconds(min: number): Check {
  return (value) =>
    typeof value === 'number' && value >= min && value < Infinity ? null : `must be a number of at least ${min} (ms)`
}

/** One of some strings. */
export function oneOf(values: readonly string[]): Check {
  return (value) =>
    values.includes(value as string) ? null : `must be one of ${values.map((v) => `'${v}'`).join(', ')}`
}

export const boolean: Check = (value) => (typeof value === 'boolean' ? null : 'must be true or false')

export const functionCheck: Check = (value) => (typeof value === 'function' ? null : 'must be a function')

export const nonEmptyString: Check = (value) =>
  typeof value === 'string' && value !== '' ? null : 'must be a string that is not empty'

/** Text that is stored, and must be the same when it is read back: of at most `maxBytes` as UTF-8. */
export function storedText(maxBytes: number): Check {
  return (value, where) => {
    if (typeof value !== 'string' || value === '') return nonEmptyString(value, where)
    if (LONE_SURROGATE.test(value)) return 'must be text that UTF-8 can express, without half a surrogate pair'
    const bytes = Buffer.byteLength(value)
    return bytes <= maxBytes ? null : `must be at most ${maxBytes} bytes long, and is ${bytes}`
  }
}

const LONE_SURROGATE = /\p{Surrogate}/u

/** What Kafka's formats have room for. */
export const groupId = storedText(32_767)

/** A path that the system's calls take: theirs end at a NUL. */
export const path: Check = (value) =>
  typeof value === 'string' && value.includes('\0') ? 'must be a path without NUL characters' : nonEmptyString(value)

/** The path of a directory without the separators that it may end with; the root stays. */
export function trimmedPath(directory: string): string {
  return directory.replace(/(?<=.)[/\\]+$/, '')
}

export const abortSignal: Check = (value) => (value instanceof AbortSignal ? null : 'must be an AbortSignal')

/** An object that has all of some methods: an injected storage, clock or codec. */
export function withMethods(...names: string[]): Check {
  return (value) => {
    const missing = names.find(
      (name) => typeof (value as Record<string, unknown> | null | undefined)?.[name] !== 'function',
    )
    return missing === undefined ? null : `must be an object with a method '${missing}'`
  }
}

export function anyOf(...checks: Check[]): Check {
  return (value, where) => {
    const faults = checks.map((check) => check(value, where))
    return faults.includes(null) ? null : (faults as string[]).join(', or ')
  }
}

/**
 * Checks an options object against the keys that a call knows. Keys whose value is undefined count as absent.
 *
 * @param call     as it is named in the message, for instance `Varve.open`
 * @param required keys that must be there
 * @throws TypeError naming the option, the value and what it must be; RangeError where that is a number out of its range
 */
export function checkOptions(
  call: string,
  options: unknown,
  checks: Record<string, Check>,
  required: readonly string[] = [],
): void {
  // an array, or a Map, whose entries are no properties
  if (typeof options !== 'object' || options === null || Symbol.iterator in options) {
    throw new TypeError(`${call}: options must be an object, not ${show(options)}`)
  }
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(checks, key)) {
      throw new TypeError(
        `${call}: unknown option '${key}'${suggest(key, Object.keys(checks))}; known options: ${Object.keys(checks).join(', ')}`,
      )
    }
    if (value === undefined) continue
    const fault = checks[key](value, `${call}: ${key}`)
    if (fault === null) continue
    const message = `${call}: option '${key}' ${fault}, not ${show(value)}`
    throw /\b(integer|number)\b/.test(fault) ? notInRange(value, message) : new TypeError(message)
  }
  for (const key of required) {
    if ((options as Record<string, unknown>)[key] === undefined)
      throw new TypeError(`${call}: option '${key}' is required`)
  }
}

/** The options that were given: keys whose value is undefined count as absent. */
export function definedOf<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}

/** The error for what must be a number in a range: a RangeError about a number, a TypeError about anything else. */
export function notInRange(value: unknown, message: string): RangeError | TypeError {
  return typeof value === 'number' && !Number.isNaN(value) ? new RangeError(message) : new TypeError(message)
}

// eslint-disable-next-line no-control-regex -- a message must not move the cursor or end a line
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g

function escape(control: string): string {
  return `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`
}

/** A value as an error message shows it: short, telling its type, and never failing. */
export function show(value: unknown): string {
  if (typeof value === 'string')
    return `'${value.slice(0, 64).replaceAll(CONTROLS, escape)}${value.length > 64 ? '...' : ''}'`
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (value instanceof Map) return 'a Map'
  if (!(value instanceof Date)) return 'an object'
  return Number.isNaN(value.getTime()) ? 'an invalid Date' : `the Date ${value.toISOString()}`
}

/** The name that may have been meant, as ` (did you mean '...'?)`, or nothing where none resembles what was given. */
export function suggest(given: string, known: readonly string[]): string {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z]/g, '')
  const name = plain(given)
  if (name === '') return ''
  const slips = name.length < 6 ? 1 : 2
  const near =
    known.find((each) => plain(each).startsWith(name) || name.startsWith(plain(each))) ??
    known.find((each) => slipsBetween(name, plain(each)) <= slips)
  return near === undefined ? '' : ` (did you mean '${near}'?)`
}

/** Letters that are missing, too many, wrong or swapped with the next: the distance of Damerau and Levenshtein. */
function slipsBetween(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) row[j] = Math.min(row[j], before[j - 2] + 1)
    }
    before = last
    last = row
  }
  return last[b.length]
}
