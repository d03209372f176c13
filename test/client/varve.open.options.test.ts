/** What opening refuses before it touches anything, and the places that it cannot open. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import type { VarveOptions } from '../../src/engine/open-options.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage, type CallKind } from '../helpers/faulty-storage.ts'
import { DIRECTORY, openLog, putFile, rejection, valuesOf } from '../helpers/logs.ts'

const CHILD = fileURLToPath(new URL('../helpers/lock-child.ts', import.meta.url))

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-open-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

describe('options', () => {
  const unknown: [given: string, meant: string][] = [
    ['readonly', 'readOnly'],
    ['dir', 'directory'],
    ['max-pending-bytes', 'maxPendingBytes'],
    ['topic', 'topics'],
    ['Storage', 'storage'],
    ['flsh', 'flush'],
    ['directroy', 'directory'],
  ]
  test.each(unknown)("'%s' is unknown, and '%s' may have been meant", async (given, meant) => {
    const storage = new FaultyStorage(new MemoryStorage())
    const error = await rejection(openLog({ storage, [given]: 1 }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain(`Varve.open: unknown option '${given}' (did you mean '${meant}'?)`)
    expect(error.message).toContain('known options: directory, flush, ')
    expect(storage.calls).toEqual([])
  })

  test('an unknown option that resembles none gets no guess', async () => {
    const error = await rejection(openLog({ quux: 1 } as Partial<VarveOptions>))
    expect(error.message).toContain("unknown option 'quux'; known options: ")
  })

  const wrong: [option: string, value: unknown, kind: typeof TypeError | typeof RangeError, must: string][] = [
    ['directory', '', TypeError, 'must be a string that is not empty'],
    ['directory', 5, TypeError, 'must be a string that is not empty, not 5'],
    ['directory', 'a\0b', TypeError, "must be a path without NUL characters, not 'a\\x00b'"],
    ['directory', null, TypeError, 'must be a string that is not empty, not null'],
    ['directory', new URL('file:///data'), TypeError, 'must be a string that is not empty, not an object'],
    ['directory', undefined, TypeError, "'directory' is required"],
    ['flush', 'always', TypeError, "must be one of 'each', 'group', 'os', or a window { ms, bytes?, records? }"],
    ['flush', { ms: 0.5 }, RangeError, "Varve.open: flush: option 'ms' must be a number of at least 1 (ms), not 0.5"],
    ['flush', { ms: 5, byts: 5 }, TypeError, "Varve.open: flush: unknown option 'byts' (did you mean 'bytes'?)"],
    ['flush', { bytes: 5 }, TypeError, "'ms' is required"],
    ['flush', { ms: 5, bytes: 0 }, RangeError, "'bytes' must be an integer of at least 1, not 0"],
    ['flush', { ms: 5, record: 5 }, TypeError, "did you mean 'records'?"],
    ['readOnly', 'yes', TypeError, "must be true or false, not 'yes'"],
    ['readOnly', null, TypeError, 'must be true or false, not null'],
    ['maxPendingBytes', 0, RangeError, 'must be an integer of at least 1, not 0'],
    ['maxPendingBytes', 1.5, RangeError, 'must be an integer of at least 1, not 1.5'],
    ['maxPendingBytes', Infinity, RangeError, 'must be an integer of at least 1, not Infinity'],
    ['maxPendingBytes', NaN, TypeError, 'must be an integer of at least 1, not NaN'],
    ['maxPendingBytes', '64MB', TypeError, "must be an integer of at least 1, not '64MB'"],
    ['retentionCheckMs', 0, RangeError, 'must be an integer from 1 to 2147483647, not 0'],
    ['retentionCheckMs', 2 ** 31, RangeError, 'must be an integer from 1 to 2147483647, not 2147483648'],
    ['topics', new Map([['orders', {}]]), TypeError, 'must be an object by topic name, not a Map'],
    ['topics', [], TypeError, 'must be an object by topic name, not an array'],
    ['topics', { orders: 5 }, TypeError, "topics['orders']: options must be an object, not 5"],
    ['topics', { orders: { codec: {} } }, TypeError, "topics['orders']: unknown option 'codec'"],
    ['topics', { orders: { valueCodec: {} } }, TypeError, "must be an object with a method 'encode'"],
    ['topics', { orders: { partitioner: 'murmur2' } }, TypeError, 'must be a function'],
    ['storage', {}, TypeError, "must be an object with a method 'openFile'"],
    ['storage', null, TypeError, "must be an object with a method 'openFile', not null"],
    ['clock', { now: () => 0 }, TypeError, "must be an object with a method 'monotonicMs'"],
    ['random', Math, TypeError, "must be an object with a method 'next'"],
  ]
  test.each(wrong)('%s: %o is refused before anything happens', async (option, value, kind, must) => {
    const storage = new FaultyStorage(new MemoryStorage())
    const error = await rejection(openLog({ storage, [option]: value }))
    expect(error).toBeInstanceOf(kind)
    expect(error.message).toContain(must)
    expect(error.message).toContain(option)
    expect(storage.calls).toEqual([])
  })

  test.each([undefined, null, 'events', [], 5])('instead of options, %o is refused', async (options) => {
    const error = await rejection(Varve.open(options as unknown as VarveOptions))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain('Varve.open: options must be an object, not ')
  })

  test('an option that is undefined counts as absent, and slashes at the end of the directory do too', async () => {
    const log = await openLog({ directory: `${DIRECTORY}//`, flush: undefined, readOnly: undefined })
    expect(log.directory).toBe(DIRECTORY)
    await log.close()
  })
})

describe('a place that cannot be opened', () => {
  test.each([false, true])('that is a file is named, and stays as it is (readOnly: %s)', async (readOnly) => {
    const storage = new MemoryStorage()
    await putFile(storage, DIRECTORY, 'notes')
    for (const directory of [DIRECTORY, `${DIRECTORY}/below`]) {
      const error = await rejection(openLog({ storage, directory, readOnly }))
      expect(error).toMatchObject({ code: 'NOT_A_DIRECTORY', details: { path: directory } })
      expect(error.message).toContain(`'${directory}' is not a directory: name another place for the log`)
    }
    expect(await storage.readFile(DIRECTORY)).toEqual(Buffer.from('notes'))
  })

  test('that is a file is refused on the real file system too', async () => {
    const path = join(await temporaryDirectory(), 'file')
    await writeFile(path, 'notes')
    for (const directory of [path, join(path, 'below')])
      expect(await rejection(Varve.open({ directory }))).toMatchObject({ code: 'NOT_A_DIRECTORY' })
  })

  const impossible: [system: string, reason: string][] = [
    ['EEXIST', 'a symbolic link on the way leads nowhere'],
    ['ELOOP', 'a symbolic link on the way leads back to itself'],
    ['ENOENT', 'this file system takes no new directories there'],
    ['ENAMETOOLONG', 'the path is too long'],
  ]
  test.each(impossible)('because none can be there (%s): NOT_A_DIRECTORY says why', async (code, reason) => {
    const storage = new FaultyStorage(new MemoryStorage())
    storage.failAt({ call: (called) => called === 'makeDirectory', code })
    const error = await rejection(openLog({ storage }))
    expect(error).toMatchObject({ code: 'NOT_A_DIRECTORY', details: { path: DIRECTORY }, cause: { code } })
    expect(error.message).toBe(`there can be no directory '${DIRECTORY}': ${reason}; name another place for the log`)
  })

  test('because a link leads nowhere, or the path is too long, on the real file system too', async () => {
    const parent = await temporaryDirectory()
    await symlink('nowhere', join(parent, 'link'))
    for (const directory of [join(parent, 'link'), join(parent, 'link/below'), join(parent, 'x'.repeat(300))])
      expect(await rejection(Varve.open({ directory }))).toMatchObject({ code: 'NOT_A_DIRECTORY' })
    expect(await readdir(parent)).toEqual(['link'])
  })

  const kinds: CallKind[] = ['list', 'makeDirectory', 'lockDirectory', 'readFile', 'open', 'create', 'write']
  test.each(kinds)('for want of permission (%s): PERMISSION_DENIED, and it opens once there is some', async (kind) => {
    const storage = new FaultyStorage(new MemoryStorage())
    if (kind === 'open') await (await openLog({ storage })).close()
    const lift = storage.failAt({ call: (called) => called === kind, code: 'EACCES', sticky: true })
    const error = await rejection(openLog({ storage }))
    expect(error).toMatchObject({ code: 'PERMISSION_DENIED', retriable: false, cause: { code: 'EACCES' } })
    expect(error.message).toMatch(/^cannot .*: EACCES: .*; give this user read and write permission$/)
    lift()
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders' })
    await log.close()
  })

  // reason: permissions do not bind root, and mean something else on Windows
  test.skipIf(process.platform === 'win32' || process.getuid?.() === 0)(
    'for want of permission on the real file system: PERMISSION_DENIED',
    async () => {
      const parent = await temporaryDirectory()
      await chmod(parent, 0o500)
      expect(await rejection(Varve.open({ directory: join(parent, 'log') }))).toMatchObject({
        code: 'PERMISSION_DENIED',
      })
    },
  )

  test('on a read-only file system: PERMISSION_DENIED with the advice to open with readOnly', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    await (await openLog({ storage })).close()
    storage.failAt({ call: (kind) => kind === 'lockDirectory', code: 'EROFS', sticky: true })
    const error = await rejection(openLog({ storage }))
    expect(error).toMatchObject({ code: 'PERMISSION_DENIED' })
    expect(error.message).toContain('open with readOnly')
    await (await openLog({ storage, readOnly: true })).close()
  })

  test('that is full: DISK_FULL, and it opens once there is room', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    storage.capacityBytes = 0
    expect(await rejection(openLog({ storage }))).toMatchObject({ code: 'DISK_FULL', retriable: true })
    storage.capacityBytes = Infinity
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders' })
    await log.append('orders', { value: 1 })
    expect(await valuesOf(log, 'orders')).toEqual([1])
    await log.close()
  })
})

describe('a directory that is held', () => {
  test('by this process: LOCKED names it, the holder is not disturbed, and close gives it back', async () => {
    const directory = await temporaryDirectory()
    const log = await Varve.open({ directory })
    await log.createTopic({ name: 'orders' })
    for (let i = 0; i < 3; i++) {
      const error = await rejection(Varve.open({ directory: `${directory}/` }))
      expect(error).toMatchObject({ code: 'LOCKED', retriable: true, details: { path: directory } })
      expect(error.message).toContain(`is held by process ${process.pid} (this one)`)
      expect(error.message).toContain('open with readOnly')
    }
    await log.append('orders', { value: 1 })
    await log.close()
    const again = await Varve.open({ directory })
    expect(again.recovery.clean).toBe(true)
    expect(await valuesOf(again, 'orders')).toEqual([1])
    await again.close()
  })

  test('by another process: LOCKED names its pid, nothing is written, and its end gives it back', async () => {
    const directory = await temporaryDirectory()
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), CHILD, directory], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    await lines.next()
    child.stdin.write('\n')
    await lines.next()
    const before = await readdir(directory)
    const error = await rejection(Varve.open({ directory }))
    expect(error).toMatchObject({ code: 'LOCKED' })
    expect(error.message).toContain(`is held by process ${child.pid} on `)
    expect(await readdir(directory)).toEqual(before)
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    await (await Varve.open({ directory })).close()
  })

  test('by a log that failed to open: no, it is given back', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    storage.failAt({ call: (kind) => kind === 'create', code: 'EIO' })
    expect(await rejection(openLog({ storage }))).toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
    await (await openLog({ storage })).close()
  })
})
