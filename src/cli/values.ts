import { isUtf8 } from 'node:buffer'
import { resolveValueCodec, valueCodecNames, type ValueCodecName } from '../codec/value-codec.ts'

/** What a command can say of a value: nothing stored, data, or bytes that are neither text nor readable by the codec. */
export type ShownValue = { kind: 'none' } | { kind: 'data'; data: unknown } | { kind: 'bytes'; bytes: Buffer }

/**
 * Makes the function that finds out what to show of a value. It never throws: what a codec cannot read, and what a
 * program's own codec wrote, shows as bytes.
 *
 * @param valueCodec the topic's, or the one that the user named
 */
export function valueDecoder(valueCodec: string): (bytes: Buffer | null) => ShownValue {
  const name = valueCodecNames.find((known): known is ValueCodecName => known === valueCodec)
  const codec = name === undefined ? null : resolveValueCodec(name)
  return (bytes) => {
    if (bytes === null) return { kind: 'none' }
    if (codec === null || (name !== 'msgpack' && !isUtf8(bytes))) return { kind: 'bytes', bytes }
    if (name === 'bytes' || name === 'string') return { kind: 'data', data: bytes.toString() }
    try {
      return { kind: 'data', data: codec.decode(bytes) }
    } catch {
      return { kind: 'bytes', bytes }
    }
  }
}

/** JSON of anything that a value codec decodes: what JSON has no form for is shown as something near it. */
export function jsonText(value: unknown, indent?: number): string {
  // a function that is asked about every member costs ten times what the rest does
  if (isPlain(value)) return JSON.stringify(value, undefined, indent)
  // JSON.stringify has turned dates and buffers into something else before it asks; the holder still has them
  return JSON.stringify(
    value,
    function replace(this: unknown, key: string, member: unknown): unknown {
      return plainValue((this as Record<string, unknown>)[key], member)
    },
    indent,
  )
}

/** Whether JSON has a form for all of it. */
function isPlain(value: unknown): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object') return false
  if (Array.isArray(value)) return value.every(isPlain)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  for (const name in value) if (!isPlain((value as Record<string, unknown>)[name])) return false
  return true
}

function plainValue(original: unknown, member: unknown): unknown {
  if (typeof original === 'bigint') return Number.isSafeInteger(Number(original)) ? Number(original) : String(original)
  if (typeof original === 'number' && !Number.isFinite(original)) return String(original)
  if (original === undefined) return null
  if (original instanceof Uint8Array) return { base64: Buffer.from(original).toString('base64') }
  if (ArrayBuffer.isView(original)) return Array.from(original as unknown as Iterable<unknown>)
  if (original instanceof Set || original instanceof Map) return [...original]
  if (original instanceof RegExp || original instanceof Error) return String(original)
  return member
}

/** Text that cannot move the cursor or break a line: as it is where it has no control characters, else as JSON. */
export function safeText(text: string): string {
  return hasControls(text) ? escapeControls(JSON.stringify(text)) : text
}

// eslint-disable-next-line no-control-regex -- finding them is the point
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/
const CONTROLS_JSON_KEEPS = /[\u007f-\u009f\u2028\u2029]/g

function hasControls(text: string): boolean {
  return CONTROLS.test(text)
}

/** JSON leaves some control characters as they are; escaping them changes nothing for who parses it. */
export function escapeControls(json: string): string {
  return json.replaceAll(CONTROLS_JSON_KEEPS, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A value for JSON: `null`, the data, or base64, which the caller marks as such. */
export function dataOf(value: ShownValue): unknown {
  if (value.kind === 'none') return null
  return value.kind === 'bytes' ? value.bytes.toString('base64') : value.data
}

/** A value for people. */
export function valueText(value: ShownValue, indent?: number): string {
  if (value.kind === 'none') return '(no value)'
  if (value.kind === 'bytes') return base64Text(value.bytes)
  return typeof value.data === 'string' ? safeText(value.data) : escapeControls(jsonText(value.data, indent))
}

/** A key or a header's value for people. */
export function keyText(bytes: Buffer): string {
  const text = textOf(bytes)
  return text === null ? base64Text(bytes) : safeText(text)
}

function base64Text(bytes: Buffer): string {
  return `base64:${bytes.toString('base64')}`
}

/** A key or header as text, or null where it is not UTF-8. */
export function textOf(bytes: Buffer): string | null {
  return isUtf8(bytes) ? bytes.toString() : null
}
