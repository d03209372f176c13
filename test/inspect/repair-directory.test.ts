/** What a repair does with directories that are odd, or change under it; test/crash/repair.test.ts damages them at random. */
import { expect, test } from 'vitest'
import { readBatchHeader } from '../../src/codec/record-batch.ts'
import { repairDirectory } from '../../src/inspect/repair-directory.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'
import { CheckpointFiles } from '../../src/storage/checkpoint.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { contentOf, DIRECTORY, namesIn, openLog, putFile, rejection, segmentPath } from '../helpers/logs.ts'
import { ObservedStorage } from '../helpers/observed-storage.ts'

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

test('an interrupted copy is not repaired into its own place', async () => {
  const disk = await makeLog()
  await putFile(disk, `${DIRECTORY}/.incomplete`, 'x')
  await disk.rename(DIRECTORY, '/data/copy.partial')
  const before = await contentOf(disk, '/')
  for (const dryRun of [true, false]) {
    const attempt = repairDirectory('/data/copy.partial', { storage: disk, output: '/data/copy', dryRun })
    expect(await rejection(attempt)).toBeInstanceOf(RangeError)
  }
  expect(await contentOf(disk, '/')).toEqual(before)
  const { ok, partitions } = await repairDirectory('/data/copy.partial', { storage: disk, output: OUTPUT })
  expect([ok, partitions[0].records]).toEqual([true, 10])
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

/** Where the batches of a segment begin. */
function* batchPositions(content: Buffer): Generator<number> {
  for (let at = 0; at < content.length; at += readBatchHeader(content, at).sizeBytes) yield at
}
