import { CHECKPOINT_FILES, parseCheckpoint, type Checkpoint, type PartitionCheckpoint } from '../storage/checkpoint.ts'
import { KAFKA_OFFSET_FILES, KAFKA_ROOT_FILES, parseOffsetCheckpoint } from './kafka-files.ts'
import type { Damage } from '../storage/recovery.ts'
import type { DirectoryEntry, Storage } from '../storage/storage.ts'
import { readIfPresent, verifyLog, type LogFindings } from './verify-log.ts'
import type { VerifyWarning } from './verify-plan.ts'
import { CatalogImage } from './catalog-image.ts'
import { CATALOG_TOPIC } from '../engine/catalog.ts'
import { parseDirectoryName, partitionDirectory } from '../engine/layout.ts'
import { topicDefaults } from '../engine/topic-config.ts'
import { partitionNumbers } from '../engine/topic.ts'

/** The directory of the catalog, and its key in the checkpoint. */
export const CATALOG_DIRECTORY = partitionDirectory(CATALOG_TOPIC, 0)
const CATALOG_KEY = `${CATALOG_TOPIC}/0`
const ATTEMPTS = 3

/** What the files at the root say of one partition's directory. */
export interface PartitionKnowledge {
  topic: string
  partition: number
  /** The catalog knows this directory. */
  isKnown: boolean
  /** Of the topic that the catalog or the checkpoint knows, else null. */
  topicId: string | null
  /** Its key in the checkpoint, or null. */
  key: string | null
  checkpoint: PartitionCheckpoint | null
  clean: boolean
  foreign: boolean
  indexIntervalBytes: number
  recoveryPoint?: number | undefined
  logStartOffset?: number | undefined
}

/** What Kafka's own checkpoint files say; by `<topic>-<partition>`. */
interface KafkaRoot {
  clean: boolean
  recoveryPoints: Map<string, number>
  logStarts: Map<string, number>
}

type OnRead = (path: string, bytes: number) => void

/**
 * Everything at the root of a directory that vouches for the partitions in it: Varve's checkpoint and catalog, or
 * Kafka's checkpoint files. Read anew where a writer may have changed it meanwhile.
 */
export class Root {
  readonly damage: Damage[] = []
  readonly warnings: VerifyWarning[] = []
  checkpoint: Checkpoint | null = null
  /** Of the checkpoint; 0 without one. */
  sequence = 0
  catalog = new CatalogImage()
  /** Null where there is no catalog. */
  catalogFindings: LogFindings | null = null
  kafka: KafkaRoot | null = null

  private damagedCheckpoints = 0
  private readonly byDirectory = new Map<string, { topicId: string; topic: string; partition: number }>()

  private constructor(
    readonly path: string,
    private readonly storage: Storage,
    readonly entries: DirectoryEntry[],
    private readonly onRead: OnRead,
  ) {}

  /** Reads the files at the root. Rejects with the system's error when the directory cannot be listed. */
  static async read(storage: Storage, path: string, onRead: OnRead): Promise<Root> {
    for (let attempt = 1, before = ''; ; attempt++) {
      const root = new Root(path, storage, await storage.list(path), onRead)
      await root.load()
      const found = [...root.damage, ...(root.catalogFindings?.damage ?? [])]
      // a writer may have been at it: what is damage is still there, the same, the next time
      const damage = JSON.stringify([root.sequence, found])
      if (found.length === 0 || damage === before || attempt === ATTEMPTS) return root
      before = damage
    }
  }

  /** For a directory with nothing beside it. */
  static none(storage: Storage): Root {
    return new Root('', storage, [], () => {})
  }

  /** Looks again at what a writer may have changed. */
  async readAgain(): Promise<Root> {
    return this.entries.length === 0 ? this : Root.read(this.storage, this.path, () => {})
  }

  /** Varve has been here. */
  get isVarve(): boolean {
    return this.hasCatalog || CHECKPOINT_FILES.some((name) => this.has(name))
  }

  /** Closed in order and not open now. */
  get clean(): boolean {
    return this.isVarve ? this.damagedCheckpoints === 0 && this.checkpoint?.clean === true : this.kafka?.clean === true
  }

  get hasCatalog(): boolean {
    return this.entries.some(({ name, kind }) => name === CATALOG_DIRECTORY && kind !== 'file')
  }

  /** Names of the directories that must be there: of each partition that the catalog knows, and the catalog's own. */
  get knownDirectories(): string[] {
    const { checkpoint } = this
    // a directory gets its checkpoint before its catalog
    const catalog = checkpoint !== null && CATALOG_KEY in checkpoint.partitions ? [CATALOG_DIRECTORY] : []
    return [...catalog, ...this.byDirectory.keys()]
  }

