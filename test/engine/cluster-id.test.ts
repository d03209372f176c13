/** What a directory is called as a cluster: once made it stays. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { openLog } from '../helpers/logs.ts'

const COPY = '/backups/copy'

async function idOf(options: Parameters<typeof openLog>[0]) {
  const log = await openLog(options)
  const found = await log['engine'].clusterId.get()
  return { log, ...found }
}

test('a directory has none until it is asked for, then keeps it: over power cuts, stops and in copies', async () => {
  const storage = new MemoryStorage()
  const first = await idOf({ storage })
  const { clusterId } = first
  expect(clusterId).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
  expect(first.isStored).toBe(true)
  expect(await first.log['engine'].clusterId.get()).toEqual({ clusterId, isStored: true })
  await first.log.backup(COPY)
  const crashed = await idOf({ storage: storage.crash() })
  await first.log.close()
  const again = await idOf({ storage })
  const copy = await idOf({ storage, directory: COPY })
  const reader = await idOf({ storage, directory: COPY, readOnly: true })
  for (const { log, ...found } of [crashed, again, copy, reader]) {
    expect(found).toEqual({ clusterId, isStored: true })
    await log.close()
  }
})

test('two directories have two, and none begins with a dash', async () => {
  const random = { next: () => 0.5, bytes: (count: number) => new Uint8Array(count).fill(0xfb) }
  const [one, other, dashed] = [await idOf({}), await idOf({}), await idOf({ random })]
  expect(one.clusterId).not.toBe(other.clusterId)
  expect(dashed.clusterId).toBe(`_${Buffer.alloc(16, 0xfb).toString('base64url').slice(1)}`)
  for (const { log } of [one, other, dashed]) await log.close()
})

test('where it cannot be stored, as in a read-only log, it lasts as long as the log is open', async () => {
  const disk = new MemoryStorage()
  await (await openLog({ storage: disk })).close()
  const reader = await idOf({ storage: disk, readOnly: true })
  expect(reader.isStored).toBe(false)
  expect((await reader.log['engine'].clusterId.get()).clusterId).toBe(reader.clusterId)
  await reader.log.close()
  const storage = new FaultyStorage(disk)
  const log = await openLog({ storage })
  storage.failAt({ call: (kind, path) => kind === 'sync' && path.includes('checkpoint'), code: 'EIO' })
  const { clusterId, isStored } = await log['engine'].clusterId.get()
  expect(isStored).toBe(false)
  // what is stored next has it
  await log.close()
  const again = await idOf({ storage })
  expect(again).toMatchObject({ clusterId, isStored: true })
  await again.log.close()
})
