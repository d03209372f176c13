import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { DirectoryEntry, DirectoryLock, OpenMode, Storage, StorageFile } from '../../src/storage/storage.ts'
import { systemError } from '../../src/storage/system-error.ts'
import { DiskSpace, type SpaceOfFile } from './disk-space.ts'
import type { SyncGate } from './sync-gate.ts'

export const CALL_KINDS = [
  'open',
  'create',
  'size',
  'read',
  'write',
  'sync',
  'truncate',
  'close',
  'list',
  'readFile',
  'rename',
  'removeFile',
  'removeDirectory',
  'makeDirectory',
  'syncDirectory',
  'lockDirectory',
] as const

/** `'open'` is openFile of a file that exists, `'create'` of a new one. */
export type CallKind = (typeof CALL_KINDS)[number]

/** One call, as it was made. */
export interface Call {
  kind: CallKind
  path: string
  /** 0, 1, ... over all calls. */
  index: number
  /** Of a rename. */
  to?: string
  /** Of a read or write: where, in bytes. Of a truncate: the new size. */
  position?: number
  /** Of a read or write: how much was asked for, in bytes. */
  length?: number
  /** The code of the fault that it was made to fail with. */
  fault?: string
}

export interface Fault {
  /** Which call fails: its index over all calls, or the calls for which a predicate holds. */
  call: number | ((kind: CallKind, path: string, index: number) => boolean)
  /** `'EIO'`, `'ENOSPC'`, `'EMFILE'`, ... */
  code: string
  /** Every later call fails too: from the index on, or for which the predicate holds. Otherwise only one call fails. */
  sticky?: boolean
  /** The call takes effect all the same, and then reports the failure. By default so for `close`, as in the system. */
  takesEffect?: boolean
}

/** A storage that fails, stalls, or falls short when a test says so, and keeps a log of the calls. */
export class FaultyStorage implements Storage {
  /** All calls so far, in order. */
  readonly calls: Call[] = []
  /** The most that one write takes, bytes. */
  maxWriteBytes = Infinity
  /** The most that one read gives, bytes. */
  maxReadBytes = Infinity
  /** Which call, and with `sticky` every later one, does less than it was asked for where it is a read or a write. */
  shorten: { call: number; sticky?: boolean; to: (length: number) => number } | null = null
  /**
   * Syncs of files wait here. Around a MemoryStorage a held sync covers what was written before it was called, and a
   * crash meanwhile finds nothing of it durable; around another storage it starts when it is released.
   */
  syncGate: SyncGate | null = null

  readonly inner: Storage
  private readonly faults = new Set<Fault>()
  private readonly space = new DiskSpace()

  constructor(inner: Storage) {
    this.inner = inner
    if (inner instanceof MemoryStorage) inner.syncDelay = (path) => this.syncGate?.pass(path)
  }

  /** Bytes that the files may take; the write that crosses it is done in part, the next one fails with ENOSPC. */
  get capacityBytes(): number {
    return this.space.capacityBytes
  }

  set capacityBytes(bytes: number) {
    this.space.capacityBytes = bytes
  }

  /** Bytes taken by the files that were opened here. */
  get usedBytes(): number {
    return this.space.usedBytes
  }

  /** Calls so far, by kind. */
  get counts(): Record<CallKind, number> {
    const counts = Object.fromEntries(CALL_KINDS.map((kind) => [kind, 0])) as Record<CallKind, number>
    for (const { kind } of this.calls) counts[kind] += 1
    return counts
  }

  /** Makes a call fail; the returned function takes that back. */
  failAt(fault: Fault): () => void {
    this.faults.add(fault)
    return () => void this.faults.delete(fault)
  }

  clearFaults(): void {
    this.faults.clear()
  }

  openFile(path: string, mode: OpenMode): Promise<StorageFile> {
    return this.run({ kind: mode === 'create' ? 'create' : 'open', path }, async () => {
      const file = await this.inner.openFile(path, mode)
      return new FaultyFile(this, file, this.space, this.space.opened(path, await file.size()))
    })
  }

  readFile(path: string): Promise<Buffer> {
    return this.run({ kind: 'readFile', path }, () => this.inner.readFile(path))
  }

  list(path: string): Promise<DirectoryEntry[]> {
    return this.run({ kind: 'list', path }, () => this.inner.list(path))
  }

  makeDirectory(path: string): Promise<void> {
    return this.run({ kind: 'makeDirectory', path }, () => this.inner.makeDirectory(path))
  }

  rename(from: string, to: string): Promise<void> {
    return this.run({ kind: 'rename', path: from, to }, async () => {
      await this.inner.rename(from, to)
      this.space.renamed(from, to)
    })
  }

