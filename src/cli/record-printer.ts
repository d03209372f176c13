import type { ConsumerRecord } from '../codec/record.ts'
import { compileFormat } from './record-format.ts'
import { formatTime } from './units.ts'
import { dataOf, jsonText, keyText, safeText, textOf, valueDecoder, valueText, type ShownValue } from './values.ts'

/** How `read` and `replay` print a record. */
export interface PrintOptions {
  json?: boolean
  /** As `--format` gives it. */
  format?: string
  valueCodec: string
  isTerminal: boolean
}

/** A record as it is printed, its line ends included. */
export type RecordPrinter = (record: ConsumerRecord) => string | Buffer

/** Makes the function that prints records as the options say. */
export function recordPrinter({ json = false, format, valueCodec, isTerminal }: PrintOptions): RecordPrinter {
  const decode = valueDecoder(valueCodec)
  if (json) return (record) => `${jsonText(jsonRecord(record, decode(record.valueBytes)))}\n`
  if (format !== undefined) return compileFormat(format, decode)
  const line = isTerminal ? terminalRecord : tabbedRecord
  return (record) => line(record, decode(record.valueBytes))
}

/**
 * A record for `--json`. Bytes that are not text are base64, and are marked: `keyEncoding` and `valueEncoding` stand
 * beside the field, in a header they stand as `{ base64 }`. Headers are an object, or pairs where a name repeats.
 */
function jsonRecord(record: ConsumerRecord, value: ShownValue): object {
  const { topic, partition, offset, timestamp, keyBytes, rawHeaders } = record
  const key = keyBytes === null ? null : textOf(keyBytes)
  const pairs = rawHeaders.map(([name, bytes]) => [name, bytes === null ? null : (textOf(bytes) ?? bytes)] as const)
  const headers: unknown =
    new Set(pairs.map(([name]) => name)).size === pairs.length ? Object.fromEntries(pairs) : pairs
  return {
    topic,
    partition,
    offset,
    timestamp,
    key: key ?? keyBytes?.toString('base64') ?? null,
    ...(keyBytes !== null && key === null && { keyEncoding: 'base64' }),
    value: dataOf(value),
    ...(value.kind === 'bytes' && { valueEncoding: 'base64' }),
    headers,
  }
}

/** `0:12  2018-01-31T01:49:59.650Z  key` and the value; objects spread over lines. */
function terminalRecord(record: ConsumerRecord, value: ShownValue): string {
  const headers = record.rawHeaders.map(
    ([name, bytes]) => `${safeText(name)}=${bytes === null ? 'null' : keyText(bytes)}`,
  )
  const key = record.keyBytes === null ? '-' : keyText(record.keyBytes)
  const parts = [`${record.partition}:${record.offset}`, formatTime(record.timestamp), key, ...headers]
  const shown = valueText(value, 2)
  return `${parts.join('  ')}${shown.includes('\n') ? `\n${shown}` : `  ${shown}`}\n`
}

/** partition, offset, time, key, value; parted by tabs, each on one line whatever it holds. */
function tabbedRecord(record: ConsumerRecord, value: ShownValue): string {
  const key = record.keyBytes === null ? '' : keyText(record.keyBytes)
  const shown = value.kind === 'none' ? '' : valueText(value)
  return `${[record.partition, record.offset, formatTime(record.timestamp), key, shown].join('\t')}\n`
}
