/** Calls that fail half way leave no file open, and say what has failed. */
import { expect, test } from 'vitest'
import { VarveError } from '../../src/errors.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { consumerOf, ORDERS } from '../helpers/consuming.ts'
import { FaultyStorage, type Fault } from '../helpers/faulty-storage.ts'
import { watchOpenFiles } from '../helpers/io-run.ts'
import { openLog, rejection, valuesOf } from '../helpers/logs.ts'

/** A log on a disk that can fail, and the files that are open there. */
async function watchedLog() {
  const disk = new MemoryStorage()
  const openFiles = watchOpenFiles(disk)
  const storage = new FaultyStorage(disk)
  const log = await openLog({ storage })
  return { storage, log, openFiles }
}

test('a checkpoint file whose directory cannot be synced is closed with the log', async () => {
  const disk = new MemoryStorage()
  const openFiles = watchOpenFiles(disk)
  const storage = new FaultyStorage(disk)
  const isFirst = (kind: string) => kind === 'syncDirectory' && storage.calls.at(-1)?.kind === 'create'
  storage.failAt({ call: isFirst, code: 'EIO' })
  await rejection(openLog({ storage }))
  expect(openFiles).toEqual([])
  await (await openLog({ storage })).close()
})

test.each([
  ['cannot be opened', { call: (kind, path) => kind === 'create' && path.includes('/t-1/'), code: 'EMFILE' }],
  [
    'cannot be recorded, and files not be closed',
    {
      call: (kind, path) => (kind === 'write' && path.includes('catalog')) || kind === 'close',
      code: 'EIO',
      sticky: true,
    },
  ],
] satisfies [string, Fault][])('of a topic that %s no partition stays open', async (_what, fault) => {
  const { storage, log, openFiles } = await watchedLog()
  storage.failAt({
    ...fault,
    call: (kind, path, index) => path.includes('.log') && fault.call(kind, path) && index > 0,
  })
  await rejection(log.createTopic({ name: 't', partitions: 3 }))
  storage.clearFaults()
  await log.close().catch(() => {})
  expect(openFiles).toEqual([])
})

test('files of segments that could not be deleted are closed with the log', async () => {
  const { storage, log, openFiles } = await watchedLog()
  await log.createTopic({ name: 't', segmentBytes: 200 })
  for (let i = 0; i < 6; i++) await log.append('t', { value: 'x'.repeat(100) })
  await valuesOf(log, 't')
  storage.failAt({ call: (kind) => kind === 'removeFile', code: 'EIO', sticky: true })
  await rejection(log.deleteRecords('t', { partition: 0, beforeOffset: 5 }))
  await log.close()
  expect(openFiles).toEqual([])
})

test('of a topic that is deleted while its files cannot be closed nothing stays open, and the rest goes', async () => {
  const { storage, log, openFiles } = await watchedLog()
  await log.createTopic({ name: 't', partitions: 3 })
  for (const partition of [0, 1, 2]) await log.append('t', { partition, value: 1 })
  storage.failAt({ call: (kind, path) => kind === 'close' && path.includes('/t-0/'), code: 'EIO' })
  await log.deleteTopic('t')
  expect((await storage.list(log.directory)).filter(({ name }) => name.startsWith('t-'))).toEqual([])
  await log.close()
  expect(openFiles).toEqual([])
})

