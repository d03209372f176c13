import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { hostname, uptime } from 'node:os'
import { resolve as absolute } from 'node:path'
import { systemClock, systemRandom } from '../environment.ts'
import { systemErrorCode, VarveError } from '../errors.ts'
import type { DirectoryLock } from './storage.ts'

/**
 * Who holds a directory: the content of its `.lock` file, as JSON. It names the holder; except with the mechanism
 * `'file'` it is the kernel that holds the lock.
 */
export interface LockHolder {
  pid: number
  hostname: string
  /** Linux: differs after each boot of the machine. */
  bootId?: string
  /** Linux: when the process started, in clock ticks since boot; tells it from a later process of the same pid. */
  startTime?: string
  /** Linux: the network namespace, within which the kernel itself excludes a second holder. */
  networkNamespace?: string
  /** ISO 8601. */
  since: string
  /** Differs for each lock that was ever taken. */
  token: string
}

/**
 * What excludes others. `'socket'` (Linux): an abstract unix socket named after the directory's device and inode.
 * `'pipe'` (Windows): a named pipe of such a name. Both end with the process, however it ends. `'file'` (elsewhere): the
 * `.lock` file itself, which counts for as long as the process that it names is alive.
 */
export type LockMechanism = 'socket' | 'pipe' | 'file'

/** The name of the file that names the holder. */
export const LOCK_FILE = '.lock'

/** How long a holder that was just taking or losing the lock is given to finish that. */
const PATIENCE_MS = 250

const TOKEN = /^[0-9a-f]{32}$/

/** PF_EXITING of `flags` in /proc/<pid>/stat: a process that is past its last system call (linux/sched.h). */
const EXITING = 0x4

/**
 * Takes the exclusive lock on a directory, at once or not at all: against other processes, other threads and a second
 * call in the same thread. After the holder was killed the next call succeeds.
 *
 * Small files are read and written synchronously: in a process that has just begun, each detour through the pool costs
 * more than the call.
 *
 * Rejects with the system's error when the directory does not exist or cannot be written (`ENOENT`, `ENOTDIR`, `EACCES`,
 * `EROFS`).
 *
 * @throws VarveError LOCKED, naming the holder
 */
export async function lockDirectory(path: string, mechanism: LockMechanism = ownMechanism()): Promise<DirectoryLock> {
  const self = describeThisProcess()
  const deadline = systemClock.monotonicMs() + PATIENCE_MS
  for (;;) {
    const lock = mechanism === 'file' ? takeFile(path, self) : await takeEndpoint(path, self, mechanism)
    if (lock !== null) return lock
    // Between the moment it takes the lock and the moment it has written its name, a holder has no name or a wrong one.
    const holder = readHolder(path)
    const named = holder !== null && isAlive(holder, self)
    if (named || systemClock.monotonicMs() >= deadline) throw lockedError(path, holder)
    await new Promise<void>((resolve) => systemClock.defer(resolve))
  }
}

function ownMechanism(): LockMechanism {
  /* v8 ignore else -- on Linux it returns; elsewhere the tests run, and are not measured */
  if (process.platform === 'linux') return 'socket'
  /* v8 ignore next -- as above */
  return process.platform === 'win32' ? 'pipe' : 'file'
}

/** Takes the lock as a socket or pipe that only one process can listen on; null when another one does. */
async function takeEndpoint(
  path: string,
  self: LockHolder,
  mechanism: 'socket' | 'pipe',
): Promise<DirectoryLock | null> {
  const directory = openDirectory(path)
  let server: Server | null = null
  try {
    /* v8 ignore next -- pipes are on Windows only */
    const prefix = mechanism === 'socket' ? '\0' : '\\\\.\\pipe\\'
    server = await listen(`${prefix}varve-${directory.dev}-${directory.ino}`)
    if (server !== null) {
      const before = readHolder(path)
      if (before !== null && holdsFromElsewhere(before, self)) throw lockedError(path, before)
      writeHolder(path, self)
    }
  } catch (error) {
    await shut(server)
    directory.close()
    throw error
  }
  if (server === null) {
    directory.close()
    return null
  }
  return lockThatEnds(async () => {
    try {
      removeHolder(path, self)
    } finally {
      await shut(server)
      directory.close()
    }
  })
}

