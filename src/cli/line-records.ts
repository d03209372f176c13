import { isUtf8 } from 'node:buffer'
import type { HeaderValue, ProducerRecord } from '../engine/record-encoding.ts'
import { show } from '../options.ts'
import { parseTime } from './units.ts'

/** What a line is: a JSON value, or text. */
export type LineFormat = 'json' | 'lines'

/** How lines become records. */
export interface LineRecordOptions {
  /** Field of the JSON value that gives the key; dots lead into objects. */
  key?: string
  /** Field that gives the timestamp: milliseconds, or ISO 8601. */
  timestamp?: string
  partition?: number
  headers?: [name: string, value: HeaderValue][]
}

/** Turns a line into a record; null for a line that holds none. */
export type LineReader = (line: Buffer) => ProducerRecord | null

/** A line that cannot become a record; the message says why. */
export class LineFault extends Error {}

const BLANK = /^\s*$/
/** What any number beyond the greatest double looks like, and few others do: many digits, or an exponent of three. */
const HUGE_NUMBER = /\d[eE]\+?\d{3}|\d{200}/

/**
 * Makes the function that turns a line into a record.
 *
 * Under a codec that takes text or bytes a JSON value is stored as it stands in its line; under the others it is parsed
 * and encoded by the codec. JSON's `null` is a record without a value.
 *
 * @param valueCodec name of the topic's
 * @returns a function that gives null for a blank line between JSON values, and throws {@link LineFault}
 */
export function lineRecords(format: LineFormat, valueCodec: string, options: LineRecordOptions): LineReader {
  const common: ProducerRecord = {}
  if (options.partition !== undefined) common.partition = options.partition
  if (options.headers !== undefined) common.headers = options.headers
  if (format === 'lines')
    return (line) => ({ ...common, value: valueCodec === 'bytes' ? line : textOf(line, valueCodec) })
  return (line) => {
    const text = textOf(line, 'json')
    if (BLANK.test(text)) return null
    const parsed = parseJson(text)
    const record = { ...common, value: parsed }
    if (parsed !== null && valueCodec === 'bytes') record.value = line
    else if (parsed !== null && valueCodec === 'string') record.value = text
    else if (HUGE_NUMBER.test(text)) refuseInfinite(parsed, '')
    if (options.key !== undefined) record.key = keyOf(parsed, options.key)
    const timestamp = options.timestamp === undefined ? undefined : timestampOf(parsed, options.timestamp)
    if (timestamp !== undefined) record.timestamp = timestamp
    return record
  }
}

function textOf(line: Buffer, valueCodec: string): string {
  if (isUtf8(line)) return line.toString()
  const advice = valueCodec === 'json' ? '' : ' (a topic with valueCodec=bytes takes any bytes)'
  throw new LineFault(`not UTF-8${advice}`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    const spread = /^\s*[[{]\s*$/.test(text) ? '; one value must stand whole on one line: `jq -c .` puts it there' : ''
    throw new LineFault(`not JSON: ${(error as Error).message}${spread}`)
  }
}

/** `JSON.parse` makes Infinity of a number that is too large, and a codec perhaps null of that: neither is what was sent. */
function refuseInfinite(value: unknown, path: string): void {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    const place = path === '' ? 'the value' : `the field '${path.slice(1)}'`
    throw new LineFault(`${place} is a number beyond 1.8e308, which no number can hold: write it as a string`)
  }
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) refuseInfinite(member, `${path}.${name}`)
}

/** A field by its name; dots lead into objects, unless the whole name is a field. Undefined where there is none. */
function fieldOf(value: unknown, path: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  if (Object.hasOwn(value, path)) return (value as Record<string, unknown>)[path]
  for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
    const first = path.slice(0, dot)
    if (Object.hasOwn(value, first)) return fieldOf((value as Record<string, unknown>)[first], path.slice(dot + 1))
  }
  return undefined
}

function keyOf(value: unknown, path: string): string | null {
  const key = fieldOf(value, path)
  if (typeof key === 'string') return key
  if (key === null) return null
  if (typeof key === 'number') return String(key)
  if (key === undefined) throw new LineFault(`no field '${path}' to take the key from`)
  throw new LineFault(`the key, field '${path}', must be a string, a number or null, not ${show(key)}`)
}

/** Undefined, the time of the append, for `null`. */
function timestampOf(value: unknown, path: string): number | undefined {
  const given = fieldOf(value, path)
  if (given === null) return undefined
  if (given === undefined) throw new LineFault(`no field '${path}' to take the timestamp from`)
  const timestamp = typeof given === 'string' ? parseTime(given) : given
  if (typeof timestamp === 'number' && Number.isSafeInteger(timestamp) && Math.abs(timestamp) <= 8.64e15)
    return timestamp
  const must = 'must be whole milliseconds from -8.64e15 to 8.64e15, or an ISO 8601 time'
  throw new LineFault(`the timestamp, field '${path}', ${must}, not ${show(given)}`)
}
