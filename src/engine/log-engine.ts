import { resolveValueCodec } from '../codec/value-codec.ts'
import { systemClock, systemRandom, type Clock, type Random } from '../environment.ts'
import { storageError, VarveError, wrapSystemError } from '../errors.ts'
import { checkOptions, trimmedPath } from '../options.ts'
import { CheckpointFiles, type LoadedCheckpoint, type PartitionCheckpoint } from '../storage/checkpoint.ts'
import { nodeStorage } from '../storage/node-storage.ts'
import type { Damage } from '../storage/recovery.ts'
import type { DirectoryLock, Storage } from '../storage/storage.ts'
import { Backups } from './backup.ts'
import { retryBesideWriter } from './beside-writer.ts'
import { mapBounded } from './bounded-map.ts'
import { Catalog, CATALOG_TOPIC } from './catalog.ts'
import { ClusterId } from './cluster-id.ts'
import { Checkpointer } from './checkpointer.ts'
import { findUnknownDirectories, partitionDirectory, type UnknownDirectory } from './layout.ts'
import { Maintenance } from './maintenance.ts'
import { openChecks, type GroupOptions, type RecoveryReport, type VarveOptions } from './open-options.ts'
import { exchangesOf, PartitionOpener } from './partition-opener.ts'
import type { Partition } from './partition.ts'
import { PendingBytes } from './pending-bytes.ts'
import { ProducerIds } from './producer-ids.ts'
import { prepareDirectory } from './prepare-directory.ts'
import { topicDefaults } from './topic-config.ts'
import { completeDeletions } from './topic-deletion.ts'
import { partitionKey, partitionNumbers, Topic, type TopicRecord } from './topic.ts'

const CATALOG_KEY = `${CATALOG_TOPIC}/0`
const OPEN_AT_ONCE = 32
const REFRESH_ATTEMPTS = 100
const DEFAULT_PENDING_BYTES = 64 * 1024 * 1024

/** One directory with its topics and partitions, alive. Doors translate calls into calls of this. */
export class LogEngine {
  readonly topics = new Map<string, Topic>()
  readonly pending: PendingBytes
  readonly checkpointer: Checkpointer
  catalog!: Catalog
  recovery!: RecoveryReport
  producerIds!: ProducerIds
  clusterId!: ClusterId

  readonly opener: PartitionOpener
  readonly maintenance: Maintenance
  readonly backups = new Backups(this)
  private catalogPartition!: Partition
  private closing: Promise<void> | null = null
  private cleanlyClosed = false
  private changes: Promise<unknown> = Promise.resolve()

  private constructor(
    readonly directory: string,
    private readonly options: VarveOptions,
    readonly storage: Storage,
    readonly clock: Clock,
    readonly random: Random,
    private readonly lock: DirectoryLock | null,
    private readonly loaded: LoadedCheckpoint,
    private readonly files: CheckpointFiles,
  ) {
    const pending = new PendingBytes(options.maxPendingBytes ?? DEFAULT_PENDING_BYTES)
    const snapshot = () => this.snapshot()
    const checkpointer = new Checkpointer(files, directory, snapshot, () => this.writeIndexes())
    this.pending = pending
    this.checkpointer = checkpointer
    this.maintenance = new Maintenance(this, options)
    this.opener = new PartitionOpener(
      { storage, clock, pending, checkpointer, files, root: directory, readOnly: this.readOnly },
      loaded,
    )
  }

  /** See the public `Varve.open`. */
  static async open(options: VarveOptions): Promise<LogEngine> {
    checkOptions('Varve.open', options, openChecks, ['directory'])
    if (!options.readOnly) return LogEngine.openOnce(options)
    // a writer may delete what is being opened: then there is a newer checkpoint, and another look tells
    return retryBesideWriter(async (_, isLast) => {
      const engine = await LogEngine.openOnce(options)
      let mayStay = false
      try {
        mayStay = isLast || !(await engine.isOutdated())
        return mayStay ? engine : null
      } finally {
        if (!mayStay) await engine.close()
      }
    })
  }

