import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FieldWriter } from '../../src/codec/fields.ts'
import { VarveError } from '../../src/errors.ts'
import type { GroupSnapshot } from '../../src/group/group.ts'
import {
  decodeOffsetsRecord,
  encodeGroupKey,
  encodeGroupValue,
  encodeOffsetKey,
  encodeOffsetValue,
} from '../../src/group/offset-records.ts'

const text = fc.string({ maxLength: 12 })
const committedOffset = fc.record({
  offset: fc.maxSafeInteger(),
  leaderEpoch: fc.integer({ min: -1 }),
  metadata: text,
  commitTimestampMs: fc.maxSafeInteger(),
  expireTimestampMs: fc.constant(-1),
})
const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array))
const snapshotMember = fc.record({
  memberId: text,
  instanceId: fc.option(text),
  clientId: text,
  clientHost: text,
  sessionTimeoutMs: fc.nat(),
  rebalanceTimeoutMs: fc.nat(),
  subscription: bytes,
  assignment: bytes,
})
const groupSnapshot: fc.Arbitrary<GroupSnapshot> = fc.record({
  generation: fc.nat(),
  protocolType: fc.option(fc.string({ minLength: 1 })),
  protocol: fc.option(text),
  leader: fc.option(text),
  members: fc.array(snapshotMember, { maxLength: 4 }),
})

test('a committed offset reads back as it was written', () => {
  fc.assert(
    fc.property(text, text, fc.nat(), committedOffset, (groupId, topic, partition, committed) => {
      const record = decodeOffsetsRecord(encodeOffsetKey(groupId, topic, partition), encodeOffsetValue(committed))
      expect(record).toEqual({ type: 'offset', groupId, topic, partition, committed })
    }),
  )
})

test('an expiry time reads back too, for which Kafka gives up the leader epoch', () => {
  const committed = { offset: 5, leaderEpoch: 3, metadata: 'm', commitTimestampMs: 10, expireTimestampMs: 20 }
  const record = decodeOffsetsRecord(encodeOffsetKey('g', 't', 0), encodeOffsetValue(committed))
  expect(record).toMatchObject({ committed: { ...committed, leaderEpoch: -1 } })
})

test('a group reads back as it was written', () => {
  fc.assert(
    fc.property(text, groupSnapshot, fc.maxSafeInteger(), (groupId, snapshot, currentStateTimestampMs) => {
      const value = encodeGroupValue(snapshot, currentStateTimestampMs)
      const record = decodeOffsetsRecord(encodeGroupKey(groupId), value)
      expect(record).toEqual({ type: 'group', groupId, stored: { snapshot, currentStateTimestampMs } })
    }),
  )
})

test('what is read holds on to neither the key nor the value', () => {
  const member = { memberId: 'm', instanceId: null, clientId: 'c', clientHost: '/h' }
  const timeouts = { sessionTimeoutMs: 1, rebalanceTimeoutMs: 2 }
  const members = [{ ...member, ...timeouts, subscription: Buffer.from('sub'), assignment: Buffer.from('as') }]
  const snapshot = { generation: 1, protocolType: 'consumer', protocol: 'range', leader: 'm', members }
  const value = encodeGroupValue(snapshot, 5)
  const record = decodeOffsetsRecord(encodeGroupKey('g'), value)
  value.fill(0)
  expect(record).toMatchObject({ stored: { snapshot } })
})

test('a record without a value says that its key is no more', () => {
  const offset = decodeOffsetsRecord(encodeOffsetKey('g', 't', 7), null)
  expect(offset).toEqual({ type: 'offset', groupId: 'g', topic: 't', partition: 7, committed: null })
  expect(decodeOffsetsRecord(encodeGroupKey('g'), null)).toEqual({ type: 'group', groupId: 'g', stored: null })
})

test('records that are not for us to read are told apart, whatever they hold', () => {
  for (const version of [4, ...[...Array(8).keys()].map((n) => n + 9), 0x7fff, -1]) {
    const key = new FieldWriter().int16(version).finish()
    expect(decodeOffsetsRecord(key, Buffer.from([1, 2, 3]))).toEqual({ type: 'unknown', version })
  }
})

test('a member of nothing but empty fields is read, which takes the fewest bytes', () => {
  const member = [1, 1, 1, 1, 0, 0, 0, 5, 0, 0, 0, 6, 1, 1, 0]
  const value = Buffer.from([0, 4, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 2, ...member, 0])
  const nothing = { memberId: '', instanceId: '', clientId: '', clientHost: '' }
  const empty = { subscription: Buffer.alloc(0), assignment: Buffer.alloc(0) }
  const members = [{ ...nothing, ...empty, rebalanceTimeoutMs: 5, sessionTimeoutMs: 6 }]
  const record = decodeOffsetsRecord(encodeGroupKey('g'), value)
  expect(record).toMatchObject({ stored: { snapshot: { generation: 9, members }, currentStateTimestampMs: 7 } })
  expect(() => decodeOffsetsRecord(encodeGroupKey('g'), value.subarray(0, -2))).toThrow('cannot hold a list of 1')
})

test('a value that is newer than what is known is refused', () => {
  const value = new FieldWriter().int16(5).int64(1).int64(1).int64(1).finish()
  const message = 'version 5 is not known, only 0 to 4 are'
  expect(() => decodeOffsetsRecord(encodeOffsetKey('g', 't', 0), value)).toThrow(message)
  expect(() => decodeOffsetsRecord(encodeGroupKey('g'), value)).toThrow(message)
})

test('hostile bytes give a value or the one error, and nothing else', () => {
  const valid = fc.oneof(
    committedOffset.map(encodeOffsetValue),
    groupSnapshot.map((snapshot) => encodeGroupValue(snapshot, 1)),
    fc.uint8Array({ maxLength: 60 }),
  )
  const keys = fc.constantFrom(encodeOffsetKey('g', 't', 1), encodeGroupKey('g'))
  fc.assert(
    fc.property(keys, valid, fc.nat(5), fc.nat(), fc.nat(255), fc.nat(), (key, value, version, at, byte, cut) => {
      const hostile = Buffer.concat([Buffer.from([0, version]), value.subarray(2)])
      hostile[2 + (at % hostile.length)] = byte
      const rest = hostile.subarray(0, cut % 3 === 0 ? cut % hostile.length : undefined)
      for (const [k, v] of [
        [key, rest],
        [rest, value],
      ]) {
        try {
          decodeOffsetsRecord(k, v)
        } catch (error) {
          expect(error).toBeInstanceOf(VarveError)
          expect((error as VarveError).code).toBe('INVALID_RECORD')
        }
      }
    }),
    { numRuns: 3000 },
  )
})
