import { systemErrorCode } from '../errors.ts'
import type { PartitionCheckpoint } from '../storage/checkpoint.ts'
import { NewSegment } from '../storage/new-segment.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import { ProducerSnapshots } from '../storage/producer-snapshots.ts'
import type { Segment } from '../storage/segment.ts'
import { mapBounded } from './bounded-map.ts'
import { FileHolds } from './file-holds.ts'
import { partitionDirectory, writePartitionMetadata } from './layout.ts'
import type { LogEngine } from './log-engine.ts'
import type { Partition } from './partition.ts'
import { partitionKey } from './topic.ts'

/** Each has a buffer of its own, and files that are open. */
const PARTITIONS_AT_ONCE = 4

/** One partition as a copy has it. */
export interface CopiedPartition {
  topic: string
  partition: number
  /** First offset that may be read. */
  logStartOffset: number
  /** The offset after the last record in the copy. */
  logEndOffset: number
  /** Bytes of log in all segments. */
  sizeBytes: number
}

/** What of one partition is to be copied, as it is at one moment. */
interface PartitionCut {
  partition: Partition
  directory: string
  /** Null for the catalog's own. */
  topicId: string | null
  key: string
  indexIntervalBytes: number
  checkpoint: PartitionCheckpoint
  segments: { segment: Segment; sizeBytes: number }[]
  release: () => Promise<void>
}

/** Copies a log while it is written: every partition as it is at one moment, the same for all. */
export class Backups {
  readonly holds = new FileHolds()
  private last: Promise<unknown> = Promise.resolve()

  constructor(private readonly engine: LogEngine) {}

  /** Runs a backup when the one before it has ended. */
  run<T>(action: () => Promise<T>): Promise<T> {
    const result = this.last.then(action)
    this.last = result.catch(() => {})
    return result
  }

  /** Resolves when no backup is under way; the engine is being closed, which ends them. */
  async idle(): Promise<void> {
    await this.last
  }

  /**
   * Copies all partitions into a directory that is there, durably. Everything is in the copy that was acknowledged before
   * the call, and nothing that is not visible to readers.
   *
   * @param onCopied called with a number of bytes when so many more are copied, and how many there are in all
   * @returns what the copy's checkpoint is to say
   * @throws VarveError CLOSED when the log is closed meanwhile
   */
  async copyTo(
    path: string,
    onCopied: (bytes: number, total: number) => void,
  ): Promise<{ partitions: CopiedPartition[]; checkpoints: { [key: string]: PartitionCheckpoint } }> {
    const { engine } = this
    // no topic is half created or half deleted then
    const cuts = await engine.change(() => this.holds.between(() => this.cut()))
    const total = cuts.reduce((sum, { segments }) => sum + segments.reduce((all, one) => all + one.sizeBytes, 0), 0)
    try {
      await mapBounded(cuts, PARTITIONS_AT_ONCE, async (cut) => {
        await this.copy(cut, `${path}/${cut.directory}`, (bytes) => {
          engine.throwIfClosed()
          onCopied(bytes, total)
        })
        await cut.release()
      })
    } finally {
      for (const { release } of cuts) await release()
    }
    return {
      partitions: cuts.map(({ partition: { topic, partition }, checkpoint, segments }) => ({
        topic,
        partition,
        logStartOffset: checkpoint.logStartOffset,
        logEndOffset: Math.max(checkpoint.durableOffset, checkpoint.logStartOffset),
        sizeBytes: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      })),
      checkpoints: Object.fromEntries(cuts.map(({ key, checkpoint }) => [key, checkpoint])),
    }
  }

  /** In one turn, so that no committed offset lies beyond a record, and no topic lacks a partition. */
  private cut(): PartitionCut[] {
    const { engine } = this
    engine.throwIfClosed()
    const cuts: PartitionCut[] = []
    for (const partition of engine.partitions()) {
      const topic = engine.topics.get(partition.topic)
      const base = topic?.record.directory ?? partition.topic
      const { checkpoint, segments } = cutLog(partition.log, partition.highWatermark)
      cuts.push({
        partition,
        directory: partitionDirectory(base, partition.partition),
        topicId: topic?.record.topicId ?? null,
        key: partitionKey({ topicId: topic?.record.topicId ?? partition.topic }, partition.partition),
        indexIntervalBytes: partition.log.context.indexIntervalBytes(),
        checkpoint,
        segments,
        release: this.hold(partition, segments),
      })
    }
    return cuts
  }