  private static async openOnce(options: VarveOptions): Promise<LogEngine> {
    const { storage = nodeStorage(), clock = systemClock, random = systemRandom, readOnly = false } = options
    const started = clock.monotonicMs()
    const directory = trimmedPath(options.directory)
    let lock: DirectoryLock | null = null
    let engine: LogEngine | null = null
    const files = new CheckpointFiles(storage, directory)
    try {
      await prepareDirectory(storage, directory, readOnly)
      if (!readOnly) lock = await storage.lockDirectory(directory)
      const loaded = await files.load()
      engine = new LogEngine(directory, options, storage, clock, random, lock, loaded, files)
      await engine.start(started)
      return engine
    } catch (error) {
      await engine?.opener.abandon()
      await files.close().catch(() => {})
      await lock?.release().catch(() => {})
      throw storageError(error, `open '${directory}'`, { path: directory })
    }
  }

  get groupOptions(): GroupOptions | undefined {
    return this.options.groups
  }

  get readOnly(): boolean {
    return this.options.readOnly === true
  }

  /** Whether another process has, since this log was opened, changed what was found: damage may be none. */
  private async isOutdated(): Promise<boolean> {
    const { checkpoint, sequence } = await this.loadCheckpoint()
    if (this.recovery.damage.length > 0 && sequence !== this.loaded.sequence) return true
    for (const { record, partitions } of this.topics.values()) {
      for (const { partition, log } of partitions)
        if (exchangesOf(checkpoint, partitionKey(record, partition)) !== log.exchange.exchanges) return true
    }
    return false
  }

  /** The checkpoint that another process has written last. */
  private loadCheckpoint(): Promise<LoadedCheckpoint> {
    return this.files.reload()
  }

  private async start(started: number): Promise<void> {
    const { checkpoint, damaged } = this.loaded
    const known = await this.hasCatalog()
    // a directory gets its checkpoint before its catalog
    if (known && checkpoint === null && damaged.length === 0) damaged.push(`${this.directory}/checkpoint-a`)
    this.producerIds = new ProducerIds(this.loaded, this.random, () => this.checkpointer.store())
    this.clusterId = new ClusterId(this.loaded, this.random, this.readOnly ? null : () => this.checkpointer.store())
    const clean = damaged.length === 0 && (checkpoint?.clean ?? true)
    // a catalog that was moved away is followed by a new one: what is recorded of the old one is void
    const lost = known ? undefined : checkpoint?.partitions[CATALOG_KEY]
    if (lost !== undefined) delete checkpoint!.partitions[CATALOG_KEY]
    if (!this.readOnly && !known) await this.checkpointer.store()
    await this.openCatalog(known)
    // a catalog that is refused leaves the checkpoint as it was
    if (!this.readOnly && known) await this.checkpointer.store()
    if (!this.readOnly) await completeDeletions(this.storage, this.directory, this.catalog)
    const topics = await mapBounded(this.catalog.topics, OPEN_AT_ONCE, (record) => this.openTopic(record))
    for (const topic of topics) this.topics.set(topic.name, topic)
    const unknownDirectories = await this.findUnknown()
    const reports = this.opener.takeReports()
    const damage = damaged.map((path) => damageOf(path, 'checkpoint is damaged or missing', 0))
    if (lost !== undefined) damage.push(damageOf(this.catalogPartition.log.directory, 'is missing', lost.durableOffset))
    for (const report of reports) damage.push(...report.damage)
    this.recovery = {
      clean,
      ms: this.clock.monotonicMs() - started,
      scannedBytes: reports.reduce((sum, report) => sum + report.scannedBytes, 0),
      cutBytes: reports.reduce((sum, report) => sum + report.cutBytes, 0),
      partitions: reports.filter(
        (report) => report.scannedBytes + report.cutBytes + report.skippedOffsets + report.damage.length > 0,
      ),
      damage,
      unknownDirectories,
    }
    if (!this.readOnly && !clean) await this.checkpointer.store()
    this.opener.forgetCheckpoint()
    if (!this.readOnly) this.maintenance.start()
  }

  private async hasCatalog(): Promise<boolean> {
    const entries = await this.storage.list(this.directory)
    return entries.some((entry) => entry.name === partitionDirectory(CATALOG_TOPIC, 0))
  }

