import type { Clock } from '../environment.ts'
import { wrapSystemError } from '../errors.ts'
import { LogCompaction, planCompaction, type CompactionFigures } from '../storage/log-compaction.ts'
import type { FileHolds } from './file-holds.ts'
import type { Partition } from './partition.ts'
import type { Topic } from './topic.ts'

/** What compacting one partition did. */
export interface CompactionResult extends CompactionFigures {
  topic: string
  partition: number
  /** How long it took. */
  ms: number
}

interface CleanerContext {
  clock: Clock
  /** Makes everything that is true now durable. */
  store: () => Promise<void>
  holds: FileHolds
  /** Memory for the keys of one partition. */
  bufferBytes: number
}

interface Job {
  partition: Partition
  isCancelled: boolean
  end: Promise<unknown>
}

/** Compacts partitions, one at a time. */
export class Cleaner {
  private last: Promise<unknown> = Promise.resolve()
  private job: Job | null = null
  private isClosed = false
  private readonly cancelled = new WeakSet<Partition>()

  constructor(private readonly context: CleanerContext) {}

  /** Compacts every partition of these topics. What fails in one is thrown after all others have had their turn. */
  compact(topics: readonly Topic[]): Promise<CompactionResult[]> {
    return this.enqueue(async () => {
      const results: CompactionResult[] = []
      const failures: unknown[] = []
      for (const topic of topics) {
        for (const partition of topic.partitions) {
          const result = await this.compactOne(topic, partition, failures)
          if (result !== null) results.push(result)
        }
      }
      if (failures.length > 0) throw failures[0]
      return results
    })
  }

  /** Compacts the partitions that are dirty enough, the dirtiest first. Throws as {@link compact} does. */
  compactDirty(topics: readonly Topic[]): Promise<void> {
    return this.enqueue(async () => {
      const failures: unknown[] = []
      const dirty: { topic: Topic; partition: Partition; ratio: number }[] = []
      for (const topic of topics) {
        for (const partition of topic.partitions) {
          const ratio = await this.dirtyRatio(topic, partition, failures)
          if (ratio > 0 && ratio >= topic.config.minCleanableDirtyRatio) dirty.push({ topic, partition, ratio })
        }
      }
      dirty.sort((a, b) => b.ratio - a.ratio)
      for (const { topic, partition } of dirty) await this.compactOne(topic, partition, failures)
      if (failures.length > 0) throw failures[0]
    })
  }

  /** Ends the work on these partitions for good; resolves when it has ended. */
  async cancel(partitions: readonly Partition[]): Promise<void> {
    for (const partition of partitions) this.cancelled.add(partition)
    const { job } = this
    if (job === null || !partitions.includes(job.partition)) return
    job.isCancelled = true
    await job.end
  }

  /** Ends all work; resolves when it has ended. */
  async close(): Promise<void> {
    this.isClosed = true
    if (this.job !== null) this.job.isCancelled = true
    await this.last
  }

  private enqueue<T>(action: () => Promise<T>): Promise<T> {
    const result = this.last.then(action)
    this.last = result.catch(() => {})
    return result
  }

  private mayWorkOn(partition: Partition): boolean {
    return !this.isClosed && !partition.isClosed && !this.cancelled.has(partition)
  }

  private async dirtyRatio({ config }: Topic, partition: Partition, failures: unknown[]): Promise<number> {
    if (!this.mayWorkOn(partition)) return 0
    try {
      const { log } = partition
      // those too that are not durable yet: they are made so before they are compacted
      const sealed = log.segments.slice(0, -1)
      const { cleanBytes, dirtyBytes } = await planCompaction(log, sealed, config, this.context.clock.now())
      return dirtyBytes === 0 ? 0 : dirtyBytes / (cleanBytes + dirtyBytes)
    } catch (error) {
      if (this.mayWorkOn(partition)) failures.push(error)
      return 0
    }
  }

  /** Null for a partition that is gone, or whose compaction has failed. */
  private async compactOne(topic: Topic, partition: Partition, failures: unknown[]): Promise<CompactionResult | null> {
    if (!this.mayWorkOn(partition)) return null
    const job: Job = { partition, isCancelled: false, end: Promise.resolve() }
    this.job = job
    const result = this.compactLog(topic, job)
    job.end = result.catch(() => {})
    try {
      return await result
    } catch (error) {
      const path = partition.log.directory
      if (this.mayWorkOn(partition)) failures.push(wrapSystemError(error, `compact '${path}'`, { path }))
      return null
    } finally {
      this.job = null
    }
  }

  private async compactLog({ config, name }: Topic, job: Job): Promise<CompactionResult | null> {
    const { bufferBytes, clock, store, holds } = this.context
    const started = clock.monotonicMs()
    const { log, writer, partition } = job.partition
    // only what is durable is compacted, and goes by what is durable: a sealed segment may not be, under 'os'
    if (log.durableSealed.length < log.segments.length - 1) await writer.flush()
    const figures = await new LogCompaction(log, config, {
      clock,
      bufferBytes,
      store,
      isCancelled: () => job.isCancelled,
      inWriteLoop: (action) => writer.runTask(action),
      exchanging: (action) => holds.exchange(job.partition, action),
    }).run()
    if (job.isCancelled) return null
    return { topic: name, partition, ...figures, ms: clock.monotonicMs() - started }
  }
}
