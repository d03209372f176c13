/** Which batches of a damaged log are taken to be in their place. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { salvage, type SalvageFile, type SalvageKnowledge } from '../../src/storage/salvage.ts'
import { putFile } from '../helpers/logs.ts'
import { batchAt, fileOf } from '../helpers/stored-log.ts'

const KNOWN: SalvageKnowledge = { epochs: [], durableOffset: 1000, greatestEpoch: 9, sparse: false }

/** What is saved of one segment of these batches: of each run its first and last offset. */
async function saved(batches: Buffer[], known: Partial<SalvageKnowledge>): Promise<[number, number][]> {
  const storage = new MemoryStorage()
  const content = Buffer.concat(batches)
  await putFile(storage, fileOf(0), content)
  const file: SalvageFile = {
    path: fileOf(0),
    baseOffset: 0,
    sizeBytes: content.length,
    recordedBytes: null,
    endOffset: null,
    earliestEnd: 0,
  }
  const { runs } = await salvage(storage, [file], { ...KNOWN, ...known }, () => {})
  return runs.map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset])
}

const epoch = (leaderEpoch: number) => (offset: number) => batchAt(offset, { leaderEpoch })
const first = [0, 1, 2].map(epoch(0))

test('in a log that was compacted gaps are none of the damage', async () => {
  const batches = [...first, ...[7, 9].map(epoch(0))]
  expect(await saved(batches, { sparse: true })).toEqual([[0, 9]])
  // in another one a lone batch behind a gap has lost its place
  expect(await saved(batches.slice(0, 4), { sparse: false })).toEqual([[0, 2]])
})

test('behind what is durable a later epoch may have begun of which nothing is recorded, and before it none', async () => {
  const batches = [...first, ...[3, 4].map(epoch(1))]
  const epochs = [{ epoch: 0, startOffset: 0 }]
  expect(await saved(batches, { epochs, durableOffset: 3 })).toEqual([
    [0, 2],
    [3, 4],
  ])
  expect(await saved(batches, { epochs, durableOffset: 5 })).toEqual([[0, 2]])
  // an earlier one never does, however many batches speak for it
  const later = [{ epoch: 1, startOffset: 0 }]
  const mixed = [epoch(1)(0), ...[1, 2, 3, 4].map(epoch(0))]
  expect(await saved(mixed, { epochs: later, durableOffset: 1 })).toEqual([[0, 0]])
})

test('an epoch may begin behind a gap, where nothing tells the epochs; a batch of the same epoch may not', async () => {
  expect(await saved([...first, epoch(1)(7)], { epochs: null })).toEqual([
    [0, 2],
    [7, 7],
  ])
  expect(await saved([...first, epoch(0)(7)], { epochs: null })).toEqual([[0, 2]])
})

test('a gap that the epochs tell is one that they skipped: as far back as they say, or any', async () => {
  const batches = [...first, epoch(1)(7)]
  const begun = (skippedFrom?: number) => [
    { epoch: 0, startOffset: 0 },
    { epoch: 1, startOffset: 7, ...(skippedFrom !== undefined && { skippedFrom }) },
  ]
  const both = [
    [0, 2],
    [7, 7],
  ]
  expect(await saved(batches, { epochs: begun() })).toEqual(both)
  expect(await saved(batches, { epochs: begun(3) })).toEqual(both)
  expect(await saved(batches, { epochs: begun(4) })).toEqual([[0, 2]])
})