  private async openCatalog(known: boolean): Promise<void> {
    const { storage } = this
    const name = partitionDirectory(CATALOG_TOPIC, 0)
    if (!known && this.readOnly) {
      const message = `'${this.directory}' holds no log: open it without readOnly to start one`
      throw new VarveError('NOT_A_DIRECTORY', message, { details: { path: this.directory } })
    }
    if (!known) {
      await storage.makeDirectory(`${this.directory}/${name}`)
      await storage.syncDirectory(this.directory)
    }
    this.catalogPartition = await this.opener.open({
      topic: CATALOG_TOPIC,
      partition: 0,
      directory: name,
      key: CATALOG_KEY,
      recordContext: { topic: CATALOG_TOPIC, partition: 0, valueCodec: resolveValueCodec('msgpack') },
      config: () => topicDefaults,
      flush: () => 'group',
    })
    this.catalog = new Catalog(this.catalogPartition, this.clock)
    await this.catalog.load(this.loaded.checkpoint?.partitions[CATALOG_KEY]?.logStartOffset)
  }

  private async findUnknown(): Promise<UnknownDirectory[]> {
    const known = new Set([partitionDirectory(CATALOG_TOPIC, 0)])
    for (const topic of this.topics.values()) {
      for (const partition of topic.partitions)
        known.add(partitionDirectory(topic.record.directory, partition.partition))
    }
    return findUnknownDirectories(this.storage, this.directory, known)
  }

  /** Opens all partitions of a topic; the caller makes it known. */
  async openTopic(record: TopicRecord): Promise<Topic> {
    const functions = this.options.topics?.[record.name] ?? {}
    const { clock, random, pending } = this
    const topic = new Topic(record, functions, this.options.flush ?? 'group', { clock, random, pending })
    topic.partitions.push(...(await this.openPartitions(topic, record)))
    return topic
  }

  /** Opens the partitions that a topic lacks, recovering their logs. */
  async openPartitions(topic: Topic, record: TopicRecord): Promise<Partition[]> {
    const open = new Set(topic.partitions.map(({ partition }) => partition))
    const missing = partitionNumbers(record).filter((partition) => !open.has(partition))
    const specs = missing.map((partition) => ({
      topic: topic.name,
      partition,
      directory: partitionDirectory(record.directory, partition),
      key: partitionKey(record, partition),
      recordContext: topic.recordContext(partition),
      config: () => topic.config,
      flush: () => topic.flush,
    }))
    return this.opener.openAll(specs, OPEN_AT_ONCE)
  }

  /** Re-reads what another process has appended to partitions of a read-only log. */
  async refresh(partitions: readonly Partition[]): Promise<void> {
    let { checkpoint } = await this.loadCheckpoint()
    for (const partition of partitions) {
      const { record } = this.topic(partition.topic)
      const key = partitionKey(record, partition.partition)
      // one after another: a scan that began earlier must not put its shorter log in place of a longer one
      await retryBesideWriter(async (attempt) => {
        if (attempt > 1) ({ checkpoint } = await this.loadCheckpoint())
        await partition.writer.runTask(() => this.opener.refresh(partition, key, checkpoint))
        return true
      }, REFRESH_ATTEMPTS)
    }
  }

  /** Looks into a partition; in a read-only log again where the writer has changed meanwhile what was looked at. */
  async lookAt<T>(partition: Partition, look: () => Promise<T>): Promise<T> {
    for (;;) {
      const { exchange, logStartOffset } = partition.log
      const { exchanges } = exchange
      try {
        return await look()
      } catch (error) {
        if (!this.readOnly) throw error
        await this.refresh([partition])
        const { log } = partition
        if (log.exchange.exchanges === exchanges && log.logStartOffset === logStartOffset) throw error
      }
    }
  }

  /** @throws VarveError UNKNOWN_TOPIC_OR_PARTITION, CLOSED */
  topic(name: string): Topic {
    const topic = this.topics.get(name)
    if (topic !== undefined && this.closing === null) return topic
    this.throwIfClosed()
    const message = `there is no topic '${name}' in '${this.directory}': create it with createTopic`
    throw new VarveError('UNKNOWN_TOPIC_OR_PARTITION', message, { details: { topic: name } })
  }

  /** @throws VarveError CLOSED, READ_ONLY */
  throwIfNotWritable(): void {
    this.throwIfClosed()
    if (!this.readOnly) return
    const message = `'${this.directory}' is open with readOnly: open it without to change anything`
    throw new VarveError('READ_ONLY', message, { details: { path: this.directory } })
  }

