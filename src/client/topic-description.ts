import type { PartitionOffsets } from '../engine/partition.ts'
import type { TopicConfig } from '../engine/topic-config.ts'
import type { Topic } from '../engine/topic.ts'

/** A topic as `describeTopic` and `listTopics` show it. */
export interface TopicDescription {
  name: string
  /** 22 characters, base64url: Kafka's topic id. */
  topicId: string
  partitions: (PartitionOffsets & {
    directory: string
    /** Bytes of log in all segments. */
    sizeBytes: number
    segments: number
    leaderEpoch: number
  })[]
  /** The configuration in force: what was set, and defaults for the rest. */
  config: TopicConfig
}

/** Describes a topic as it is now. */
export function describe(topic: Topic): TopicDescription {
  const { name, topicId } = topic.record
  const partitions = topic.partitions.map((partition) => {
    const { directory, sizeBytes, segments, leaderEpoch } = partition.log
    return { ...partition.offsets(), directory, sizeBytes, segments: segments.length, leaderEpoch }
  })
  return { name, topicId, partitions, config: { ...topic.config, flush: topic.flush } }
}