test('a read-only log that cannot read the checkpoint says where and why, and leaves nothing open', async () => {
  const { storage, log, openFiles } = await watchedLog()
  await log.createTopic({ name: 't' })
  await log.append('t', { value: 1 })
  const before = openFiles.length
  const isCheckpoint = (kind: string, path: string) => kind === 'read' && path.includes('/checkpoint-')
  storage.failAt({ call: isCheckpoint, code: 'EIO' })
  const refused = await rejection(openLog({ storage, readOnly: true }))
  expect(refused).toBeInstanceOf(VarveError)
  expect(refused).toMatchObject({
    code: 'KAFKA_STORAGE_ERROR',
    details: { path: log.directory },
    cause: { code: 'EIO' },
  })
  expect(openFiles).toHaveLength(before)
  const beside = await openLog({ storage, readOnly: true })
  // when it reads: once where it looks for what is new, and once where it opens a segment
  for (let call = 0; call < 6; call++) {
    let count = 0
    storage.failAt({ call: (kind, path) => isCheckpoint(kind, path) && count++ === call, code: 'EIO' })
    const failed = await valuesOf(beside, 't').catch((error: unknown) => error)
    if (failed instanceof Error) expect(failed).toMatchObject({ name: 'VarveError', cause: { code: 'EIO' } })
    storage.clearFaults()
    expect(await valuesOf(beside, 't')).toEqual([1])
  }
  await beside.close()
  expect(openFiles).toHaveLength(before)
  await log.close()
})

test.each(['EIO', 'EMFILE', 'EACCES'])('a catalog that cannot be read now (%s) is not called damaged', async (code) => {
  const { storage, log } = await watchedLog()
  await log.createTopic({ name: 't' })
  await log.close()
  let count = 0
  const isReading = (kind: string, path: string) =>
    (kind === 'open' || kind === 'read') && path.includes('__varve_catalog')
  for (let call = 0; call < 3; call++) {
    count = 0
    storage.failAt({ call: (kind, path) => isReading(kind, path) && count++ === call, code })
    const failure = await openLog({ storage }).catch((error: unknown) => error)
    storage.clearFaults()
    if (!(failure instanceof Error)) continue
    expect(failure).toMatchObject({ name: 'VarveError', cause: { code } })
    expect(failure.message).not.toMatch(/damaged|move it away|adoptTopic/)
  }
  const again = await openLog({ storage })
  expect((await again.listTopics()).map(({ name }) => name)).toEqual(['t'])
  await again.close()
})

test('a consumer whose group cannot be stored says where, and why', async () => {
  const { storage, log } = await watchedLog()
  await log.createTopic({ name: ORDERS })
  await log.append(ORDERS, { value: 1 })
  const consumer = consumerOf(log)
  storage.failAt({ call: (kind, path) => kind === 'write' && /__consumer_offsets.*\.log$/.test(path), code: 'EIO' })
  const failure = await rejection(consumer[Symbol.asyncIterator]().next())
  expect(failure.message).toMatch(/cannot be a member of group 'billing'.*__consumer_offsets.*EIO/s)
  expect(failure).toMatchObject({ code: 'KAFKA_STORAGE_ERROR', cause: { cause: { code: 'EIO' } } })
  expect((failure as VarveError).details.path).toContain('__consumer_offsets')
  await consumer.close().catch(() => {})
  await rejection(log.close())
})

test('a close of a file that fails is told by whoever depends on what it holds', async () => {
  const { storage, log } = await watchedLog()
  await log.createTopic({ name: 't', valueCodec: 'string' })
  await log.append('t', { value: 'acknowledged' })
  storage.failAt({
    call: (kind, path) => kind === 'close' && path.endsWith('/t-0/00000000000000000000.log'),
    code: 'EIO',
  })
  expect(await rejection(log.close())).toMatchObject({ code: 'KAFKA_STORAGE_ERROR', cause: { code: 'EIO' } })
  const again = await openLog({ storage })
  expect(await valuesOf(again, 't')).toEqual(['acknowledged'])
  await again.close()
})

test('an append that fails leaves offsets, ends and readers as they were', async () => {
  const { storage, log } = await watchedLog()
  await log.createTopic({ name: 't' })
  await log.append('t', { value: 1 })
  const before = log.offsets('t')
  for (const code of ['ENOSPC', 'EIO']) {
    storage.failAt({ call: (kind, path) => kind === 'write' && path.includes('/t-0/'), code })
    await rejection(log.append('t', { value: 2 }))
    expect(log.offsets('t')).toEqual(before)
    expect(await valuesOf(log, 't')).toEqual([1])
  }
  await rejection(log.close())
})
