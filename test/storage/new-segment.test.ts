/** The segments of a directory that is written as a whole. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { NewSegment, reader } from '../../src/storage/new-segment.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { putFile } from '../helpers/logs.ts'
import { batchAt, fileOf, PARTITION } from '../helpers/stored-log.ts'

const MIB = 1024 * 1024

async function newSegment() {
  const storage = new FaultyStorage(new MemoryStorage())
  await storage.makeDirectory(PARTITION)
  return { storage, segment: await NewSegment.create(storage, PARTITION, 0, 4096) }
}

test('no more than 16 MiB are written without a sync', async () => {
  const { storage, segment } = await newSegment()
  const piece = Buffer.alloc(5 * MIB)
  for (const syncs of [0, 0, 0, 1, 1, 1, 1, 2]) {
    await segment.append(piece)
    expect(storage.counts.sync).toBe(syncs)
  }
  await segment.abandon()
})

test('of a file that is cut short all that it holds is copied', async () => {
  const { storage, segment } = await newSegment()
  const content = Buffer.concat([batchAt(0), batchAt(1)])
  await putFile(storage, '/source', content)
  const source = await storage.openFile('/source', 'read')
  const copied: number[] = []
  await segment.copy(reader(source), content.length + 99, (bytes) => copied.push(bytes))
  await source.close()
  await segment.finish(2)
  expect(copied).toEqual([content.length])
  expect(await storage.readFile(fileOf(0))).toEqual(content)
})
