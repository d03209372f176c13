import { dirname } from 'node:path'
import { systemErrorCode, VarveError } from '../errors.ts'
import { CHECKPOINT_FILES } from '../storage/checkpoint.ts'
import type { Storage } from '../storage/storage.ts'

/** Makes sure that the directory is there, and that it survives a power cut where it had to be created. */
export async function prepareDirectory(storage: Storage, directory: string, readOnly: boolean): Promise<void> {
  const details = { path: directory }
  try {
    if (readOnly) {
      await storage.list(directory)
      return
    }
    await storage.makeDirectory(directory)
    // without a checkpoint it is new, or whoever made it was stopped before its name was durable
    const isNew = !(await storage.list(directory)).some(({ name }) =>
      (CHECKPOINT_FILES as readonly string[]).includes(name),
    )
    if (isNew) await syncParents(storage, directory)
  } catch (error) {
    const system = systemErrorCode(error)
    if (system === 'EEXIST' || system === 'ENOTDIR') {
      const message = `'${directory}' is not a directory: name another place for the log`
      throw new VarveError('NOT_A_DIRECTORY', message, { details, cause: error })
    }
    if (readOnly && system === 'ENOENT') {
      const message = `there is no log in '${directory}': open it without readOnly to start one`
      throw new VarveError('NOT_A_DIRECTORY', message, { details, cause: error })
    }
    throw error
  }
}

/** Makes the names of a directory and of those above it durable, as far up as this user may. */
async function syncParents(storage: Storage, directory: string): Promise<void> {
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
