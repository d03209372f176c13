import { assertCompressionAvailable } from '../codec/compression.ts'
import { storageError, systemErrorCode, VarveError } from '../errors.ts'
import { integer, nonEmptyString } from '../options.ts'
import { CATALOG_TOPIC } from './catalog.ts'
import { refuseInternal } from './internal-topics.ts'
import {
  directoryBase,
  findUnknownDirectories,
  holdsAnything,
  parseDirectoryName,
  partitionDirectory,
  readTopicId,
  writePartitionMetadata,
} from './layout.ts'
import type { LogEngine } from './log-engine.ts'
import { closeLogs, type Partition } from './partition.ts'
import { checkTopicName, checkTopicOptions, storedName, topicDefaults, type TopicConfig } from './topic-config.ts'
import { removeTopicDirectories } from './topic-deletion.ts'
import { partitionNumbers, type Topic, type TopicFunctions, type TopicRecord } from './topic.ts'

/** Options of `createTopic`: a name, a number of partitions and any configuration. */
export interface CreateTopicOptions extends Partial<TopicConfig> {
  /** Kafka's rule: 1 to 249 of a-z, A-Z, 0-9, '.', '_', '-', and neither '.' nor '..'. */
  name: string
  /** 1 to 100,000. Default 1. */
  partitions?: number
}

/** Options of `adoptTopic`: the topic's name, where its directories are if not there, and any configuration. */
export interface AdoptTopicOptions extends Partial<TopicConfig> {
  name: string
  /**
   * The name of the directories without `-<partition>`, as `recovery.unknownDirectories` gives it. Default: the topic's
   * name, which it is but for names that a file system could mix up.
   */
  directory?: string
}

/** Of one topic. */
export const MAX_PARTITIONS = 100_000
const UNCHANGEABLE = ['partitioner'] as const

/** Creates, changes and deletes topics: directories and catalog in the order that survives any stop. */
export class TopicAdmin {
  constructor(private readonly engine: LogEngine) {}

  /** The directories are there before the catalog knows the topic; what a stop in between leaves is empty. */
  async create(options: CreateTopicOptions): Promise<Topic> {
    checkTopicOptions('createTopic', options, { name: nonEmptyString, partitions: integer(1, MAX_PARTITIONS) }, [
      'name',
    ])
    const { name, partitions = 1, ...config } = options
    this.checkName(name)
    if (config.compressionType !== undefined) assertCompressionAvailable(config.compressionType)
    return this.change('create', name, async () => {
      this.checkFree(name)
      const topicId = this.newTopicId()
      const directory = await this.chooseDirectory(name, topicId)
      // two hashers on one topic would break per-key order: what it starts with is written down, defaults too
      const { valueCodec, partitioner } = topicDefaults
      const record = {
        name,
        topicId,
        directory,
        partitions,
        config: storedConfig({ valueCodec, partitioner, ...config }),
      }
      await this.makePartitions(record, partitionNumbers(record))
      return this.register(record, config)
    })
  }

  /** Takes over the directories `<directory>-0`, `<directory>-1`, ... that the catalog does not know. */
  async adopt(options: AdoptTopicOptions): Promise<Topic> {
    checkTopicOptions('adoptTopic', options, { name: nonEmptyString, directory: nonEmptyString }, ['name'])
    const { name, directory = name, ...given } = options
    this.checkName(name)
    return this.change('adopt', name, async () => {
      this.checkFree(name)
      const found = await this.unknownPartitions(name, directory)
      const topicId = this.idOfAdopted(found[0].topicId)
      for (const { path } of found) {
        if ((await readTopicId(this.engine.storage, path)) !== topicId) await this.bind(path, topicId)
      }
      // bytes are what is certain of records that somebody else wrote, and murmur2 is what Kafka's clients use
      const config = { valueCodec: 'bytes' as const, partitioner: 'murmur2' as const, ...given }
      const partitions = found.length
      const record = { name, topicId, directory, partitions, adopted: true as const, config: storedConfig(config) }
      return this.register(record, config)
    })
  }

