/** What a log does as a whole: checkpoints as it goes on, and opens that fail. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage, type CallKind } from '../helpers/faulty-storage.ts'
import { idle, namesIn, openLog, rejection, DIRECTORY } from '../helpers/logs.ts'

test('16 MiB of records bring indexes and a checkpoint, so that a recovery reads no more than came after', async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 't', valueCodec: 'bytes' })
  const value = Buffer.alloc(1_000_000, 'v')
  for (let i = 0; i < 17; i++) await log.append('t', { value })
  await idle(20)
  expect(await namesIn(storage, `${DIRECTORY}/t-0`)).toContain('00000000000000000000.index')
  await log.append('t', { value })
  const again = await openLog({ storage: storage.crash() })
  expect(again.offsets('t')[0].logEndOffset).toBe(18)
  expect(again.recovery.scannedBytes).toBeLessThan(2_100_000)
  await again.close()
  await log.close()
})

test('an open that fails says why, also where nothing that it has opened can be closed', async () => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't' })
  await log.append('t', { value: 1 })
  await log.close()
  const storage = new FaultyStorage(disk)
  storage.lockDirectory = async () => ({ release: () => Promise.reject(new Error('EIO: release')) })
  // the directory of the topic is looked into when the catalog is open
  const call = (kind: CallKind, path: string) => {
    const isHit = kind === 'list' && path.endsWith('/t-0')
    if (isHit) storage.failAt({ call: (later) => later === 'close', code: 'EIO', sticky: true })
    return isHit
  }
  storage.failAt({ call, code: 'EACCES' })
  expect(await rejection(openLog({ storage }))).toMatchObject({ code: 'PERMISSION_DENIED', cause: { code: 'EACCES' } })
  expect(storage.calls.filter(({ fault }) => fault === 'EIO').map(({ path }) => path.split('/').at(-1))).toEqual([
    '00000000000000000000.log',
    'checkpoint-a',
  ])
})
