/** The topics of a random run, as they are now. */
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { Entry, Moment, PartitionMoment, TopicMoment } from './crash-oracle.ts'
import type { SentBatch } from './crash-producer.ts'

/** A moment of a run, and the disk as it was then, unsynced changes and all. */
export interface CrashPoint {
  disk: MemoryStorage
  moment: Moment
  /** A sync is about to begin: nothing is more uncertain than now. */
  beforeSync: boolean
}

export interface LivePartition extends PartitionMoment {
  entries: Entry[]
  nextOffset: number
  sent: SentBatch[]
}

export interface LiveTopic extends TopicMoment {
  topicId: string
  partitions: LivePartition[]
  /** Of the producer that sends to it. */
  producerId?: number
}
