import { BufferPool } from '../codec/buffer-pool.ts'
import type { RecordContext } from '../codec/record.ts'
import type { Clock } from '../environment.ts'
import type { Checkpoint, CheckpointFiles, LoadedCheckpoint } from '../storage/checkpoint.ts'
import { VarveError } from '../errors.ts'
import { PartitionLog } from '../storage/partition-log.ts'
import { ProducerSnapshots } from '../storage/producer-snapshots.ts'
import { recoverLog, type PartitionRecovery } from '../storage/recovery.ts'
import { SegmentPool } from '../storage/segment-pool.ts'
import type { SegmentContext } from '../storage/segment-context.ts'
import { unlessMissing, type Storage } from '../storage/storage.ts'
import { systemError } from '../storage/system-error.ts'
import { mapBounded } from './bounded-map.ts'
import type { Checkpointer } from './checkpointer.ts'
import type { Flush } from './flush.ts'
import { holdsAnything, readTopicId, SAVED_DIRECTORY } from './layout.ts'
import { RESERVATION_OFFSETS } from './offset-reservation.ts'
import { closeLogs, Partition } from './partition.ts'
import type { PendingBytes } from './pending-bytes.ts'
import type { TopicConfig } from './topic-config.ts'

/** Memory kept for the next appends, in all partitions together. */
const SPARE_BUFFER_BYTES = 64 * 1024 * 1024

/** Which partition to open, and what it obeys. */
export interface PartitionSpec {
  topic: string
  partition: number
  /** Name of its directory. */
  directory: string
  /** Its key in the checkpoint. */
  key: string
  recordContext: RecordContext
  config: () => TopicConfig
  flush: () => Flush
}

/** What opening one partition found and did. */
export type PartitionReport = { topic: string; partition: number } & PartitionRecovery

/** What all partitions of a log share. */
export interface OpenerContext {
  storage: Storage
  clock: Clock
  pending: PendingBytes
  checkpointer: Checkpointer
  files: CheckpointFiles
  /** Directory of the log. */
  root: string
  readOnly: boolean
}

/** Opens partitions: recovers their logs by what the checkpoint says of them. */
export class PartitionOpener {
  private reports: PartitionReport[] = []
  private readonly pool = new SegmentPool()
  private readonly buffers = new BufferPool(SPARE_BUFFER_BYTES)
  /** What was opened so far; null once the log as a whole is open. */
  private opened: PartitionLog[] | null = []

  /** @param loaded what the checkpoint said when the log was opened */
  constructor(
    private readonly context: OpenerContext,
    private loaded: LoadedCheckpoint,
  ) {}

  /** The log is open: from now on a partition that is opened is a new one, of which no checkpoint tells. */
  forgetCheckpoint(): void {
    this.loaded = { checkpoint: null, sequence: 0, damaged: [] }
    this.opened = null
  }

  /** Opening the log has failed: closes the files of the partitions that were opened. */
  async abandon(): Promise<void> {
    for (const log of this.opened!) await log.close().catch(() => {})
  }

  /** What was found in the partitions opened since the last call. */
  takeReports(): PartitionReport[] {
    const { reports } = this
    this.reports = []
    return reports
  }

  /** Opens partitions, at most `atOnce` at a time: all of them, or none. */
  async openAll(specs: readonly PartitionSpec[], atOnce: number): Promise<Partition[]> {
    const opened: Partition[] = []
    const openOne = async (spec: PartitionSpec) => {
      const partition = await this.open(spec)
      opened.push(partition)
      return partition
    }
    try {
      return await mapBounded(specs, atOnce, openOne)
    } catch (error) {
      await closeLogs(opened)
      throw error
    }
  }

  async open(spec: PartitionSpec): Promise<Partition> {
    const log = await this.openLog(spec)
    const { clock, pending, checkpointer } = this.context
    return new Partition(spec.topic, spec.partition, log, spec.recordContext, {
      clock,
      pending,
      buffers: this.buffers,
      config: spec.config,
      flush: spec.flush,
      storeReservation: () => checkpointer.store(),
      synced: (bytes) => checkpointer.synced(bytes),
    })
  }

