import { systemClock } from '../environment.ts'
import { storageError, systemErrorCode, VarveError } from '../errors.ts'
import { checkOptions, functionCheck, trimmedPath, withMethods } from '../options.ts'
import { CHECKPOINT_FILES, type PartitionCheckpoint } from '../storage/checkpoint.ts'
import { LOCK_FILE } from '../storage/directory-lock.ts'
import { KAFKA_OFFSET_FILES, KAFKA_ROOT_FILES } from './kafka-files.ts'
import { nodeStorage } from '../storage/node-storage.ts'
import type { Damage } from '../storage/recovery.ts'
import { parseSegmentName } from '../storage/segment-name.ts'
import type { Storage } from '../storage/storage.ts'
import type { VerifyWarning } from './verify-plan.ts'
import { deletedTopicId, parseDirectoryName, SAVED_DIRECTORY } from '../engine/layout.ts'
import { INCOMPLETE_FILE } from '../engine/prepare-directory.ts'
import { holdsLog, verifyPartition, type PartitionFindings, type VerifiedPartition } from './verify-partition.ts'
import { Root } from './verify-root.ts'

/** How far a verification has come; counts whole directories, not single files. */
export interface VerifyProgress {
  /** The file that is being read. */
  path: string
  /** Bytes read so far, over all files. */
  bytesDone: number
  /** Bytes to read, over all files; grows when a writer appends meanwhile. */
  bytesTotal: number
}

/** Options of `verifyDirectory`. */
export interface VerifyOptions {
  /** Default: the file system. */
  storage?: Storage
  /** Called at each file's end and about once per MiB in between. */
  onProgress?: (progress: VerifyProgress) => void
}

/** What {@link verifyDirectory} found. */
export interface VerifyReport {
  directory: string
  /** No damage; there may be warnings. */
  ok: boolean
  damage: Damage[]
  warnings: VerifyWarning[]
  /** By topic and partition; the internal topics are among them. */
  partitions: VerifiedPartition[]
  /** Bytes read and checked, in all files. */
  checkedBytes: number
  ms: number
}

const ATTEMPTS = 3
/** Kafka renames a partition's directory while it deletes or moves it. */
const KAFKA_TRANSIENT = /-(delete|future|stray)$/

/**
 * Reads every byte of a log's directory and holds it against everything that vouches for it: checksums, offsets and
 * epochs without a gap, sizes and ends in the checkpoint, every index entry against the log, the topics' ids against the
 * catalog. In a directory that was closed in order a changed bit is found wherever it is.
 *
 * Takes a log's directory, one partition's directory (`orders-0`; what stands beside it is made use of), and directories
 * that Kafka wrote. Writes nothing and takes no lock; beside a live writer, and after a stop that was none, what follows
 * the last durable position is not judged. Damage never ends the check.
 *
 * @throws TypeError for options that are not what they should be
 * @throws VarveError UNSUPPORTED_FORMAT when there is no log, or one of a newer version; KAFKA_STORAGE_ERROR,
 *         PERMISSION_DENIED, NOT_A_DIRECTORY when the directory cannot be read
 */
export async function verifyDirectory(directory: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  checkOptions('verifyDirectory', options, {
    storage: withMethods('openFile', 'readFile', 'list'),
    onProgress: functionCheck,
  })
  if (typeof directory !== 'string' || directory === '')
    throw new TypeError('verifyDirectory: directory must be a string')
  const path = trimmedPath(directory)
  try {
    return await new DirectoryCheck(path, options).run()
  } catch (error) {
    throw storageError(error, `verify '${path}'`, { path })
  }
}

class DirectoryCheck {
  private readonly storage: Storage
  private readonly damage: Damage[] = []
  private readonly warnings: VerifyWarning[] = []
  private readonly partitions: VerifiedPartition[] = []
  private root!: Root
  private bytesDone = 0
  private bytesTotal = 0
  /** Names of the partitions' directories that were checked. */
  private readonly checked = new Set<string>()
  /** Keys in the checkpoint whose directory was checked or is known to be missing. */
  private readonly seen = new Set<string>()

