import { VarveError } from '../errors.ts'
import { clonedTree, crashedTree, type CrashOptions } from './memory-crash.ts'
import { MemoryDirectory, type DirectoryOperation, type MemoryNode } from './memory-directory.ts'
import { MemoryFile, MemoryInode, type FailedSync, type MemoryFileOwner } from './memory-file.ts'
import type { DirectoryEntry, DirectoryLock, OpenMode, Storage, StorageFile } from './storage.ts'
import { systemError } from './system-error.ts'

/**
 * A disk in memory: for logs that need not outlive the process, and for tests of what survives a power cut.
 *
 * It tells what a running program sees from what is on the disk. Bytes of a file become durable by its `sync`; creations,
 * renames and removals by `syncDirectory` of the directory that holds the name (a rename across directories needs both),
 * and a directory on the way to them likewise. `crash` and `clone` make a second, independent disk.
 *
 * Paths start at a root directory, which exists; a relative path is one from the root.
 */
export class MemoryStorage implements Storage, MemoryFileOwner {
  /**
   * When set, each `sync` of a file waits for what it returns before it takes effect, and fails when that rejects. The
   * sync then covers what was written before it was called, as on a slow disk. Undefined: it takes effect at once.
   */
  syncDelay: ((path: string) => Promise<void> | undefined) | undefined = undefined

  /**
   * What becomes of what a failed `sync` was to write. `'kept'` (default): the next sync writes it. File systems are worse:
   * `'dropped'`, as ext4 and xfs do it: programs go on reading it, but it counts as written, so that no sync writes it any
   * more, only another write of the same bytes and a sync of that. `'reverted'`, as btrfs does it: programs read what is on
   * the disk again.
   */
  failedSync: FailedSync = 'kept'

  private root = new MemoryDirectory()
  private sequence = 0
  private readonly locked = new Set<MemoryDirectory>()

  /** The disk as a power cut at this moment leaves it: what was synced, and what `options` let survive of the rest. */
  crash(options: CrashOptions = {}): MemoryStorage {
    return this.withRoot(crashedTree(this.root, options))
  }

  /** The disk as the next process finds it when this one was killed: everything that was written, and no lock. */
  clone(): MemoryStorage {
    return this.withRoot(clonedTree(this.root))
  }

  async openFile(path: string, mode: OpenMode): Promise<StorageFile> {
    const { directory, name } = this.parentOf(path, 'open')
    const node = directory.entries.get(name)
    if (mode === 'create') {
      if (node !== undefined || name === '') throw systemError('EEXIST', 'open', path)
      const inode = new MemoryInode()
      directory.set(name, inode, this.operation('create', path))
      return new MemoryFile(path, inode, this, true)
    }
    return new MemoryFile(path, asFile(node, name, 'open', path), this, mode === 'write')
  }

  async readFile(path: string): Promise<Buffer> {
    const { directory, name } = this.parentOf(path, 'open')
    const inode = asFile(directory.entries.get(name), name, 'open', path)
    const content = Buffer.allocUnsafeSlow(inode.size)
    inode.read(content, 0)
    return content
  }

  async list(path: string): Promise<DirectoryEntry[]> {
    const { entries } = this.directoryAt(path, 'scandir')
    return [...entries.keys()].sort().map((name) => ({ name, kind: entries.get(name)!.kind }))
  }

  async makeDirectory(path: string): Promise<void> {
    let directory = this.root
    let made = ''
    for (const name of namesOf(path)) {
      made += `/${name}`
      let node = directory.entries.get(name)
      if (node === undefined) directory.set(name, (node = new MemoryDirectory()), this.operation('create', made))
      if (node.kind !== 'directory') throw systemError('ENOTDIR', 'mkdir', path)
      directory = node
    }
  }

  async rename(from: string, to: string): Promise<void> {
    const source = this.parentOf(from, 'rename')
    const target = this.parentOf(to, 'rename')
    const node = source.directory.entries.get(source.name)
    const replaced = target.directory.entries.get(target.name)
    if (node === undefined) throw systemError('ENOENT', 'rename', from)
    if (node === replaced) return
    if (node.kind === 'directory' && holds(node, target.directory)) throw systemError('EINVAL', 'rename', from)
    if (replaced !== undefined) checkReplaceable(node, replaced, to)
    const operation = this.operation('rename', from, to)
    source.directory.set(source.name, undefined, operation)
    target.directory.set(target.name, node, operation)
  }