  /** Runs changes of the set of topics one after another. */
  change<T>(action: () => Promise<T>): Promise<T> {
    this.throwIfNotWritable()
    const result = this.changes.then(action).catch((error: unknown) => {
      throw wrapSystemError(error, `change the topics of '${this.directory}'`, { path: this.directory })
    })
    this.changes = result.catch(() => {})
    return result
  }

  /** Every partition, the catalog's included. */
  *partitions(): Iterable<Partition> {
    yield this.catalogPartition
    for (const topic of this.topics.values()) yield* topic.partitions
  }

  /** Makes everything durable that was appended before. */
  async flush(): Promise<void> {
    this.throwIfNotWritable()
    await mapBounded([...this.partitions()], OPEN_AT_ONCE, (partition) => partition.writer.flush())
  }

  /** Moves the start of a partition and deletes the segments before it, in the order that a power cut cannot undo. */
  async moveLogStart(partition: Partition, choose: () => Promise<number | null>): Promise<void> {
    const { log, writer } = partition
    const move = async () => {
      const offset = await choose()
      if (offset !== null && offset > log.logStartOffset) {
        if (offset > log.durableOffset) await writer.syncAll()
        log.advanceStart(offset)
      }
      // also when an earlier call has failed half way
      if (!log.hasOldSegments) return
      await this.checkpointer.store()
      await log.removeOldSegments()
    }
    await writer.runTask(move).catch((error: unknown) => {
      throw wrapSystemError(error, `delete records of '${log.directory}'`, { path: log.directory })
    })
  }

  private snapshot() {
    const partitions: { [key: string]: PartitionCheckpoint } = {}
    const loaded = this.loaded.checkpoint?.partitions ?? {}
    // until all partitions are open, what is stored of the others must not be lost
    if (this.recovery === undefined) Object.assign(partitions, loaded)
    const closing = this.cleanlyClosed
    if (this.catalogPartition !== undefined) partitions[CATALOG_KEY] = this.catalogPartition.log.checkpoint({ closing })
    for (const topic of this.topics.values()) {
      for (const { partition, log } of topic.partitions)
        partitions[partitionKey(topic.record, partition)] = log.checkpoint({ closing })
    }
    return { clean: closing, partitions, producerIds: this.producerIds.recorded, clusterId: this.clusterId.known }
  }

  private async writeIndexes(): Promise<void> {
    await mapBounded([...this.partitions()], OPEN_AT_ONCE, (partition) =>
      partition.log.writeIndexes({ closing: false }),
    )
  }

  get isClosing(): boolean {
    return this.closing !== null
  }

  /** @throws VarveError CLOSED */
  throwIfClosed(): void {
    if (this.closing !== null) throw this.closedError()
  }

  private closedError(): VarveError {
    const message = `the log in '${this.directory}' is closed: open it again`
    return new VarveError('CLOSED', message, { details: { path: this.directory } })
  }

  /** Flushes, refuses new work with CLOSED, and gives the directory back. A second call waits for the first. */
  close(): Promise<void> {
    this.closing ??= this.shutDown()
    return this.closing
  }

  private async shutDown(): Promise<void> {
    const failures: unknown[] = []
    const attempt = (action: Promise<unknown>) => action.catch((error: unknown) => void failures.push(error))
    const closed = this.closedError()
    this.pending.refuseAll(closed)
    await this.backups.idle()
    await this.maintenance.stop()
    await this.changes
    const partitions = [...this.partitions()]
    if (!this.readOnly) {
      await mapBounded(partitions, OPEN_AT_ONCE, (partition) =>
        attempt(
          partition.writer.runTask(async () => {
            await partition.writer.syncAll()
            await partition.log.writeIndexes({ closing: true })
          }),
        ),
      )
    }
    await mapBounded(partitions, OPEN_AT_ONCE, (partition) => attempt(partition.close(closed)))
    await this.checkpointer.idle()
    if (!this.readOnly && failures.length === 0) {
      this.cleanlyClosed = true
      await attempt(this.checkpointer.store())
    }
    await mapBounded(partitions, OPEN_AT_ONCE, (partition) => attempt(partition.log.close()))
    await attempt(this.files.close())
    if (this.lock !== null) await attempt(this.lock.release())
    if (failures.length > 0) throw storageError(failures[0], `close '${this.directory}'`, { path: this.directory })
  }
}

function damageOf(path: string, reason: string, nextOffset: number): Damage {
  return { path, position: 0, reason, offset: 0, nextOffset }
}