/**
 * Takes the lock as the `.lock` file, which is complete from the moment it has that name; null when a live process has it.
 *
 * The file of a dead process is not removed but succeeded: who creates `.lock.<its token>.next` is the next holder, and
 * renames that to `.lock`. Such a name is claimed once in all time, so two that find the same dead file cannot both win,
 * which removing it and starting over would let them. A claimant that dies is succeeded in the same way.
 */
function takeFile(path: string, self: LockHolder): DirectoryLock | null {
  const root = `${path}/${LOCK_FILE}`
  const mine = `${root}.${self.token}`
  writeFileSync(mine, content(self), { mode: 0o600, flag: 'wx' })
  try {
    for (;;) {
      const { texts, names, free, live } = readClaims(root, self)
      if (live) return null
      if (!linkNew(mine, free)) continue
      if (free === root) break
      // Another may have become the holder since, and then nobody looks at this name any more.
      if (readText(root) === texts[0]) {
        renameSync(free, root)
        for (const name of names.slice(1)) removeIfThere(name)
        break
      }
      removeIfThere(free)
    }
  } finally {
    unlinkSync(mine)
  }
  return lockThatEnds(async () => removeHolder(path, self))
}

/** Follows the claims from `.lock` on, to one of a live process or to the first name that is free. */
function readClaims(root: string, self: LockHolder) {
  const names: string[] = []
  const texts: string[] = []
  let free = root
  for (;;) {
    const text = readText(free)
    if (text === null) return { names, texts, free, live: false }
    const holder = parseHolder(text)
    if (holder !== null && isAlive(holder, self)) return { names, texts, free, live: true }
    names.push(free)
    texts.push(text)
    free = holder === null ? `${free}.next` : `${root}.${holder.token}.next`
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null
    throw error
  }
}

function removeIfThere(path: string): void {
  rmSync(path, { force: true })
}

function linkNew(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return false
    throw error
  }
}

/** A lock that is released once, however often it is asked to. */
function lockThatEnds(end: () => Promise<void>): DirectoryLock {
  let released: Promise<void> | null = null
  return { release: () => (released ??= end()) }
}

/**
 * Opens a directory to know it by device and inode. On Linux it stays open as long as the lock is held, so that the
 * inode number cannot go to another directory while the lock is named after it.
 */
function openDirectory(path: string): { dev: bigint; ino: bigint; close: () => void } {
  /* v8 ignore if -- on Windows only */
  if (process.platform === 'win32') {
    const { dev, ino } = statSync(path, { bigint: true })
    return { dev, ino, close: () => {} }
  }
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY, 0)
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true })
    return { dev, ino, close: () => closeSync(fd) }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** Starts to listen, without keeping the process alive; null when another process or thread listens there. */
function listen(address: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((connection) => connection.destroy())
    server.on('error', (error) => {
      if (systemErrorCode(error) === 'EADDRINUSE') resolve(null)
      else reject(error)
    })
    // Exclusive: the workers of node:cluster would else share one socket, and each believe that the lock is its own.
    server.listen({ path: address, exclusive: true }, () => resolve(server))
    server.unref()
  })
}

function shut(server: Server | null): Promise<void> {
  return new Promise((resolve) => {
    if (server === null) resolve()
    else server.close(() => resolve())
  })
}

