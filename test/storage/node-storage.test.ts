import { mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises'
import { closeSync, openSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeStorage } from '../../src/storage/node-storage.ts'
import { describeStorageContract } from './storage-contract.ts'

describeStorageContract('nodeStorage', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'varve-storage-'))
  return { storage: nodeStorage(), directory, remove: () => rm(directory, { recursive: true }) }
})

describe('nodeStorage', () => {
  const storage = nodeStorage()
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'varve-storage-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  test('writes files and directories that only this user may read', async () => {
    const before = process.umask(0)
    try {
      await storage.makeDirectory(`${directory}/a/b`)
      const file = await storage.openFile(`${directory}/a/b/c`, 'create')
      await file.close()
      const lock = await storage.lockDirectory(`${directory}/a`)
      const modes = await Promise.all(['a', 'a/b', 'a/b/c', 'a/.lock'].map((name) => stat(`${directory}/${name}`)))
      await lock.release()
      expect(modes.map(({ mode }) => (mode & 0o777).toString(8))).toEqual(['700', '700', '600', '600'])
    } finally {
      process.umask(before)
    }
  })

  test('makes a directory where a link leads to one, and not where it leads nowhere', async () => {
    await storage.makeDirectory(`${directory}/there`)
    await symlink('there', `${directory}/link`)
    await symlink('nowhere', `${directory}/dangling`)
    await storage.makeDirectory(`${directory}/link`)
    await storage.makeDirectory(`${directory}/link/a/b`)
    expect(await readdir(`${directory}/there/a`)).toEqual(['b'])
    for (const path of ['dangling', 'dangling/below'])
      await expect(storage.makeDirectory(`${directory}/${path}`)).rejects.toMatchObject({ code: 'EEXIST' })
  })

  test('makes a directory once, however many ask for it at the same time', async () => {
    await Promise.all(Array.from({ length: 8 }, (_, i) => storage.makeDirectory(`${directory}/a/b/c/${i % 2}`)))
    expect(await readdir(`${directory}/a/b/c`)).toEqual(['0', '1'])
  })

  test('names a symbolic link what it is, wherever it points', async () => {
    const file = await storage.openFile(`${directory}/file`, 'create')
    await file.close()
    await storage.makeDirectory(`${directory}/directory`)
    await symlink('file', `${directory}/to-file`)
    await symlink('directory', `${directory}/to-directory`)
    await symlink('nothing', `${directory}/to-nothing`)
    const kinds = Object.fromEntries((await storage.list(directory)).map(({ name, kind }) => [name, kind]))
    expect(kinds).toEqual({
      file: 'file',
      directory: 'directory',
      'to-file': 'other',
      'to-directory': 'other',
      'to-nothing': 'other',
    })
  })

  test('removes a link to a directory, and not what it points to', async () => {
    await storage.makeDirectory(`${directory}/kept/inner`)
    await storage.makeDirectory(`${directory}/topic`)
    await symlink('../kept', `${directory}/topic/link`)
    await storage.removeDirectory(`${directory}/topic`)
    expect(await readdir(`${directory}/kept`)).toEqual(['inner'])
  })

  test('reads and writes beyond 4 GiB', async () => {
    const file = await storage.openFile(`${directory}/large`, 'create')
    const position = 5 * 2 ** 30 + 1
    expect(file.write(Buffer.from('far'), position)).toBe(3)
    const target = Buffer.alloc(5)
    expect(await file.read(target, position - 1)).toBe(4)
    expect(target.toString()).toBe('\0far\0')
    expect(await file.size()).toBe(position + 3)
    await file.close()
  })

  describe('a closed file', () => {
    test('leaves the next file alone that the system gives the same number', async () => {
      const first = await storage.openFile(`${directory}/first`, 'create')
      const number = freeDescriptor()
      await first.close()
      expect(freeDescriptor()).toBeLessThan(number)
      const second = await storage.openFile(`${directory}/second`, 'create')
      second.write(Buffer.from('second'), 0)

      expect(() => first.write(Buffer.from('XXXX'), 0)).toThrow(expect.objectContaining({ code: 'EBADF' }))
      await expect(first.truncate(0)).rejects.toMatchObject({ code: 'EBADF' })
      await expect(first.close()).rejects.toMatchObject({ code: 'EBADF' })

      second.write(Buffer.from('!'), 6)
      await second.close()
      expect((await storage.readFile(`${directory}/second`)).toString()).toBe('second!')
    })

    test('was closed once, also when close is called twice at the same time', async () => {
      const first = await storage.openFile(`${directory}/first`, 'create')
      const results = await Promise.allSettled([first.close(), first.close()])
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    })

    test('was closed after the reads and syncs in flight came back', async () => {
      const target = Buffer.alloc(1 << 20)
      const file = await storage.openFile(`${directory}/a`, 'create')
      file.write(target, 0)
      await file.close()
      for (let round = 0; round < 50; round++) {
        const reader = await storage.openFile(`${directory}/a`, 'write')
        reader.write(Buffer.from([round]), round)
        const order: string[] = []
        const calls = Array.from({ length: 6 }, async (_, index) => {
          const count = index % 2 === 0 ? await reader.sync() : await reader.read(target, 0)
          order.push('call')
          return count
        })
        const closing = reader.close().then(() => order.push('close'))
        const counts = await Promise.all(calls)
        await closing
        expect(counts.filter((count) => count !== undefined)).toEqual([target.length, target.length, target.length])
        expect(order).toEqual([...Array.from({ length: 6 }, () => 'call'), 'close'])
      }
    })

    test('was closed although a call failed', async () => {
      const number = freeDescriptor()
      const file = await storage.openFile(`${directory}/a`, 'create')
      await expect(file.read(Buffer.alloc(1), 0.5)).rejects.toThrow(RangeError)
      await expect(file.read('no buffer' as unknown as Buffer, 0)).rejects.toThrow(TypeError)
      await file.close()
      expect(freeDescriptor()).toBe(number)
    })
  })

  // reason: /dev/full and /proc/self/fd are Linux's
  describe.runIf(process.platform === 'linux')('on Linux', () => {
    test('gives up where the system makes no directory', async () => {
      for (const path of ['/proc/varve', '/proc/varve/below'])
        await expect(storage.makeDirectory(path)).rejects.toMatchObject({ code: 'ENOENT' })
    })

    test('passes on the error of a write', async () => {
      const full = await storage.openFile('/dev/full', 'write')
      expect(() => full.write(Buffer.from('x'), 0)).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
      await full.close()
    })

    test('keeps no descriptor open that it was not asked to', async () => {
      const before = await readdir('/proc/self/fd')
      for (let round = 0; round < 20; round++) {
        await storage.syncDirectory(directory)
        await expect(storage.openFile(`${directory}/no`, 'read')).rejects.toThrow('ENOENT')
        await expect(storage.lockDirectory(`${directory}/no`)).rejects.toThrow('ENOENT')
        const lock = await storage.lockDirectory(directory)
        await expect(storage.lockDirectory(directory)).rejects.toThrow('is held by')
        await lock.release()
        const file = await storage.openFile(`${directory}/${round}`, 'create')
        await file.sync()
        await file.close()
      }
      const after = await readdir('/proc/self/fd')
      expect(after.length).toBeLessThanOrEqual(before.length)
    })
  })
})

/** The number that the system gives to the next file that is opened. */
function freeDescriptor(): number {
  const fd = openSync(import.meta.filename, 'r')
  closeSync(fd)
  return fd
}
