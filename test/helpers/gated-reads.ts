import type { DirectoryEntry, DirectoryLock, OpenMode, Storage, StorageFile } from '../../src/storage/storage.ts'

/** A storage whose reads and opens of files wait for a test, so that something can happen meanwhile; counts open files. */
export class GatedReads implements Storage {
  /** What a read or an open of this file waits for; undefined: nothing. */
  gate: (path: string, kind: 'open' | 'read') => Promise<void> | undefined = () => undefined

  /** Files that are open now. */
  openFiles = 0

  constructor(private readonly inner: Storage) {}

  async openFile(path: string, mode: OpenMode): Promise<StorageFile> {
    await this.gate(path, 'open')
    const file = await this.inner.openFile(path, mode)
    this.openFiles += 1
    const gated: StorageFile = {
      path,
      size: () => file.size(),
      read: async (target, position) => {
        await this.gate(path, 'read')
        return file.read(target, position)
      },
      write: (source, position) => file.write(source, position),
      sync: () => file.sync(),
      truncate: (size) => file.truncate(size),
      close: async () => {
        await file.close()
        this.openFiles -= 1
      },
    }
    return gated
  }

  readFile(path: string): Promise<Buffer> {
    return this.inner.readFile(path)
  }

  list(path: string): Promise<DirectoryEntry[]> {
    return this.inner.list(path)
  }

  makeDirectory(path: string): Promise<void> {
    return this.inner.makeDirectory(path)
  }

  rename(from: string, to: string): Promise<void> {
    return this.inner.rename(from, to)
  }

  removeFile(path: string): Promise<void> {
    return this.inner.removeFile(path)
  }

  removeDirectory(path: string): Promise<void> {
    return this.inner.removeDirectory(path)
  }

  syncDirectory(path: string): Promise<void> {
    return this.inner.syncDirectory(path)
  }

  lockDirectory(path: string): Promise<DirectoryLock> {
    return this.inner.lockDirectory(path)
  }
}