function describeThisProcess(): LockHolder {
  return {
    pid: process.pid,
    hostname: hostname(),
    bootId: orNothing(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    startTime: processStatus(process.pid)?.startTime,
    networkNamespace: orNothing(() => readlinkSync('/proc/self/ns/net')),
    since: new Date(systemClock.now()).toISOString(),
    token: Buffer.from(systemRandom.bytes(16)).toString('hex'),
  }
}

/** What `read` gives, or undefined where it fails: not every system has it, nor may everybody read it. */
function orNothing(read: () => string): string | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

function content(holder: LockHolder): string {
  return `${JSON.stringify(holder)}\n`
}

/** The holder that the `.lock` file names; null when there is none, or it cannot be read, or it is damaged. */
function readHolder(path: string): LockHolder | null {
  return parseHolder(orNothing(() => readFileSync(`${path}/${LOCK_FILE}`, 'utf8')) ?? '')
}

function parseHolder(text: string): LockHolder | null {
  let value: Partial<LockHolder> | null
  try {
    value = JSON.parse(text) as Partial<LockHolder> | null
  } catch {
    return null
  }
  const { pid = 0, token = '' } = value ?? {}
  const whole = typeof value?.hostname === 'string' && typeof value.since === 'string'
  return whole && Number.isInteger(pid) && pid > 0 && TOKEN.test(token) ? (value as LockHolder) : null
}

/** Writes the `.lock` file in one step, whatever stood there. Only who holds the endpoint calls this. */
function writeHolder(path: string, self: LockHolder): void {
  const temporary = `${path}/${LOCK_FILE}.tmp`
  writeFileSync(temporary, content(self), { mode: 0o600 })
  renameSync(temporary, `${path}/${LOCK_FILE}`)
}

/** Removes the `.lock` file when it is still our own. */
function removeHolder(path: string, self: LockHolder): void {
  if (readHolder(path)?.token !== self.token) return
  unlinkSync(`${path}/${LOCK_FILE}`)
}

/**
 * Tells whether a process holds the directory although its endpoint was free here: abstract sockets are known within
 * one network namespace only, and two containers may share a volume.
 */
function holdsFromElsewhere(holder: LockHolder, self: LockHolder): boolean {
  const { networkNamespace } = self
  if (networkNamespace !== undefined && holder.networkNamespace === networkNamespace) return false
  if (holder.pid === self.pid && holder.startTime === self.startTime) return false
  return isAlive(holder, self)
}

/** Tells whether the very process that took the lock still runs. False also when it cannot be known from this host. */
function isAlive(holder: LockHolder, self: LockHolder): boolean {
  if (holder.hostname !== self.hostname) return false
  if (holder.bootId === undefined || self.bootId === undefined) {
    const bootedMs = systemClock.now() - uptime() * 1000
    if (Date.parse(holder.since) < bootedMs) return false
  } else if (holder.bootId !== self.bootId) {
    return false
  }
  const status = processStatus(holder.pid)
  if (status === null) return isRunning(holder.pid)
  return !status.exiting && (holder.startTime === undefined || holder.startTime === status.startTime)
}

/** What Linux says about a process; null when there is none of that pid, when it is hidden, or on other systems. */
function processStatus(pid: number): { startTime: string; exiting: boolean } | null {
  const text = orNothing(() => readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? ''
  // proc(5): "pid (name) state ...", and the name may hold spaces and parentheses. Counted from `state`, which is field 3.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, flags, startTime] = [fields[0], fields[6], fields[19]]
  if (startTime === undefined) return null
  return { startTime, exiting: state === 'Z' || state === 'X' || (Number(flags) & EXITING) !== 0 }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemErrorCode(error) === 'EPERM'
  }
}

function lockedError(path: string, holder: LockHolder | null): VarveError {
  const who =
    holder === null
      ? 'another process'
      : `process ${holder.pid}${holder.pid === process.pid ? ' (this one)' : ''} on ${holder.hostname} since ${holder.since}`
  const message = `'${absolute(path)}' is held by ${who}; close it there, or open with readOnly`
  return new VarveError('LOCKED', message, { details: { path } })
}
