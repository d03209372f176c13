import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CompressionType } from '../../src/codec/compression.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'

/** Partition directories that Kafka wrote; see kafka/README.md. */
export const GOLDEN_DIRECTORY = fileURLToPath(new URL('kafka', import.meta.url))

/** `[name, value in base64 or null]` */
type GoldenHeader = [string, string | null]

/** A value in base64; a long one by its length and digest; null for none. */
type GoldenValue = string | { length: number; sha256: string } | null

/** One record as Kafka reads it; keys in base64. */
export type GoldenRecord = [
  offset: number,
  timestamp: number,
  key: string | null,
  value: GoldenValue,
  headers: GoldenHeader[],
]

/** One batch as Kafka reads it. */
export interface GoldenBatch {
  position: number
  sizeBytes: number
  baseOffset: number
  lastOffset: number
  leaderEpoch: number
  checksum: number
  compressionType: CompressionType
  timestampType: 'CreateTime' | 'LogAppendTime'
  baseTimestamp: number
  maxTimestamp: number
  producerId: number
  producerEpoch: number
  baseSequence: number
  flags: ('transactional' | 'control' | 'deleteHorizon')[]
  recordCount: number
  records: GoldenRecord[]
}

/** One segment: its `.log` file, and what Kafka reads in it. */
export interface GoldenSegment {
  file: string
  bytes: Buffer
  batches: GoldenBatch[]
}

/** One partition directory. */
export interface GoldenPartition {
  name: string
  path: string
  topic: string
  partition: number
  logEndOffset: number
  indexIntervalBytes: number
  segmentBytes: number
  timestampType: 'CreateTime' | 'LogAppendTime'
  segments: GoldenSegment[]
  /** What Kafka answers when it is asked for the first offset at or after a time; -1 for none. */
  offsetsForTimestamps: [timestamp: number, offset: number][]
}

interface ExpectedFile {
  kafkaVersion: string
  batchFields: (keyof GoldenBatch)[]
  partitions: {
    [name: string]: {
      config: { [key: string]: string | number }
      logEndOffset: number
      offsetsForTimestamps: [number, number][]
      segments: { [file: string]: unknown[][] }
    }
  }
}

const expected = JSON.parse(readFileSync(join(GOLDEN_DIRECTORY, 'expected.json'), 'utf8')) as ExpectedFile

export const goldenPartitions: GoldenPartition[] = Object.entries(expected.partitions).map(([name, content]) => {
  const { config, logEndOffset, offsetsForTimestamps } = content
  const path = join(GOLDEN_DIRECTORY, name)
  const dash = name.lastIndexOf('-')
  const segments = Object.entries(content.segments).map(([file, rows]) => ({
    file,
    bytes: readFileSync(join(path, file)),
    batches: rows.map(asBatch),
  }))
  return {
    name,
    path,
    topic: name.slice(0, dash),
    partition: Number(name.slice(dash + 1)),
    logEndOffset,
    indexIntervalBytes: Number(config['index.interval.bytes']),
    segmentBytes: Number(config['internal.segment.bytes']),
    timestampType: config['message.timestamp.type'] === 'LogAppendTime' ? 'LogAppendTime' : 'CreateTime',
    segments,
    offsetsForTimestamps,
  }
})

export function goldenPartition(name: string): GoldenPartition {
  const found = goldenPartitions.find((partition) => partition.name === name)
  if (found === undefined) throw new Error(`there is no golden partition ${name}`)
  return found
}

/** The records that a program sees: all but those of control batches. */
export function visibleRecords({ segments }: GoldenPartition): GoldenRecord[] {
  const batches = segments.flatMap((segment) => segment.batches)
  return batches.filter(({ flags }) => !flags.includes('control')).flatMap(({ records }) => records)
}

/** What our decoder gave, in the form of the golden records. */
export function asGolden(record: ConsumerRecord): GoldenRecord {
  const { offset, timestamp, keyBytes, valueBytes, rawHeaders } = record
  const headers = rawHeaders.map(([name, value]): GoldenHeader => [name, base64(value)])
  return [offset, timestamp, base64(keyBytes), goldenValue(valueBytes), headers]
}

/** Above this many bytes the generator notes a digest. */
const LONG_VALUE_BYTES = 1024

function goldenValue(value: Buffer | null): GoldenValue {
  if (value === null || value.length <= LONG_VALUE_BYTES) return base64(value)
  return { length: value.length, sha256: createHash('sha256').update(value).digest('hex') }
}

function base64(bytes: Buffer | null): string | null {
  return bytes === null ? null : bytes.toString('base64')
}

function asBatch(row: unknown[]): GoldenBatch {
  return Object.fromEntries(expected.batchFields.map((field, i) => [field, row[i]])) as unknown as GoldenBatch
}
