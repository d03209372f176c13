/** Producer snapshots: what Kafka's bytes say, and which are none. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeSnapshot, encodeSnapshot, findSnapshotFault, sequenceAfter } from '../../src/codec/producer-snapshot.ts'
import { crc32c } from '../../src/codec/checksum.ts'

const LAST = 2 ** 31 - 1

const entry = fc
  .record({
    producerId: fc.maxSafeNat(),
    epoch: fc.integer({ min: 0, max: 0x7fff }),
    lastSequence: fc.integer({ min: 0, max: LAST }),
    baseOffset: fc.integer({ min: 0, max: 2 ** 40 }),
    delta: fc.integer({ min: 0, max: 10_000 }),
    timestamp: fc.maxSafeInteger(),
  })
  .map(({ producerId, epoch, lastSequence, baseOffset, delta, timestamp }) => {
    const firstSequence = sequenceAfter(lastSequence, -delta)
    return {
      producerId,
      epoch,
      batch: { firstSequence, lastSequence, baseOffset, lastOffset: baseOffset + delta, timestamp },
    }
  })

test('a snapshot tells what was put into it', () => {
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      expect(decodeSnapshot(encodeSnapshot(entries))).toEqual(entries)
    }),
  )
})

test('one in which any byte is changed, or that is cut short, tells nothing', () => {
  const batch = { firstSequence: 3, lastSequence: 4, baseOffset: 7, lastOffset: 8, timestamp: 1_000 }
  const whole = encodeSnapshot([{ producerId: 7, epoch: 1, batch }])
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole)
    changed[at] ^= 1
    expect(decodeSnapshot(changed)).toBe(null)
    expect(decodeSnapshot(whole.subarray(0, at))).toBe(null)
  }
})

test('what is wrong with one is said', () => {
  const sealed = (bytes: Buffer) => {
    bytes.writeUInt32BE(crc32c(bytes, 6, bytes.length), 2)
    return bytes
  }
  expect(findSnapshotFault(Buffer.alloc(9))).toBe('file is too short')
  expect(findSnapshotFault(sealed(Buffer.from('00020000000000000000', 'hex')))).toBe('unknown version')
  expect(findSnapshotFault(Buffer.from('00010000000000000000', 'hex'))).toBe('checksum')
  expect(findSnapshotFault(sealed(Buffer.from('00010000000000000001', 'hex')))).toBe('wrong size')
  expect(findSnapshotFault(encodeSnapshot([]))).toBe(null)
})

test('a producer that has only begun a transaction has sent no batch', () => {
  const batch = { firstSequence: -1, lastSequence: -1, baseOffset: -1, lastOffset: -1, timestamp: 1_000 }
  expect(decodeSnapshot(encodeSnapshot([{ producerId: 7, epoch: 1, batch }]))).toEqual([])
})