  private async openLog({ topic, partition, directory, key, config }: PartitionSpec): Promise<PartitionLog> {
    const { storage, readOnly, root, clock } = this.context
    const { checkpoint, damaged } = this.loaded
    const path = `${root}/${directory}`
    const indexIntervalBytes = () => config().indexIntervalBytes
    const own = { storage, directory: path, pool: this.pool, readOnly }
    const segments: SegmentContext = { ...own, indexIntervalBytes, monotonicMs: () => clock.monotonicMs() }
    if (readOnly) segments.storedExchanges = async () => exchangesOf(await this.loadCheckpoint(), key)
    if (!readOnly) await storage.makeDirectory(path)
    const clean = damaged.length === 0 && (checkpoint?.clean ?? false)
    const { state, report } = await recoverLog(segments, {
      checkpoint: checkpoint?.partitions[key] ?? null,
      clean,
      saveDirectory: `${root}/${SAVED_DIRECTORY}`,
      // where a checkpoint is damaged, the newest reservation may have been in it
      extraReservation: damaged.length > 0 ? RESERVATION_OFFSETS : 0,
      isNew: checkpoint !== null && checkpoint.partitions[key] === undefined,
    })
    const log = new PartitionLog(segments, config, state)
    if (!readOnly && (!clean || report.damage.length > 0)) {
      const { contentEndOffset, segments: found } = state
      const start = Math.min(found[0].baseOffset, contentEndOffset)
      try {
        await new ProducerSnapshots(storage, path).recover(contentEndOffset, start)
      } catch (error) {
        await log.close().catch(() => {})
        throw error
      }
    }
    // later there is nobody to report to
    if (this.opened !== null) this.reports.push({ topic, partition, ...report })
    this.opened?.push(log)
    return log
  }

  /**
   * Re-reads what another process has appended to a partition of a read-only log. Calls must not overlap.
   *
   * @param key        of the partition in the checkpoint
   * @param checkpoint as it is now
   * @throws VarveError UNKNOWN_TOPIC_OR_PARTITION when it was deleted
   */
  async refresh(partition: Partition, key: string, checkpoint: Checkpoint | null): Promise<void> {
    const { log } = partition
    const stored = checkpoint?.partitions[key]
    if (checkpoint !== null && stored === undefined) await this.throwIfDeleted(partition, key)
    const known = log.checkpoint({ closing: true })
    // a higher epoch tells that the writer has recovered, and may have cut what was read here; a start beyond what was
    // read, that it has deleted the segment to go on in
    const isBehind =
      stored !== undefined &&
      (stored.leaderEpoch > known.leaderEpoch ||
        stored.logStartOffset > known.durableOffset ||
        (stored.exchanges ?? 0) !== log.exchange.exchanges)
    const base = isBehind ? stored : known
    const logStartOffset = Math.max(known.logStartOffset, stored?.logStartOffset ?? 0)
    const request = {
      checkpoint: { ...base, logStartOffset },
      clean: true,
      saveDirectory: '',
      extraReservation: 0,
      isNew: false,
    }
    const { state, report } = await recoverLog(log.context, request)
    if (report.damage.length > 0) await this.throwIfDeleted(partition, key)
    const { exchanges } = state
    if (exchangesOf(await this.loadCheckpoint(), key) !== exchanges) throw outdated(log.directory)
    const isSame = state.logEndOffset === log.logEndOffset && state.logStartOffset === log.logStartOffset
    if (isSame && exchanges === log.exchange.exchanges) return
    partition.replaceLog(new PartitionLog(log.context, log.config, state))
    await log.close()
  }

  /** What the process that writes has stored last; null without a checkpoint. */
  private async loadCheckpoint(): Promise<Checkpoint | null> {
    return (await this.context.files.reload()).checkpoint
  }

  /** Of a partition that the checkpoint does not know any more, or not yet, or that is not what it should be. */
  private async throwIfDeleted({ topic, log }: Partition, key: string): Promise<void> {
    const { storage, root } = this.context
    // another topic may have got the name, and the directory, since
    const topicId = await readTopicId(storage, log.directory)
    if (topicId !== null && key.startsWith(`${topicId}/`)) return
    // one without its id that holds records is damaged: those of deleted topics lose their names first
    if (topicId === null && (await unlessMissing(holdsAnything(storage, log.directory), () => false))) return
    const message = `topic '${topic}' is gone from '${root}': the process that writes there has deleted it`
    throw new VarveError('UNKNOWN_TOPIC_OR_PARTITION', message, { details: { topic } })
  }
}

/** How often segments of a partition were exchanged, as a checkpoint says. */
export function exchangesOf(checkpoint: Checkpoint | null, key: string): number {
  return checkpoint?.partitions[key]?.exchanges ?? 0
}

/** As where a file is gone: look again. */
function outdated(path: string): VarveError {
  const cause = systemError('ENOENT', 'open', path)
  return new VarveError('KAFKA_STORAGE_ERROR', `'${path}' was compacted meanwhile: try again`, {
    details: { path },
    cause,
  })
}
