/** What indexes that are built anew from a damaged log keep of the greatest timestamp that the ones before them told. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { SegmentIndexes } from '../../src/storage/segment-indexes.ts'
import { TimeIndex, TIME_ENTRY_BYTES } from '../../src/storage/time-index.ts'
import { putFile } from '../helpers/logs.ts'
import { batchAt, fileOf } from '../helpers/stored-log.ts'

const timed = (offset: number) => batchAt(offset, { baseTimestamp: 100 * offset })

/** Builds the indexes of these batches, of which that of offset 1 is damaged, after those of one entry, and then again. */
async function greatestTimestamps(offsets: number[], known: { timestamp: number; offset: number }): Promise<number[]> {
  const times = new TimeIndex(0)
  times.maybeAppend(known.timestamp, known.offset)
  const entry = times.entries.bytes.subarray(0, TIME_ENTRY_BYTES)
  const damaged = timed(1)
  damaged[16] = 9
  const content = Buffer.concat(offsets.map((offset) => (offset === 1 ? damaged : timed(offset))))
  const storage = new MemoryStorage()
  await putFile(storage, fileOf(0), content)
  const file = await storage.openFile(fileOf(0), 'read')
  const found: number[] = []
  let before = new SegmentIndexes(0, () => 1, { offsets: Buffer.alloc(0), times: entry })
  for (let round = 0; round < 2; round++) {
    const indexes = new SegmentIndexes(0, () => 1)
    await indexes.build(file, () => content.length, before)
    expect(indexes.isSound).toBe(false)
    found.push(indexes.greatestTimestamp)
    before = indexes
  }
  await file.close()
  return found
}

test('one whose batch is damaged holds, however often they are built', async () => {
  expect(await greatestTimestamps([0, 1, 2, 3, 4], { timestamp: 900, offset: 1 })).toEqual([900, 900])
})

test('one whose batch is missing holds as well', async () => {
  expect(await greatestTimestamps([0, 1, 2, 4, 5], { timestamp: 900, offset: 3 })).toEqual([900, 900])
})

test('one that the batch itself speaks against does not', async () => {
  expect(await greatestTimestamps([0, 1, 2, 3, 4], { timestamp: 900, offset: 3 })).toEqual([400, 400])
})
