import { assert } from '../assert.ts'
import type { StorageFile } from './storage.ts'
import { systemError } from './system-error.ts'

/** Part of a write, from its first byte: `[start, end)`. */
export type ByteRange = readonly [start: number, end: number]

/** A change of a file since its last sync. */
export interface FileChange {
  /** Order among all changes of the storage. */
  readonly sequence: number
  readonly kind: 'write' | 'truncate'
  /** Where the write starts, or the new size. */
  readonly position: number
  /** Bytes written; 0 for a truncate. */
  readonly length: number
  readonly sizeBefore: number
  /** The bytes that it replaced or cut off, which takes it back. */
  readonly replaced: Buffer
}

/** How the file of a crash is put together, see {@link MemoryInode.afterCrash}. */
export interface CrashedFileOptions {
  /** The parts of a write that survived. Empty for a truncate: lost; any range: it survived. */
  survived: (change: FileChange) => readonly ByteRange[]
  /** `'written'`: the file has grown as far as was written; `'kept'`: as far as bytes survived. */
  size: 'written' | 'kept'
  /** What a hole holds where the file has grown but its bytes were lost. */
  fill: 'zeros' | 'garbage'
}

/**
 * What a failed sync does to what it was to write, see MemoryStorage. `'kept'`: it is written by the next one; `'dropped'`:
 * it stays readable and counts as written, so that no sync writes it any more; `'reverted'`: it is gone.
 */
export type FailedSync = 'kept' | 'dropped' | 'reverted'

const NOTHING = Buffer.alloc(0)
const SMALLEST_CAPACITY = 256

/**
 * The content of a file: its bytes as a running program sees them, and how to get from them to those on the disk.
 *
 * Changes since the last sync are kept in order, each with the bytes that it replaced. So a sync only forgets changes, an
 * append copies its bytes once, and the durable image is made when it is asked for, by taking the changes back.
 */
export class MemoryInode {
  readonly kind = 'file'
  private bytes = NOTHING
  /** Whether an image of this file uses the same memory, so that it must be copied before it is changed. */
  private shared = false
  private used = 0
  private changes: FileChange[] = []
  /** What is on the disk, once a failed sync has dropped changes. Null: what is left when `changes` are taken back. */
  private disk: MemoryInode | null = null

  get size(): number {
    return this.used
  }

  /** Changes that a power cut may undo, in order. */
  get pending(): readonly FileChange[] {
    return this.changes
  }

  read(target: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(target.length, this.used - position))
    if (count > 0) target.set(this.bytes.subarray(position, position + count))
    return count
  }

  write(source: Uint8Array, position: number, sequence: number): void {
    const length = source.length
    if (length === 0) return
    const sizeBefore = this.used
    const replaced = this.copyOf(position, Math.min(position + length, sizeBefore))
    this.reserve(position + length)
    if (position > sizeBefore) this.bytes.fill(0, sizeBefore, position)
    this.bytes.set(source, position)
    this.used = Math.max(sizeBefore, position + length)
    this.changes.push({ sequence, kind: 'write', position, length, sizeBefore, replaced })
  }

  truncate(size: number, sequence: number): void {
    const sizeBefore = this.used
    const replaced = this.copyOf(size, sizeBefore)
    this.reserve(size)
    if (size > sizeBefore) this.bytes.fill(0, sizeBefore, size)
    this.used = size
    this.changes.push({ sequence, kind: 'truncate', position: size, length: 0, sizeBefore, replaced })
  }

  /** Makes the changes up to `sequence` durable. */
  settle(sequence: number): void {
    if (this.disk !== null) {
      const survived = (change: FileChange): ByteRange[] => (change.sequence <= sequence ? [[0, change.length]] : [])
      this.disk = this.afterCrash({ survived, size: 'kept', fill: 'zeros' })
    }
    this.forget(sequence)
  }

  /** A sync of the changes up to `sequence` has failed. */
  failSync(sequence: number, effect: FailedSync): void {
    if (effect === 'kept') return
    const disk = this.afterCrash({ survived: () => [], size: 'kept', fill: 'zeros' })
    if (effect === 'reverted') return this.become(disk)
    this.disk = disk
    this.forget(sequence)
  }

  private forget(sequence: number): void {
    const firstAfter = this.changes.findLastIndex((change) => change.sequence <= sequence) + 1
    this.changes = firstAfter === this.changes.length ? [] : this.changes.slice(firstAfter)
  }

  /** The same file as it is, pending changes included. */
  clone(): MemoryInode {
    const copy = new MemoryInode()
    this.shareWith(copy)
    copy.changes = [...this.changes]
    copy.disk = this.disk
    return copy
  }

  /** The file as a power cut leaves it: what was synced, and of the pending changes what survived, in their order. */
  afterCrash(options: CrashedFileOptions): MemoryInode {
    const image = new MemoryInode()
    if (this.changes.length === 0) {
      const durable = this.disk ?? this
      durable.shareWith(image)
      return image
    }
    const survivors = this.takeBack(image, options.survived)
    if (this.disk !== null) {
      const { length } = image.bytes
      this.disk.shareWith(image)
      image.reserve(length)
    }
    for (const [index, change] of this.changes.entries()) image.redo(change, survivors[index], options)
    return image
  }

  /** Takes over the content of another inode that nobody else uses. */
  become(other: MemoryInode): void {
    this.bytes = other.bytes
    this.shared = other.shared
    this.used = other.used
    this.changes = other.changes
    this.disk = other.disk
  }

  /** Fills `image` with the bytes as of the last sync; returns what survived of each change, with its bytes. */
  private takeBack(image: MemoryInode, survived: CrashedFileOptions['survived']): Survivor[][] {
    // The size after each change is the size before the next one, so this is as large as the file ever was.
    const largest = this.changes.reduce((size, { sizeBefore }) => Math.max(size, sizeBefore), this.used)
    const bytes = Buffer.allocUnsafeSlow(largest)
    this.bytes.copy(bytes, 0, 0, this.used)
    const survivors: Survivor[][] = []
    for (let index = this.changes.length - 1; index >= 0; index--) {
      const change = this.changes[index]
      // Here `bytes` is the file as this change left it: later ones are taken back already.
      survivors[index] = survived(change).map(([start, end]) => ({
        start: change.position + start,
        bytes: Buffer.from(bytes.subarray(change.position + start, change.position + end)),
      }))
      change.replaced.copy(bytes, change.position)
    }
    image.bytes = bytes
    image.used = this.changes[0].sizeBefore
    return survivors
  }

  private redo(change: FileChange, survivors: Survivor[], { size, fill }: CrashedFileOptions): void {
    if (change.kind === 'truncate') {
      if (survivors.length > 0) this.resize(change.position, 'zeros')
      return
    }
    if (size === 'written') this.grow(change.position + change.length, fill)
    for (const { start, bytes } of survivors) {
      this.grow(start + bytes.length, fill)
      bytes.copy(this.bytes, start)
    }
  }

  private grow(size: number, fill: CrashedFileOptions['fill']): void {
    if (size > this.used) this.resize(size, fill)
  }

  private resize(size: number, fill: CrashedFileOptions['fill']): void {
    if (fill === 'zeros') this.bytes.fill(0, this.used, size)
    else for (let position = this.used; position < size; position++) this.bytes[position] = garbageAt(position)
    this.used = size
  }

  private copyOf(start: number, end: number): Buffer {
    return start < end ? Buffer.from(this.bytes.subarray(start, end)) : NOTHING
  }

  private shareWith(other: MemoryInode): void {
    other.bytes = this.bytes
    other.used = this.used
    other.shared = this.shared = true
  }

  private reserve(size: number): void {
    if (size <= this.bytes.length && !this.shared) return
    const capacity =
      size <= this.bytes.length ? this.bytes.length : Math.max(size, this.bytes.length * 2, SMALLEST_CAPACITY)
    const bytes = Buffer.allocUnsafeSlow(capacity)
    this.bytes.copy(bytes, 0, 0, this.used)
    this.bytes = bytes
    this.shared = false
  }
}

