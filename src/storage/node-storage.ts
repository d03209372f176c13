import {
  close,
  constants,
  existsSync,
  fdatasync,
  fstat,
  fsync,
  ftruncate,
  mkdir,
  open,
  read,
  readdir,
  readFile,
  rename,
  statSync,
  unlink,
  writeSync,
  type Dirent,
} from 'node:fs'
import { dirname } from 'node:path'
import fsExtra from 'fs-extra'
import { assert } from '../assert.ts'
import { systemErrorCode } from '../errors.ts'
import { lockDirectory } from './directory-lock.ts'
import type { DirectoryEntry, DirectoryLock, OpenMode, Storage, StorageFile } from './storage.ts'
import { systemError } from './system-error.ts'

const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

const OPEN_FLAGS: Record<OpenMode, number> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
}

/** The machine's own disk. What it creates only this user may read: files with mode 0600, directories with 0700. */
export function nodeStorage(): Storage {
  return new NodeStorage()
}

class NodeStorage implements Storage {
  async openFile(path: string, mode: OpenMode): Promise<StorageFile> {
    return new NodeFile(path, await openDescriptor(path, OPEN_FLAGS[mode]))
  }

  // fs-extra's would wait for a free descriptor instead of failing with EMFILE
  readFile(path: string): Promise<Buffer> {
    return settle<Buffer>((done) => readFile(path, done))
  }

  async list(path: string): Promise<DirectoryEntry[]> {
    const entries = await settle<Dirent[]>((done) => readdir(path, { withFileTypes: true }, done))
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) })).sort(byName)
  }

  /**
   * @throws the system's error: `ENOTDIR` when a file of that name, or of a parent's, stands in the way, `EEXIST` when that
   *         is a symbolic link to nothing
   */
  async makeDirectory(path: string): Promise<void> {
    // by far the most are there, and asking so costs a tenth of what a call on another thread does
    if (isDirectory(path)) return
    await makeDirectories(path)
  }

  rename(from: string, to: string): Promise<void> {
    return settle((done) => rename(from, to, done))
  }

  removeFile(path: string): Promise<void> {
    return settle((done) => unlink(path, done))
  }

  removeDirectory(path: string): Promise<void> {
    return fsExtra.remove(path)
  }

  async syncDirectory(path: string): Promise<void> {
    // Windows has no such call: NTFS journals its directories, and FlushFileBuffers refuses a directory handle.
    /* v8 ignore next -- on Windows only */
    if (process.platform === 'win32') return
    const fd = await openDescriptor(path, constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      await settle((done) => fsync(fd, done))
    } finally {
      await settle((done) => close(fd, done))
    }
  }

  lockDirectory(path: string): Promise<DirectoryLock> {
    return lockDirectory(path)
  }
}

/** Level by level: where the system makes no directory at all, Node's own recursion goes on for ever. */
async function makeDirectories(path: string): Promise<void> {
  try {
    await makeOne(path)
  } catch (error) {
    const parent = dirname(path)
    if (systemErrorCode(error) !== 'ENOENT' || parent === path) throw error
    await makeDirectories(parent)
    await makeOne(path)
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await settle((done) => mkdir(path, DIRECTORY_MODE, done))
  } catch (error) {
    if (isDirectory(path)) return
    // mkdir says EEXIST for a file at the end of the path and ENOTDIR for one on the way: one mistake, one code
    const isFile = systemErrorCode(error) === 'EEXIST' && existsSync(path)
    throw isFile ? systemError('ENOTDIR', 'mkdir', path) : error
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  } catch {
    // what is wrong with it, the call that makes it says
    return false
  }
}

const CLOSED = -1

/**
 * A file descriptor with an owner. `close` waits for the calls in flight and the number is never used again, because the
 * system gives it to the next file that is opened.
 */
class NodeFile implements StorageFile {
  readonly path: string
  private fd: number
  private inFlight = 0
  private whenIdle: (() => void) | null = null

  constructor(path: string, fd: number) {
    this.path = path
    this.fd = fd
  }

  async size(): Promise<number> {
    const stats = await this.call<{ size: number }>('fstat', (fd, done) => fstat(fd, done))
    return stats.size
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.call('read', (fd, done) => read(fd, target, 0, target.length, position, done))
  }

  write(source: Uint8Array, position: number): number {
    if (this.fd === CLOSED) throw this.closedError('write')
    return writeSync(this.fd, source, 0, source.length, position)
  }

  sync(): Promise<void> {
    return this.call('fdatasync', (fd, done) => fdatasync(fd, done))
  }

  async truncate(size: number): Promise<void> {
    // Node takes a negative size for 0.
    assert(size >= 0, `truncate to ${size} bytes`)
    return await this.call('ftruncate', (fd, done) => ftruncate(fd, size, done))
  }

  close(): Promise<void> {
    const fd = this.fd
    if (fd === CLOSED) return Promise.reject(this.closedError('close'))
    this.fd = CLOSED
    return settle((done) => {
      const end = () => close(fd, done)
      if (this.inFlight === 0) end()
      else this.whenIdle = end
    })
  }

  /** Runs one call of the system on the descriptor, which stays open until the call has come back. */
  private call<T>(syscall: string, start: (fd: number, done: Done<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.fd === CLOSED) throw this.closedError(syscall)
      start(this.fd, (error, value) => {
        this.inFlight -= 1
        if (this.inFlight === 0) this.whenIdle?.()
        if (error) reject(error)
        else resolve(value!)
      })
      // Only now: `start` throws when an argument is wrong, and then nothing is in flight.
      this.inFlight += 1
    })
  }

  private closedError(syscall: string): Error {
    return systemError('EBADF', syscall, this.path)
  }
}

type Done<T> = (error: NodeJS.ErrnoException | null, value?: T) => void

function settle<T = void>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error) reject(error)
      else resolve(value!)
    })
  })
}

function openDescriptor(path: string, flags: number): Promise<number> {
  return settle((done) => open(path, flags, FILE_MODE, done))
}

function kindOf(entry: Dirent): DirectoryEntry['kind'] {
  if (entry.isFile()) return 'file'
  return entry.isDirectory() ? 'directory' : 'other'
}

function byName(a: DirectoryEntry, b: DirectoryEntry): number {
  return a.name < b.name ? -1 : 1
}
