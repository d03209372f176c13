import { findSnapshotFault } from '../codec/producer-snapshot.ts'
import { findTransactionIndexFault, LEADER_EPOCH_FILE, parseLeaderEpochs } from './kafka-files.ts'
import { systemErrorCode } from '../errors.ts'
import type { EpochStart } from '../storage/checkpoint.ts'
import type { Damage } from '../storage/recovery.ts'
import { parseLogFileName, parseSegmentName } from '../storage/segment-name.ts'
import type { DirectoryEntry, Storage } from '../storage/storage.ts'
import { readIfPresent, verifyLog, type LogFindings, type LogTotals } from './verify-log.ts'
import type { VerifyWarning } from './verify-plan.ts'
import { METADATA_FILE, parseTopicId } from '../engine/layout.ts'
import { CATALOG_DIRECTORY, type PartitionKnowledge, type Root } from './verify-root.ts'

/** One partition as a verification found it. */
export interface VerifiedPartition extends LogTotals {
  /** The topic's name; where no catalog knows the directory, what its name says. */
  topic: string
  partition: number
}

/** What one partition's directory gave. */
export interface PartitionFindings {
  damage: Damage[]
  warnings: VerifyWarning[]
  /** Null for a directory that holds no log to check. */
  partition: VerifiedPartition | null
  /** Its key in the checkpoint, or null. */
  key: string | null
}

/** Whether the names in a directory are those of a partition. */
export function holdsLog(entries: readonly DirectoryEntry[]): boolean {
  return entries.some(({ name, kind }) => kind === 'file' && parseLogFileName(name) !== null)
}

/**
 * Checks every file in one partition's directory, by what the root knows of it.
 *
 * @returns null when there is no such directory, or none any more
 */
export async function verifyPartition(
  storage: Storage,
  root: Root,
  name: string,
  path: string,
  onRead: (path: string, bytes: number) => void,
): Promise<PartitionFindings | null> {
  try {
    return await new PartitionCheck(storage, root, name, path, onRead).run()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return null
    throw error
  }
}

class PartitionCheck {
  private readonly damage: Damage[] = []
  private readonly warnings: VerifyWarning[] = []
  private leaderEpochs: EpochStart[] | undefined = undefined

  constructor(
    private readonly storage: Storage,
    private readonly root: Root,
    private readonly name: string,
    private readonly path: string,
    private readonly onRead: (path: string, bytes: number) => void,
  ) {}

  async run(): Promise<PartitionFindings> {
    const { damage, warnings, root } = this
    const entries = await this.storage.list(this.path)
    const metadata = await readIfPresent(this.storage, `${this.path}/${METADATA_FILE}`)
    const topicId = metadata === null ? null : parseTopicId(metadata)
    const known = root.describe(this.name, topicId)
    const { key } = known
    if (!this.isToBeChecked(entries, known, topicId)) return { damage, warnings, partition: null, key }
    this.checkMetadata(known, metadata, topicId)
    if (known.isKnown && known.clean && known.checkpoint === null) this.addDamage('', 'the checkpoint does not know it')
    for (const entry of entries) await this.checkFile(entry, entries, known)
    const log = await this.checkLog(known)
    const { segments, batches, records, sizeBytes, logEndOffset } = log
    const logStartOffset = Math.max(log.logStartOffset, known.logStartOffset ?? 0)
    const offsets = { logStartOffset, logEndOffset: Math.max(logEndOffset, logStartOffset) }
    const partition = {
      topic: known.topic,
      partition: known.partition,
      segments,
      batches,
      records,
      sizeBytes,
      ...offsets,
    }
    return { damage: [...damage, ...log.damage], warnings: [...warnings, ...log.warnings], partition, key }
  }

