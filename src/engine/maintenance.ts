import type { Clock } from '../environment.ts'
import { VarveError } from '../errors.ts'
import type { Checkpointer } from './checkpointer.ts'
import { Cleaner, type CompactionResult } from './cleaner.ts'
import type { FileHolds } from './file-holds.ts'
import type { Partition } from './partition.ts'
import { retentionStart } from './retention.ts'
import { isCompacted, isRetained } from './topic-config.ts'
import type { Topic } from './topic.ts'

const RETENTION_CHECK_MS = 300_000
const COMPACTION_CHECK_MS = 15_000
const COMPACTION_BUFFER_BYTES = 32 * 1024 * 1024

/** What maintenance needs of the engine. */
export interface MaintainedLog {
  readonly topics: ReadonlyMap<string, Topic>
  readonly clock: Clock
  readonly checkpointer: Checkpointer
  readonly backups: { readonly holds: FileHolds }
  readonly isClosing: boolean
  throwIfNotWritable(): void
  moveLogStart(partition: Partition, choose: () => Promise<number | null>): Promise<void>
}

/** What goes on by itself while a log is open: retention and compaction. */
export class Maintenance {
  private readonly cleaner: Cleaner
  private readonly cancels = new Map<string, () => void>()
  /** The last failure that was told, by what had failed. */
  private readonly told = new Map<string, string>()

  constructor(
    private readonly log: MaintainedLog,
    private readonly options: {
      retentionCheckMs?: number
      compactionCheckMs?: number
      compactionBufferBytes?: number
    },
  ) {
    const { compactionBufferBytes: bufferBytes = COMPACTION_BUFFER_BYTES } = options
    const store = () => log.checkpointer.store()
    this.cleaner = new Cleaner({ clock: log.clock, store, holds: log.backups.holds, bufferBytes })
  }

  /** Begins to look after the log. */
  start(): void {
    const { retentionCheckMs = RETENTION_CHECK_MS, compactionCheckMs = COMPACTION_CHECK_MS } = this.options
    this.repeat('retention', retentionCheckMs, () => this.enforceRetention())
    this.repeat('compaction', compactionCheckMs, () => this.cleaner.compactDirty(this.compactedTopics()))
  }

  /** Ends it; resolves when nothing is under way. */
  async stop(): Promise<void> {
    for (const cancel of this.cancels.values()) cancel()
    await this.cleaner.close()
  }

  /** Ends the compaction of partitions that are to go; resolves when nothing uses their files. */
  async leaveAlone(partitions: readonly Partition[]): Promise<void> {
    await this.cleaner.cancel(partitions)
  }

  /** Compacts the partitions of one topic, or of all that are compacted, however little there is to gain. */
  async compact(topic?: Topic): Promise<CompactionResult[]> {
    this.log.throwIfNotWritable()
    if (topic !== undefined && !isCompacted(topic.config)) {
      const advice = "set its cleanupPolicy to 'compact' or 'compact,delete' with alterTopic first"
      const message = `topic '${topic.name}' is not compacted: ${advice}`
      throw new VarveError('INVALID_CONFIG', message, { details: { topic: topic.name } })
    }
    const results = await this.cleaner.compact(topic === undefined ? this.compactedTopics() : [topic])
    // a close has ended it
    this.log.throwIfNotWritable()
    return results
  }

  private compactedTopics(): Topic[] {
    return [...this.log.topics.values()].filter(({ config }) => isCompacted(config))
  }

  /** Applies every topic's retention once; what fails in one partition is thrown after all others have had their turn. */
  async enforceRetention(): Promise<void> {
    this.log.throwIfNotWritable()
    const failures: unknown[] = []
    for (const topic of this.log.topics.values()) {
      const { config } = topic
      if (!isRetained(config) || (config.retentionMs < 0 && config.retentionBytes < 0)) continue
      for (const partition of topic.partitions) {
        const { log } = partition
        const choose = () => retentionStart(log.describeSealed(), log.active.sizeBytes, config, this.log.clock.now())
        await this.log.moveLogStart(partition, choose).catch((error: unknown) => {
          // a topic may be deleted meanwhile, or the log closed
          if (!partition.isClosed) failures.push(error)
        })
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  private repeat(name: string, intervalMs: number, action: () => Promise<void>): void {
    const cancel = this.log.clock.setTimer(intervalMs, () => {
      action()
        .then(() => this.told.delete(name))
        .catch((error: Error) => {
          // nobody waits for this, and it is tried again: but a disk that fills up must not do so in silence
          if (!this.log.isClosing && this.told.get(name) !== error.message) process.emitWarning(error)
          this.told.set(name, error.message)
        })
        .finally(() => {
          if (!this.log.isClosing) this.repeat(name, intervalMs, action)
        })
    })
    this.cancels.set(name, cancel)
  }
}
