import type { Varve } from '../../src/client/varve.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import type { HeaderValue } from '../../src/engine/record-encoding.ts'
import { parseLogFileName } from '../../src/storage/segment-name.ts'
import type { Storage } from '../../src/storage/storage.ts'

/** A record as it must be read back. */
export interface ModelRecord {
  partition: number
  offset: number
  timestamp: number
  key: string | null
  value: unknown
  headers: readonly (readonly [string, HeaderValue])[]
}

/** One partition as an array. */
export class ModelPartition {
  /** All that were ever appended, in order; what lies before `start` can no longer be read. */
  records: ModelRecord[] = []
  start = 0
  end = 0
  leaderEpoch = 0

  /** What can be read, from `offset` on. */
  from(offset: number): ModelRecord[] {
    return this.records.filter((record) => record.offset >= Math.max(offset, this.start))
  }

  /** The first offset whose record is at or after a time; the end when there is none. */
  offsetAt(timestamp: number): number {
    return this.from(this.start).find((record) => record.timestamp >= timestamp)?.offset ?? this.end
  }
}

/** One topic as arrays. */
export class ModelTopic {
  readonly partitions: ModelPartition[]
  /** Where the records of a key go, as long as there are so many partitions. */
  readonly placeOfKey = new Map<string, number>()
  retentionMs = -1
  retentionBytes = -1
  appendTime = false

  constructor(partitions: number) {
    this.partitions = Array.from({ length: partitions }, () => new ModelPartition())
  }

  /** All that can be read, merged by timestamp, among equals by partition, each partition in offset order. */
  inTimeOrder(startOf: (partition: ModelPartition) => number): ModelRecord[] {
    const queues = this.partitions.map((partition) => partition.from(startOf(partition)))
    const merged: ModelRecord[] = []
    for (;;) {
      const heads = queues.flatMap((queue) => queue.slice(0, 1))
      if (heads.length === 0) return merged
      const earliest = heads.reduce((best, head) => (head.timestamp < best.timestamp ? head : best))
      merged.push(earliest)
      queues.find((queue) => queue[0] === earliest)!.shift()
    }
  }
}

/** A record that was read, in the shape of the model. */
export function asModelRecord(record: ConsumerRecord): ModelRecord {
  const { partition, offset, timestamp, key, value, rawHeaders } = record
  const headers = rawHeaders.map(([name, bytes]) => [name, bytes === null ? null : bytes.toString()] as const)
  return { partition, offset, timestamp, key, value: Buffer.isBuffer(value) ? Buffer.from(value) : value, headers }
}

/**
 * What retention must leave, found from the files themselves: the base offsets and sizes of the segments, and the
 * records that the model has in them.
 */
export async function startAfterRetention(
  storage: Storage,
  directory: string,
  partition: ModelPartition,
  { retentionMs, retentionBytes }: { retentionMs: number; retentionBytes: number },
  nowMs: number,
): Promise<number> {
  const segments = await segmentsIn(storage, directory)
  let sizeBytes = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
  let { start } = partition
  for (const [i, segment] of segments.slice(0, -1).entries()) {
    const end = segments[i + 1].baseOffset
    const records = partition.records.filter(({ offset }) => offset >= segment.baseOffset && offset < end)
    const newest = Math.max(...records.map(({ timestamp }) => timestamp))
    const isOld = retentionMs >= 0 && nowMs - newest > retentionMs
    const isTooMuch = retentionBytes >= 0 && sizeBytes - segment.sizeBytes >= retentionBytes
    if (!isOld && !isTooMuch) break
    sizeBytes -= segment.sizeBytes
    start = Math.max(start, end)
  }
  return start
}

async function segmentsIn(storage: Storage, directory: string): Promise<{ baseOffset: number; sizeBytes: number }[]> {
  const segments: { baseOffset: number; sizeBytes: number }[] = []
  for (const { name } of await storage.list(directory)) {
    const baseOffset = parseLogFileName(name)
    if (baseOffset === null) continue
    segments.push({ baseOffset, sizeBytes: (await storage.readFile(`${directory}/${name}`)).length })
  }
  return segments
}

/** Reads what an iteration of a log gives, to its end. */
export async function collect(records: AsyncIterable<ConsumerRecord>): Promise<ModelRecord[]> {
  const found: ModelRecord[] = []
  for await (const record of records) found.push(asModelRecord(record))
  return found
}

/** Reads one partition batch by batch. */
export async function collectBatches(
  log: Varve,
  topic: string,
  partition: number,
  from: number,
): Promise<ModelRecord[]> {
  const found: ModelRecord[] = []
  for await (const batch of log.readBatches(topic, { partition, from })) {
    for (const record of batch) found.push(asModelRecord(record))
  }
  return found
}