  private hold(partition: Partition, segments: PartitionCut['segments']): () => Promise<void> {
    const letGo = this.holds.hold(partition)
    const releases = segments.map(({ segment }) => segment.hold())
    return async () => {
      // what cannot be deleted now is deleted by the next open
      for (const release of releases.splice(0)) await release().catch(() => {})
      letGo()
    }
  }

  private async copy(
    { partition, topicId, segments, indexIntervalBytes, checkpoint }: PartitionCut,
    path: string,
    onCopied: (bytes: number) => void,
  ): Promise<void> {
    const { storage } = this.engine
    await storage.makeDirectory(path)
    const { durableOffset } = checkpoint
    const start = Math.min(segments[0].segment.baseOffset, durableOffset)
    await new ProducerSnapshots(storage, partition.log.directory).copyTo(path, durableOffset, start)
    for (const [i, { segment, sizeBytes }] of segments.entries()) {
      onCopied(0)
      // one that is missing is missing in the copy, and found when that is checked
      const isThere = await segment.inspect(async () => true).catch((error: unknown) => isMissing(error))
      if (!isThere) continue
      const copy = await NewSegment.create(storage, path, segment.baseOffset, indexIntervalBytes)
      try {
        await copy.copy((target, position) => segment.read(target, position), sizeBytes, onCopied)
        const endOffset = segments[i + 1]?.segment.baseOffset ?? durableOffset
        await copy.finish(endOffset, (suffix) => segment.readIndex(suffix))
      } catch (error) {
        await copy.abandon()
        throw error
      }
    }
    if (topicId !== null) await writePartitionMetadata(storage, path, topicId)
    else await storage.syncDirectory(path)
  }
}

function isMissing(error: unknown): false {
  if (systemErrorCode(error) === 'ENOENT') return false
  throw error
}

/**
 * What is to be copied of a log: what is durable, where readers see no more; else all of it.
 *
 * The copy gets a leader epoch that the log has not had so far: should it take the place of the log, its next records have
 * offsets that the log has given to others since. The log has the same one after its next stop that is not in order.
 */
function cutLog(
  log: PartitionLog,
  highWatermark: number,
): { checkpoint: PartitionCheckpoint; segments: PartitionCut['segments'] } {
  const { swap: _, exchanges: __, ...stored } = log.checkpoint({ closing: false })
  const isWhole =
    highWatermark > log.durableOffset || !log.segments.some(({ baseOffset }) => baseOffset === stored.durableSegment)
  const durable = isWhole
    ? {
        durableOffset: log.contentEndOffset,
        durableSegment: log.active.baseOffset,
        durablePosition: log.active.sizeBytes,
      }
    : stored
  const { durableOffset, durableSegment, durablePosition } = durable
  const segments = log.segments
    .filter(({ baseOffset }, i, all) => {
      const isOld = baseOffset < durableSegment && all[i + 1].baseOffset <= log.logStartOffset
      return baseOffset <= durableSegment && !isOld
    })
    .map((segment) => ({
      segment,
      sizeBytes: segment.baseOffset === durableSegment ? durablePosition : segment.sizeBytes,
    }))
  const leaderEpoch = log.leaderEpoch + 1
  const end = Math.max(durableOffset, log.logStartOffset, stored.reservedOffset)
  const checkpoint: PartitionCheckpoint = {
    ...stored,
    durableOffset,
    durableSegment,
    durablePosition,
    leaderEpoch,
    epochs: [
      ...stored.epochs.filter(({ startOffset }) => startOffset < durableOffset),
      { epoch: leaderEpoch, startOffset: end, skippedFrom: durableOffset },
    ],
    segments: segments.map(({ segment, sizeBytes }) => [segment.baseOffset, sizeBytes]),
  }
  return { checkpoint, segments }
}
