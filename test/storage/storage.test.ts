/** What is built on any storage: whole writes and reads out of short ones. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { readFully, writeFully } from '../../src/storage/storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { thrown } from '../helpers/logs.ts'

async function shortFile() {
  const storage = new FaultyStorage(new MemoryStorage())
  await storage.makeDirectory('/log')
  return { storage, file: await storage.openFile('/log/file', 'create') }
}

test('a write goes on until all is written, and a read until all is there or the file ends', async () => {
  const { storage, file } = await shortFile()
  storage.maxWriteBytes = 3
  storage.maxReadBytes = 2
  writeFully(file, Buffer.from('0123456789'), 0)
  writeFully(file, Buffer.from('abcd'), 8)
  const target = Buffer.alloc(20)
  expect(await readFully(file, target, 1)).toBe(11)
  expect(target.toString('latin1', 0, 11)).toBe('1234567abcd')
})

test('a write that makes no progress ends as one on a full disk, and does not go on for ever', async () => {
  const { storage, file } = await shortFile()
  storage.maxWriteBytes = 0
  expect(thrown(() => writeFully(file, Buffer.from('0123456789'), 0))).toMatchObject({ code: 'ENOSPC' })
})
