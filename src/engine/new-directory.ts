import { dirname, resolve, sep } from 'node:path'
import { systemErrorCode, VarveError } from '../errors.ts'
import { trimmedPath } from '../options.ts'
import { CheckpointFiles, type Checkpoint } from '../storage/checkpoint.ts'
import { LOCK_FILE } from '../storage/directory-lock.ts'
import {
  removeIfPresent,
  unlessMissing,
  type DirectoryEntry,
  type DirectoryLock,
  type Storage,
} from '../storage/storage.ts'
import { INCOMPLETE_FILE, syncParents } from './prepare-directory.ts'

/** An empty directory that takes the name first, where an empty one has it. */
const PROBE = 'probe'
/** Why nothing can take the name of some empty directories, by what the system says then. */
const UNMOVABLE: { [systemCode: string]: string | undefined } = {
  EBUSY: 'is in use, as where a file system is mounted: name a directory inside it',
  ENOTDIR: 'is a symbolic link: name the directory that it leads to',
}
const INCOMPLETE = Buffer.from('This directory is being written, or its writing was interrupted: it is no log.\n')

/**
 * A log's directory that is written as a whole, and has its name only when it is complete.
 *
 * Until then it is called `<name>.partial` and holds a file `.incomplete`, which is durable before anything else is and
 * goes last. While that is there, nobody opens the directory as a log, and the next writer takes it away.
 */
export class NewDirectory {
  private isMarked = true
  private isRenamed = false

  private constructor(
    private readonly storage: Storage,
    /** Where it will be. */
    readonly directory: string,
    /** Where it is until then. */
    readonly path: string,
    private readonly lock: DirectoryLock,
  ) {}

  /** The file that says that it is not complete. */
  get marker(): string {
    return `${this.path}/${INCOMPLETE_FILE}`
  }

  /**
   * Begins one; what an interrupted one has left is removed.
   *
   * @param source a log's directory: neither it nor its `.partial` may be in there, nor the log in its `.partial`
   * @throws RangeError for such a place, one that a file system is mounted at, or a symbolic link
   * @throws VarveError DIRECTORY_NOT_EMPTY, LOCKED while another one of this name is being written
   */
  static async create(storage: Storage, directory: string, source: string): Promise<NewDirectory> {
    checkPlace(directory, source)
    const target = trimmedPath(directory)
    const isThere = await refuseFull(storage, target)
    const path = partialOf(directory)
    await storage.makeDirectory(path)
    const lock = await storage.lockDirectory(path)
    const created = new NewDirectory(storage, target, path, lock)
    try {
      await created.takeOver(source)
    } catch (error) {
      await lock.release().catch(() => {})
      throw error
    }
    if (isThere) await created.takeName()
    return created
  }

  /** Whether something can be written to a directory of this name. Throws what {@link create} throws, changes nothing. */
  static async check(storage: Storage, directory: string, source: string): Promise<void> {
    checkPlace(directory, source)
    await refuseFull(storage, trimmedPath(directory))
  }

  /** Writes what makes the directory a log that was closed in order, and makes all names in it durable. */
  async writeCheckpoint(checkpoint: Omit<Checkpoint, 'clean'>): Promise<void> {
    const { storage, path } = this
    const files = new CheckpointFiles(storage, path)
    try {
      // one of each name: a log whose checkpoint is damaged has another one
      await files.store({ clean: true, ...checkpoint })
      await files.store({ clean: true, ...checkpoint })
    } finally {
      await files.close()
    }
    await storage.syncDirectory(path)
  }

  /** Gives it its name. */
  async complete(): Promise<void> {
    const { storage, path, directory } = this
    await storage.removeFile(`${path}/${INCOMPLETE_FILE}`)
    this.isMarked = false
    await storage.syncDirectory(path)
    await this.lock.release()
    await storage.rename(path, directory)
    this.isRenamed = true
    await storage.syncDirectory(dirname(directory))
  }

