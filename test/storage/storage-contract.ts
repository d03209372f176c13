/** What the engine relies on in every Storage: the same tests run on each implementation. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { VarveError } from '../../src/errors.ts'
import { readFully, replaceFile, writeFully, type Storage } from '../../src/storage/storage.ts'

/** A storage to test, with an empty directory in it that may be filled. */
export interface StorageUnderTest {
  storage: Storage
  directory: string
  remove: () => Promise<void>
}

/** Defines the tests. @param make called before each test */
export function describeStorageContract(name: string, make: () => Promise<StorageUnderTest>): void {
  describe(`${name} keeps the contract of Storage:`, () => {
    let storage: Storage
    let directory: string
    let remove: () => Promise<void>

    beforeEach(async () => {
      ;({ storage, directory, remove } = await make())
    })
    afterEach(() => remove())

    const inDirectory = (file: string) => `${directory}/${file}`

    async function put(file: string, content: string | Uint8Array): Promise<void> {
      const created = await storage.openFile(inDirectory(file), 'create')
      writeFully(created, Buffer.from(content), 0)
      await created.close()
    }

    async function get(file: string): Promise<string> {
      return (await storage.readFile(inDirectory(file))).toString()
    }

    describe('open', () => {
      test('creates an empty file', async () => {
        const file = await storage.openFile(inDirectory('new'), 'create')
        expect(file.path).toBe(inDirectory('new'))
        expect(await file.size()).toBe(0)
        await file.close()
      })

      test('never takes a file that exists for a new one', async () => {
        await put('a', 'kept')
        await expect(storage.openFile(inDirectory('a'), 'create')).rejects.toMatchObject({ code: 'EEXIST' })
        expect(await get('a')).toBe('kept')
      })

      test('creates a file only where it is told to', async () => {
        await expect(storage.openFile(inDirectory('a'), 'write')).rejects.toMatchObject({ code: 'ENOENT' })
        await expect(storage.openFile(inDirectory('a'), 'read')).rejects.toMatchObject({ code: 'ENOENT' })
        await expect(storage.openFile(inDirectory('no/a'), 'create')).rejects.toMatchObject({ code: 'ENOENT' })
        expect(await storage.list(directory)).toEqual([])
      })

      test('says when a file stands where a directory should', async () => {
        await put('a', '')
        await expect(storage.openFile(inDirectory('a/b'), 'create')).rejects.toMatchObject({ code: 'ENOTDIR' })
      })

      test('for writing keeps the content', async () => {
        await put('a', 'abcdef')
        const file = await storage.openFile(inDirectory('a'), 'write')
        writeFully(file, Buffer.from('XY'), 2)
        await file.close()
        expect(await get('a')).toBe('abXYef')
      })

      test('for reading refuses to write', async () => {
        await put('a', 'abc')
        const file = await storage.openFile(inDirectory('a'), 'read')
        expect(() => file.write(Buffer.from('X'), 0)).toThrow(expect.objectContaining({ code: 'EBADF' }))
        await expect(file.truncate(0)).rejects.toMatchObject({ code: 'EINVAL' })
        await file.close()
        expect(await get('a')).toBe('abc')
      })
    })

    describe('a file', () => {
      test('gives back what was written, where it was written', async () => {
        const file = await storage.openFile(inDirectory('a'), 'create')
        writeFully(file, Buffer.from('hello '), 0)
        writeFully(file, Buffer.from('world'), 6)
        const target = Buffer.alloc(5)
        expect(await readFully(file, target, 3)).toBe(5)
        expect(target.toString()).toBe('lo wo')
        expect(await file.size()).toBe(11)
        await file.close()
      })

      test('takes a view on a larger memory as the view that it is', async () => {
        const memory = Buffer.from('0123456789')
        const file = await storage.openFile(inDirectory('a'), 'create')
        writeFully(file, memory.subarray(3, 6), 0)
        const target = Buffer.alloc(10, '.')
        expect(await readFully(file, target.subarray(2, 6), 0)).toBe(3)
        expect(target.toString()).toBe('..345.....')
        await file.close()
      })

      test('has taken the bytes when write returns', async () => {
        const file = await storage.openFile(inDirectory('a'), 'create')
        const memory = Buffer.from('first')
        writeFully(file, memory, 0)
        memory.fill('x')
        writeFully(file, memory.subarray(0, 1), 5)
        memory.fill('y')
        await file.close()
        expect(await get('a')).toBe('firstx')
      })

      test('reads less at its end, and nothing beyond', async () => {
        await put('a', 'abc')
        const file = await storage.openFile(inDirectory('a'), 'read')
        expect(await readFully(file, Buffer.alloc(10), 1)).toBe(2)
        expect(await file.read(Buffer.alloc(10), 3)).toBe(0)
        expect(await file.read(Buffer.alloc(10), 1000)).toBe(0)
        expect(await file.read(Buffer.alloc(0), 0)).toBe(0)
        await file.close()
      })

      test('holds zeros where it was never written', async () => {
        const file = await storage.openFile(inDirectory('a'), 'create')
        writeFully(file, Buffer.from('abcdef'), 0)
        await file.truncate(2)
        writeFully(file, Buffer.from('z'), 5)
        await file.truncate(8)
        await file.close()
        expect(await get('a')).toBe('ab\0\0\0z\0\0')
      })

      test('is not emptied by a truncate to a size that is wrong', async () => {
        await put('a', 'kept')
        const file = await storage.openFile(inDirectory('a'), 'write')
        await expect(file.truncate(-1)).rejects.toThrow('truncate to -1 bytes')
        await expect(file.truncate(NaN)).rejects.toThrow('truncate to NaN bytes')
        await file.close()
        expect(await get('a')).toBe('kept')
      })

      test('does not grow by a write of nothing', async () => {
        const file = await storage.openFile(inDirectory('a'), 'create')
        expect(file.write(Buffer.alloc(0), 100)).toBe(0)
        expect(await file.size()).toBe(0)
        await file.close()
      })

      test('is the same file through every handle', async () => {
        const writer = await storage.openFile(inDirectory('a'), 'create')
        const reader = await storage.openFile(inDirectory('a'), 'read')
        writeFully(writer, Buffer.from('seen'), 0)
        const target = Buffer.alloc(4)
        expect(await readFully(reader, target, 0)).toBe(4)
        expect(target.toString()).toBe('seen')
        await writer.close()
        await reader.close()
      })

      test('can be synced, and syncs and reads may overlap', async () => {
        const file = await storage.openFile(inDirectory('a'), 'create')
        writeFully(file, Buffer.from('abc'), 0)
        const targets = [Buffer.alloc(3), Buffer.alloc(3)]
        const [, first, , second] = await Promise.all([
          file.sync(),
          readFully(file, targets[0], 0),
          file.sync(),
          readFully(file, targets[1], 0),
        ])
        expect([first, second]).toEqual([3, 3])
        expect(targets.map(String)).toEqual(['abc', 'abc'])
        await file.close()
      })

      test('refuses every call after close', async () => {
        const file = await storage.openFile(inDirectory('a'), 'create')
        await file.close()
        const closed = { code: 'EBADF', path: inDirectory('a') }
        await expect(file.size()).rejects.toMatchObject(closed)
        await expect(file.read(Buffer.alloc(1), 0)).rejects.toMatchObject(closed)
        await expect(file.sync()).rejects.toMatchObject(closed)
        await expect(file.truncate(0)).rejects.toMatchObject(closed)
        await expect(file.close()).rejects.toMatchObject(closed)
        expect(() => file.write(Buffer.from('x'), 0)).toThrow(expect.objectContaining(closed))
      })

      test('refuses every call from the moment close is called', async () => {
        const file = await storage.openFile(inDirectory('a'), 'create')
        const closing = file.close()
        await expect(file.sync()).rejects.toMatchObject({ code: 'EBADF' })
        expect(() => file.write(Buffer.from('x'), 0)).toThrow(expect.objectContaining({ code: 'EBADF' }))
        await closing
      })

      test('lives on under a handle when its name is gone or changed', async () => {
        for (const end of ['removed', 'renamed']) {
          const file = await storage.openFile(inDirectory(end), 'create')
          writeFully(file, Buffer.from('one'), 0)
          if (end === 'removed') await storage.removeFile(inDirectory(end))
          else await storage.rename(inDirectory(end), inDirectory('other'))
          writeFully(file, Buffer.from('two'), 3)
          const target = Buffer.alloc(6)
          expect(await readFully(file, target, 0)).toBe(6)
          expect(target.toString()).toBe('onetwo')
          await file.sync()
          await file.close()
        }
        expect(await get('other')).toBe('onetwo')
        expect((await storage.list(directory)).map(({ name }) => name)).toEqual(['other'])
      })
    })

    describe('readFile', () => {
      test('gives the whole content', async () => {
        const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251))
        await put('a', content)
        await put('empty', '')
        expect((await storage.readFile(inDirectory('a'))).equals(content)).toBe(true)
        expect(await storage.readFile(inDirectory('empty'))).toHaveLength(0)
      })

      test('says what is missing', async () => {
        await expect(storage.readFile(inDirectory('a'))).rejects.toMatchObject({ code: 'ENOENT' })
        await expect(storage.readFile(directory)).rejects.toMatchObject({ code: 'EISDIR' })
      })
    })

    describe('list', () => {
      test('sorts names by their code units, and tells files from directories', async () => {
        // '\u{1f600}' starts with the code unit d83d, so it stands before '\uff5e', which has the smaller code point.
        const names = ['9', '10', 'b', 'a', 'B', 'é', '\u{1f600}', '\uff5e', '.hidden']
        for (const name of names) await put(name, '')
        await storage.makeDirectory(inDirectory('c'))
        await storage.makeDirectory(inDirectory('c/inner'))
        const sorted = ['.hidden', '10', '9', 'B', 'a', 'b', 'c', 'é', '\u{1f600}', '\uff5e']
        expect(await storage.list(directory)).toEqual(
          sorted.map((name) => ({ name, kind: name === 'c' ? 'directory' : 'file' })),
        )
      })

      test('says what is no directory', async () => {
        await put('a', '')
        await expect(storage.list(inDirectory('no'))).rejects.toMatchObject({ code: 'ENOENT' })
        await expect(storage.list(inDirectory('a'))).rejects.toMatchObject({ code: 'ENOTDIR' })
      })
    })

    describe('makeDirectory', () => {
      test('makes the missing parents, and is content when all is there', async () => {
        await storage.makeDirectory(inDirectory('x/y/z'))
        await storage.makeDirectory(inDirectory('x/y/z'))
        await storage.makeDirectory(inDirectory('x'))
        expect(await storage.list(inDirectory('x/y'))).toEqual([{ name: 'z', kind: 'directory' }])
      })

      test('says ENOTDIR when a file is in the way, at the end or before', async () => {
        await put('a', 'kept')
        await expect(storage.makeDirectory(inDirectory('a'))).rejects.toMatchObject({ code: 'ENOTDIR' })
        await expect(storage.makeDirectory(inDirectory('a/b'))).rejects.toMatchObject({ code: 'ENOTDIR' })
        expect(await get('a')).toBe('kept')
      })
    })

    describe('rename', () => {
      test('replaces a file of that name', async () => {
        await put('a', 'new')
        await put('b', 'old')
        await storage.rename(inDirectory('a'), inDirectory('b'))
        expect(await get('b')).toBe('new')
        expect(await storage.list(directory)).toEqual([{ name: 'b', kind: 'file' }])
      })

      test('moves a directory with all it holds, also to another parent', async () => {
        await storage.makeDirectory(inDirectory('from/topic'))
        await storage.makeDirectory(inDirectory('to'))
        await put('from/topic/a', 'content')
        await storage.rename(inDirectory('from/topic'), inDirectory('to/deleted'))
        expect(await get('to/deleted/a')).toBe('content')
        expect(await storage.list(inDirectory('from'))).toEqual([])
      })

      test('to the same name changes nothing', async () => {
        await put('a', 'same')
        await storage.rename(inDirectory('a'), inDirectory('a'))
        await storage.makeDirectory(inDirectory('b/inner'))
        await storage.rename(inDirectory('b'), inDirectory('b'))
        expect(await get('a')).toBe('same')
        expect((await storage.list(directory)).map(({ name }) => name)).toEqual(['a', 'b'])
      })

      test('refuses what would lose something, and says so', async () => {
        await put('file', 'kept')
        await storage.makeDirectory(inDirectory('full/inner'))
        await storage.makeDirectory(inDirectory('other'))
        const refused = [
          ['no', 'any', 'ENOENT'],
          ['file', 'no/any', 'ENOENT'],
          ['other', 'full', 'ENOTEMPTY'],
          ['full', 'full/inner/itself', 'EINVAL'],
          ['file', 'other', 'EISDIR'],
          ['other', 'file', 'ENOTDIR'],
        ] as const
        for (const [from, to, code] of refused) {
          await expect(storage.rename(inDirectory(from), inDirectory(to)), `${from} -> ${to}`).rejects.toMatchObject({
            code,
          })
        }
        expect((await storage.list(directory)).map(({ name }) => name)).toEqual(['file', 'full', 'other'])
        expect(await get('file')).toBe('kept')
      })
    })

    describe('removal', () => {
      test('takes one file', async () => {
        await put('a', '')
        await put('b', '')
        await storage.removeFile(inDirectory('a'))
        expect(await storage.list(directory)).toEqual([{ name: 'b', kind: 'file' }])
        await expect(storage.removeFile(inDirectory('a'))).rejects.toMatchObject({ code: 'ENOENT' })
      })

      test('of a file never takes a directory', async () => {
        await storage.makeDirectory(inDirectory('a'))
        await expect(storage.removeFile(inDirectory('a'))).rejects.toThrow(/EISDIR|EPERM/)
        expect(await storage.list(directory)).toEqual([{ name: 'a', kind: 'directory' }])
      })

      test('takes a directory with all it holds, and is content when there is none', async () => {
        await storage.makeDirectory(inDirectory('x/y/z'))
        await put('x/y/a', 'content')
        await put('b', '')
        await storage.removeDirectory(inDirectory('x'))
        await storage.removeDirectory(inDirectory('x'))
        await storage.removeDirectory(inDirectory('no/such'))
        expect(await storage.list(directory)).toEqual([{ name: 'b', kind: 'file' }])
      })
    })

    test('syncDirectory says what is missing', async () => {
      await storage.syncDirectory(directory)
      await expect(storage.syncDirectory(inDirectory('no'))).rejects.toMatchObject({ code: 'ENOENT' })
    })

    test('replaceFile puts a small file in place of another', async () => {
      await replaceFile(storage, directory, 'state', Buffer.from('one'))
      await put('state.tmp', 'left by a crash')
      await replaceFile(storage, directory, 'state', Buffer.from('two'))
      expect(await get('state')).toBe('two')
      expect(await storage.list(directory)).toEqual([{ name: 'state', kind: 'file' }])
    })

    describe('the lock on a directory', () => {
      test('is held once, and free again after release', async () => {
        const lock = await storage.lockDirectory(directory)
        const second = storage.lockDirectory(directory)
        await expect(second).rejects.toBeInstanceOf(VarveError)
        await expect(second).rejects.toMatchObject({ code: 'LOCKED', details: { path: directory } })
        await expect(second).rejects.toThrow(`'${directory}' is held by process ${process.pid}`)
        await lock.release()
        const next = await storage.lockDirectory(directory)
        await next.release()
      })

      test('of two calls at once goes to one', async () => {
        const results = await Promise.allSettled([1, 2, 3, 4].map(() => storage.lockDirectory(directory)))
        const locks = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
        expect(locks).toHaveLength(1)
        await locks[0].release()
      })

      test('released twice does not release the next holder', async () => {
        const first = await storage.lockDirectory(directory)
        await first.release()
        const second = await storage.lockDirectory(directory)
        await first.release()
        await expect(storage.lockDirectory(directory)).rejects.toMatchObject({ code: 'LOCKED' })
        await second.release()
      })

      test('is one for each directory', async () => {
        await storage.makeDirectory(inDirectory('a'))
        await storage.makeDirectory(inDirectory('b'))
        const locks = [await storage.lockDirectory(inDirectory('a')), await storage.lockDirectory(inDirectory('b'))]
        for (const lock of locks) await lock.release()
        expect(locks).toHaveLength(2)
      })

      test('knows a directory by any of its names', async () => {
        await storage.makeDirectory(inDirectory('a/b'))
        const lock = await storage.lockDirectory(inDirectory('a'))
        await expect(storage.lockDirectory(inDirectory('a/b/../'))).rejects.toMatchObject({ code: 'LOCKED' })
        await lock.release()
      })

      test('needs a directory', async () => {
        await put('a', '')
        await expect(storage.lockDirectory(inDirectory('no'))).rejects.toMatchObject({ code: 'ENOENT' })
        await expect(storage.lockDirectory(inDirectory('a'))).rejects.toMatchObject({ code: 'ENOTDIR' })
      })
    })
  })
}
