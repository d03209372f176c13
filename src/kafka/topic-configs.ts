import { assertCompressionAvailable } from '../codec/compression.ts'
import { topicConfigChecks, topicDefaults, type TopicConfig } from '../engine/topic-config.ts'
import type { TopicRecord } from '../engine/topic.ts'
import { VarveError } from '../errors.ts'

/**
 * The configurations that Kafka 4 has for topics, by Kafka's names: the one place where they become those of Varve, and
 * back.
 *
 * Three kinds:
 * - `field`: Varve has it too, under that name. Where nothing is set, Varve's default holds and is told: `retention.ms` is -1.
 * - `fixed`: Varve has no use for it. It is told as read-only with Kafka's default. To set it is accepted where the value is
 *   that default, so that tools which write down defaults work, and refused otherwise: nothing would come of it. The one
 *   exception is `message.timestamp.after.max.ms`, whose default since Kafka 4.0 is an hour: nothing is refused here for its
 *   time, and the value says so.
 * - Anything else is unknown, and refused.
 *
 * `compression.type`: what a client has compressed is stored as it came, which is Kafka's `producer` and what is told where
 * nothing is set; any other value is for what is appended in this process. To set `producer` is to set nothing.
 *
 * Whole numbers beyond 2^53 - 1, of Kafka's 2^63 - 1, are that in Varve, and are told as Kafka's greatest.
 *
 * Source: Kafka's TopicConfig.java, LogConfig.java and ServerTopicConfigSynonyms.java.
 */
export interface KafkaTopicConfig {
  name: string
  type: ConfigType
  /** The broker's configuration that Kafka takes the default from; null: there is none. */
  server: string | null
  documentation: string
  field: keyof TopicConfig | null
  /** What holds where nothing is set. */
  default: string
}

/** Kafka's numbers of the types of values. */
export const configTypes = { boolean: 1, string: 2, int: 3, long: 5, double: 6, list: 7 } as const
export type ConfigType = keyof typeof configTypes

/** Java's Long.MAX_VALUE. */
const GREATEST = '9223372036854775807'

function mapped(name: string, type: ConfigType, server: string, field: keyof TopicConfig, documentation: string) {
  const byDefault = field === 'compressionType' ? PRODUCER : formatTopicConfig(field, topicDefaults[field])
  return { name, type, server, documentation, field, default: byDefault }
}

function fixed(name: string, type: ConfigType, server: string | null, value: string, use: string): KafkaTopicConfig {
  return { name, type, server, documentation: `${use} It has no effect here.`, field: null, default: value }
}

const PRODUCER = 'producer'
const REMOTE = 'Belongs to tiered storage.'

