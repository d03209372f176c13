import type { EncodedHeader } from '../codec/batch-encoder.ts'
import type { BatchHeader } from '../codec/record-batch.ts'
import type { RecordContext } from '../codec/record.ts'
import { resolveValueCodec, type ValueCodec } from '../codec/value-codec.ts'
import type { Clock, Random } from '../environment.ts'
import { VarveError } from '../errors.ts'
import { checkOptions, integer, abortSignal, show } from '../options.ts'
import type { AppendResult } from './append-chunk.ts'
import type { BatchCall } from './batch-writer.ts'
import type { Flush } from './flush.ts'
import type { Partition } from './partition.ts'
import { Partitioner } from './partitioner.ts'
import type { PendingBytes } from './pending-bytes.ts'
import type { AppendedBatch } from './received-chunk.ts'
import {
  checkPartition,
  checkRecord,
  checkSize,
  checkTimestamp,
  encodeHeaders,
  encodeKey,
  encodeValue,
  type ProducerRecord,
} from './record-encoding.ts'
import { isCompacted, topicDefaults, type PartitionerFunction, type TopicConfig } from './topic-config.ts'

/** What the catalog keeps of a topic. */
export interface TopicRecord {
  name: string
  /** 16 random bytes, base64url. */
  topicId: string
  /** Name of the partitions' directories without `-<partition>`. */
  directory: string
  partitions: number
  /** Of an internal topic, whose partitions are made on first use: those there are. Of any other absent: all are there. */
  made?: readonly number[]
  /** Taken over with `adoptTopic`, so Kafka may have written some of its segments. */
  adopted?: true
  /** What was set; the rest are defaults. A codec or partitioner that the program brings stands as `'custom'`. */
  config: Partial<{ [K in keyof TopicConfig]: unknown }>
}

/** The numbers of the partitions that a topic has, ascending. */
export function partitionNumbers({ partitions, made }: TopicRecord): readonly number[] {
  return made ?? Array.from({ length: partitions }, (_, partition) => partition)
}

/** Of a partition, in the checkpoint. */
export function partitionKey({ topicId }: Pick<TopicRecord, 'topicId'>, partition: number): string {
  return `${topicId}/${partition}`
}

/** The parts of a topic's configuration that are code: not stored, given at each open. */
export interface TopicFunctions {
  valueCodec?: ValueCodec
  partitioner?: PartitionerFunction
}

/** Options of one append call. */
export interface AppendOptions {
  /** Refuse unless the (first) record gets exactly this offset: nobody else appended since the caller looked. */
  expectedOffset?: number
  /** Gives up waiting for room; what is queued already stays queued. */
  signal?: AbortSignal
}

interface EncodedRecord {
  partition: Partition
  key: Uint8Array | null
  value: Uint8Array | null
  headers: readonly EncodedHeader[]
  timestamp: number
}

const appendChecks = { expectedOffset: integer(0), signal: abortSignal }

/** A topic, alive: turns records into bytes and hands them to the right partition. */
export class Topic {
  readonly partitions: Partition[] = []
  config!: TopicConfig
  private codec!: ValueCodec | null
  private partitioner!: Partitioner
  private readonly encoded = {} as EncodedRecord

  constructor(
    public record: TopicRecord,
    private functions: TopicFunctions,
    private readonly defaultFlush: Flush,
    private readonly environment: { clock: Clock; random: Random; pending: PendingBytes },
  ) {
    this.configure(record, functions)
  }

  get name(): string {
    return this.record.name
  }

  get flush(): Flush {
    return this.config.flush ?? this.defaultFlush
  }

  /** Takes over a changed catalog record. */
  configure(record: TopicRecord, functions: TopicFunctions): void {
    this.record = record
    this.functions = { ...this.functions, ...functions }
    this.config = { ...topicDefaults, ...(record.config as Partial<TopicConfig>) }
    const { valueCodec, partitioner } = record.config
    this.codec =
      valueCodec === 'custom'
        ? (this.functions.valueCodec ?? null)
        : resolveValueCodec(this.config.valueCodec as 'msgpack')
    const hasher =
      partitioner === 'custom' ? (this.functions.partitioner ?? this.missing('partitioner')) : this.config.partitioner
    this.partitioner = new Partitioner(hasher, this.environment.random, record.partitions)
  }

  /** What the records read from one partition share. */
  recordContext(partition: number): RecordContext {
    const valueCodec = () => this.valueCodec
    return {
      topic: this.name,
      partition,
      // the codec may be changed, or given, later
      get valueCodec() {
        return valueCodec()
      },
    }
  }

  partition(index: number): Partition {
    const { made } = this.record
    const partition = this.partitions[made === undefined ? index : made.indexOf(index)]
    if (partition !== undefined) return partition
    const there = made === undefined ? `0 to ${this.partitions.length - 1}` : made.join(', ') || 'none so far'
    const message = `topic '${this.name}' has partitions ${there}, not ${show(index)}`
    throw new VarveError('UNKNOWN_TOPIC_OR_PARTITION', message, { details: { topic: this.name, partition: index } })
  }

