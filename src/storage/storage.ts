import { systemErrorCode } from '../errors.ts'

/**
 * The file system as the engine sees it. Everything the engine keeps goes through this interface, so a simulated disk
 * can stand in for the real one, fail any call and cut the power at any moment.
 *
 * Failed calls reject (or throw) the system's own error with its `code` (`ENOENT`, `EIO`, `ENOSPC`, ...); the layers
 * above say what it means.
 */
export interface Storage {
  /**
   * Opens a file.
   *
   * @param mode `'read'`: must exist, never written; `'write'`: must exist, read and written; `'create'`: must not
   *             exist (`EEXIST`), is created empty, read and written. A created file survives a power cut only after
   *             `syncDirectory` of its parent.
   */
  openFile(path: string, mode: OpenMode): Promise<StorageFile>
  /** The whole content of a small file. */
  readFile(path: string): Promise<Buffer>
  /** The names in a directory, sorted. Rejects with `ENOENT` or `ENOTDIR`. */
  list(path: string): Promise<DirectoryEntry[]>
  /** Creates a directory and its missing parents; no error when it exists. */
  makeDirectory(path: string): Promise<void>
  /** Renames a file or directory, replacing a file of that name. */
  rename(from: string, to: string): Promise<void>
  removeFile(path: string): Promise<void>
  /** Removes a directory and all it holds; no error when it does not exist. */
  removeDirectory(path: string): Promise<void>
  /** Makes the creations, renames and removals in a directory survive a power cut. */
  syncDirectory(path: string): Promise<void>
  /**
   * Takes the exclusive lock on a directory, at once or not at all. The lock ends with the process, however it ends.
   *
   * @throws VarveError LOCKED, naming the holder
   */
  lockDirectory(path: string): Promise<DirectoryLock>
}

/** What a file is opened for; see `Storage.openFile`. */
export type OpenMode = 'read' | 'write' | 'create'

/** One name in a directory; symbolic links are 'other' and never followed. */
export interface DirectoryEntry {
  name: string
  kind: 'file' | 'directory' | 'other'
}

/** An open file. Positions and sizes in bytes. Calls after `close` reject with `EBADF`. */
export interface StorageFile {
  readonly path: string
  size(): Promise<number>
  /** Reads into `target` from `position`; resolves with the number of bytes read, which may be fewer; 0 at the end. */
  read(target: Uint8Array, position: number): Promise<number>
  /**
   * Writes `source` at `position` into the page cache before it returns, so `source` may be reused at once.
   * Returns the number of bytes written, which may be fewer.
   */
  write(source: Uint8Array, position: number): number
  /** Makes the data and the size survive a power cut (fdatasync). Never call it again after it failed. */
  sync(): Promise<void>
  truncate(size: number): Promise<void>
  close(): Promise<void>
}

/** An exclusive lock on a directory, held. */
export interface DirectoryLock {
  release(): Promise<void>
}

/** Writes all of `source`, however short the single writes are. Throws what `write` throws. */
export function writeFully(file: StorageFile, source: Uint8Array, position: number): void {
  let written = file.write(source, position)
  while (written < source.length) {
    const count = file.write(source.subarray(written), position + written)
    if (count === 0)
      throw Object.assign(new Error(`ENOSPC: write made no progress, '${file.path}'`), { code: 'ENOSPC' })
    written += count
  }
}

/** Reads until `target` is full or the file ends; resolves with the number of bytes read. */
export async function readFully(file: StorageFile, target: Uint8Array, position: number): Promise<number> {
  let count = 0
  while (count < target.length) {
    const got = await file.read(count === 0 ? target : target.subarray(count), position + count)
    if (got === 0) break
    count += got
  }
  return count
}

/** What a call of a storage gives, or `otherwise` where the file is not there. */
export function unlessMissing<T>(call: Promise<T>, otherwise: () => T | Promise<T>): Promise<T> {
  return call.catch((error: unknown) => {
    if (systemErrorCode(error) !== 'ENOENT') throw error
    return otherwise()
  })
}

/** Removes a file that may not be there. */
export function removeIfPresent(storage: Storage, path: string): Promise<void> {
  return unlessMissing(storage.removeFile(path), () => {})
}

/** Opens a file to read and write, one that is not there newly created. */
export function openOrCreate(storage: Storage, path: string): Promise<StorageFile> {
  return unlessMissing(storage.openFile(path, 'write'), () => storage.openFile(path, 'create'))
}

/** Creates or replaces a small file so that after a power cut either the old or the new content is there, whole. */
export async function replaceFile(
  storage: Storage,
  directory: string,
  name: string,
  content: Uint8Array,
): Promise<void> {
  const temporary = `${directory}/${name}.tmp`
  await removeIfPresent(storage, temporary)
  const file = await storage.openFile(temporary, 'create')
  try {
    writeFully(file, content, 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await storage.rename(temporary, `${directory}/${name}`)
  await storage.syncDirectory(directory)
}
