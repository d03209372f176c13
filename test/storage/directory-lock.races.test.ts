/** What happens when another process is at the lock between two calls of the system, or when one of them fails. */
import * as fs from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LOCK_FILE, lockDirectory, type LockHolder } from '../../src/storage/directory-lock.ts'

vi.mock('node:fs', async (original) => {
  const actual = await original<typeof fs>()
  return {
    ...actual,
    linkSync: vi.fn<typeof fs.linkSync>(actual.linkSync),
    fstatSync: vi.fn<typeof fs.fstatSync>(actual.fstatSync),
  }
})
vi.mock('node:net', async (original) => {
  const actual = await original<typeof net>()
  return { ...actual, createServer: vi.fn<typeof net.createServer>(actual.createServer) }
})

const real = await vi.importActual<typeof fs>('node:fs')
const onLinux = process.platform === 'linux'

let directory: string
let lockFile: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'varve-lock-'))
  lockFile = join(directory, LOCK_FILE)
})
afterEach(async () => {
  vi.clearAllMocks()
  await rm(directory, { recursive: true })
})

/** What this process writes into the lock file. */
async function ownHolder(): Promise<LockHolder> {
  const lock = await lockDirectory(directory, 'file')
  const holder = JSON.parse(await readFile(lockFile, 'utf8')) as LockHolder
  await lock.release()
  return holder
}

const asText = (holder: LockHolder) => `${JSON.stringify(holder)}\n`
const failure = (code: string) => Object.assign(new Error(`${code}: it fails`), { code })

// reason: Windows has no hard links that everybody may make; there the lock is a pipe
describe.skipIf(process.platform === 'win32')('the lock by file', () => {
  const lock = () => lockDirectory(directory, 'file')

  test('goes to the other one that makes the file first', async () => {
    const other = { ...(await ownHolder()), token: 'a'.repeat(32) }
    vi.mocked(fs.linkSync).mockImplementationOnce((from, to) => {
      real.writeFileSync(to, asText(other))
      real.linkSync(from, to)
    })
    await expect(lock()).rejects.toMatchObject({ code: 'LOCKED' })
    expect(JSON.parse(await readFile(lockFile, 'utf8'))).toEqual(other)
    expect(await readdir(directory)).toEqual([LOCK_FILE])
  })

  test('goes to the other one that has succeeded the same dead process just before', async () => {
    const live = await ownHolder()
    const dead = { ...live, startTime: '1', since: '2000-01-01T00:00:00.000Z', bootId: 'before', token: 'd'.repeat(32) }
    const other = { ...live, token: 'a'.repeat(32) }
    await writeFile(lockFile, asText(dead))
    vi.mocked(fs.linkSync).mockImplementationOnce((from, to) => {
      real.linkSync(from, to)
      real.writeFileSync(lockFile, asText(other))
    })
    await expect(lock()).rejects.toMatchObject({ code: 'LOCKED' })
    expect(JSON.parse(await readFile(lockFile, 'utf8'))).toEqual(other)
    // and the claim that came too late is taken back
    expect(await readdir(directory)).toEqual([LOCK_FILE])
  })

  test('gives the error of a file system that has no hard links, and leaves nothing', async () => {
    vi.mocked(fs.linkSync).mockImplementationOnce(() => {
      throw failure('EPERM')
    })
    await expect(lock()).rejects.toMatchObject({ code: 'EPERM' })
    expect(await readdir(directory)).toEqual([])
  })

  test('gives the error of a lock file that cannot be read', async () => {
    await real.promises.mkdir(lockFile)
    await expect(lock()).rejects.toMatchObject({ code: 'EISDIR' })
    expect(await readdir(directory)).toEqual([LOCK_FILE])
  })
})

// reason: abstract sockets are Linux's
describe.runIf(onLinux)('the lock by socket', () => {
  const lock = () => lockDirectory(directory, 'socket')
  const descriptors = async () => (await readdir('/proc/self/fd')).length

  test('gives the error of a directory that cannot be looked at, and leaves nothing open', async () => {
    const before = await descriptors()
    vi.mocked(fs.fstatSync).mockImplementationOnce(() => {
      throw failure('EIO')
    })
    await expect(lock()).rejects.toMatchObject({ code: 'EIO' })
    expect(await descriptors()).toBe(before)
  })

  test('gives the error of a socket that cannot be made, and leaves nothing open', async () => {
    const before = await descriptors()
    const server = new net.Server()
    server.listen = () => {
      process.nextTick(() => server.emit('error', failure('EMFILE')))
      return server
    }
    vi.mocked(net.createServer).mockReturnValueOnce(server)
    await expect(lock()).rejects.toMatchObject({ code: 'EMFILE' })
    expect(await descriptors()).toBe(before)
    await (await lock()).release()
  })

  test('is held by another process where somebody has the socket and never says who', async () => {
    const { dev, ino } = real.statSync(directory, { bigint: true })
    const server = net.createServer().listen({ path: `\0varve-${dev}-${ino}`, exclusive: true })
    await new Promise((resolve) => server.once('listening', resolve))
    await expect(lock()).rejects.toThrow('is held by another process; close it there')
    await new Promise((resolve) => server.close(resolve))
    await (await lock()).release()
  })

  test('is not refused by what this very process has written in another network', async () => {
    const holder = await ownHolder()
    await writeFile(lockFile, asText({ ...holder, networkNamespace: 'net:[1]' }))
    const held = await lock()
    expect(JSON.parse(await readFile(lockFile, 'utf8'))).toMatchObject({ networkNamespace: holder.networkNamespace })
    await held.release()
  })
})