/** All of them, by name. */
export const topicConfigs: ReadonlyMap<string, KafkaTopicConfig> = new Map(
  [
    mapped(
      'cleanup.policy',
      'list',
      'log.cleanup.policy',
      'cleanupPolicy',
      'What becomes of old records: delete, compact or both.',
    ),
    fixed('compression.gzip.level', 'int', 'compression.gzip.level', '-1', 'The level at which gzip compresses.'),
    fixed('compression.lz4.level', 'int', 'compression.lz4.level', '9', 'The level at which lz4 compresses.'),
    mapped(
      'compression.type',
      'string',
      'compression.type',
      'compressionType',
      'How batches are compressed that are made here; those of clients are stored as they come.',
    ),
    fixed('compression.zstd.level', 'int', 'compression.zstd.level', '3', 'The level at which zstd compresses.'),
    mapped(
      'delete.retention.ms',
      'long',
      'log.cleaner.delete.retention.ms',
      'deleteRetentionMs',
      'How long compaction keeps a tombstone after it has first seen it. Milliseconds.',
    ),
    fixed(
      'file.delete.delay.ms',
      'long',
      'log.segment.delete.delay.ms',
      '60000',
      'How long a file stays that is to be deleted.',
    ),
    fixed(
      'flush.messages',
      'long',
      'log.flush.interval.messages',
      GREATEST,
      'A sync after so many records; the flush mode of the log says when there is one.',
    ),
    fixed(
      'flush.ms',
      'long',
      'log.flush.interval.ms',
      GREATEST,
      'A sync after so long; the flush mode of the log says when there is one.',
    ),
    fixed('follower.replication.throttled.replicas', 'list', null, '', 'Replicas whose followers are throttled.'),
    mapped(
      'index.interval.bytes',
      'int',
      'log.index.interval.bytes',
      'indexIntervalBytes',
      'One index entry per so many bytes of log.',
    ),
    fixed('leader.replication.throttled.replicas', 'list', null, '', 'Replicas whose leaders are throttled.'),
    fixed('local.retention.bytes', 'long', 'log.local.retention.bytes', '-2', REMOTE),
    fixed('local.retention.ms', 'long', 'log.local.retention.ms', '-2', REMOTE),
    fixed(
      'max.compaction.lag.ms',
      'long',
      'log.cleaner.max.compaction.lag.ms',
      GREATEST,
      'The longest that a record waits for compaction.',
    ),
    mapped('max.message.bytes', 'int', 'message.max.bytes', 'maxMessageBytes', 'The largest batch. Bytes.'),
    fixed(
      'message.timestamp.after.max.ms',
      'long',
      'log.message.timestamp.after.max.ms',
      GREATEST,
      'How far a timestamp may lie ahead.',
    ),
    fixed(
      'message.timestamp.before.max.ms',
      'long',
      'log.message.timestamp.before.max.ms',
      GREATEST,
      'How far a timestamp may lie back.',
    ),
    mapped(
      'message.timestamp.type',
      'string',
      'log.message.timestamp.type',
      'messageTimestampType',
      'Whether a record carries the time its producer gave, or that of the append.',
    ),
    mapped(
      'min.cleanable.dirty.ratio',
      'double',
      'log.cleaner.min.cleanable.ratio',
      'minCleanableDirtyRatio',
      'A partition is compacted when this share of its bytes came since the last time.',
    ),
    mapped(
      'min.compaction.lag.ms',
      'long',
      'log.cleaner.min.compaction.lag.ms',
      'minCompactionLagMs',
      'Compaction leaves segments with a later record alone. Milliseconds.',
    ),
    fixed(
      'min.insync.replicas',
      'int',
      'min.insync.replicas',
      '1',
      'Replicas that must have a record before it is acknowledged.',
    ),
    fixed(
      'preallocate',
      'boolean',
      'log.preallocate',
      'false',
      'Whether a segment is given its whole size when it is made.',
    ),
    fixed('remote.log.copy.disable', 'boolean', null, 'false', REMOTE),
    fixed('remote.log.delete.on.disable', 'boolean', null, 'false', REMOTE),
    fixed('remote.storage.enable', 'boolean', null, 'false', REMOTE),
    mapped(
      'retention.bytes',
      'long',
      'log.retention.bytes',
      'retentionBytes',
      'The oldest segments go while a partition is larger. Bytes; -1: no bound.',
    ),
    mapped(
      'retention.ms',
      'long',
      'log.retention.ms',
      'retentionMs',
      'Segments whose records are all older go. Milliseconds; -1: never.',
    ),
    mapped(
      'segment.bytes',
      'int',
      'log.segment.bytes',
      'segmentBytes',
      'A segment is rolled before it grows beyond this. Bytes.',
    ),
    fixed('segment.index.bytes', 'int', 'log.index.size.max.bytes', '10485760', 'The largest index of a segment.'),
    fixed(
      'segment.jitter.ms',
      'long',
      'log.roll.jitter.ms',
      '0',
      'By how much, at random, a segment is rolled sooner.',
    ),
    mapped(
      'segment.ms',
      'long',
      'log.roll.ms',
      'segmentMs',
      'A segment is rolled when it spans more than this. Milliseconds.',
    ),
    fixed(
      'unclean.leader.election.enable',
      'boolean',
      'unclean.leader.election.enable',
      'false',
      'Whether a replica may lead that lacks records.',
    ),
  ].map((config) => [config.name, config]),
)

