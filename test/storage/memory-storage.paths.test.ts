/** Paths that lead to the root, or through what is not there. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { namesIn, outcomesOf, putFile } from '../helpers/logs.ts'

test('the root is a directory that is always there, and no file', async () => {
  const storage = new MemoryStorage()
  expect(await namesIn(storage, '/')).toEqual([])
  const calls = [
    storage.openFile('/', 'create'),
    storage.openFile('/', 'write'),
    storage.readFile('/'),
    storage.removeFile('/'),
  ]
  expect(await outcomesOf(calls)).toEqual(['EEXIST', 'EISDIR', 'EISDIR', 'EISDIR'])
  await storage.removeDirectory('/')
  expect(await namesIn(storage, '/')).toEqual([])
})

test('what lies below nothing is removed already', async () => {
  const storage = new MemoryStorage()
  await putFile(storage, '/log/file', 'x')
  for (const path of ['/none', '/none/a', '/none/a/b/c']) await storage.removeDirectory(path)
  expect(await namesIn(storage, '/log')).toEqual(['file'])
})