  /** @param topicId what the directory's own `partition.metadata` says, or null */
  describe(name: string, topicId: string | null): PartitionKnowledge {
    const { clean, catalog } = this
    const partitions = this.checkpoint?.partitions ?? {}
    if (name === CATALOG_DIRECTORY) {
      const { indexIntervalBytes } = topicDefaults
      const own = { topic: CATALOG_TOPIC, partition: 0, isKnown: true, topicId: null, key: CATALOG_KEY }
      return { ...own, checkpoint: partitions[CATALOG_KEY] ?? null, clean, foreign: false, indexIntervalBytes }
    }
    const known = this.byDirectory.get(name)
    if (known !== undefined) {
      const key = `${known.topicId}/${known.partition}`
      const foreign = catalog.topics.get(known.topicId)?.adopted === true
      const indexIntervalBytes = catalog.greatestIndexInterval(known.topicId)
      return { ...known, isKnown: true, key, checkpoint: partitions[key] ?? null, clean, foreign, indexIntervalBytes }
    }
    const { base, partition } = parseDirectoryName(name) ?? { base: name, partition: 0 }
    const unknown = { topic: base, partition, isKnown: false, foreign: true, indexIntervalBytes: Infinity }
    const key = topicId === null || catalog.topics.has(topicId) ? null : `${topicId}/${partition}`
    const checkpoint = key === null ? undefined : partitions[key]
    // without a catalog the checkpoint still tells by the topic's id
    if (checkpoint !== undefined) return { ...unknown, topicId, key, checkpoint, clean }
    const kafka = this.kafka ?? { clean: false, recoveryPoints: new Map(), logStarts: new Map() }
    const rest = { topicId: null, key: null, checkpoint: null, clean: kafka.clean }
    return {
      ...unknown,
      ...rest,
      recoveryPoint: kafka.recoveryPoints.get(name),
      logStartOffset: kafka.logStarts.get(name),
    }
  }

  private has(name: string): boolean {
    return this.entries.some((entry) => entry.name === name)
  }

  private async load(): Promise<void> {
    await this.loadKafka()
    if (!this.isVarve) return
    await this.loadCheckpoints()
    await this.loadCatalog()
  }

  private async loadCheckpoints(): Promise<void> {
    const sequences = [0, 0]
    for (const [index, name] of CHECKPOINT_FILES.entries()) {
      const path = `${this.path}/${name}`
      const content = await this.read(path)
      if (content === null) continue
      const found = parseCheckpoint(content, path)
      if (found === null || found.sequence % 2 !== index) {
        this.damagedCheckpoints++
        sequences[index] = NaN
        this.addDamage(path, found === null ? 'checkpoint is damaged' : 'is a copy of the other checkpoint')
        continue
      }
      sequences[index] = found.sequence
      if (found.sequence < this.sequence) continue
      this.sequence = found.sequence
      this.checkpoint = found.checkpoint
    }
    for (const [index, name] of CHECKPOINT_FILES.entries()) {
      const other = sequences[1 - index]
      const path = `${this.path}/${name}`
      // the first one that is ever written has the sequence 1
      const isMissing = sequences[index] === 0 && other !== 1
      if (isMissing) this.damagedCheckpoints++
      if (isMissing) this.addDamage(path, 'file is missing')
      else if (sequences[index] < other - 1)
        this.addDamage(path, `does not precede the other checkpoint (${sequences.join(', ')})`)
    }
  }

  private async loadCatalog(): Promise<void> {
    if (!this.hasCatalog) return
    const { catalog, storage, onRead } = this
    const { checkpoint, clean, foreign, indexIntervalBytes } = this.describe(CATALOG_DIRECTORY, null)
    this.catalogFindings = await verifyLog({
      storage,
      directory: `${this.path}/${CATALOG_DIRECTORY}`,
      checkpoint,
      clean,
      foreign,
      indexIntervalBytes,
      onBatch: (header, bytes, at) => catalog.addBatch(header, bytes, at),
      onRead,
    })
    for (const record of catalog.topics.values()) {
      const { topicId, name, directory } = record
      for (const partition of partitionNumbers(record)) {
        this.byDirectory.set(partitionDirectory(directory, partition), { topicId, topic: name, partition })
      }
    }
  }

  private async loadKafka(): Promise<void> {
    const names: readonly string[] = Object.values(KAFKA_OFFSET_FILES)
    const files = this.entries.filter(({ name }) => names.includes(name) || KAFKA_ROOT_FILES.has(name))
    if (files.length === 0) return
    const read = new Map<string, Map<string, number>>()
    for (const { name } of files.filter((entry) => names.includes(entry.name))) {
      const path = `${this.path}/${name}`
      const content = await this.read(path)
      const offsets = content === null ? null : parseOffsetCheckpoint(content)
      if (offsets !== null) read.set(name, offsets)
      else if (content !== null) this.addDamage(path, 'is no offset checkpoint of Kafka')
    }
    this.kafka = {
      clean: this.has('.kafka_cleanshutdown'),
      recoveryPoints: read.get(KAFKA_OFFSET_FILES.recoveryPoint) ?? new Map<string, number>(),
      logStarts: read.get(KAFKA_OFFSET_FILES.logStart) ?? new Map<string, number>(),
    }
  }

  private async read(path: string): Promise<Buffer | null> {
    const content = await readIfPresent(this.storage, path)
    this.onRead(path, content?.length ?? 0)
    return content
  }

  private addDamage(path: string, reason: string): void {
    this.damage.push({ path, position: 0, reason, offset: 0, nextOffset: 0 })
  }
}
