import { dirname } from 'node:path'
import { systemErrorCode, VarveError } from '../errors.ts'
import { CHECKPOINT_FILES } from '../storage/checkpoint.ts'
import type { DirectoryEntry, Storage } from '../storage/storage.ts'

/** In a directory that is not what it is to be yet: see `NewDirectory`. */
export const INCOMPLETE_FILE = '.incomplete'

/** Makes sure that the directory is there, and that it survives a power cut where it had to be created. */
export async function prepareDirectory(storage: Storage, directory: string, readOnly: boolean): Promise<void> {
  const details = { path: directory }
  try {
    if (readOnly) {
      await useDirectory(directory, async () => refuseIncomplete(directory, await listExisting(storage, directory)))
      return
    }
    await useDirectory(directory, () => storage.makeDirectory(directory))
    // without a checkpoint it is new, or whoever made it was stopped before its name was durable
    const entries = await storage.list(directory)
    refuseIncomplete(directory, entries)
    const isNew = !entries.some(({ name }) => (CHECKPOINT_FILES as readonly string[]).includes(name))
    if (isNew) await syncParents(storage, directory)
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOTDIR') throw error
    const message = `'${directory}' is not a directory: name another place for the log`
    throw new VarveError('NOT_A_DIRECTORY', message, { details, cause: error })
  }
}

/** What a backup or a repair has not completed has the looks of a log, and is none. */
function refuseIncomplete(path: string, entries: readonly DirectoryEntry[]): void {
  if (!entries.some(({ name }) => name === INCOMPLETE_FILE)) return
  const message = `'${path}' is a copy that was not completed: make it again, which takes this one away`
  throw new VarveError('UNSUPPORTED_FORMAT', message, { details: { path } })
}

/** A log that is only read must be there. */
async function listExisting(storage: Storage, directory: string): Promise<DirectoryEntry[]> {
  try {
    return await storage.list(directory)
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error
    const message = `there is no log in '${directory}': open it without readOnly to start one`
    throw new VarveError('NOT_A_DIRECTORY', message, { details: { path: directory }, cause: error })
  }
}

/** Why no directory can be in some places, by what the system says when one is to be made or read there. */
const IMPOSSIBLE_PLACES: { [systemCode: string]: string | undefined } = {
  EEXIST: 'a symbolic link on the way leads nowhere',
  ELOOP: 'a symbolic link on the way leads back to itself',
  ENOENT: 'this file system takes no new directories there',
  ENAMETOOLONG: 'the path is too long',
}

/** Does something with the directory itself, and says clearly of a place where none can be what is wrong with it. */
async function useDirectory(directory: string, action: () => Promise<unknown>): Promise<void> {
  try {
    await action()
  } catch (error) {
    const reason = IMPOSSIBLE_PLACES[systemErrorCode(error) ?? '']
    if (reason === undefined) throw error
    const shown = directory.length > 256 ? `${directory.slice(0, 256)}...` : directory
    const message = `there can be no directory '${shown}': ${reason}; name another place for the log`
    throw new VarveError('NOT_A_DIRECTORY', message, { details: { path: directory }, cause: error })
  }
}

/** Makes the names of a directory and of those above it durable, as far up as this user may. */
export async function syncParents(storage: Storage, directory: string): Promise<void> {
  for (let path = directory; dirname(path) !== path; path = dirname(path)) {
    try {
      await storage.syncDirectory(dirname(path))
    } catch (error) {
      // nobody has just created a directory in one that he may not read or write
      if (['EACCES', 'EPERM', 'EROFS', 'EINVAL'].includes(systemErrorCode(error) ?? '')) return
      throw error
    }
  }
}