  private isToBeChecked(entries: DirectoryEntry[], known: PartitionKnowledge, topicId: string | null): boolean {
    if (known.isKnown) return true
    const { isVarve, catalog } = this.root
    if (topicId !== null && catalog.deleted.has(topicId)) {
      this.warn('', 'belongs to a deleted topic: the next open removes it')
      return false
    }
    if (!holdsLog(entries) && known.checkpoint === null) {
      this.warn('', 'unknown directory')
      return false
    }
    if (isVarve && known.checkpoint === null) this.warn('', 'belongs to no topic: adoptTopic takes it over')
    return true
  }

  private checkMetadata(
    { isKnown, topicId: expected }: PartitionKnowledge,
    content: Buffer | null,
    found: string | null,
  ): void {
    if (this.name === CATALOG_DIRECTORY) return
    this.onRead(`${this.path}/${METADATA_FILE}`, content?.length ?? 0)
    if (content === null && isKnown) this.addDamage(METADATA_FILE, 'file is missing')
    else if (content !== null && found === null) this.addDamage(METADATA_FILE, 'holds no topic id')
    else if (isKnown && found !== expected)
      this.addDamage(METADATA_FILE, `names topic id '${found}', not '${expected}'`)
  }

  private async checkLog(known: PartitionKnowledge): Promise<LogFindings> {
    const { storage, path, leaderEpochs, onRead, root } = this
    // it was read first, because it tells of all others
    if (this.name === CATALOG_DIRECTORY && root.catalogFindings !== null) return root.catalogFindings
    const { checkpoint, clean, foreign, indexIntervalBytes, recoveryPoint } = known
    const request = { storage, directory: path, checkpoint, clean, foreign, indexIntervalBytes, onRead }
    return verifyLog({ ...request, ...(checkpoint === null && { recoveryPoint, leaderEpochs }) })
  }

  /** Whatever is no segment. */
  private async checkFile(
    { name, kind }: DirectoryEntry,
    entries: DirectoryEntry[],
    known: PartitionKnowledge,
  ): Promise<void> {
    if (kind === 'directory') return this.warn(name, 'unknown directory')
    if (name === METADATA_FILE || parseLogFileName(name) !== null) return
    const [, digits, suffix] = /^(\d{20})\.(index|timeindex|snapshot|txnindex)$/.exec(name) ?? []
    if (name === LEADER_EPOCH_FILE) {
      await this.checkContent(name, (content) => {
        this.leaderEpochs = parseLeaderEpochs(content) ?? undefined
        return this.leaderEpochs === undefined ? 'is no list of leader epochs' : null
      })
    } else if (suffix === 'snapshot') await this.checkContent(name, findSnapshotFault)
    else if (suffix === 'txnindex') await this.checkContent(name, findTransactionIndexFault)
    else if (suffix === undefined) {
      if (known.isKnown && parseSegmentName(name) !== null)
        this.warn(name, 'is of a compaction that is under way, or was interrupted')
      else if (!KAFKA_TRANSIENT_FILE.test(name)) this.warn(name, 'unknown file')
    } else if (!entries.some((entry) => entry.name === `${digits}.log`)) this.warn(name, 'belongs to no segment')
  }

  private async checkContent(name: string, findFault: (content: Buffer) => string | null): Promise<void> {
    const content = await readIfPresent(this.storage, `${this.path}/${name}`)
    if (content === null) return
    this.onRead(`${this.path}/${name}`, content.length)
    const fault = findFault(content)
    if (fault !== null) this.addDamage(name, fault)
  }

  private addDamage(name: string, reason: string): void {
    this.damage.push({ path: this.pathOf(name), position: 0, reason, offset: 0, nextOffset: 0 })
  }

  private warn(name: string, reason: string): void {
    this.warnings.push({ path: this.pathOf(name), reason })
  }

  private pathOf(name: string): string {
    return name === '' ? this.path : `${this.path}/${name}`
  }
}

/** Files that Kafka has replaced or is about to put in place. */
const KAFKA_TRANSIENT_FILE = /\.(deleted|cleaned|swap)$/
