/** What a backup does about files that it cannot open, or not delete when it lets them go. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { ProducerSnapshots } from '../../src/storage/producer-snapshots.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { opened, PARTITION, snapshotPath } from '../helpers/idempotent-producer.ts'
import { DIRECTORY, idle, namesIn, openLog, putFile, rejection, segmentPath, valuesOf } from '../helpers/logs.ts'

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

test.each([
  ['the newest snapshot', 'newest'],
  ['an older one, where the newest is damaged', 'older'],
  ['an older one, where the newest goes while it is copied', 'gone'],
  ['the log, where the snapshots tell of more than was copied', 'none'],
])('a copy knows again what an idempotent producer has sent, by %s', async (_, which) => {
  const storage = new FaultyStorage(new MemoryStorage())
  const { log, send } = await opened(storage, {}, { segmentBytes: 300 })
  for (let i = 0; i < 20; i++) await send(i)
  const snapshots = new ProducerSnapshots(storage, PARTITION)
  const stored = await snapshots.list(Infinity)
  expect(stored).toHaveLength(2)
  if (which === 'older') await putFile(storage, snapshotPath(stored[1]), 'damaged')
  for (const offset of which === 'none' ? stored : []) {
    await storage.rename(snapshotPath(offset), snapshotPath(offset + 100))
  }
  const isRead = (kind: string, path: string) => kind === 'readFile' && path === snapshotPath(stored[1])
  if (which === 'gone') storage.failAt({ call: isRead, code: 'ENOENT' })
  const { damage } = await log.backup(COPY)
  expect(damage).toEqual([])
  await log.close()
  expect(await new ProducerSnapshots(storage, `${COPY}/t-0`).list(Infinity)).toEqual([
    { newest: stored[1], older: stored[0], gone: stored[0], none: 0 }[which],
  ])
  const copy = await opened(storage, { directory: COPY })
  expect(await Promise.all([15, 16, 17, 18, 19].map((sequence) => copy.send(sequence)))).toEqual([15, 16, 17, 18, 19])
  expect(await copy.send(21)).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
  expect(await copy.send(20)).toBeGreaterThanOrEqual(20)
  await copy.log.close()
})

test('a copy of a log without idempotent producers has no snapshot either', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await logOn(storage)
  await log.backup(COPY)
  expect((await namesIn(storage, `${COPY}/t-0`)).filter((name) => name.endsWith('.snapshot'))).toEqual([])
  await log.close()
})
