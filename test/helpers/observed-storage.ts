import type { DirectoryEntry, DirectoryLock, OpenMode, Storage, StorageFile } from '../../src/storage/storage.ts'

/** Calls that change nothing on a disk, so that a power cut after them is one that was tried already. */
export type ObservedCall =
  | 'create'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'rename'
  | 'removeFile'
  | 'removeDirectory'
  | 'makeDirectory'
  | 'syncDirectory'

/** A storage that tells of every call that changes something: when it is done, and of a sync also before it. */
export class ObservedStorage implements Storage {
  /** Set to null when nothing more is to be told. */
  observer: ((call: ObservedCall, path: string, when: 'before' | 'after') => void) | null

  constructor(
    private readonly inner: Storage,
    observer: ObservedStorage['observer'],
  ) {
    this.observer = observer
  }

  async openFile(path: string, mode: OpenMode): Promise<StorageFile> {
    const file = await this.inner.openFile(path, mode)
    if (mode === 'create') this.observer?.('create', path, 'after')
    return mode === 'read' ? file : new ObservedFile(this, file)
  }

  readFile(path: string): Promise<Buffer> {
    return this.inner.readFile(path)
  }

  list(path: string): Promise<DirectoryEntry[]> {
    return this.inner.list(path)
  }

  async makeDirectory(path: string): Promise<void> {
    await this.inner.makeDirectory(path)
    this.observer?.('makeDirectory', path, 'after')
  }

  async rename(from: string, to: string): Promise<void> {
    await this.inner.rename(from, to)
    this.observer?.('rename', from, 'after')
  }

  async removeFile(path: string): Promise<void> {
    await this.inner.removeFile(path)
    this.observer?.('removeFile', path, 'after')
  }

  async removeDirectory(path: string): Promise<void> {
    await this.inner.removeDirectory(path)
    this.observer?.('removeDirectory', path, 'after')
  }

  async syncDirectory(path: string): Promise<void> {
    this.observer?.('syncDirectory', path, 'before')
    await this.inner.syncDirectory(path)
    this.observer?.('syncDirectory', path, 'after')
  }

  lockDirectory(path: string): Promise<DirectoryLock> {
    return this.inner.lockDirectory(path)
  }
}

class ObservedFile implements StorageFile {
  readonly path: string

  constructor(
    private readonly storage: ObservedStorage,
    private readonly inner: StorageFile,
  ) {
    this.path = inner.path
  }

  size(): Promise<number> {
    return this.inner.size()
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.inner.read(target, position)
  }

  write(source: Uint8Array, position: number): number {
    const written = this.inner.write(source, position)
    this.storage.observer?.('write', this.path, 'after')
    return written
  }

  async sync(): Promise<void> {
    this.storage.observer?.('sync', this.path, 'before')
    await this.inner.sync()
    this.storage.observer?.('sync', this.path, 'after')
  }

  async truncate(size: number): Promise<void> {
    await this.inner.truncate(size)
    this.storage.observer?.('truncate', this.path, 'after')
  }

  close(): Promise<void> {
    return this.inner.close()
  }
}
