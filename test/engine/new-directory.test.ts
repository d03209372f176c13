/** A directory that is written as a whole, where what is done about a failure fails as well. */
import { expect, test } from 'vitest'
import { NewDirectory } from '../../src/engine/new-directory.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { contentOf, namesIn, putFile, rejection } from '../helpers/logs.ts'

const COPY = '/backups/copy'

function stubborn(): FaultyStorage {
  const storage = new FaultyStorage(new MemoryStorage())
  storage.lockDirectory = async () => ({ release: () => Promise.reject(new Error('EIO: release')) })
  return storage
}

test('what has failed is told, and not that its lock cannot be let go', async () => {
  const storage = stubborn()
  storage.failAt({ call: (kind, path) => kind === 'list' && path === `${COPY}.partial`, code: 'EACCES' })
  expect(await rejection(NewDirectory.create(storage, COPY, '/data'))).toMatchObject({ code: 'EACCES' })
})

test('taking one away fails silently, whatever fails: the next writer takes away what is left', async () => {
  const storage = stubborn()
  const created = await NewDirectory.create(storage, COPY, '/data')
  storage.failAt({ call: (kind) => kind === 'list', code: 'EIO' })
  await created.abandon()
  expect(await namesIn(storage, '/backups')).toEqual(['copy.partial'])
  const again = new FaultyStorage(storage.inner)
  await (await NewDirectory.create(again, COPY, '/data')).complete()
  expect(await namesIn(again, '/backups')).toEqual(['copy'])
})

test('one whose name cannot be made durable loses it again, and all that it holds', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const created = await NewDirectory.create(storage, COPY, '/data')
  storage.failAt({ call: (kind, path) => kind === 'syncDirectory' && path === '/backups', code: 'EIO' })
  expect(await rejection(created.complete())).toMatchObject({ code: 'EIO' })
  expect(await namesIn(storage, '/backups')).toEqual(['copy'])
  await created.abandon()
  expect(await namesIn(storage, '/backups')).toEqual([])
  await (await NewDirectory.create(storage, COPY, '/data')).complete()
})

test('of a log in the root directory no copy can be anywhere: all is inside it', async () => {
  expect(await rejection(NewDirectory.check(new MemoryStorage(), COPY, '/'))).toBeInstanceOf(RangeError)
})

test('none is written where that would clear what is to be copied', async () => {
  const storage = new MemoryStorage()
  await putFile(storage, `${COPY}.partial/.incomplete`, 'x')
  await putFile(storage, `${COPY}.partial/log/t-0/00000000000000000000.log`, 'x')
  const before = await contentOf(storage, '/')
  for (const source of [`${COPY}.partial`, `${COPY}.partial/`, `${COPY}.partial/log`]) {
    for (const make of [NewDirectory.check(storage, COPY, source), NewDirectory.create(storage, `${COPY}/`, source)]) {
      const error = await rejection(make)
      expect(error).toBeInstanceOf(RangeError)
      expect(error.message).toContain(`is written as '${COPY}.partial' first, where '${source}' is`)
    }
  }
  expect(await contentOf(storage, '/')).toEqual(before)
})

test('an interrupted copy stays where the source is one, too: it may be the same by another path', async () => {
  const storage = new MemoryStorage()
  for (const path of [`${COPY}.partial`, '/link']) await putFile(storage, `${path}/.incomplete`, 'x')
  await putFile(storage, `${COPY}.partial/t-0/00000000000000000000.log`, 'x')
  const error = await rejection(NewDirectory.create(storage, COPY, '/link'))
  expect(error).toMatchObject({ code: 'DIRECTORY_NOT_EMPTY', details: { path: `${COPY}.partial` } })
  expect(await namesIn(storage, `${COPY}.partial`)).toContain('t-0')
  await (await NewDirectory.create(storage, COPY, '/data')).complete()
})

test('where an empty directory cannot be replaced it is refused before anything is written, and nothing is left', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  await storage.makeDirectory(COPY)
  for (const [code, type, advice] of [
    ['EBUSY', RangeError, /mounted: name a directory inside it$/],
    ['ENOTDIR', RangeError, /is a symbolic link: name the directory that it leads to$/],
    ['EIO', Error, /EIO/],
  ] as const) {
    storage.failAt({ call: (kind) => kind === 'rename', code })
    const error = await rejection(NewDirectory.create(storage, COPY, '/data'))
    expect(error).toBeInstanceOf(type)
    expect(error.message).toMatch(advice)
    expect(await namesIn(storage, '/backups')).toEqual(['copy'])
  }
  await (await NewDirectory.create(storage, COPY, '/data')).complete()
  expect(await namesIn(storage, '/backups')).toEqual(['copy'])
})