interface Survivor {
  start: number
  bytes: Buffer
}

/** The same garbage in every run; never zero. */
function garbageAt(position: number): number {
  return (Math.imul(position + 1, 0x9e3779b1) >>> 24) | 1
}

/** What a {@link MemoryFile} needs of the storage that it belongs to. */
export interface MemoryFileOwner {
  nextSequence(): number
  /** Holds a sync between its call and its effect; see MemoryStorage. */
  syncDelay: ((path: string) => Promise<void> | undefined) | undefined
  /** What a sync that fails does to what it was to write. */
  failedSync: FailedSync
}

/** An open file of a MemoryStorage. */
export class MemoryFile implements StorageFile {
  readonly path: string
  private readonly inode: MemoryInode
  private readonly owner: MemoryFileOwner
  private readonly writable: boolean
  private closed = false
  /** Settles when the syncs so far have. */
  private syncs: Promise<unknown> = Promise.resolve()

  constructor(path: string, inode: MemoryInode, owner: MemoryFileOwner, writable: boolean) {
    this.path = path
    this.inode = inode
    this.owner = owner
    this.writable = writable
  }

  async size(): Promise<number> {
    this.check('fstat')
    return this.inode.size
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    this.check('read')
    return this.inode.read(target, position)
  }

  write(source: Uint8Array, position: number): number {
    this.check('write')
    if (!this.writable) throw systemError('EBADF', 'write', this.path)
    this.inode.write(source, position, this.owner.nextSequence())
    return source.length
  }

  async sync(): Promise<void> {
    this.check('fdatasync')
    // A sync covers what was written before it was called, and nothing that is written while it runs.
    const sequence = this.inode.pending.at(-1)?.sequence ?? 0
    const delay = this.owner.syncDelay?.(this.path)
    if (delay === undefined) return this.inode.settle(sequence)
    const done = delay.then(
      () => this.inode.settle(sequence),
      (error: unknown) => {
        this.inode.failSync(sequence, this.owner.failedSync)
        throw error
      },
    )
    this.syncs = Promise.allSettled([this.syncs, done])
    await done
  }

  async truncate(size: number): Promise<void> {
    this.check('ftruncate')
    assert(size >= 0, `truncate to ${size} bytes`)
    if (!this.writable) throw systemError('EINVAL', 'ftruncate', this.path)
    this.inode.truncate(size, this.owner.nextSequence())
  }

  async close(): Promise<void> {
    this.check('close')
    this.closed = true
    await this.syncs
  }

  private check(syscall: string): void {
    if (this.closed) throw systemError('EBADF', syscall, this.path)
  }
}