  /**
   * Takes over the directories of an internal topic that the catalog does not know; some of them may have been made anew
   * since it was lost.
   *
   * @param spec with the number of partitions that there are at most
   */
  async adoptInternal(spec: CreateTopicOptions & { partitions: number }, options: AdoptTopicOptions): Promise<Topic> {
    const { name, partitions, ...config } = spec
    const own = Object.keys(options).find((key) => key !== 'name')
    if (own !== undefined)
      throw new TypeError(`adoptTopic: '${name}' is an internal topic, which takes no '${own}': give only its name`)
    return this.change('adopt', name, async () => {
      const { storage, directory, topics } = this.engine
      const { directory: base = name, made = [] } = topics.get(name)?.record ?? {}
      const known = new Set(made.map((partition) => partitionDirectory(base, partition)))
      const unknown = await findUnknownDirectories(storage, directory, known)
      const found = unknown.filter(({ topic, partition }) => topic === base && partition < partitions)
      if (found.length === 0) {
        const message =
          `cannot adopt topic '${name}': '${directory}' holds no partition of it that belongs to no topic: put ` +
          `what there is of '${base}-0' to '${base}-${partitions - 1}' into it first`
        throw new VarveError('UNKNOWN_TOPIC_OR_PARTITION', message, { details: { topic: name } })
      }
      const topic = await this.internalTopic(name, partitions, config, this.idOfAdopted(found[0].topicId))
      const { record } = topic
      for (const { path, topicId } of found) if (topicId !== record.topicId) await this.bind(path, record.topicId)
      const all = [...made, ...found.map(({ partition }) => partition)].sort((a, b) => a - b)
      await this.open(topic, { ...record, made: all, adopted: true })
      return topic
    })
  }

  /** Directories keep their id, unless it is that of another topic, whose directories were copied, or of a deleted one. */
  private idOfAdopted(stored: string | null): string {
    const { catalog } = this.engine
    return stored === null || catalog.has(stored) || catalog.wasDeleted(stored) ? this.newTopicId() : stored
  }

  private async unknownPartitions(name: string, base: string) {
    const { storage, directory } = this.engine
    const owner = [...this.engine.topics.values()].find(({ record }) => record.directory === base)?.name
    if (owner !== undefined || base === CATALOG_TOPIC) {
      const message = `cannot adopt topic '${name}': the directories '${base}-0', ... are those of topic '${owner ?? base}'`
      throw new VarveError('TOPIC_ALREADY_EXISTS', message, { details: { topic: name } })
    }
    const found = (await findUnknownDirectories(storage, directory, new Set())).filter((entry) => entry.topic === base)
    found.sort((a, b) => a.partition - b.partition)
    const missing = found.findIndex((entry, index) => entry.partition !== index)
    if (found.length === 0 || missing >= 0) {
      const path = `${directory}/${partitionDirectory(base, Math.max(missing, 0))}`
      const message =
        `cannot adopt topic '${name}': there is no partition directory '${path}'; put all of '${base}-0', ` +
        `'${base}-1', ... into '${directory}' first`
      throw new VarveError('UNKNOWN_TOPIC_OR_PARTITION', message, { details: { topic: name, path } })
    }
    return found
  }

  /** Opens the topic, makes its record durable, and vouches for it in the checkpoint. */
  private async register(record: TopicRecord, config: Partial<TopicConfig>): Promise<Topic> {
    const { engine } = this
    const topic = await engine.openTopic(record)
    try {
      topic.configure(record, functionsOf(config))
      await engine.catalog.put(record)
    } catch (error) {
      await closeLogs(topic.partitions)
      throw error
    }
    // only now: nothing may be acknowledged in a topic that a power cut could take away
    engine.topics.set(record.name, topic)
    await engine.checkpointer.tryToStore()
    return topic
  }

