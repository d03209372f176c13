/**
 * Checks the options of public calls: every key must be known and every value of its kind, or the call throws at once.
 */

/** Returns what is wrong with a value, as in "must be ...", or null. */
export type Check = (value: unknown) => string | null

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

export const nonEmptyString: Check = (value) =>
  typeof value === 'string' && value !== '' ? null : 'must be a string that is not empty'

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
  return (value) => {
    const faults = checks.map((check) => check(value))
    return faults.includes(null) ? null : (faults as string[]).join(', or ')
  }
}

/**
 * Checks an options object against the keys that a call knows. Keys whose value is undefined count as absent.
 *
 * @param call     as it is named in the message, for instance `Varve.open`
 * @param required keys that must be there
 * @throws TypeError naming the option, the value and what it must be
 */
export function checkOptions(
  call: string,
  options: unknown,
  checks: Record<string, Check>,
  required: readonly string[] = [],
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`${call}: options must be an object, not ${show(options)}`)
  }
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(checks, key)) {
      throw new TypeError(
        `${call}: unknown option '${key}'${suggest(key, Object.keys(checks))}; known options: ${Object.keys(checks).join(', ')}`,
      )
    }
    if (value === undefined) continue
    const fault = checks[key](value)
    if (fault === null) continue
    const message = `${call}: option '${key}' ${fault}, not ${show(value)}`
    throw typeof value === 'number' && fault.includes('integer') && !Number.isNaN(value)
      ? new RangeError(message)
      : new TypeError(message)
  }
  for (const key of required) {
    if ((options as Record<string, unknown>)[key] === undefined)
      throw new TypeError(`${call}: option '${key}' is required`)
  }
}

/** A value as an error message shows it: short, and never failing. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 64 ? `${value.slice(0, 64)}...` : value}'`
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Uint8Array) return `${value.length} bytes`
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

function suggest(key: string, known: string[]): string {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z]/g, '')
  const given = plain(key)
  if (given === '') return ''
  const near = known.find((name) => plain(name).startsWith(given) || given.startsWith(plain(name)))
  return near === undefined ? '' : ` (did you mean '${near}'?)`
}
