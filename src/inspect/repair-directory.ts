import { BatchEncoder } from '../codec/batch-encoder.ts'
import { stampBatch } from '../codec/record-batch.ts'
import { resolveValueCodec } from '../codec/value-codec.ts'
import { CATALOG_TOPIC } from '../engine/catalog.ts'
import { isInternalTopic, OFFSETS_PARTITIONS, OFFSETS_SPEC, OFFSETS_TOPIC } from '../engine/internal-topics.ts'
import {
  directoryBase,
  parseDirectoryName,
  partitionDirectory,
  readTopicId,
  writePartitionMetadata,
} from '../engine/layout.ts'
import { NewDirectory } from '../engine/new-directory.ts'
import { freshProducerIds } from '../engine/producer-ids.ts'
import { INCOMPLETE_FILE } from '../engine/prepare-directory.ts'
import { MAX_PARTITIONS } from '../engine/topic-admin.ts'
import { topicDefaults } from '../engine/topic-config.ts'
import { partitionKey, partitionNumbers, type TopicRecord } from '../engine/topic.ts'
import { systemClock, systemRandom, type Clock, type Random } from '../environment.ts'
import { storageError, VarveError } from '../errors.ts'
import { boolean, checkOptions, functionCheck, path as pathCheck, show, trimmedPath, withMethods } from '../options.ts'
import type { PartitionCheckpoint } from '../storage/checkpoint.ts'
import type { Damage } from '../storage/recovery.ts'
import { NewSegment } from '../storage/new-segment.ts'
import { nodeStorage } from '../storage/node-storage.ts'
import type { Storage } from '../storage/storage.ts'
import { salvagePartition, writePartition, type LostRange, type SalvagedPartition } from './repair-partition.ts'
import { verifyDirectory } from './verify-directory.ts'
import { holdsLog } from './verify-partition.ts'
import { CATALOG_DIRECTORY, Root } from './verify-root.ts'

/** Options of `repairDirectory`. */
export interface RepairOptions {
  /** Where what is saved goes: a directory that is not there yet, or empty. Only a dry run goes without. */
  output?: string
  /** Only say what would be saved and what is lost. Default false. */
  dryRun?: boolean
  /** Default: the file system. */
  storage?: Storage
  /** Default: the machine's clock. */
  clock?: Clock
  /** Default: the machine's randomness. */
  random?: Random
  /** Called with the bytes that were read since the last call, after each file. */
  onRead?: (path: string, bytes: number) => void
}

/** One partition as it can be saved. */
export interface RepairedPartition {
  topic: string
  partition: number
  /** First offset that may be read. */
  logStartOffset: number
  /** The offset that the next record gets: behind all that were given out, as far as anything tells. */
  logEndOffset: number
  /** What is saved. */
  batches: number
  records: number
  sizeBytes: number
  /** What is not. */
  lost: LostRange[]
}

/** What {@link repairDirectory} did, or would do. */
export interface RepairReport {
  directory: string
  /** Null after a dry run. */
  output: string | null
  /** Nothing is lost or in doubt: no damage, no topic guessed, no directory that an unknown topic may have left out. */
  ok: boolean
  /** By topic and partition; the topic of committed offsets is among them. */
  partitions: RepairedPartition[]
  /** Topics that no catalog tells of any more: named after their directories, with default configuration. */
  guessedTopics: string[]
  /** What is wrong with the checkpoints, the catalog and the directory as a whole. */
  damage: Damage[]
  /**
   * Topics whose configuration may be older than it was, for damage to the catalog: their `retentionMs` and
   * `retentionBytes` are -1 now, so that nothing is deleted on doubt.
   */
  retentionOff: string[]
  /**
   * Directories that are left out: they belong to no topic of a catalog that is whole, are another one's catalog, or have
   * a number that their topic can hardly have had.
   */
  leftOut: string[]
  ms: number
}

interface Plan {
  record: TopicRecord
  /** Name of its directories in the damaged log, without `-<partition>`. */
  base: string
  isGuessed: boolean
  partitions: Map<number, { directory: string; saved: SalvagedPartition }>
}

interface FoundDirectory {
  name: string
  base: string
  partition: number
}

/** Partitions that may be missing before one that is there, where nothing tells how many a topic has. */
const MAX_MISSING = 1000