  /** Takes it away, after a failure; tells of no failure of its own. */
  async abandon(): Promise<void> {
    const { storage, path, directory } = this
    try {
      if (this.isRenamed) await storage.rename(directory, path)
      if (!this.isMarked) await this.mark()
      await this.clear()
      await this.lock.release()
      await storage.removeDirectory(path)
      await storage.syncDirectory(dirname(path))
    } catch {
      await this.lock.release().catch(() => {})
    }
  }

  private async takeOver(source: string): Promise<void> {
    const { storage, path } = this
    const names = (await storage.list(path)).map(({ name }) => name).filter((name) => name !== LOCK_FILE)
    if (names.length > 0 && !names.includes(INCOMPLETE_FILE)) {
      const advice = 'a complete copy that lacks only its name is given it by hand; anything else, move it away'
      throw notEmpty(path, `'${path}' is there and is not what an interrupted copy leaves: ${advice}`)
    }
    if (names.length === 0) await this.mark()
    else if (await isIncomplete(storage, source)) {
      // the same directory by another path would be cleared
      const advice = 'name another output, or remove it if it is something else'
      throw notEmpty(path, `'${path}' is a copy that was not completed, as '${source}' is: ${advice}`)
    } else await this.clear()
    await syncParents(storage, path)
  }

  /** Puts an empty directory where one is: what cannot have that name is told now, and not when all is written. */
  private async takeName(): Promise<void> {
    const { storage, path, directory } = this
    const probe = `${path}/${PROBE}`
    try {
      await storage.makeDirectory(probe)
      await storage.rename(probe, directory)
    } catch (error) {
      await this.abandon()
      const advice = UNMOVABLE[String(systemErrorCode(error))]
      if (advice === undefined) throw error
      throw new RangeError(`'${directory}' ${advice}`, { cause: error })
    }
  }

  private async mark(): Promise<void> {
    const { storage, path } = this
    const file = await storage.openFile(`${path}/${INCOMPLETE_FILE}`, 'create')
    try {
      file.write(INCOMPLETE, 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await storage.syncDirectory(path)
  }

  /** Removes everything but what says that it is incomplete. */
  private async clear(): Promise<void> {
    const { storage, path } = this
    for (const { name, kind } of await storage.list(path)) {
      if (name === INCOMPLETE_FILE || name === LOCK_FILE) continue
      if (kind === 'directory') await storage.removeDirectory(`${path}/${name}`)
      else await removeIfPresent(storage, `${path}/${name}`)
    }
    await storage.syncDirectory(path)
  }
}

/** Where a directory is until it is complete. */
export function partialOf(directory: string): string {
  return `${trimmedPath(directory)}.partial`
}

function checkPlace(directory: string, source: string): void {
  if (isWithin(directory, source))
    throw new RangeError(`'${directory}' is inside '${source}', which is to be copied: name a place outside`)
  const path = partialOf(directory)
  if (!isWithin(source, path)) return
  const advice = 'which would be cleared: name another place'
  throw new RangeError(`'${directory}' is written as '${path}' first, where '${source}' is, ${advice}`)
}

function isWithin(inner: string, outer: string): boolean {
  const [path, root] = [resolve(inner), resolve(outer)]
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep)
}

async function isIncomplete(storage: Storage, directory: string): Promise<boolean> {
  const entries = await unlessMissing<DirectoryEntry[]>(storage.list(directory), () => [])
  return entries.some(({ name }) => name === INCOMPLETE_FILE)
}

/** @returns whether it is there, empty */
async function refuseFull(storage: Storage, directory: string): Promise<boolean> {
  const list = unlessMissing<DirectoryEntry[] | null>(storage.list(directory), () => null)
  const entries = await list.catch((error: unknown) => {
    if (systemErrorCode(error) !== 'ENOTDIR') throw error
    const message = `'${directory}' is not a directory: name another place`
    throw new VarveError('NOT_A_DIRECTORY', message, { details: { path: directory }, cause: error })
  })
  if (entries === null || entries.length === 0) return entries !== null
  throw notEmpty(directory, `'${directory}' is not empty: name a directory that is not there yet`)
}

function notEmpty(path: string, message: string): VarveError {
  return new VarveError('DIRECTORY_NOT_EMPTY', message, { details: { path } })
}