  /**
   * See the public `alterTopic`.
   *
   * @param unset what goes back to its default
   */
  async alter(name: string, changes: Partial<TopicConfig>, unset: readonly (keyof TopicConfig)[] = []): Promise<void> {
    checkTopicOptions('alterTopic', changes, {}, [])
    refuseInternal(name)
    for (const key of UNCHANGEABLE) {
      if (changes[key] === undefined) continue
      throw new TypeError(
        `alterTopic: '${key}' is fixed when a topic is created, because another one would break the order of a key's records`,
      )
    }
    if (changes.compressionType !== undefined) assertCompressionAvailable(changes.compressionType)
    await this.change('alter', name, async () => {
      const topic = this.engine.topic(name)
      const config = { ...topic.record.config, ...storedConfig(changes) }
      for (const key of unset) delete config[key]
      const record = { ...topic.record, config }
      await this.engine.catalog.put(record)
      topic.configure(record, functionsOf(changes))
      for (const { writer } of topic.partitions) {
        await writer.runTask(async () => {
          await writer.syncAll()
          writer.configure()
        })
      }
    })
  }

  /** See the public `createPartitions`. */
  async createPartitions(name: string, partitions: number): Promise<void> {
    const fault = integer(1, MAX_PARTITIONS)(partitions)
    if (fault !== null) throw new RangeError(`createPartitions: the number of partitions ${fault}, not ${partitions}`)
    refuseInternal(name)
    await this.change('add partitions to', name, async () => {
      const topic = this.engine.topic(name)
      const { record } = topic
      if (partitions <= record.partitions) {
        const message =
          `topic '${name}' has ${record.partitions} partition${record.partitions === 1 ? '' : 's'} and can only get more, ` +
          `not ${partitions}: ` +
          'its records cannot move'
        throw new VarveError('INVALID_PARTITIONS', message, { details: { topic: name } })
      }
      await this.grow(topic, { ...record, partitions })
    })
  }

  /**
   * One partition of an internal topic; it, and the topic, are made on first use.
   *
   * @param spec with the number of partitions that there will be at most
   */
  async internalPartition(spec: CreateTopicOptions, partition: number): Promise<Partition> {
    const { name, partitions = 1, ...config } = spec
    return this.change('make a partition of', name, async () => {
      const topic = await this.internalTopic(name, partitions, config)
      const made = topic.record.made!
      if (!made.includes(partition)) {
        await this.grow(topic, { ...topic.record, made: [...made, partition].sort((a, b) => a - b) })
      }
      return topic.partition(partition)
    })
  }

  private async internalTopic(
    name: string,
    partitions: number,
    config: Partial<TopicConfig>,
    topicId = this.newTopicId(),
  ): Promise<Topic> {
    const there = this.engine.topics.get(name)
    if (there !== undefined) return there
    const directory = await this.chooseDirectory(name, topicId)
    return this.register({ name, topicId, directory, partitions, made: [], config: storedConfig(config) }, config)
  }

  /** Makes the partitions that a changed record has and the topic has not: their files, then the record, then the topic. */
  private async grow(topic: Topic, grown: TopicRecord): Promise<void> {
    const before = new Set(partitionNumbers(topic.record))
    const added = partitionNumbers(grown).filter((partition) => !before.has(partition))
    await this.makePartitions(grown, added)
    await this.open(topic, grown)
  }

  /** Opens the partitions that a changed record has and the topic has not: first the record is durable, then they are its. */
  private async open(topic: Topic, grown: TopicRecord): Promise<void> {
    const opened = await this.engine.openPartitions(topic, grown)
    try {
      await this.engine.catalog.put(grown)
    } catch (error) {
      await closeLogs(opened)
      throw error
    }
    topic.partitions.push(...opened)
    topic.partitions.sort((a, b) => a.partition - b.partition)
    topic.configure(grown, {})
    await this.engine.checkpointer.tryToStore()
  }

