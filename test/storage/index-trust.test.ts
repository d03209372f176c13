/** Which headers an index is built from: those whose offsets can be believed. */
import { expect, test } from 'vitest'
import { readBatchHeader } from '../../src/codec/record-batch.ts'
import { HeaderSieve } from '../../src/storage/index-trust.ts'
import { batchAt } from '../helpers/stored-log.ts'

/** What a sieve says of batches: the last offset of each that is certain, or else null. */
function sift(...batches: Buffer[]): (number | null)[] {
  const found: (number | null)[] = []
  const sieve = new HeaderSieve(0, (_, _position, offset, isCertain) => found.push(isCertain ? offset : null))
  for (const batch of batches) sieve.push(readBatchHeader(batch, 0), 0)
  sieve.end(null)
  return found
}

test('in order, all are certain', () => {
  expect(sift(batchAt(0), batchAt(1, { recordCount: 3 }), batchAt(4))).toEqual([0, 3, 4])
})

test('behind a gap between two that fit, the log is one that was compacted: so its last one may stand behind a gap', () => {
  expect(sift(batchAt(0), batchAt(5), batchAt(9), batchAt(20))).toEqual([0, 5, 9, 20])
})

test('the last one is not, where it is the first to stand behind a gap', () => {
  expect(sift(batchAt(0), batchAt(1), batchAt(20))).toEqual([0, 1, null])
})

test('a later epoch may begin behind a gap, and says nothing of the others', () => {
  expect(sift(batchAt(0), batchAt(20, { leaderEpoch: 1 }))).toEqual([0, 20])
})

test('of one that goes beyond its follower, and that one, neither is certain; those after them are', () => {
  expect(sift(batchAt(0), batchAt(7), batchAt(2), batchAt(3), batchAt(4))).toEqual([0, null, null, 3, 4])
})
