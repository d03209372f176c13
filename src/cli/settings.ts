import { Option } from 'commander'
import { valueCodecNames } from '../codec/value-codec.ts'
import { topicConfigChecks, topicDefaults, type TopicConfig } from '../engine/topic-config.ts'
import { oneOf, type Check } from '../options.ts'
import { FLUSH_FORMS, formatFlush, parseFlush } from './arguments.ts'
import { usageError } from './exit.ts'

type Settings = Partial<TopicConfig>
type Key = keyof TopicConfig

const KEYS = Object.keys(topicConfigChecks) as Key[]

/** What the library takes as code, a command line can only name. */
const NAMED: Partial<Record<Key, Check>> = {
  valueCodec: oneOf(valueCodecNames),
  partitioner: oneOf(['murmur3', 'murmur2', 'crc32']),
}

/** `--config <key=value>`, which may be given several times. */
export function configOption(): Option {
  return new Option('-c, --config <key=value>', 'a topic configuration; repeatable').argParser(parseSetting)
}

/** The topic configurations, for `--help`. */
export function configHelp(): string {
  const lines = KEYS.map((key) => `  ${key.padEnd(22)} ${formatSetting(topicDefaults[key]) || "the log's own"}`)
  return ["Configurations and their defaults (Kafka's dotted names, too: retention.ms):", ...lines].join('\n')
}

/** A configuration's value as `--config` reads it. */
export function formatSetting(value: unknown): string {
  if (typeof value === 'object' && value !== null) return formatFlush(value as { ms: number })
  if (value === undefined) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/**
 * Reads one `key=value` and adds it to those before it.
 *
 * @throws CliFailure USAGE naming the known keys, or what the value must be
 */
export function parseSetting(text: string, previous: Settings = {}): Settings {
  const at = text.indexOf('=')
  if (at <= 0) throw usageError(`--config takes <key>=<value>, as in retentionMs=604800000, not '${text}'`)
  const [name, given] = [text.slice(0, at).trim(), text.slice(at + 1).trim()]
  const key = KEYS.find((known) => known === camelCase(name))
  if (key === undefined) throw usageError(`there is no configuration '${name}'; there are ${KEYS.join(', ')}`)
  const value = parseValue(key, given)
  const fault = value === null ? FLUSH_FORMS : (NAMED[key] ?? topicConfigChecks[key])(value)
  if (fault !== null) throw usageError(`configuration ${key} ${fault}, not '${given}'`)
  return { ...previous, [key]: value }
}

/** `retention.ms` and `retention-ms` are retentionMs. */
function camelCase(name: string): string {
  return name.replaceAll(/[._-]([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

/** By the type of the default. */
function parseValue(key: Key, text: string): unknown {
  if (key === 'flush') return parseFlush(text)
  const standard: unknown = topicDefaults[key]
  if (typeof standard === 'number') return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : NaN
  if (typeof standard === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}