  constructor(
    private readonly directory: string,
    private readonly options: VerifyOptions,
  ) {
    this.storage = options.storage ?? nodeStorage()
  }

  async run(): Promise<VerifyReport> {
    const { directory, damage, warnings, partitions } = this
    const started = systemClock.monotonicMs()
    if (holdsLog(await this.storage.list(directory))) await this.checkAlone()
    else await this.checkRoot()
    partitions.sort((a, b) => compare(a.topic, b.topic) || a.partition - b.partition)
    const ms = systemClock.monotonicMs() - started
    return { directory, ok: damage.length === 0, damage, warnings, partitions, checkedBytes: this.bytesDone, ms }
  }

  private readonly onRead = (path: string, bytes: number): void => {
    this.bytesDone += bytes
    this.bytesTotal = Math.max(this.bytesTotal, this.bytesDone)
    this.options.onProgress?.({ path, bytesDone: this.bytesDone, bytesTotal: this.bytesTotal })
  }

  /** The directory is a partition's: what stands beside it tells more, where there is anything. */
  private async checkAlone(): Promise<void> {
    const { directory, storage } = this
    const name = directory.slice(Math.max(directory.lastIndexOf('/'), directory.lastIndexOf('\\')) + 1)
    const parent = directory.slice(0, directory.length - name.length) || '.'
    this.bytesTotal = await totalBytes(storage, directory)
    this.root = await Root.read(storage, trimmedPath(parent), () => {}).catch((error: unknown) => {
      if (['EACCES', 'EPERM', 'ENOENT'].includes(systemErrorCode(error) ?? '')) return Root.none(storage)
      throw error
    })
    this.warnOfOpenLog()
    await this.checkPartition(name, directory)
  }

  private async checkRoot(): Promise<void> {
    const { directory, storage } = this
    for (const { name, kind } of await storage.list(directory)) {
      const isPartition = kind === 'directory' && parseDirectoryName(name) !== null
      if (isPartition) this.bytesTotal += await totalBytes(storage, `${directory}/${name}`)
    }
    this.root = await Root.read(storage, directory, this.onRead)
    const { isVarve, kafka, entries, damage } = this.root
    this.warnOfOpenLog()
    this.damage.push(...damage)
    for (const { name, kind } of entries) {
      // a link to a partition's directory is neither file nor directory
      if (kind === 'directory' || (kind === 'other' && parseDirectoryName(name) !== null))
        await this.checkDirectory(name)
      else this.checkFile(name)
    }
    await this.checkAbsent()
    if (isVarve || kafka !== null || this.partitions.length > 0) return
    const expected = "the directory that Varve.open was given, a log directory of Kafka's, or one partition's"
    const message = `'${directory}' holds no log to verify: name ${expected}`
    throw new VarveError('UNSUPPORTED_FORMAT', message, { details: { path: directory } })
  }

  private warnOfOpenLog(): void {
    const { isVarve, clean, path } = this.root
    const reason = 'the log is open, or was not closed in order: what follows its last durable positions is not judged'
    if (isVarve && !clean) this.warnings.push({ path, reason })
  }

  private checkFile(name: string): void {
    const own: readonly string[] = [LOCK_FILE, ...CHECKPOINT_FILES, ...Object.values(KAFKA_OFFSET_FILES)]
    if (name === INCOMPLETE_FILE) {
      const path = `${this.directory}/${name}`
      const reason = 'the directory is a copy that was not completed: make it again'
      this.damage.push({ path, position: 0, reason, offset: 0, nextOffset: 0 })
    } else if (!own.includes(name) && !KAFKA_ROOT_FILES.has(name)) this.warn(name, 'unknown file')
  }

  private async checkDirectory(name: string): Promise<void> {
    if (name === SAVED_DIRECTORY) {
      for (const saved of await this.storage.list(`${this.directory}/${name}`)) {
        this.warn(`${name}/${saved.name}`, 'cut off by a recovery, and kept to be looked at')
      }
    } else if (deletedTopicId(name) !== null) this.warn(name, 'is being deleted')
    else if (KAFKA_TRANSIENT.test(name)) this.warn(name, 'is on its way in or out of Kafka, and not checked')
    else if (parseDirectoryName(name) === null) this.warn(name, 'unknown directory')
    else await this.checkPartition(name, `${this.directory}/${name}`)
  }

