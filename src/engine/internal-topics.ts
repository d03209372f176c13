import { VarveError } from '../errors.ts'
import { CATALOG_TOPIC } from './catalog.ts'

/** Kafka's topic of committed offsets and of what is kept of consumer groups. */
export const OFFSETS_TOPIC = '__consumer_offsets'

/** Partitions of `__consumer_offsets`. Kafka: offsets.topic.num.partitions. */
export const OFFSETS_PARTITIONS = 50

/** What `__consumer_offsets` is made with. */
export const OFFSETS_SPEC = {
  name: OFFSETS_TOPIC,
  partitions: OFFSETS_PARTITIONS,
  cleanupPolicy: 'compact',
  segmentBytes: 16 * 1024 * 1024,
  valueCodec: 'bytes',
  partitioner: 'murmur2',
} as const

const INTERNAL: readonly string[] = [CATALOG_TOPIC, OFFSETS_TOPIC]

/** Whether a topic holds the log's own state: it can be read, and only the log itself changes it. */
export function isInternalTopic(name: string): boolean {
  return INTERNAL.includes(name)
}

/** @throws VarveError INVALID_TOPIC_EXCEPTION for an internal topic */
export function refuseInternal(name: string): void {
  if (!isInternalTopic(name)) return
  const message = `'${name}' is an internal topic, which only the log itself changes: choose another name`
  throw new VarveError('INVALID_TOPIC_EXCEPTION', message, { details: { topic: name } })
}
