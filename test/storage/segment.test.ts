/** What a segment does when compaction has given its names to another one, and when it cannot be opened. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { Segment } from '../../src/storage/segment.ts'
import type { SegmentContext } from '../../src/storage/segment-context.ts'
import { segmentFileName } from '../../src/storage/segment-name.ts'
import { SegmentPool } from '../../src/storage/segment-pool.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { systemError } from '../../src/storage/system-error.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { openLog, putFile } from '../helpers/logs.ts'
import { batchAt, fileOf, storedLog } from '../helpers/stored-log.ts'

const CONTENT = Buffer.from('what the segment held')

async function segmentOn(storage: Storage, options: Partial<SegmentContext> = {}, exchanges = 0) {
  const directory = '/log/t-0'
  const context = {
    storage,
    directory,
    pool: new SegmentPool(0),
    readOnly: false,
    indexIntervalBytes: () => 4096,
    monotonicMs: () => 0,
  }
  const path = `${directory}/${segmentFileName(7, '.log')}`
  await putFile(storage, path, CONTENT)
  const history = { exchanges, mayBeSwap: false }
  return { path, segment: new Segment({ ...context, ...options }, 7, CONTENT.length, true, history) }
}

function read(segment: Segment): Promise<number> {
  return segment.read(Buffer.alloc(CONTENT.length), 0)
}

test('one that was exchanged opens no file any more, also where one of its name is there', async () => {
  const storage = new MemoryStorage()
  const { segment, path } = await segmentOn(storage)
  expect(await read(segment)).toBe(CONTENT.length)
  await segment.exchange()
  await expect(read(segment)).rejects.toMatchObject({ code: 'ENOENT', path })
  expect(segment.isExchanged).toBe(true)
  // and deletes none
  await segment.remove()
  expect(await storage.readFile(path)).toEqual(CONTENT)
})

test('one that is exchanged while it is being opened or read goes on with the file that it has, to the end of that', async () => {
  const storage = new MemoryStorage()
  const { segment, path } = await segmentOn(storage)
  await segment.inspect(async (file) => {
    await segment.exchange()
    await putFile(storage, path, 'what took its place, and is longer')
    const bytes = Buffer.alloc(CONTENT.length)
    expect(await file.read(bytes, 0)).toBe(CONTENT.length)
    expect(bytes).toEqual(CONTENT)
    expect(await read(segment)).toBe(CONTENT.length)
  })
  await expect(read(segment)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('one of a read-only log is refused when the writer has exchanged segments since it was listed', async () => {
  let stored = 3
  const options = { readOnly: true, storedExchanges: async () => stored }
  const { segment } = await segmentOn(new MemoryStorage(), options, 3)
  expect(await read(segment)).toBe(CONTENT.length)
  await segment.close()
  stored = 4
  await expect(read(segment)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('one that is refused is so also where its file cannot be closed', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const { segment } = await segmentOn(storage, { readOnly: true, storedExchanges: async () => 4 }, 3)
  storage.failAt({ call: (kind) => kind === 'close', code: 'EIO' })
  await expect(read(segment)).rejects.toMatchObject({ code: 'ENOENT' })
  expect(storage.calls.at(-1)).toMatchObject({ kind: 'close', fault: 'EIO' })
})

test.each(['.index', '.timeindex'] as const)(
  'what a failed sync of an index file was to make durable is written once more, all of it (%s)',
  async (suffix) => {
    const disk = new MemoryStorage()
    disk.failedSync = 'dropped'
    const batches = [1, 2, 3].map((offset) => batchAt(offset, { baseTimestamp: 100 * offset }))
    const { log } = await storedLog([batches], { storage: disk, indexIntervalBytes: () => 1 })
    for (const path of ['/', '/log']) await disk.syncDirectory(path)
    const [segment] = log.segments
    await segment.open()
    segment.completeTimeIndex()
    disk.syncDelay = (path) =>
      path.endsWith(suffix) ? Promise.reject(systemError('EIO', 'fdatasync', path)) : undefined
    await expect(segment.writeIndexes({ sync: true })).rejects.toMatchObject({ code: 'EIO' })
    disk.syncDelay = undefined
    const written = await disk.readFile(fileOf(1, suffix))
    expect(written.length).toBeGreaterThan(8)
    await segment.writeIndexes({ sync: true })
    expect(await disk.crash().readFile(fileOf(1, suffix))).toEqual(written)
  },
)

test('one whose index cannot be read is asked again the next time', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const { segment } = await segmentOn(storage, { pool: new SegmentPool(1) })
  storage.failAt({ call: (kind, path) => kind === 'readFile' && path.endsWith('.index'), code: 'EIO' })
  await expect(segment.open()).rejects.toMatchObject({ code: 'EIO' })
  expect(segment.isReady).toBe(false)
  await segment.open()
  expect(segment.isReady).toBe(true)
})

test.each(['open', 'readFile'])(
  'one that is exchanged while it cannot be opened is exchanged all the same (%s)',
  async (failing) => {
    const storage = new FaultyStorage(new MemoryStorage())
    const { segment } = await segmentOn(storage)
    let exchanged = Promise.resolve()
    const call = (kind: string) => {
      if (kind === failing) queueMicrotask(() => void (exchanged = segment.exchange()))
      return kind === failing
    }
    storage.failAt({ call, code: 'EIO' })
    await expect(segment.open()).rejects.toMatchObject({ code: 'EIO' })
    await exchanged
    expect(segment.isExchanged).toBe(true)
    expect(segment.isOpen).toBe(false)
  },
)

test('the greatest timestamp of one that is not sealed is the one so far', async () => {
  const log = await openLog({})
  await log.createTopic({ name: 't', valueCodec: 'string' })
  const { active } = log['engine'].topic('t').partition(0).log
  const found = [await active.greatestTimestamp(false)]
  for (const timestamp of [5_000, 9_000, 7_000]) {
    await log.append('t', { value: 'x', timestamp })
    found.push(await active.greatestTimestamp(false))
  }
  expect(found).toEqual([-Infinity, 5_000, 9_000, 9_000])
  await log.close()
})
