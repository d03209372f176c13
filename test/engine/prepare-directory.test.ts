/** Making the directory of a log: what may fail on the way, and what may not. */
import { expect, test } from 'vitest'
import { prepareDirectory } from '../../src/engine/prepare-directory.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { rejection } from '../helpers/logs.ts'

const DIRECTORY = '/home/user/events'

test.each(['EACCES', 'EPERM', 'EROFS', 'EINVAL'])(
  'directories above that this user may not sync (%s) are not his, and were there before',
  async (code) => {
    const storage = new FaultyStorage(new MemoryStorage())
    storage.failAt({ call: (kind, path) => kind === 'syncDirectory' && path === '/home', code })
    await prepareDirectory(storage, DIRECTORY, false)
    expect(storage.calls.filter(({ kind }) => kind === 'syncDirectory').map(({ path }) => path)).toEqual([
      '/home/user',
      '/home',
    ])
  },
)

test('any other failure to make its name durable is told', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  storage.failAt({ call: (kind, path) => kind === 'syncDirectory' && path === '/home', code: 'EIO' })
  expect(await rejection(prepareDirectory(storage, DIRECTORY, false))).toMatchObject({ code: 'EIO' })
})

test('so is what a storage of the program throws, which needs no code', async () => {
  const failure = new Error('out of order')
  const storage = new MemoryStorage()
  storage.syncDirectory = () => Promise.reject(failure)
  expect(await rejection(prepareDirectory(storage, DIRECTORY, false))).toBe(failure)
  storage.makeDirectory = () => Promise.reject(failure)
  expect(await rejection(prepareDirectory(storage, DIRECTORY, false))).toBe(failure)
})

test('a directory that holds a checkpoint is durable already', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  await storage.makeDirectory(DIRECTORY)
  await (await storage.openFile(`${DIRECTORY}/checkpoint-b`, 'create')).close()
  await prepareDirectory(storage, DIRECTORY, false)
  expect(storage.counts.syncDirectory).toBe(0)
})