  removeFile(path: string): Promise<void> {
    return this.run({ kind: 'removeFile', path }, async () => {
      await this.inner.removeFile(path)
      this.space.removed(path)
    })
  }

  removeDirectory(path: string): Promise<void> {
    return this.run({ kind: 'removeDirectory', path }, async () => {
      await this.inner.removeDirectory(path)
      this.space.removed(path)
    })
  }

  syncDirectory(path: string): Promise<void> {
    return this.run({ kind: 'syncDirectory', path }, () => this.inner.syncDirectory(path))
  }

  lockDirectory(path: string): Promise<DirectoryLock> {
    return this.run({ kind: 'lockDirectory', path }, () => this.inner.lockDirectory(path))
  }

  /** Logs a call and makes it, unless it is to fail. Only this storage and its files call this. */
  async run<T>(call: Omit<Call, 'index'>, action: () => Promise<T>): Promise<T> {
    const fault = this.begin(call)
    if (fault !== null && !(fault.takesEffect ?? call.kind === 'close'))
      throw systemError(fault.code, call.kind, call.path)
    const result = await action()
    if (fault !== null) throw systemError(fault.code, call.kind, call.path)
    return result
  }

  /** As `run`, for a call that is no promise. */
  runNow<T>(call: Omit<Call, 'index'>, action: () => T): T {
    const fault = this.begin(call)
    if (fault !== null && !(fault.takesEffect ?? call.kind === 'close'))
      throw systemError(fault.code, call.kind, call.path)
    const result = action()
    if (fault !== null) throw systemError(fault.code, call.kind, call.path)
    return result
  }

  /** How much of what it was asked for the call that was begun last may do: for a read or a write of `length` bytes. */
  portion(length: number, most: number): number {
    const { shorten } = this
    const index = this.calls.length - 1
    const isShort = shorten !== null && (index === shorten.call || (shorten.sticky === true && index > shorten.call))
    return Math.min(length, most, isShort ? Math.max(1, shorten.to(length)) : length)
  }

  private begin(call: Omit<Call, 'index'>): Fault | null {
    const index = this.calls.length
    const fault = this.faultOf(call, index)
    this.calls.push(fault === null ? { ...call, index } : { ...call, index, fault: fault.code })
    return fault
  }

  private faultOf({ kind, path }: Omit<Call, 'index'>, index: number): Fault | null {
    for (const fault of this.faults) {
      const { call, sticky } = fault
      const hit = typeof call === 'number' ? index === call || (sticky && index > call) : call(kind, path, index)
      if (!hit) continue
      if (!sticky) this.faults.delete(fault)
      return fault
    }
    return null
  }
}

class FaultyFile implements StorageFile {
  readonly path: string
  private readonly storage: FaultyStorage
  private readonly inner: StorageFile
  private readonly disk: DiskSpace
  private readonly space: SpaceOfFile

  constructor(storage: FaultyStorage, inner: StorageFile, disk: DiskSpace, space: SpaceOfFile) {
    this.path = inner.path
    this.storage = storage
    this.inner = inner
    this.disk = disk
    this.space = space
  }

  size(): Promise<number> {
    return this.storage.run({ kind: 'size', path: this.path }, () => this.inner.size())
  }

  read(target: Uint8Array, position: number): Promise<number> {
    const { storage } = this
    return storage.run({ kind: 'read', path: this.path, position, length: target.length }, () =>
      this.inner.read(target.subarray(0, storage.portion(target.length, storage.maxReadBytes)), position),
    )
  }

  write(source: Uint8Array, position: number): number {
    return this.storage.runNow({ kind: 'write', path: this.path, position, length: source.length }, () => {
      const room = this.disk.roomFor(this.space, position, source.length)
      if (room === 0 && source.length > 0) throw systemError('ENOSPC', 'write', this.path)
      const portion = this.storage.portion(source.length, Math.min(room, this.storage.maxWriteBytes))
      const written = this.inner.write(source.subarray(0, portion), position)
      this.disk.resized(this.space, Math.max(this.space.sizeBytes, position + written))
      return written
    })
  }

  sync(): Promise<void> {
    return this.storage.run({ kind: 'sync', path: this.path }, async () => {
      if (!(this.storage.inner instanceof MemoryStorage)) await this.storage.syncGate?.pass(this.path)
      await this.inner.sync()
    })
  }

  truncate(size: number): Promise<void> {
    return this.storage.run({ kind: 'truncate', path: this.path, position: size }, async () => {
      await this.inner.truncate(size)
      this.disk.resized(this.space, size)
    })
  }

  close(): Promise<void> {
    return this.storage.run({ kind: 'close', path: this.path }, async () => {
      await this.inner.close()
      this.disk.closed(this.space)
    })
  }
}