  async removeFile(path: string): Promise<void> {
    const { directory, name } = this.parentOf(path, 'unlink')
    asFile(directory.entries.get(name), name, 'unlink', path)
    directory.set(name, undefined, this.operation('remove', path))
  }

  async removeDirectory(path: string): Promise<void> {
    const found = this.find(namesOf(path).slice(0, -1))
    const name = namesOf(path).at(-1)
    if (found?.kind !== 'directory' || name === undefined) return
    this.removeTree(found, name, normalized(path))
  }

  async syncDirectory(path: string): Promise<void> {
    this.directoryAt(path, 'open').settle()
  }

  async lockDirectory(path: string): Promise<DirectoryLock> {
    const directory = this.directoryAt(path, 'open')
    if (this.locked.has(directory)) {
      const message = `'${path}' is held by process ${process.pid} (this one); close it there, or open with readOnly`
      throw new VarveError('LOCKED', message, { details: { path } })
    }
    this.locked.add(directory)
    let held = true
    return {
      release: async () => {
        // Only once: after that the lock may be another's.
        if (held) this.locked.delete(directory)
        held = false
      },
    }
  }

  /** Only the files of this storage call this. */
  nextSequence(): number {
    return ++this.sequence
  }

  private withRoot(root: MemoryDirectory): MemoryStorage {
    const other = new MemoryStorage()
    other.root = root
    other.sequence = this.sequence
    return other
  }

  private operation(kind: DirectoryOperation['kind'], path: string, to?: string): DirectoryOperation {
    return {
      sequence: this.nextSequence(),
      kind,
      path: normalized(path),
      to: to === undefined ? undefined : normalized(to),
    }
  }

  private removeTree(directory: MemoryDirectory, name: string, path: string): void {
    const node = directory.entries.get(name)
    if (node === undefined) return
    if (node.kind === 'directory') {
      for (const child of node.entries.keys()) this.removeTree(node, child, `${path}/${child}`)
    }
    directory.set(name, undefined, this.operation('remove', path))
  }

  private find(names: string[]): MemoryNode | undefined {
    let node: MemoryNode | undefined = this.root
    for (const name of names) node = node?.kind === 'directory' ? node.entries.get(name) : undefined
    return node
  }

  private directoryAt(path: string, syscall: string): MemoryDirectory {
    return this.directoryOf(namesOf(path), syscall, path)
  }

  /** The directory that holds, or would hold, the last name of a path. The name of the root is ''. */
  private parentOf(path: string, syscall: string): { directory: MemoryDirectory; name: string } {
    const names = namesOf(path)
    return { directory: this.directoryOf(names.slice(0, -1), syscall, path), name: names.at(-1) ?? '' }
  }

  private directoryOf(names: string[], syscall: string, path: string): MemoryDirectory {
    let directory = this.root
    for (const name of names) {
      const node = directory.entries.get(name)
      if (node === undefined) throw systemError('ENOENT', syscall, path)
      if (node.kind !== 'directory') throw systemError('ENOTDIR', syscall, path)
      directory = node
    }
    return directory
  }
}

/** The names on a path from the root, '.' and '..' resolved. */
function namesOf(path: string): string[] {
  const names: string[] = []
  for (const name of path.split(/[/\\]/)) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return names
}

function normalized(path: string): string {
  return `/${namesOf(path).join('/')}`
}

function asFile(node: MemoryNode | undefined, name: string, syscall: string, path: string): MemoryInode {
  if (node?.kind === 'directory' || name === '') throw systemError('EISDIR', syscall, path)
  if (node === undefined) throw systemError('ENOENT', syscall, path)
  return node
}

function holds(directory: MemoryDirectory, wanted: MemoryDirectory): boolean {
  if (directory === wanted) return true
  return [...directory.entries.values()].some((node) => node.kind === 'directory' && holds(node, wanted))
}

function checkReplaceable(node: MemoryNode, replaced: MemoryNode, path: string): void {
  if (node.kind === 'file' && replaced.kind === 'directory') throw systemError('EISDIR', 'rename', path)
  if (node.kind === 'directory' && replaced.kind === 'file') throw systemError('ENOTDIR', 'rename', path)
  if (replaced.kind === 'directory' && replaced.entries.size > 0) throw systemError('ENOTEMPTY', 'rename', path)
}
