/** What a backup does about files that it cannot open, or not delete when it lets them go. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { DIRECTORY, idle, namesIn, openLog, rejection, segmentPath, valuesOf } from '../helpers/logs.ts'

const COPY = '/backups/copy'
const VALUES = Array.from({ length: 10 }, (_, i) => `${i}${'.'.repeat(80)}`)

/** A log of several segments, none of whose sealed ones is open. */
async function logOn(storage: FaultyStorage) {
  const log = await openLog({ storage })
  await log.createTopic({ name: 't', segmentBytes: 300, valueCodec: 'string' })
  for (const value of VALUES) await log.append('t', { value })
  await log.close()
  return openLog({ storage })
}

const segmentsIn = async (storage: FaultyStorage) =>
  (await namesIn(storage, `${DIRECTORY}/t-0`)).filter((name) => name.endsWith('.log'))

test('a segment that cannot be opened is not left out of the copy: there is none', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await logOn(storage)
  const first = segmentPath('t', 0, 0, '.log')
  storage.failAt({ call: (kind, path) => kind === 'open' && path === first, code: 'EACCES' })
  expect(await rejection(log.backup(COPY))).toMatchObject({ code: 'PERMISSION_DENIED', cause: { code: 'EACCES' } })
  expect(await namesIn(storage, '/backups')).toEqual([])
  await log.backup(COPY)
  const copy = await openLog({ directory: COPY, storage })
  expect(await valuesOf(copy, 't')).toEqual(VALUES)
  await copy.close()
  await log.close()
})

test('a segment that was deleted meanwhile, and cannot be when it lets go, is no failure: the next open deletes it', async () => {
  const disk = new MemoryStorage()
  const storage = new FaultyStorage(disk)
  const log = await logOn(storage)
  const before = await segmentsIn(storage)
  expect(before.length).toBeGreaterThan(2)
  disk.syncDelay = (path) => (path.startsWith(COPY) ? idle(3) : undefined)
  storage.failAt({
    call: (kind, path) => kind === 'removeFile' && path.startsWith(`${DIRECTORY}/t-0/`),
    code: 'EIO',
    sticky: true,
  })
  const deleting: Promise<unknown>[] = []
  const { sizeBytes } = await log.backup(COPY, {
    onProgress() {
      if (deleting.length > 0) return
      deleting.push(log.deleteRecords('t', { partition: 0, beforeOffset: VALUES.length }))
    },
  })
  await Promise.all(deleting)
  expect(deleting).toHaveLength(1)
  expect(sizeBytes).toBeGreaterThan(900)
  expect(storage.calls.some(({ kind, fault }) => kind === 'removeFile' && fault === 'EIO')).toBe(true)
  expect(await segmentsIn(storage)).toEqual(expect.arrayContaining(before))
  storage.clearFaults()
  await log.close()
  const again = await openLog({ storage })
  expect(await segmentsIn(storage)).toHaveLength(1)
  await again.close()
})

test('what waits for its sync, which no reader sees yet, is not in the copy', async () => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', valueCodec: 'string' })
  await log.append('t', { value: 'acknowledged' })
  let release!: () => void
  const held = new Promise<void>((resolve) => (release = resolve))
  disk.syncDelay = (path) => (path === segmentPath('t', 0, 0, '.log') ? held : undefined)
  const waiting = log.append('t', { value: 'not yet' })
  for (let turn = 0; turn < 5; turn++) await idle()
  expect((await disk.readFile(segmentPath('t', 0, 0, '.log'))).includes('not yet')).toBe(true)
  await log.backup(COPY)
  release()
  await waiting
  const copy = await openLog({ directory: COPY, storage: disk })
  expect(await valuesOf(copy, 't')).toEqual(['acknowledged'])
  await copy.close()
  await log.close()
})
