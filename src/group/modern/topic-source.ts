import { isInternalTopic } from '../../engine/internal-topics.ts'
import type { LogEngine } from '../../engine/log-engine.ts'
import type { TopicSource } from './modern-group.ts'

/** The topics of a log, for groups whose partitions the server divides. */
export function topicsOf({ topics, catalog }: LogEngine): TopicSource {
  return {
    find(name) {
      const topic = topics.get(name)
      return topic && { topicId: topic.record.topicId, partitions: topic.partitions.length }
    },
    // a pattern is about what programs write
    names: () => [...topics.keys()].filter((name) => !isInternalTopic(name)),
    nameOf: (topicId) => catalog.get(topicId)?.name,
  }
}
