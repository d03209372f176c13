/** That a sync reaches the system, which nothing shows but a power cut. */
import { mkdtemp, readlink, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { nodeStorage } from '../../src/storage/node-storage.ts'

const { calls } = vi.hoisted(() => ({ calls: [] as [string, number][] }))

vi.mock(import('node:fs'), async (original) => {
  const fs = await original()
  const noted = (name: 'fdatasync' | 'fsync') => (fd: number, done: (error: Error | null) => void) => {
    calls.push([name, fd])
    fs[name](fd, done)
  }
  return { ...fs, fdatasync: noted('fdatasync'), fsync: noted('fsync') } as unknown as typeof fs
})

let directory: string
beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'varve-syncs-')))
})
afterAll(() => rm(directory, { recursive: true }))

test('sync() is an fdatasync of the file', async () => {
  const path = join(directory, 'log')
  const file = await nodeStorage().openFile(path, 'create')
  file.write(Buffer.from('record'), 0)
  calls.length = 0
  await file.sync()
  expect(calls.map(([name]) => name)).toEqual(['fdatasync'])
  if (process.platform === 'linux') expect(await readlink(`/proc/self/fd/${calls[0][1]}`)).toBe(path)
  await file.close()
})

test('syncDirectory() is an fsync of the directory, where the system has one', async () => {
  calls.length = 0
  await nodeStorage().syncDirectory(directory)
  expect(calls.map(([name]) => name)).toEqual(process.platform === 'win32' ? [] : ['fsync'])
})