  /**
   * The deletion is durable in the catalog first; then nothing can bring the topic back, and its files go.
   *
   * @param topicId of the topic that is meant: another one may have got its name by the time that its turn comes
   */
  async delete(name: string, topicId?: string): Promise<void> {
    refuseInternal(name)
    await this.change('delete', name, async () => {
      const { engine } = this
      const topic = engine.topic(name)
      if (topicId !== undefined && topic.record.topicId !== topicId) {
        const gone = `the topic '${name}' of id '${topicId}' was deleted, and another one has its name`
        throw new VarveError('UNKNOWN_TOPIC_OR_PARTITION', gone, { details: { topic: name } })
      }
      await engine.catalog.delete(topic.record.topicId)
      engine.topics.delete(name)
      const message = `topic '${name}' was deleted`
      const deleted = new VarveError('UNKNOWN_TOPIC_OR_PARTITION', message, { details: { topic: name } })
      await engine.maintenance.leaveAlone(topic.partitions)
      for (const partition of topic.partitions) await partition.close(deleted)
      await closeLogs(topic.partitions)
      await engine.backups.holds.letGo(topic.partitions)
      await removeTopicDirectories(engine.storage, engine.directory, topic.record)
      await engine.checkpointer.tryToStore()
    })
  }

  /** Makes a change after those that were asked for before; what the disk says is wrapped. */
  private change<T>(doing: string, topic: string, action: () => Promise<T>): Promise<T> {
    return this.engine.change(async () => {
      try {
        return await action()
      } catch (error) {
        throw storageError(error, `${doing} topic '${topic}'`, { topic, path: this.engine.directory })
      }
    })
  }

  private async makePartitions(record: TopicRecord, partitions: readonly number[]): Promise<void> {
    const { storage, directory: root } = this.engine
    for (const partition of partitions) {
      const path = `${root}/${partitionDirectory(record.directory, partition)}`
      await this.refuseForeign(record.name, path)
      await storage.removeDirectory(path)
      await storage.makeDirectory(path)
      await this.bind(path, record.topicId)
    }
    await storage.syncDirectory(root)
  }

  /** Empty directories are what an interrupted creation leaves, and a deletion full ones; any other is somebody's. */
  private async refuseForeign(topic: string, path: string): Promise<void> {
    const { storage, catalog } = this.engine
    try {
      if (!(await holdsAnything(storage, path))) return
      const topicId = await readTopicId(storage, path)
      if (topicId !== null && catalog.wasDeleted(topicId)) return
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return
      throw storageError(error, `look into '${path}'`, { path })
    }
    const message = `'${path}' holds files that belong to no topic: take them over with adoptTopic, or move the directory away`
    throw new VarveError('TOPIC_ALREADY_EXISTS', message, { details: { topic, path } })
  }

  private async bind(path: string, topicId: string): Promise<void> {
    await writePartitionMetadata(this.engine.storage, path, topicId)
  }

  private async chooseDirectory(name: string, topicId: string): Promise<string> {
    const taken = new Set<string>()
    const own = `${name}-`
    for (const entry of await this.engine.storage.list(this.engine.directory)) {
      const parsed = parseDirectoryName(entry.name)
      if (parsed !== null && !entry.name.startsWith(own)) taken.add(parsed.base.toLowerCase())
    }
    return directoryBase(name, topicId, taken)
  }

  private checkName(name: string): void {
    checkTopicName(name)
    refuseInternal(name)
  }

  private checkFree(name: string): void {
    if (!this.engine.topics.has(name)) return
    throw new VarveError('TOPIC_ALREADY_EXISTS', `topic '${name}' exists already`, { details: { topic: name } })
  }

  private newTopicId(): string {
    return Buffer.from(this.engine.random.bytes(16)).toString('base64url')
  }
}

function storedConfig(config: Partial<TopicConfig>): TopicRecord['config'] {
  const stored: TopicRecord['config'] = {}
  for (const [key, value] of Object.entries(config)) if (value !== undefined) stored[key as keyof TopicConfig] = value
  if (config.valueCodec !== undefined) stored.valueCodec = storedName(config.valueCodec)
  if (config.partitioner !== undefined) stored.partitioner = storedName(config.partitioner)
  return stored
}

function functionsOf({ valueCodec, partitioner }: Partial<TopicConfig>): TopicFunctions {
  const functions: TopicFunctions = {}
  if (typeof valueCodec === 'object') functions.valueCodec = valueCodec
  if (typeof partitioner === 'function') functions.partitioner = partitioner
  return functions
}
