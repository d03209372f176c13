import { createHash } from 'node:crypto'
import type { ConsumerRecord } from '../../src/index.ts'

/** What went into the log, and where it was said to be. */
export interface AppendedRecord {
  partition: number
  offset: number
  key: Buffer
  value: Buffer
  timestamp: number
}

/** The records of one partition, in the order of the log. */
export function ofPartition<T extends { partition: number }>(records: readonly T[], partition: number): T[] {
  return records.filter((record) => record.partition === partition)
}

/** What came out of the log, copied: a record itself is only a view. */
export function copyOf(record: ConsumerRecord): AppendedRecord {
  const { partition, offset, timestamp, keyBytes, valueBytes } = record
  return { partition, offset, timestamp, key: Buffer.from(keyBytes ?? []), value: Buffer.from(valueBytes ?? []) }
}

/** SHA-256 over the bytes of all keys and values, in order, as hexadecimal digits. */
export function digest(records: readonly AppendedRecord[]): string {
  const hash = createHash('sha256')
  for (const { key, value } of records) hash.update(key).update(value)
  return hash.digest('hex')
}

/**
 * Compares what went into one partition with what came out, record by record.
 *
 * @returns what differs first, or null when nothing does
 */
export function firstDifference(put: readonly AppendedRecord[], got: readonly AppendedRecord[]): string | null {
  for (const [i, expected] of put.entries()) {
    const { partition, offset } = expected
    const found = got[i]
    if (found === undefined) return `partition ${partition} ends before offset ${offset}`
    if (found.offset !== offset) return `offset ${found.offset} of partition ${partition} stands where ${offset} should`
    for (const part of ['key', 'value'] as const) {
      if (!expected[part].equals(found[part]))
        return `the ${part} at offset ${offset} of partition ${partition} is another one`
    }
    if (found.timestamp !== expected.timestamp)
      return `the time at offset ${offset} of partition ${partition} is another one`
  }
  return got.length === put.length ? null : `partition ${got[put.length].partition} holds more than was appended`
}

/** The values under each key, in order. */
export function sequencesByKey(records: readonly AppendedRecord[]): Map<string, Buffer[]> {
  const sequences = new Map<string, Buffer[]>()
  for (const { key, value } of records) {
    const sequence = sequences.get(key.toString())
    if (sequence === undefined) sequences.set(key.toString(), [value])
    else sequence.push(value)
  }
  return sequences
}

/** Whether each key has the same values in the same order on both sides. */
export function sameOrderPerKey(put: readonly AppendedRecord[], got: readonly AppendedRecord[]): boolean {
  const [before, after] = [sequencesByKey(put), sequencesByKey(got)]
  if (before.size !== after.size) return false
  return [...before].every(([key, values]) => {
    const others = after.get(key)
    return others?.length === values.length && values.every((value, i) => value.equals(others[i]))
  })
}
