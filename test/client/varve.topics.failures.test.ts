/** Changes of topics that fail, or come while appends are under way. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { batchesOf, idle, openLog, outcomesOf, rejection, valuesOf } from '../helpers/logs.ts'

test('a changed compression holds for all appends after alterTopic, however many were under way', async () => {
  const log = await openLog()
  await log.createTopic({ name: 't', valueCodec: 'string' })
  let done = false
  const writing = Array.from({ length: 8 }, async () => {
    while (!done) await log.append('t', { value: 'b'.repeat(500) })
  })
  await idle()
  await log.alterTopic('t', { compressionType: 'gzip' })
  const { offset } = await log.append('t', { value: 'after' })
  await idle()
  done = true
  await Promise.all(writing)
  const batches = await batchesOf(log, 't', { from: offset })
  // the first one may hold appends from before as well
  expect(new Set(batches.slice(1).map(({ compressionType }) => compressionType))).toEqual(new Set(['gzip']))
})

test('createPartitions that fails leaves the topic as it was, and can be called again', async () => {
  const disk = new MemoryStorage()
  const storage = new FaultyStorage(disk)
  const log = await openLog({ storage })
  await log.createTopic({ name: 't', partitions: 2 })
  storage.failAt({
    call: (kind, path) => kind === 'create' && path.includes('/t-3/') && path.endsWith('.log'),
    code: 'EMFILE',
  })
  await rejection(log.createPartitions('t', 4))
  expect(log.offsets('t')).toHaveLength(2)
  const after = await openLog({ storage: disk.crash() })
  expect(after.offsets('t')).toHaveLength(2)
  await log.createPartitions('t', 4)
  expect(log.offsets('t')).toHaveLength(4)
  await log.append('t', { partition: 3, value: 'there' })
  expect(await valuesOf(await openLog({ storage: disk.crash() }), 't')).toEqual(['there'])
})

test('a topic whose checkpoint could not be written is there all the same, durably', async () => {
  const disk = new MemoryStorage()
  const storage = new FaultyStorage(disk)
  const log = await openLog({ storage })
  const restore = storage.failAt({
    call: (kind, path) => kind === 'write' && path.includes('checkpoint'),
    code: 'ENOSPC',
    sticky: true,
  })
  expect(await outcomesOf([log.createTopic({ name: 't' })])).toEqual(['done'])
  await log.append('t', { value: 1 })
  restore()
  expect(await valuesOf(await openLog({ storage: disk.crash() }), 't')).toEqual([1])
})

test('a batch for which no segment can be started leaves nothing, and calls before it in the same write stand', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await openLog({ storage })
  await log.createTopic({ name: 't', valueCodec: 'bytes', segmentBytes: 60_000 })
  const batch = (count: number) => Array.from({ length: count }, () => ({ value: Buffer.alloc(1000) }))
  storage.failAt({ call: (kind) => kind === 'create', code: 'ENOSPC' })
  const outcomes = await outcomesOf([log.appendBatch('t', batch(40)), log.appendBatch('t', batch(40))])
  expect(outcomes).toEqual(['done', 'DISK_FULL'])
  expect(log.offsets('t')[0]).toMatchObject({ logEndOffset: 40, highWatermark: 40 })
  await log.appendBatch('t', batch(40))
  expect(await valuesOf(log, 't')).toHaveLength(80)
})

test('a batch larger than a segment that fails half way says which of its records were written', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await openLog({ storage })
  await log.createTopic({ name: 't', valueCodec: 'bytes', segmentBytes: 60_000 })
  await log.append('t', { value: Buffer.alloc(10) })
  storage.failAt({ call: (kind) => kind === 'create', code: 'ENOSPC' })
  const failure = await rejection(
    log.appendBatch(
      't',
      Array.from({ length: 100 }, () => ({ value: Buffer.alloc(1000) })),
    ),
  )
  const end = log.offsets('t')[0].logEndOffset
  expect(end).toBeGreaterThan(1)
  expect(failure).toMatchObject({ code: 'DISK_FULL', details: { offset: 1, nextOffset: end } })
  expect(failure.message).toContain(`offsets 1 to ${end - 1} were written`)
})