/** What a change of configurations comes to. */
export interface TopicConfigChange {
  set: Partial<TopicConfig>
  /** Back to the default. */
  unset: (keyof TopicConfig)[]
}

/**
 * Reads configurations as Kafka writes them; null: the default.
 *
 * @throws VarveError INVALID_CONFIG for an unknown name or a value that may not be; UNSUPPORTED_COMPRESSION_TYPE
 */
export function parseTopicConfigs(values: Iterable<readonly [name: string, value: string | null]>): TopicConfigChange {
  const change: { set: Record<string, unknown>; unset: (keyof TopicConfig)[] } = { set: {}, unset: [] }
  for (const [name, value] of values) {
    const { field, ...config } = topicConfigNamed(name)
    if (field === null) {
      if (value !== null && value.trim() !== config.default)
        refuse(name, value, `is always '${config.default}' here: leave it out`)
    } else if (value === null || (field === 'compressionType' && value.trim() === PRODUCER)) change.unset.push(field)
    else change.set[field] = parseValue(config, field, value)
  }
  return change
}

/** @throws VarveError INVALID_CONFIG */
export function topicConfigNamed(name: string): KafkaTopicConfig {
  const config = topicConfigs.get(name)
  if (config !== undefined) return config
  throw new VarveError('INVALID_CONFIG', `there is no topic configuration '${name.slice(0, 80)}'`)
}

/** One configuration of a topic. */
export interface TopicConfigValue extends KafkaTopicConfig {
  value: string
  /** Whether it was set for the topic, be it to the default. */
  isSet: boolean
}

/** All configurations of a topic, by name. */
export function describeTopicConfigs(stored: TopicRecord['config']): TopicConfigValue[] {
  return [...topicConfigs.values()].map((config) => {
    const value = config.field === null ? undefined : stored[config.field]
    const isSet = value !== undefined
    return { ...config, isSet, value: isSet ? formatTopicConfig(config.field!, value) : config.default }
  })
}

function formatTopicConfig(field: keyof TopicConfig, value: unknown): string {
  if (field === 'compressionType' && value === 'none') return 'uncompressed'
  return value === Number.MAX_SAFE_INTEGER ? GREATEST : String(value)
}

function parseValue(config: { name: string; type: ConfigType }, field: keyof TopicConfig, text: string): unknown {
  const value = parseType(config.name, config.type, text.trim())
  const parsed = field === 'compressionType' ? parseCompression(config.name, value as string) : value
  const fault = topicConfigChecks[field](parsed, config.name)
  if (fault !== null) refuse(config.name, text, fault)
  return parsed
}

function parseCompression(name: string, value: string): string {
  if (value === 'uncompressed') return 'none'
  if (!['gzip', 'snappy', 'lz4', 'zstd'].includes(value))
    refuse(name, value, "must be 'producer', 'uncompressed', 'gzip', 'snappy', 'lz4' or 'zstd'")
  assertCompressionAvailable(value as TopicConfig['compressionType'])
  return value
}

function parseType(name: string, type: ConfigType, text: string): string | number {
  if (type === 'int' || type === 'long') {
    if (!/^[+-]?\d{1,19}$/.test(text) || BigInt(text.replace('+', '')) > BigInt(GREATEST))
      refuse(name, text, 'must be an integer')
    return Math.min(Number(text), Number.MAX_SAFE_INTEGER)
  }
  if (type === 'double') {
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) refuse(name, text, 'must be a number')
    return Number(text)
  }
  return type === 'list' ? parsePolicy(text) : text
}

/** Kafka's list, in either order, as the one of our values that means it. */
function parsePolicy(text: string): string {
  const policies = new Set(text.split(',').map((one) => one.trim()))
  return [...policies].sort().join(',')
}

function refuse(name: string, value: string, fault: string): never {
  throw new VarveError('INVALID_CONFIG', `${name} ${fault}, not '${value.slice(0, 80)}'`)
}
