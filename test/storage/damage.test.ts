/** The ways around damage, where the tests of the log do not go. */
import { expect, test } from 'vitest'
import { readBatchHeader } from '../../src/codec/record-batch.ts'
import { findCredibleBatch, fitsFollower, locateBatch, type DamagedFile } from '../../src/storage/damage.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { putFile } from '../helpers/logs.ts'
import { batchAt } from '../helpers/stored-log.ts'

const DENSE = { mayStartAfterGap: () => false, epochAt: () => null }
const SPARSE = { ...DENSE, mayStartAfterGap: () => true }

async function fileWith(...parts: Buffer[]): Promise<DamagedFile> {
  const storage = new MemoryStorage()
  const bytes = Buffer.concat(parts)
  await putFile(storage, '/log/file', bytes)
  const limit = readBatchHeader(parts.at(-1)!, 0).lastOffset + 1
  return { file: await storage.openFile('/log/file', 'read'), sizeBytes: bytes.length, limit }
}

test('an offset behind the last batch is looked for up to the end, and nothing is wrong there', async () => {
  const file = await fileWith(batchAt(0), batchAt(1))
  const from = { position: 0, offset: 0 }
  expect(await locateBatch(file, from, 2, DENSE)).toEqual({ position: file.sizeBytes, offset: 2, fault: null })
})

test('behind damage a batch is believed whose follower begins later, only where batches may be missing', async () => {
  const [first, second, third] = [batchAt(0), batchAt(3), batchAt(7)]
  first[first.length - 1] ^= 1
  const file = await fileWith(first, second, third)
  const found = { position: first.length, header: { baseOffset: 3 } }
  expect(await findCredibleBatch(file, 0, 1, SPARSE)).toMatchObject(found)
  expect(await findCredibleBatch(file, 0, 1, DENSE)).toMatchObject({ header: { baseOffset: 7 } })
  expect(await findCredibleBatch(file, 0, 3, DENSE)).toMatchObject({ header: { baseOffset: 7 } })
})

test('where no batch begins, none fits what follows', async () => {
  const { file } = await fileWith(batchAt(0), batchAt(1))
  expect(await fitsFollower(file, 0, null)).toBe(true)
  expect(await fitsFollower(file, 5, null)).toBe(false)
})
