/** What a repair does with directories that are odd, or change under it; test/crash/repair.test.ts damages them at random. */
import { expect, test } from 'vitest'
import { readBatchHeader, stampBatch } from '../../src/codec/record-batch.ts'
import { repairDirectory, type RepairReport } from '../../src/inspect/repair-directory.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'
import { CheckpointFiles } from '../../src/storage/checkpoint.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { opened, PARTITION } from '../helpers/idempotent-producer.ts'
import {
  changeFile,
  contentOf,
  copyDirectory,
  valuesOf,
  DIRECTORY,
  namesIn,
  openLog,
  putFile,
  rejection,
  segmentPath,
} from '../helpers/logs.ts'
import { ObservedStorage } from '../helpers/observed-storage.ts'
import { batchAt } from '../helpers/stored-log.ts'

const OUTPUT = '/data/repaired'

/** A log with ten records in one topic, closed. */
async function makeLog(): Promise<MemoryStorage> {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', valueCodec: 'string' })
  for (let i = 0; i < 10; i++) await log.append('t', { value: `v${i}` })
  await log.close()
  return disk
}

function repair(disk: MemoryStorage): Promise<RepairReport> {
  return repairDirectory(DIRECTORY, { storage: disk, output: OUTPUT })
}

test('an interrupted copy is not repaired into its own place, and is never called whole', async () => {
  const disk = await makeLog()
  await putFile(disk, `${DIRECTORY}/.incomplete`, 'x')
  await disk.rename(DIRECTORY, '/data/copy.partial')
  const before = await contentOf(disk, '/')
  for (const dryRun of [true, false]) {
    const attempt = repairDirectory('/data/copy.partial', { storage: disk, output: '/data/copy', dryRun })
    expect(await rejection(attempt)).toBeInstanceOf(RangeError)
  }
  expect(await contentOf(disk, '/')).toEqual(before)
  const { ok, partitions, damage } = await repairDirectory('/data/copy.partial', { storage: disk, output: OUTPUT })
  expect([ok, partitions[0].records]).toEqual([false, 10])
  expect(damage).toMatchObject([
    { path: '/data/copy.partial/.incomplete', reason: expect.stringContaining('not completed') },
  ])
})

test('a file that loses what was found in it ends a repair, and nothing is left', async () => {
  const disk = await makeLog()
  const path = segmentPath('t', 0, 0, '.log')
  const cuts: Promise<void>[] = []
  const storage = new ObservedStorage(disk, (call) => {
    if (call === 'makeDirectory' && cuts.length === 0) cuts.push(cut(disk, path))
  })
  const error = await rejection(repairDirectory(DIRECTORY, { storage, output: OUTPUT }))
  await Promise.all(cuts)
  expect(error).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { path } })
  expect(error.message).toContain('gave 0 bytes of the ')
  expect(await namesIn(disk, '/data')).toEqual(['events'])
})

async function cut(disk: MemoryStorage, path: string): Promise<void> {
  const file = await disk.openFile(path, 'write')
  await file.truncate(0)
  await file.close()
}

test('verify misses a last batch that an epoch behind it does not explain', async () => {
  const disk = await makeLog()
  const log = await openLog({ storage: disk })
  // begins an epoch behind the last record
  await log.backup(OUTPUT)
  await log.close()
  const verify = () => verifyDirectory(OUTPUT, { storage: disk })
  expect((await verify()).damage).toEqual([])
  const path = segmentPath('t', 0, 0, '.log', OUTPUT)
  const content = await disk.readFile(path)
  const last = [...batchPositions(content)].at(-1)!
  await putFile(disk, path, content.subarray(0, last))
  const files = new CheckpointFiles(disk, OUTPUT)
  const checkpoint = (await files.load()).checkpoint!
  const own = Object.values(checkpoint.partitions).find(({ durableOffset }) => durableOffset === 10)!
  own.durablePosition = last
  own.segments[0][1] = last
  for (let i = 0; i < 2; i++) await files.store(checkpoint)
  await files.close()
  const found = (await verify()).damage.filter((one) => one.path === path)
  expect(found).toEqual([{ path, position: last, reason: 'offsets are missing after this', offset: 9, nextOffset: 10 }])
})

const CATALOG = segmentPath('__varve_catalog', 0, 0, '.log')

/** Damages the last byte but a few of the catalog, which is in its last batch. */
function damageCatalog(disk: MemoryStorage): Promise<void> {
  return changeFile(disk, CATALOG, (content) => void (content[content.length - 5] ^= 1))
}

