/** The checks of a batch that a client sends: what is refused, and why. */
import { describe, expect, test } from 'vitest'
import { checkReceivedBatch, recordsWithoutKey } from '../../src/codec/received-batch.ts'
import { clientBatch, withoutPlace, type ClientBatch } from '../helpers/client-batch.ts'
import { rawBatch, rawRecord, resealed } from '../helpers/raw-batch.ts'
import { thrown } from '../helpers/logs.ts'

const MOST = 10_000

/** A batch of two records with bytes of its header changed, under a right checksum. */
function changed(change: (batch: Buffer) => void, fields: ClientBatch = {}): Buffer {
  const batch = clientBatch(['a', 'b'], fields)
  change(batch)
  return resealed(batch)
}

test('a batch is taken as it is, but for its place', () => {
  const batch = clientBatch(['a', 'b'], { producerId: 7, producerEpoch: 1, baseSequence: 5 })
  batch.writeBigInt64BE(77n, 0)
  batch.writeInt32BE(3, 12)
  const before = withoutPlace(batch)
  expect(checkReceivedBatch(batch, MOST, true)).toMatchObject({ baseOffset: 0, leaderEpoch: -1, recordCount: 2 })
  expect(withoutPlace(batch)).toBe(before)
})

describe('refused is', () => {
  const whole = clientBatch(['a'])
  test.each<[string, Buffer, string]>([
    ['what is shorter than a header', whole.subarray(0, 60), 'INVALID_RECORD'],
    ['an old message', changed((batch) => (batch[16] = 1)), 'INVALID_RECORD'],
    ['a format that there is none of', changed((batch) => (batch[16] = 3)), 'CORRUPT_MESSAGE'],
    ['a format below all', changed((batch) => (batch[16] = 0xff)), 'CORRUPT_MESSAGE'],
    ['a length that cannot be', changed((batch) => batch.writeInt32BE(48, 8)), 'CORRUPT_MESSAGE'],
    ['two batches', Buffer.concat([whole, whole]), 'INVALID_RECORD'],
    ['a batch cut short', whole.subarray(0, whole.length - 1), 'INVALID_RECORD'],
    ['a batch that is too large', clientBatch(['x'.repeat(MOST)]), 'MESSAGE_TOO_LARGE'],
    ['a count that does not fit the offsets', changed((batch) => batch.writeInt32BE(3, 57)), 'INVALID_RECORD'],
    ['a batch of nothing', changed((batch) => batch.fill(0, 57, 61)), 'INVALID_RECORD'],
    ['a last offset below the first', changed((batch) => batch.writeInt32BE(-2, 23)), 'INVALID_RECORD'],
    ['a control batch', clientBatch(['a'], { attributes: 0x20 }), 'INVALID_RECORD'],
    ['a delete horizon', clientBatch(['a'], { attributes: 0x40 }), 'INVALID_RECORD'],
    ['a producer without a sequence', clientBatch(['a'], { producerId: 7 }), 'INVALID_RECORD'],
    [
      'a producer id that nobody gives out',
      clientBatch(['a'], { producerId: 2 ** 53, baseSequence: 0 }),
      'INVALID_RECORD',
    ],
    ['a part of a transaction', clientBatch(['a'], { attributes: 0x10 }), 'INVALID_TXN_STATE'],
    ["the log's own timestamp type", clientBatch(['a'], { attributes: 0x08 }), 'INVALID_TIMESTAMP'],
    ['a base timestamp out of range', changed((batch) => batch.writeInt32BE(0x7fffffff, 27)), 'INVALID_TIMESTAMP'],
    ['a max timestamp out of range', changed((batch) => batch.writeInt32BE(0x7fffffff, 35)), 'INVALID_TIMESTAMP'],
  ])('%s', (_, batch, code) => {
    expect(thrown(() => checkReceivedBatch(batch, MOST, true))).toMatchObject({ code })
  })

  test('a batch in which any byte under the checksum is changed', () => {
    for (let at = 17; at < whole.length; at++) {
      const batch = Buffer.from(whole)
      batch[at] ^= 1
      const { code } = thrown(() => checkReceivedBatch(batch, MOST, true))
      expect(code).toMatch(/^(CORRUPT_MESSAGE|INVALID_RECORD)$/)
    }
  })

  test('zstd in a version of the request that does not know it, and in others not', () => {
    const batch = clientBatch(['a'], { compression: 'zstd' })
    expect(thrown(() => checkReceivedBatch(batch, MOST, false))).toMatchObject({ code: 'UNSUPPORTED_COMPRESSION_TYPE' })
    expect(checkReceivedBatch(batch, MOST, true).recordCount).toBe(1)
  })
})

test('records without a key are found, as many as are asked for', () => {
  const batch = clientBatch(['a', 'b', 'c', 'd'], {}, [null, 'k', null, null])
  const header = checkReceivedBatch(batch, MOST, true)
  expect(recordsWithoutKey(batch, header, MOST, 10)).toEqual([0, 2, 3])
  expect(recordsWithoutKey(batch, header, MOST, 2)).toEqual([0, 2])
})

test('nonsense under a right checksum is refused where records are looked into', () => {
  const batch = rawBatch(rawRecord([0], 0, 5, 1, 'k', 1, 'v', 0), { baseTimestamp: 1, recordCount: 1 })
  const header = checkReceivedBatch(batch, MOST, true)
  expect(thrown(() => recordsWithoutKey(batch, header, MOST, 10))).toMatchObject({ code: 'INVALID_RECORD' })
})
