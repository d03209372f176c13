/** A compacted topic and what was written to it: what the tests of compaction share. */
import type { Varve } from '../../src/client/varve.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import type { CreateTopicOptions } from '../../src/engine/topic-admin.ts'
import type { SeededRandom } from './seeded-random.ts'

export const TOPIC = 'settings'
/** Small enough for several segments out of a few dozen records. */
export const SMALL: CreateTopicOptions = {
  name: TOPIC,
  cleanupPolicy: 'compact',
  segmentBytes: 700,
  indexIntervalBytes: 150,
  valueCodec: 'string',
}

/** A record as it was written, and acknowledged. */
export interface Written {
  offset: number
  key: string | null
  value: string | null
  timestamp: number
  headers: string
}

/** Appends random records of few keys, some of them tombstones, in batches of random sizes. */
export async function writeSome(
  log: Varve,
  random: SeededRandom,
  count: number,
  options: { keys?: number; tombstones?: number; nowMs?: number; topic?: string; into?: Written[] } = {},
): Promise<Written[]> {
  const { keys = 8, tombstones = 0.2, nowMs = Date.UTC(2026, 0, 1), topic = TOPIC, into: written = [] } = options
  const end = written.length + count
  while (written.length < end) {
    const records = Array.from({ length: random.between(1, 6) }, () => ({
      key: `key-${random.below(keys)}`,
      value: random.chance(tombstones) ? null : `${random.below(1e6)}${'.'.repeat(random.below(60))}`,
      timestamp: nowMs + random.between(-5000, 5000),
      headers: (random.chance(0.2) ? { n: String(random.below(100)) } : {}) as { [name: string]: string },
    }))
    const results = await log.appendBatch(topic, records)
    for (const [i, { offset }] of results.entries()) {
      written.push({ ...records[i], offset, headers: JSON.stringify(records[i].headers) })
    }
  }
  return written
}

/** A record that was read, in the words of {@link Written}. */
export function asWritten(record: ConsumerRecord): Written {
  const { offset, key, timestamp, valueBytes, headers } = record
  return { offset, key, value: valueBytes?.toString() ?? null, timestamp, headers: JSON.stringify(headers) }
}

/** All that a topic holds. */
export async function readAll(log: Varve, topic = TOPIC): Promise<Written[]> {
  const found: Written[] = []
  for await (const record of log.read(topic)) found.push(asWritten(record))
  return found
}

/**
 * What is wrong with what was found of all that was written, or null: what is there must be as it was written, in order,
 * once; what is not must have a newer record of its key, or be a tombstone whose time had come.
 *
 * @param options.mayLoseTombstones their time may have come; then nothing older of the key is there either
 */
export function findLoss(
  written: readonly Written[],
  found: readonly Written[],
  options: { mayLoseTombstones?: boolean } = {},
): string | null {
  const byOffset = new Map(written.map((record) => [record.offset, record]))
  const latest = new Map(written.map((record) => [record.key, record]))
  let last = -1
  for (const record of found) {
    const original = byOffset.get(record.offset)
    if (record.offset <= last) return `offset ${record.offset} comes after ${last}`
    last = record.offset
    if (JSON.stringify({ ...original, offset: record.offset }) !== JSON.stringify({ ...original, ...record }))
      return `${JSON.stringify(record)} was written as ${JSON.stringify(original)}`
    if (original === undefined) return `nobody wrote ${JSON.stringify(record)}`
  }
  const there = new Set(found.map(({ offset }) => offset))
  for (const record of latest.values()) {
    if (there.has(record.offset)) continue
    if (record.value !== null || !options.mayLoseTombstones) return `lost ${JSON.stringify(record)}`
    if (found.some(({ key }) => key === record.key)) return `${record.key} is back, which was deleted`
  }
  return null
}

/** What is left when all of it has been compacted: the latest record of each key, in order. */
export function latestOf(written: readonly Written[]): Written[] {
  const latest = new Map(written.map((record) => [record.key, record.offset]))
  return written.filter(({ key, offset }) => latest.get(key) === offset)
}