test('where the catalog is damaged, an older configuration deletes nothing of what was saved', async () => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  const options = { segmentBytes: 4000, retentionMs: 1000, retentionBytes: 5000, valueCodec: 'string' } as const
  await log.createTopic({ name: 't', ...options })
  await log.alterTopic('t', { retentionMs: -1, retentionBytes: -1 })
  for (let i = 0; i < 100; i++) await log.append('t', { value: 'v'.repeat(200) + i, timestamp: 1000 + i })
  await log.close()
  await damageCatalog(disk)
  const report = await repair(disk)
  const { ok, damage, retentionOff, guessedTopics } = report
  expect([ok, retentionOff, guessedTopics, report.partitions[0].lost]).toEqual([false, ['t'], [], []])
  expect(damage.map(({ path, reason }) => [path, reason])).toEqual([[CATALOG, 'checksum']])
  const repaired = await openLog({ storage: disk, directory: OUTPUT })
  await repaired.enforceRetention()
  expect(repaired.offsets('t')[0]).toMatchObject({ logStartOffset: 0, logEndOffset: 100 })
  expect((await repaired.describeTopic('t')).config).toMatchObject({ ...options, retentionMs: -1, retentionBytes: -1 })
  await repaired.close()
})

test('the configuration stays where the catalog is whole, and damage to a checkpoint is told', async () => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', retentionMs: 86_400_000 })
  await log.append('t', { value: 1 })
  await log.close()
  const path = `${DIRECTORY}/checkpoint-a`
  await changeFile(disk, path, (content) => void (content[90] ^= 1))
  const { ok, damage, retentionOff } = await repair(disk)
  expect([ok, retentionOff]).toEqual([false, []])
  expect(damage.map((one) => [one.path, one.reason])).toEqual([[path, 'checkpoint is damaged']])
  const repaired = await openLog({ storage: disk, directory: OUTPUT })
  expect((await repaired.describeTopic('t')).config.retentionMs).toBe(86_400_000)
  await repaired.close()
})

test.each([
  ['no checkpoint', ['checkpoint-a', 'checkpoint-b']],
  ['only the older checkpoint', ['checkpoint-a']],
  ['only the older checkpoint', ['checkpoint-b']],
])('a torn catalog that %s vouches for may be one that was damaged', async (_, lost) => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', retentionMs: 1000 })
  await log.createTopic({ name: 'u' })
  await log.alterTopic('t', { retentionMs: -1 })
  const image = disk.clone()
  await log.close()
  for (const name of lost) await changeFile(image, `${DIRECTORY}/${name}`, (content) => void (content[90] ^= 1))
  await damageCatalog(image)
  const { ok, retentionOff } = await repair(image)
  expect([ok, retentionOff]).toEqual([false, ['t', 'u']])
})

test.each(['t-0-20251125', 't-0-2025', 't-100000', '__consumer_offsets-50'])(
  "a stray directory '%s' makes no topic of as many partitions where the catalog is gone",
  async (stray) => {
    const disk = await makeLog()
    await copyDirectory(disk, `${DIRECTORY}/t-0`, `${DIRECTORY}/${stray}`)
    await disk.removeDirectory(`${DIRECTORY}/__varve_catalog-0`)
    const { ok, leftOut, guessedTopics, partitions } = await repair(disk)
    expect([ok, leftOut, guessedTopics]).toEqual([false, [`${DIRECTORY}/${stray}`], ['t']])
    expect(partitions.map(({ topic, partition, records }) => [topic, partition, records])).toEqual([['t', 0, 10]])
    expect(await namesIn(disk, OUTPUT)).toEqual(['__varve_catalog-0', 'checkpoint-a', 'checkpoint-b', 't-0'])
  },
)

test('one that the checkpoint vouches for is no stray, whatever its number', async () => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', partitions: 1100, flush: 'os' })
  await log.append('t', { partition: 1099, value: 'x' })
  await log.close()
  await disk.removeDirectory(`${DIRECTORY}/__varve_catalog-0`)
  for (let i = 0; i < 1099; i++) await disk.removeDirectory(`${DIRECTORY}/t-${i}`)
  const { leftOut, partitions } = await repairDirectory(DIRECTORY, { storage: disk, dryRun: true })
  expect([leftOut, partitions.length, partitions[1099].records]).toEqual([[], 1100, 1])
})

test('what stood beside the catalog under a name like its own is left out', async () => {
  for (const isGone of [false, true]) {
    const disk = await makeLog()
    await copyDirectory(disk, `${DIRECTORY}/__varve_catalog-0`, `${DIRECTORY}/__varve_catalog-1`)
    if (isGone) await disk.removeDirectory(`${DIRECTORY}/__varve_catalog-0`)
    const { ok, leftOut, partitions } = await repair(disk)
    expect([ok, leftOut]).toEqual([!isGone, [`${DIRECTORY}/__varve_catalog-1`]])
    expect(partitions.map(({ topic, records }) => [topic, records])).toEqual([['t', 10]])
  }
})

