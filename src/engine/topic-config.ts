import { compressionTypes, type CompressionType } from '../codec/compression.ts'
import { MAX_RECORDS_BYTES } from '../codec/record-batch.ts'
import { valueCodecNames, type ValueCodec, type ValueCodecName } from '../codec/value-codec.ts'
import { VarveError } from '../errors.ts'
import { anyOf, checkOptions, integer, oneOf, withMethods, type Check } from '../options.ts'
import { flushCheck, type Flush } from './flush.ts'

/**
 * Chooses a partition for a key.
 *
 * @param key        the key's bytes; a record without a key never gets here
 * @param partitions how many there are
 * @returns an integer in [0, partitions)
 */
export type PartitionerFunction = (key: Uint8Array, partitions: number) => number

/** The hashers by name. */
export type PartitionerName = 'murmur3' | 'murmur2' | 'crc32'

/** What becomes of old records: Kafka's `cleanup.policy`. */
export type CleanupPolicy = 'delete' | 'compact' | 'compact,delete'

/** The configuration of a topic: Kafka's names in camelCase with Kafka's defaults where not said otherwise. */
export interface TopicConfig {
  /** A segment is rolled before it grows beyond this. Bytes, 14 to 2^31 - 1. Default 1 GiB. */
  segmentBytes: number
  /** A segment is rolled when it spans more than this. Milliseconds, at least 1. Default 7 days. */
  segmentMs: number
  /** One index entry per so many bytes of log. At least 0. Default 4096. */
  indexIntervalBytes: number
  /** Sealed segments whose records are all older go. Milliseconds; -1, the default here, keeps them for ever. */
  retentionMs: number
  /** The oldest sealed segments go while a partition is larger. Bytes; -1, the default, for no bound. */
  retentionBytes: number
  /**
   * `'delete'`: what retention takes is deleted. `'compact'`: of each key the latest record stays, and retention takes
   * nothing; `'compact,delete'`: both. Records of a compacted topic must have a key. Default `'delete'`.
   */
  cleanupPolicy: CleanupPolicy
  /** Compaction keeps a tombstone for so long after it has first seen it. Milliseconds, at least 0. Default 1 day. */
  deleteRetentionMs: number
  /** Compaction leaves segments with a later record alone. Milliseconds, at least 0. Default 0. */
  minCompactionLagMs: number
  /** A partition is compacted when this share of its bytes came since the last time. 0 to 1. Default 0.5. */
  minCleanableDirtyRatio: number
  /** The largest record, with the header of a batch of its own. Bytes, at least 256. Default 1,048,588. */
  maxMessageBytes: number
  /** How batches are compressed. Default `'none'`. */
  compressionType: CompressionType
  /** Whether a record carries the time its producer gave or the time of the append. Default `'CreateTime'`. */
  messageTimestampType: 'CreateTime' | 'LogAppendTime'
  /** How values become bytes. Default `'msgpack'`. */
  valueCodec: ValueCodecName | ValueCodec
  /** How keys are assigned to partitions; fixed when the topic is created. Default `'murmur3'`. */
  partitioner: PartitionerName | PartitionerFunction
  /** When appends are acknowledged and synced. Default: that of the log. */
  flush: Flush | undefined
}

/** What holds for a topic where nothing is said. */
export const topicDefaults: TopicConfig = {
  segmentBytes: 1024 ** 3,
  segmentMs: 7 * 24 * 3_600_000,
  indexIntervalBytes: 4096,
  retentionMs: -1,
  retentionBytes: -1,
  cleanupPolicy: 'delete',
  deleteRetentionMs: 86_400_000,
  minCompactionLagMs: 0,
  minCleanableDirtyRatio: 0.5,
  maxMessageBytes: 1_048_588,
  compressionType: 'none',
  messageTimestampType: 'CreateTime',
  valueCodec: 'msgpack',
  partitioner: 'murmur3',
  flush: undefined,
}

const ratio: Check = (value) =>
  typeof value === 'number' && value >= 0 && value <= 1 ? null : 'must be a number from 0 to 1'

const isFunction: Check = (value) => (typeof value === 'function' ? null : 'a function (key, partitions) => partition')

/** The checks of each configuration. */
export const topicConfigChecks: { [K in keyof TopicConfig]: Check } = {
  segmentBytes: integer(14, 2 ** 31 - 1),
  segmentMs: integer(1),
  indexIntervalBytes: integer(0),
  retentionMs: integer(-1),
  retentionBytes: integer(-1),
  cleanupPolicy: oneOf(['delete', 'compact', 'compact,delete']),
  deleteRetentionMs: integer(0),
  minCompactionLagMs: integer(0),
  minCleanableDirtyRatio: ratio,
  maxMessageBytes: integer(256, MAX_RECORDS_BYTES),
  compressionType: oneOf(compressionTypes),
  messageTimestampType: oneOf(['CreateTime', 'LogAppendTime']),
  valueCodec: anyOf(oneOf(valueCodecNames), withMethods('encode', 'decode')),
  partitioner: anyOf(oneOf(['murmur3', 'murmur2', 'crc32']), isFunction),
  flush: flushCheck,
}

/** Whether of each key the latest record stays. */
export function isCompacted({ cleanupPolicy }: TopicConfig): boolean {
  return cleanupPolicy !== 'delete'
}

/** Whether retention takes what is too old or too much. */
export function isRetained({ cleanupPolicy }: TopicConfig): boolean {
  return cleanupPolicy !== 'compact'
}

const NAME_PATTERN = /^[a-zA-Z0-9._-]{1,249}$/

/**
 * Checks a topic's name by Kafka's rule.
 *
 * @throws VarveError INVALID_TOPIC_EXCEPTION
 */
export function checkTopicName(name: string): void {
  if (NAME_PATTERN.test(name) && name !== '.' && name !== '..') return
  const rule = "1 to 249 characters out of a-z, A-Z, 0-9, '.', '_' and '-', and neither '.' nor '..'"
  throw new VarveError('INVALID_TOPIC_EXCEPTION', `a topic name must be ${rule}, not '${name.slice(0, 80)}'`)
}

/** The name under which a value codec or partitioner is stored; one that the program brings is `'custom'`. */
export function storedName(setting: string | object): string {
  return typeof setting === 'string' ? setting : 'custom'
}

/** Checks the topic configurations among the options of a call; `others` are the keys that are no configuration. */
export function checkTopicOptions(
  call: string,
  options: unknown,
  others: Record<string, Check>,
  required: string[],
): void {
  checkOptions(call, options, { ...others, ...topicConfigChecks }, required)
}