  /** Appends one record; see the public `Varve.append`. */
  append(record: ProducerRecord, options?: AppendOptions): Promise<AppendResult> {
    try {
      if (options !== undefined) checkAppendOptions('append', options)
      const { pending } = this.environment
      if (pending.isFull) return pending.whenRoom(() => this.appendNow(record, options), options?.signal)
      return this.appendNow(record, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  private appendNow(record: ProducerRecord, options?: AppendOptions): Promise<AppendResult> {
    const { partition, key, value, headers, timestamp } = this.encode(record, options)
    return partition.writer.append(key, value, headers, timestamp, options?.expectedOffset ?? null)
  }

  /** Appends a batch that a client made, see {@link BatchWriter.appendReceived}: in the order of the calls. */
  appendReceived({ writer }: Partition, bytes: Buffer, header: BatchHeader): Promise<AppendedBatch> {
    const { pending } = this.environment
    return pending.isFull
      ? pending.whenRoom(() => writer.appendReceived(bytes, header))
      : writer.appendReceived(bytes, header)
  }

  /** Appends many records in order, or none when one of them is refused; see the public `Varve.appendBatch`. */
  async appendBatch(records: readonly ProducerRecord[], options?: AppendOptions): Promise<AppendResult[]> {
    if (options !== undefined) checkAppendOptions('appendBatch', options)
    if (!Array.isArray(records)) throw new TypeError(`appendBatch: records must be an array, not ${show(records)}`)
    const { pending } = this.environment
    if (pending.isFull) return pending.whenRoom(() => this.appendBatchNow(records, options), options?.signal)
    return this.appendBatchNow(records, options)
  }

  private async appendBatchNow(records: readonly ProducerRecord[], options?: AppendOptions): Promise<AppendResult[]> {
    const results = Array<AppendResult>(records.length)
    const calls = new Map<Partition, BatchCall>()
    try {
      for (let i = 0; i < records.length; i++) results[i] = this.addToBatch(calls, records[i], i, options)
    } catch (error) {
      for (const [partition, call] of calls) partition.writer.cancelBatch(call)
      throw error
    }
    const ends: Promise<void>[] = []
    for (const [partition, call] of calls) ends.push(partition.writer.endBatch(call))
    await (ends.length === 1 ? ends[0] : Promise.all(ends))
    return results
  }

  private addToBatch(
    calls: Map<Partition, BatchCall>,
    record: ProducerRecord,
    index: number,
    options?: AppendOptions,
  ): AppendResult {
    try {
      const { partition, key, value, headers, timestamp } = this.encode(record, options)
      let call = calls.get(partition)
      if (call === undefined) {
        if (options?.expectedOffset !== undefined && calls.size > 0) {
          throw new TypeError("expectedOffset is about one partition: set the same 'partition' in every record")
        }
        call = partition.writer.beginBatch(options?.expectedOffset ?? null)
        calls.set(partition, call)
      }
      const result = { partition: partition.partition, offset: -1, timestamp }
      call.chunk.addRecord(result, key, value, headers)
      return result
    } catch (error) {
      if (error instanceof Error)
        error.message = `record ${index} of the batch: ${error.message}; nothing of the batch was appended`
      throw error
    }
  }

  /**
   * Checks one record and turns it into bytes. The value's bytes, and the object returned, are valid only until the
   * next call: the caller copies at once. So the value is encoded when no other code of the program can run any more.
   */
  private encode(record: ProducerRecord, options: AppendOptions | undefined): EncodedRecord {
    checkRecord(record)
    const key = encodeKey(record.key)
    if (key === null && isCompacted(this.config)) throw keyMissing(this.name)
    const headers = encodeHeaders(record.headers)
    const timestamp = record.timestamp === undefined ? this.environment.clock.now() : checkTimestamp(record.timestamp)
    const chosen = this.choose(record.partition, key, options)
    const value = encodeValue(this.valueCodec, record.value)
    checkSize(key, value, headers, this.config.maxMessageBytes, this.name)
    const { encoded } = this
    encoded.partition = chosen ?? this.partitions[this.partitioner.withoutKey(value?.length ?? 0)]
    encoded.key = key
    encoded.value = value
    encoded.headers = headers
    encoded.timestamp = timestamp
    return encoded
  }

  /** The partition that a record must go to, or null where any will do. */
  private choose(given: number | undefined, key: Uint8Array | null, options?: AppendOptions): Partition | null {
    if (given !== undefined) return this.partition(checkPartition(given))
    const { partitions } = this
    if (partitions.length === 1) return partitions[0]
    if (key !== null) return partitions[this.partitioner.forKey(key)]
    if (options?.expectedOffset === undefined) return null
    throw new TypeError("expectedOffset is about one partition: the record needs a 'partition' or a key")
  }

  private get valueCodec(): ValueCodec {
    return this.codec ?? this.missing('valueCodec')()
  }

  /** A setting that is code and was not given at this open: using it must fail, and say what to do. */
  private missing(setting: 'valueCodec' | 'partitioner'): () => never {
    return () => {
      const message =
        `topic '${this.name}' was created with a ${setting} of its own: give it again, Varve.open({ topics: ` +
        `{ '${this.name}': { ${setting} } } })`
      throw new VarveError('INVALID_CONFIG', message, { details: { topic: this.name } })
    }
  }
}

function checkAppendOptions(call: string, options: AppendOptions): void {
  checkOptions(call, options, appendChecks)
  options.signal?.throwIfAborted()
}

function keyMissing(topic: string): VarveError {
  const message =
    `a record of topic '${topic}' needs a key: the topic is compacted, and keeps the latest record of each key; ` +
    "give the record a key, or set the topic's cleanupPolicy to 'delete'"
  return new VarveError('INVALID_RECORD', message, { details: { topic } })
}