/**
 * Saves what can be read of a damaged log into a new directory, which opens without damage; the damaged one is only read.
 *
 * Every batch is saved that is whole and in its place, with its offset, timestamps, epoch and bytes; where others were are
 * gaps. It needs neither checkpoint nor catalog: topics are those that the catalog still tells of, and else what the
 * directories' names say, with values as bytes. Offsets go on behind all that were given out, as far as anything tells, and
 * the leader epoch is higher. No process may write to the log meanwhile.
 *
 * @throws TypeError or RangeError for options that are not what they should be
 * @throws VarveError UNSUPPORTED_FORMAT when there is no log, or one of a newer version; DIRECTORY_NOT_EMPTY, DISK_FULL,
 *         KAFKA_STORAGE_ERROR, PERMISSION_DENIED, NOT_A_DIRECTORY; nothing is left of the new directory then
 */
export async function repairDirectory(directory: string, options: RepairOptions): Promise<RepairReport> {
  checkOptions('repairDirectory', options, {
    output: pathCheck,
    dryRun: boolean,
    storage: withMethods('openFile', 'readFile', 'list'),
    clock: withMethods('now', 'monotonicMs'),
    random: withMethods('bytes'),
    onRead: functionCheck,
  })
  const fault = pathCheck(directory)
  if (fault !== null) throw new TypeError(`repairDirectory: directory ${fault}, not ${show(directory)}`)
  if (options.dryRun !== true && options.output === undefined)
    throw new TypeError('repairDirectory: output must say where what is saved goes, unless dryRun is true')
  const path = trimmedPath(directory)
  try {
    return await new Repair(path, options).run()
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) throw error
    throw storageError(error, `repair '${path}'`, { path })
  }
}

class Repair {
  private readonly storage: Storage
  private readonly clock: Clock
  private root!: Root
  private readonly topics = new Map<string, Plan>()
  private readonly leftOut: string[] = []

  constructor(
    private readonly directory: string,
    private readonly options: RepairOptions,
  ) {
    this.storage = options.storage ?? nodeStorage()
    this.clock = options.clock ?? systemClock
  }

