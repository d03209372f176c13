import type { ConsumerRecord } from '../codec/record.ts'
import { usageError } from './exit.ts'
import { formatTime } from './units.ts'
import { jsonText, type ShownValue } from './values.ts'

type Decode = (bytes: Buffer | null) => ShownValue
type Part = (record: ConsumerRecord, decode: Decode) => string | Buffer

/** The letters after %: kcat's, with %v for the value and %D for the time as a date besides. */
const TOKENS: Record<string, Part> = {
  t: ({ topic }) => topic,
  p: ({ partition }) => String(partition),
  o: ({ offset }) => String(offset),
  T: ({ timestamp }) => String(timestamp),
  D: ({ timestamp }) => formatTime(timestamp),
  k: ({ keyBytes }) => keyBytes ?? '',
  K: ({ keyBytes }) => String(keyBytes?.length ?? -1),
  v: valueBytes,
  s: valueBytes,
  S: ({ valueBytes: bytes }) => String(bytes?.length ?? -1),
  h: headers,
  '%': () => '%',
}

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', '\\': '\\', '0': '\0' }

/** The tokens, for `--help`. */
export const FORMAT_HELP = `
Format tokens (kcat's, and %v and %D):
  %t topic   %p partition   %o offset   %h headers: name=value,name=value
  %k key     %K its length in bytes, -1 for none
  %v value   %S its length in bytes, -1 for none; %s is %v
             text and bytes as they are, anything else as JSON on one line
  %T timestamp, milliseconds since 1970   %D the same as ISO 8601 in UTC
  %% percent   \\n newline   \\t tab   \\r carriage return   \\\\ \\   \\xHH a byte
`

/**
 * Compiles a `--format` text into the function that prints a record.
 *
 * @throws CliFailure USAGE naming a token that does not exist
 */
export function compileFormat(format: string, decode: Decode): (record: ConsumerRecord) => string | Buffer {
  const parts = [...format.matchAll(/%(.?)|\\x([0-9a-fA-F]{2})|\\(.?)|[^%\\]+/gs)].map(compilePart)
  return (record) => {
    const pieces = parts.map((part) => (typeof part === 'function' ? part(record, decode) : part))
    if (pieces.every((piece) => typeof piece === 'string')) return pieces.join('')
    return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)))
  }
}

function compilePart([text, token, byte, escape]: RegExpExecArray): Part | string | Buffer {
  if (byte !== undefined) return Buffer.from(byte, 'hex')
  if (token !== undefined) {
    if (Object.hasOwn(TOKENS, token)) return TOKENS[token]
    throw usageError(
      `--format has no token '${text}'; there are ${Object.keys(TOKENS)
        .map((name) => `%${name}`)
        .join(' ')}`,
    )
  }
  if (escape === undefined) return text
  if (Object.hasOwn(ESCAPES, escape)) return ESCAPES[escape]
  throw usageError(`--format has no escape '${text}'; there are \\n \\t \\r \\0 \\\\ and \\xHH`)
}

function valueBytes(record: ConsumerRecord, decode: Decode): string | Buffer {
  const value = decode(record.valueBytes)
  if (value.kind === 'none') return ''
  if (value.kind === 'bytes') return value.bytes
  return typeof value.data === 'string' ? value.data : jsonText(value.data)
}

function headers({ rawHeaders }: ConsumerRecord): string {
  return rawHeaders.map(([name, bytes]) => `${name}=${bytes === null ? 'NULL' : bytes.toString()}`).join(',')
}
