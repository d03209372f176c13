/** Which files stay open: the active ones, those in use, and so many of those used last. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { Segment } from '../../src/storage/segment.ts'
import { segmentFileName } from '../../src/storage/segment-name.ts'
import { SegmentPool } from '../../src/storage/segment-pool.ts'
import { putFile } from '../helpers/logs.ts'

const DIRECTORY = '/log/t-0'

/** A pool that keeps `capacity` segments open, and `count` segments of one byte. */
async function pooled(capacity: number, count: number) {
  const storage = new MemoryStorage()
  const pool = new SegmentPool(capacity)
  const context = {
    storage,
    directory: DIRECTORY,
    pool,
    readOnly: false,
    indexIntervalBytes: () => 4096,
    monotonicMs: () => 0,
  }
  const segments: Segment[] = []
  for (let i = 0; i < count; i++) {
    await putFile(storage, `${DIRECTORY}/${segmentFileName(i, '.log')}`, 'x')
    segments.push(new Segment(context, i, 1))
  }
  const read = (i: number) => segments[i].read(Buffer.alloc(1), 0)
  const open = () => segments.flatMap(({ isOpen }, i) => (isOpen ? [i] : []))
  return { pool, segments, read, open }
}

test('those used last stay open', async () => {
  const { read, open } = await pooled(2, 4)
  for (const i of [0, 1, 0, 2]) await read(i)
  expect(open()).toEqual([0, 2])
  await read(3)
  expect(open()).toEqual([2, 3])
})

test('one that is in use stays open however long it is not used again', async () => {
  const { segments, read, open } = await pooled(1, 3)
  await read(0)
  await segments[0].inspect(async () => {
    await read(1)
    expect(open()).toEqual([0])
    await read(2)
    expect(open()).toEqual([0])
  })
  await read(1)
  expect(open()).toEqual([1])
})

test('where all that are open are in use, more than that are open', async () => {
  const { segments, read, open } = await pooled(0, 2)
  await segments[0].inspect(async () => {
    await segments[1].inspect(async () => {
      await read(0)
      expect(open()).toEqual([0, 1])
    })
    expect(open()).toEqual([0])
  })
  expect(open()).toEqual([])
})

test('an active one stays open beside them, and counts when it is active no more', async () => {
  const { pool, segments, read, open } = await pooled(1, 3)
  pool.pin(segments[0])
  for (const i of [0, 1, 2]) await read(i)
  expect(open()).toEqual([0, 2])
  pool.unpin(segments[0])
  await read(1)
  expect(open()).toEqual([0, 1])
  await read(1)
  expect(open()).toEqual([1])
})

test('one that was never opened may stop to be active too', async () => {
  const { pool, segments, read, open } = await pooled(1, 2)
  pool.pin(segments[0])
  pool.unpin(segments[0])
  await read(1)
  expect(open()).toEqual([1])
})