  async run(): Promise<RepairReport> {
    const { storage, directory, options, leftOut } = this
    const started = this.clock.monotonicMs()
    const output = options.dryRun === true ? null : options.output!
    if (options.output !== undefined) await NewDirectory.check(storage, options.output, directory)
    this.root = await Root.read(storage, directory, () => {})
    await this.findTopics()
    const retentionOff = this.keepAll()
    if (this.topics.size === 0 && !this.root.isVarve) {
      const message = `'${directory}' holds no log to repair: name the directory that Varve.open was given`
      throw new VarveError('UNSUPPORTED_FORMAT', message, { details: { path: directory } })
    }
    const written = output === null ? null : await this.write(output)
    const partitions = [...this.topics.values()].flatMap(describe)
    partitions.sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition))
    const damage = [...this.incomplete, ...this.root.damage, ...(this.root.catalogFindings?.damage ?? [])]
    const isSure = damage.length === 0 && this.guessed.length === 0 && (this.isCatalogWhole || leftOut.length === 0)
    return {
      directory,
      output: written,
      ok: isSure && partitions.every(({ lost }) => lost.length === 0),
      partitions,
      guessedTopics: this.guessed,
      damage,
      retentionOff,
      leftOut,
      ms: this.clock.monotonicMs() - started,
    }
  }

  /** A copy that was not completed: nothing of it is damaged, and still it is not all. */
  private get incomplete(): Damage[] {
    if (!this.root.entries.some(({ name }) => name === INCOMPLETE_FILE)) return []
    const path = `${this.directory}/${INCOMPLETE_FILE}`
    const reason = 'the directory is a copy that was not completed: what it lacks is not known'
    return [{ path, position: 0, reason, offset: 0, nextOffset: 0 }]
  }

  private get guessed(): string[] {
    return [...this.topics.values()].filter(({ isGuessed }) => isGuessed).map(({ record }) => record.name)
  }

  /** Where the catalog may lack changes: retention that was turned off or lengthened must not delete what is saved. */
  private keepAll(): string[] {
    const { root, topics } = this
    const { damage = [], warnings = [] } = root.catalogFindings ?? {}
    // what the other checkpoint would have vouched for is taken for a torn tail
    const isTorn = root.damage.length > 0 && warnings.some(({ path }) => path.endsWith('.log'))
    const isVouched = root.checkpoint !== null && !isTorn
    if (damage.length === 0 && isVouched) return []
    const known = [...topics.values()].filter(({ record, isGuessed }) => !isGuessed && !isInternalTopic(record.name))
    for (const { record } of known) Object.assign(record.config, { retentionMs: -1, retentionBytes: -1 })
    return known.map(({ record }) => record.name)
  }

  private async findTopics(): Promise<void> {
    const { root, topics } = this
    for (const record of root.catalog.topics.values())
      topics.set(record.topicId, { record, base: record.directory, isGuessed: false, partitions: new Map() })
    const found = root.entries.flatMap(({ name, kind }) => {
      const parsed = kind === 'directory' && name !== CATALOG_DIRECTORY ? parseDirectoryName(name) : null
      return parsed === null ? [] : [{ name, ...parsed }]
    })
    // the lower ones tell which higher ones are likely
    found.sort((a, b) => a.partition - b.partition)
    for (const one of found) await this.findPartition(one)
    // what has no directory any more, or no partition of its number
    for (const plan of topics.values()) {
      const { record, partitions } = plan
      for (const partition of partitionNumbers(record)) {
        if (!partitions.has(partition))
          await this.salvage(plan, partition, partitionDirectory(record.directory, partition))
      }
    }
  }

  private async findPartition({ name, base, partition }: FoundDirectory): Promise<void> {
    const { root, storage, directory } = this
    const path = `${directory}/${name}`
    if (base === CATALOG_TOPIC) return void this.leftOut.push(path)
    const topicId = await readTopicId(storage, path)
    const known = root.describe(name, topicId)
    if (known.isKnown) return this.salvage(this.topics.get(known.topicId!)!, partition, name)
    if (topicId !== null && root.catalog.deleted.has(topicId)) return
    if (known.checkpoint === null && !holdsLog(await storage.list(path))) return
    const plan = this.planOf(base, topicId)
    const isLikely = known.checkpoint !== null || (!this.isCatalogWhole && mayHave(base, partition, plan))
    if (!isLikely) return void this.leftOut.push(path)
    await this.salvage(this.guessPartition(plan ?? this.newTopic(base, topicId), partition), partition, name)
  }

  /** The topic of a directory that no catalog knows: guessed before, or one that the catalog knows with fewer partitions. */
  private planOf(base: string, topicId: string | null): Plan | undefined {
    const own = [...this.topics.values()].filter((plan) => plan.base === base)
    return own.find(({ record }) => record.topicId === topicId) ?? own.find(({ isGuessed }) => isGuessed)
  }

  private get isCatalogWhole(): boolean {
    const { root } = this
    const isVouched = root.hasCatalog && root.checkpoint !== null
    return isVouched && root.catalogFindings?.damage.length === 0 && root.catalog.topics.size > 0
  }

  /** A topic has as many partitions as the greatest number says. */
  private guessPartition(plan: Plan, partition: number): Plan {
    const { record } = plan
    if (record.made !== undefined) record.made = [...record.made, partition].sort((a, b) => a - b)
    else record.partitions = Math.max(record.partitions, partition + 1)
    return plan
  }

  private newTopic(base: string, stored: string | null): Plan {
    const isTaken = stored === null || this.topics.has(stored)
    const topicId = isTaken
      ? Buffer.from((this.options.random ?? systemRandom).bytes(16)).toString('base64url')
      : stored
    const names = new Set([...this.topics.values()].map(({ record }) => record.name))
    // a name that a file system could mix up is followed by a part of the id: see `directoryBase`
    const plain = base.replace(/~[0-9a-f]{12}$/, '').replaceAll(/[^a-zA-Z0-9._-]/g, '_') || 'topic'
    let name = plain
    for (let i = 2; names.has(name); i++) name = `${plain}-${i}`
    const { partitioner } = topicDefaults
    const config: TopicRecord['config'] = { valueCodec: 'bytes', partitioner }
    const taken = new Set([...this.topics.values()].map(({ record }) => record.directory.toLowerCase()))
    const directory = directoryBase(base, topicId, taken)
    const record: TopicRecord = { name, topicId, directory, partitions: 1, config }
    if (name === OFFSETS_TOPIC) {
      const { name: _, partitions, ...own } = OFFSETS_SPEC
      Object.assign(record, { partitions, made: [], config: own })
    }
    const plan: Plan = { record, base, isGuessed: true, partitions: new Map() }
    this.topics.set(topicId, plan)
    return plan
  }

  private async salvage(plan: Plan, partition: number, name: string): Promise<void> {
    const { root, storage, options } = this
    const { record } = plan
    const key = partitionKey(record, partition)
    const directory = `${this.directory}/${name}`
    const checkpoint = root.checkpoint?.partitions[key] ?? null
    const isForeign = record.adopted === true || root.kafka !== null
    const mayLag = root.damage.length > 0
    const source = { directory, checkpoint, clean: root.clean, mayLag, allowsGaps: isForeign || plan.isGuessed }
    const saved = await salvagePartition(storage, source, options.onRead ?? (() => {}))
    plan.partitions.set(partition, { directory: name, saved })
  }

  private async write(output: string): Promise<string> {
    const { storage } = this
    const target = await NewDirectory.create(storage, output, this.directory)
    try {
      const checkpoints: { [key: string]: PartitionCheckpoint } = {}
      checkpoints[partitionKey({ topicId: CATALOG_TOPIC }, 0)] = await this.writeCatalog(target.path)
      for (const { record, partitions } of this.topics.values()) {
        for (const [partition, { saved }] of partitions) {
          const path = `${target.path}/${partitionDirectory(record.directory, partition)}`
          const interval = Number(record.config.indexIntervalBytes ?? topicDefaults.indexIntervalBytes)
          await storage.makeDirectory(path)
          checkpoints[partitionKey(record, partition)] = await writePartition(storage, path, saved, interval)
          await writePartitionMetadata(storage, path, record.topicId)
        }
      }
      const producerIds = freshProducerIds(this.options.random ?? systemRandom)
      const clusterId = this.root.checkpoint?.clusterId
      await target.writeCheckpoint({ partitions: checkpoints, producerIds, clusterId })
      await this.check(target)
      await target.complete()
      return target.directory
    } catch (error) {
      await target.abandon()
      throw error
    }
  }

  /** The topics, written anew: what was read of the old catalog and what was found beside it. */
  private async writeCatalog(root: string): Promise<PartitionCheckpoint> {
    const { storage, clock } = this
    const encoder = new BatchEncoder({
      batchBytes: 16 * 1024,
      compressionType: 'none',
      timestampType: 'CreateTime',
      now: () => clock.now(),
    })
    const codec = resolveValueCodec('msgpack')
    for (const { record } of this.topics.values())
      encoder.append(Buffer.from(record.topicId), codec.encode(record), [], clock.now())
    const { bytes, batches } = encoder.finish()
    let offset = 0
    for (const { start, recordCount } of batches) {
      stampBatch(bytes, start, offset, 0)
      offset += recordCount
    }
    const path = `${root}/${CATALOG_DIRECTORY}`
    await storage.makeDirectory(path)
    const segment = await NewSegment.create(storage, path, 0, topicDefaults.indexIntervalBytes)
    try {
      await segment.append(bytes)
      await segment.finish(offset)
    } catch (error) {
      await segment.abandon()
      throw error
    }
    await storage.syncDirectory(path)
    return {
      logStartOffset: 0,
      durableOffset: offset,
      durableSegment: 0,
      durablePosition: segment.sizeBytes,
      reservedOffset: 0,
      leaderEpoch: 0,
      epochs: [{ epoch: 0, startOffset: 0 }],
      segments: [[0, segment.sizeBytes]],
      sparse: false,
    }
  }

  /** What is written must be what can be opened, whatever became of it on the way. */
  private async check(target: NewDirectory): Promise<void> {
    const { damage } = await verifyDirectory(target.path, { storage: this.storage })
    const [found] = damage.filter(({ path }) => path !== target.marker)
    if (found === undefined) return
    const { path, position, reason } = found
    const message = `what was saved came out damaged in '${path}' at byte ${position} (${reason}): check the disk`
    throw new VarveError('CORRUPT_MESSAGE', message, { details: { path, position } })
  }
}

/** A copy that somebody has put beside a directory, with a date for a number, must not make a topic of millions. */
function mayHave(base: string, partition: number, plan: Plan | undefined): boolean {
  const limit = base === OFFSETS_TOPIC ? OFFSETS_PARTITIONS : MAX_PARTITIONS
  return partition < limit && partition <= MAX_MISSING + 2 * (plan?.partitions.size ?? 0)
}

function describe({ record, partitions }: Plan): RepairedPartition[] {
  return [...partitions].map(([partition, { saved }]) => {
    const { runs, lost, logStartOffset, logEndOffset } = saved
    const sum = (of: (run: (typeof runs)[number]) => number) => runs.reduce((total, run) => total + of(run), 0)
    const [batches, records] = [sum((run) => run.batches), sum((run) => run.records)]
    const sizeBytes = sum((run) => run.sizeBytes)
    return { topic: record.name, partition, logStartOffset, logEndOffset, batches, records, sizeBytes, lost }
  })
}