  /** Where a writer may have changed the partition meanwhile, what looks damaged is looked at again. */
  private async checkPartition(name: string, path: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const { sequence } = this.root
      const before = this.checkpointOf(name)
      const found = await verifyPartition(this.storage, this.root, name, path, this.onRead)
      if (found === null) return
      this.checked.add(name)
      if (found.damage.length > 0) {
        this.root = await this.root.readAgain()
        if (attempt < ATTEMPTS && (!this.root.clean || this.root.sequence !== sequence)) continue
        this.passOverChanges(found, name, path, before)
      }
      this.add(found)
      return
    }
  }

  /** Takes back what only looked damaged because a writer has changed the partition while it was read. */
  private passOverChanges(
    found: PartitionFindings,
    name: string,
    path: string,
    before: PartitionCheckpoint | null,
  ): void {
    const now = this.checkpointOf(name)
    // what was read was half of what was and half of what is
    if ((now?.exchanges ?? 0) !== (before?.exchanges ?? 0)) {
      found.damage.length = 0
      const reason = 'was compacted again and again while it was read: nothing can be said of it'
      found.warnings.push({ path, reason })
    }
    // retention was faster, and what it has deleted belongs to the log no more
    if (now === null || now.logStartOffset <= (before?.logStartOffset ?? 0)) return
    found.damage = found.damage.filter(({ path, offset, nextOffset }) => {
      const file = parseSegmentName(path.slice(path.lastIndexOf('/') + 1))
      const isGone = file !== null && file.baseOffset < now.segments[0][0]
      return !isGone && (nextOffset === offset || nextOffset > now.logStartOffset)
    })
  }

  private checkpointOf(name: string): PartitionCheckpoint | null {
    return this.root.describe(name, null).checkpoint
  }

  private add({ damage, warnings, partition, key }: PartitionFindings): void {
    for (const one of damage) this.damage.push(one)
    for (const one of warnings) this.warnings.push(one)
    if (partition !== null) this.partitions.push(partition)
    if (key !== null) this.seen.add(key)
  }

  /** What should be there and was not; a topic may just have been created or deleted. */
  private async checkAbsent(): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS && this.absentDirectories().length > 0; attempt++) {
      if (!this.root.clean || attempt > 1) this.root = await this.root.readAgain()
      for (const name of this.absentDirectories()) await this.checkDirectory(name)
    }
    const { root, directory } = this
    for (const name of this.absentDirectories()) {
      const { key, checkpoint } = root.describe(name, null)
      this.addDamage(`${directory}/${name}`, 'directory is missing', checkpoint)
      if (key !== null) this.seen.add(key)
    }
    if (!root.clean) return
    for (const [key, checkpoint] of Object.entries(root.checkpoint?.partitions ?? {})) {
      if (this.seen.has(key)) continue
      this.addDamage(directory, `nothing is there of '${key}', which the checkpoint knows`, checkpoint)
    }
  }

  private absentDirectories(): string[] {
    return this.root.knownDirectories.filter((name) => !this.checked.has(name))
  }

  private addDamage(path: string, reason: string, checkpoint: PartitionCheckpoint | null): void {
    const { logStartOffset: offset, durableOffset: nextOffset } = checkpoint ?? { logStartOffset: 0, durableOffset: 0 }
    this.damage.push({ path, position: 0, reason, offset, nextOffset: Math.max(offset, nextOffset) })
  }

  private warn(name: string, reason: string): void {
    this.warnings.push({ path: `${this.directory}/${name}`, reason })
  }
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** Bytes in the files of a partition's directory; what goes away meanwhile does not count. */
async function totalBytes(storage: Storage, directory: string): Promise<number> {
  let total = 0
  try {
    for (const { name } of (await storage.list(directory)).filter(({ kind }) => kind === 'file')) {
      const file = await storage.openFile(`${directory}/${name}`, 'read')
      try {
        total += await file.size()
      } finally {
        await file.close()
      }
    }
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error
  }
  return total
}
