/** What every client is given to write and to read, so that one answer can be expected of all. */
import type { Varve } from '../../src/client/varve.ts'
import type { CompressionType } from '../../src/codec/compression.ts'

export interface SampleRecord {
  partition: number
  key: string | null
  value: string | null
  headers: [name: string, value: string | null][]
  timestamp: number
}

export const SAMPLE_PARTITIONS = 3
export const SAMPLE_START = 1_700_000_000_000

/** Keys, values and header values that are text, empty or null; a second apart. Values compress. */
export function sampleRecords(count = 120): SampleRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    partition: i % SAMPLE_PARTITIONS,
    key: i % 7 === 0 ? null : i % 7 === 1 ? '' : `key ${i % 20} naïve-鍵`,
    value: i % 11 === 0 ? null : i % 11 === 1 ? '' : `value ${i} ${'the quick brown fox '.repeat(i % 13)}`,
    headers: sampleHeaders(i),
    timestamp: SAMPLE_START + i * 1000,
  }))
}

function sampleHeaders(i: number): [string, string | null][] {
  if (i % 5 === 0) return []
  return [
    ['at', String(i)],
    ['nothing', null],
    ['', 'a header without a name'],
    ['empty', ''],
  ].slice(0, i % 5) as [string, string | null][]
}

/** One line for a record. */
export function told({ partition, key, value, headers, timestamp }: SampleRecord): string {
  return JSON.stringify([partition, timestamp, key, value, headers])
}

/** What a reader in this process sees of a topic, partition by partition in order. */
export async function embeddedRecords(log: Varve, topic: string): Promise<SampleRecord[]> {
  const records: SampleRecord[] = []
  for await (const { partition, key, valueBytes, rawHeaders, timestamp } of log.read(topic)) {
    const headers = rawHeaders.map(([name, value]): [string, string | null] => [name, value?.toString() ?? null])
    records.push({ partition, key, value: valueBytes?.toString() ?? null, headers, timestamp })
  }
  return records
}

/** Partition by partition, each in order: as `embeddedRecords` gives what was written in the order of `sampleRecords`. */
export function byPartition(records: SampleRecord[]): string[] {
  const partitions = Array.from({ length: SAMPLE_PARTITIONS }, (_, i) => i)
  return partitions.flatMap((partition) => records.filter((record) => record.partition === partition).map(told))
}

/** How the batches of a topic are stored. */
export async function storedCodecs(log: Varve, topic: string): Promise<CompressionType[]> {
  const codecs = new Set<CompressionType>()
  for await (const { compressionType } of log.readBatches(topic)) codecs.add(compressionType)
  return [...codecs]
}

const PATIENCE_MS = 60_000

/** Resolves once something holds. @throws after a minute */
export async function eventually(holds: () => boolean | Promise<boolean>, what = 'it'): Promise<void> {
  const until = Date.now() + PATIENCE_MS
  while (!(await holds())) {
    if (Date.now() > until) throw new Error(`it has not come to this: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
