/** What an exchange of segments does where things are not as it needs them, and how an open ends one. */
import { expect, test } from 'vitest'
import type { PartitionCheckpoint } from '../../src/storage/checkpoint.ts'
import { CleanedSegment } from '../../src/storage/cleaned-segment.ts'
import { readBatchHeader } from '../../src/codec/record-batch.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { settleSwaps } from '../../src/storage/segment-exchange.ts'
import { namesIn, putFile } from '../helpers/logs.ts'
import { batchAt, fileOf, PARTITION, storedLog } from '../helpers/stored-log.ts'

/** What a checkpoint says of a log of these segments. */
function checkpointOf(segments: [number, number][], changes: Partial<PartitionCheckpoint> = {}): PartitionCheckpoint {
  return {
    logStartOffset: 0,
    durableOffset: 10,
    durableSegment: segments.at(-1)![0],
    durablePosition: 0,
    reservedOffset: 0,
    leaderEpoch: 0,
    epochs: [],
    segments,
    sparse: false,
    ...changes,
  }
}

async function withFiles(files: { [path: string]: string }): Promise<MemoryStorage> {
  const storage = new MemoryStorage()
  for (const [path, content] of Object.entries(files)) await putFile(storage, path, content)
  return storage
}

test('segments that retention has taken meanwhile are not exchanged, and nothing has changed', async () => {
  const batches = [batchAt(0), batchAt(1), batchAt(2)]
  const { log, storage } = await storedLog(batches.map((batch) => [batch]))
  const sources = log.segments.slice(0, 2)
  const cleaned = await CleanedSegment.create(log.context, 0, log)
  await cleaned.append(batches[1], 0, readBatchHeader(batches[1], 0))
  await cleaned.finish(2, 0)
  log.advanceStart(1)
  await log.removeOldSegments()
  const store = () => Promise.reject(new Error('nothing is stored'))
  expect(await log.exchange.commit(sources, cleaned, store)).toBe(false)
  // nor where only the first is still there
  expect(await log.exchange.commit([log.segments[0], sources[0]], cleaned, store)).toBe(false)
  expect(log.segments.map(({ baseOffset }) => baseOffset)).toEqual([1, 2])
  expect(log.exchange.exchanges).toBe(0)
  await cleaned.discard()
  expect(await namesIn(storage, PARTITION)).toEqual([1, 2].map((offset) => fileOf(offset).split('/').at(-1)))
})

test('an open completes the exchange that is listed', async () => {
  const storage = await withFiles({
    [fileOf(0)]: 'old',
    [fileOf(5)]: 'old',
    [fileOf(0, '.log', '.swap')]: 'the new one',
    [fileOf(0, '.index', '.swap')]: 'its index',
    [fileOf(10)]: '',
  })
  const checkpoint = checkpointOf(
    [
      [0, 11],
      [10, 0],
    ],
    { swap: { baseOffset: 0, endOffset: 10 } },
  )
  expect(await settleSwaps(storage, PARTITION, checkpoint)).toBe(true)
  expect((await storage.readFile(fileOf(0))).toString()).toBe('the new one')
  expect(await namesIn(storage, PARTITION)).toEqual(
    [fileOf(0, '.index'), fileOf(0), fileOf(10)].map((path) => path.split('/').at(-1)),
  )
  // and once more changes nothing
  expect(await settleSwaps(storage, PARTITION, checkpoint)).toBe(true)
})

test.each([
  ['missing', {}],
  ['cut short', { [fileOf(0, '.log', '.swap')]: 'the new' }],
])('one whose new segment is %s is not completed, and the old ones stay', async (_, files) => {
  const storage = await withFiles({ [fileOf(5)]: 'old', ...files })
  const before = await namesIn(storage, PARTITION)
  const checkpoint = checkpointOf(
    [
      [0, 11],
      [10, 0],
    ],
    { swap: { baseOffset: 0, endOffset: 10 } },
  )
  expect(await settleSwaps(storage, PARTITION, checkpoint)).toBe(false)
  expect(await namesIn(storage, PARTITION)).toEqual(before)
})

test('one that lies before the log start as a whole is completed: there is nothing to compare it with', async () => {
  const storage = await withFiles({ [fileOf(0)]: 'old', [fileOf(0, '.log', '.swap')]: 'new', [fileOf(10)]: '' })
  const checkpoint = checkpointOf([[10, 0]], { logStartOffset: 10, swap: { baseOffset: 0, endOffset: 10 } })
  expect(await settleSwaps(storage, PARTITION, checkpoint)).toBe(true)
  expect((await storage.readFile(fileOf(0))).toString()).toBe('new')
})

test('what is left of an exchange that is not listed goes, only where the segment is there that it was made from', async () => {
  const [left, foreign, lost] = [fileOf(0, '.log', '.cleaned'), fileOf(7, '.log', '.swap'), fileOf(20, '.log', '.swap')]
  const storage = await withFiles({
    [fileOf(0)]: 'old',
    [left]: 'half',
    [foreign]: "Kafka's, of a segment that nobody knows",
    [lost]: 'of a segment that is gone',
    [fileOf(30)]: '',
  })
  expect(
    await settleSwaps(
      storage,
      PARTITION,
      checkpointOf([
        [0, 3],
        [20, 5],
        [30, 0],
      ]),
    ),
  ).toBe(true)
  expect(await namesIn(storage, PARTITION)).toEqual(
    [fileOf(0), foreign, lost, fileOf(30)].map((path) => path.split('/').at(-1)),
  )
})