test('partitions that a damaged catalog does not tell of any more go to their topic', async () => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', valueCodec: 'string' })
  await log.append('t', { value: 'a' })
  await log.createPartitions('t', 3)
  await log.append('t', { partition: 2, value: 'c' })
  await log.close()
  await damageCatalog(disk)
  const { ok, leftOut, guessedTopics, partitions } = await repair(disk)
  expect([ok, leftOut, guessedTopics]).toEqual([false, [], []])
  expect(partitions.map(({ topic, partition, records }) => [topic, partition, records])).toEqual([
    ['t', 0, 1],
    ['t', 1, 0],
    ['t', 2, 1],
  ])
  const repaired = await openLog({ storage: disk, directory: OUTPUT })
  expect(await valuesOf(repaired, 't', { partition: 2 })).toEqual(['c'])
  await repaired.close()
})

test("a directory under a topic's name that holds another topic comes back under a name of its own", async () => {
  const disk = await makeLog()
  const log = await openLog({ storage: disk })
  await log.alterTopic('t', { retentionMs: 1000 })
  await log.close()
  await copyDirectory(disk, `${DIRECTORY}/t-0`, `${DIRECTORY}/t-1`)
  const id = Buffer.alloc(16, 7).toString('base64url')
  await putFile(disk, `${DIRECTORY}/t-1/partition.metadata`, `version: 0\ntopic_id: ${id}`)
  await damageCatalog(disk)
  const { guessedTopics, partitions } = await repair(disk)
  expect(guessedTopics).toEqual(['t-2'])
  expect(partitions.map(({ topic, partition, records }) => [topic, partition, records])).toEqual([
    ['t', 0, 10],
    ['t-2', 0, 0],
    ['t-2', 1, 10],
  ])
  expect(await namesIn(disk, OUTPUT)).toEqual(expect.arrayContaining(['t-0', 't~070707070707-0', 't~070707070707-1']))
})

test('so many runs of batches are saved as no call takes arguments', async () => {
  const count = 150_000
  const one = batchAt(0)
  const content = Buffer.alloc(one.length * count)
  for (let i = 0; i < count; i++) {
    stampBatch(one, 0, i, i)
    one.copy(content, i * one.length)
  }
  const disk = new MemoryStorage()
  await putFile(disk, segmentPath('t', 0, 0, '.log'), content)
  const { partitions } = await repairDirectory(DIRECTORY, { storage: disk, dryRun: true })
  expect(partitions.map(({ records, lost }) => [records, lost])).toEqual([[count, []]])
})

test('committed offsets stay where the catalog has lost that their partition was made', async () => {
  const disk = await makeLog()
  const log = await openLog({ storage: disk })
  for (const group of ['a', 'b']) await log.resetOffsets(group, { to: 'latest', topics: ['t'], dryRun: false })
  const made = log.offsets('__consumer_offsets').map(({ partition }) => partition)
  expect(made).toHaveLength(2)
  await log.close()
  await damageCatalog(disk)
  const { guessedTopics } = await repair(disk)
  expect(guessedTopics).toEqual([])
  const repaired = await openLog({ storage: disk, directory: OUTPUT })
  expect(repaired.offsets('__consumer_offsets').map(({ partition }) => partition)).toEqual(made)
  for (const group of ['a', 'b']) expect((await repaired.lag(group)).map(({ committed }) => committed)).toEqual([10])
  await repaired.close()
})

/** Where the batches of a segment begin. */
function* batchPositions(content: Buffer): Generator<number> {
  for (let at = 0; at < content.length; at += readBatchHeader(content, at).sizeBytes) yield at
}

test('what was saved is known again when an idempotent producer sends it, and what was not is taken', async () => {
  const storage = new MemoryStorage()
  const first = await opened(storage, {}, { segmentBytes: 300 })
  for (let i = 0; i < 20; i++) await first.send(i)
  await first.log.close()
  // its last batches are lost; the snapshot knows them
  const bases = (await namesIn(storage, PARTITION)).filter((name) => name.endsWith('.log'))
  await storage.removeFile(`${PARTITION}/${bases.at(-1)}`)
  const lost = Number.parseInt(bases.at(-1)!)
  await repairDirectory(DIRECTORY, { storage, output: '/saved' })
  const { log, send } = await opened(storage, { directory: '/saved' })
  expect(await send(lost - 1)).toBe(lost - 1)
  expect(await send(lost)).toBeGreaterThanOrEqual(20)
  expect(await log['engine'].producerIds.take()).toBeGreaterThan(1_000_000)
  await log.close()
})
