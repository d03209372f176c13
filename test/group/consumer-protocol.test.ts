import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FieldWriter } from '../../src/codec/fields.ts'
import { VarveError } from '../../src/errors.ts'
import {
  compareTopicPartitions,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../src/group/consumer-protocol.ts'

const topic = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '🔑'), maxLength: 5 })
const partitions = fc.uniqueArray(fc.record({ topic, partition: fc.nat(20) }), {
  comparator: (a, b) => compareTopicPartitions(a, b) === 0,
})
const userData = fc.option(fc.uint8Array({ maxLength: 40 }))
const subscription = fc.record({
  topics: fc.uniqueArray(topic),
  ownedPartitions: partitions,
  generation: fc.integer({ min: -1 }),
  rackId: fc.option(fc.string({ minLength: 1 })),
  userData,
})

test('a subscription reads back as it was written, in order', () => {
  fc.assert(
    fc.property(subscription, (value) => {
      const read = decodeSubscription(encodeSubscription(value))
      const ownedPartitions = [...value.ownedPartitions].sort(compareTopicPartitions)
      expect({ ...read, userData: plain(read.userData) }).toEqual({
        ...value,
        topics: [...value.topics].sort(),
        ownedPartitions,
      })
    }),
  )
})

test('an assignment reads back as it was written', () => {
  fc.assert(
    fc.property(partitions, userData, (given, data) => {
      const read = decodeAssignment(encodeAssignment({ partitions: given, userData: data }))
      expect(read.partitions.sort(compareTopicPartitions)).toEqual([...given].sort(compareTopicPartitions))
      expect(plain(read.userData)).toEqual(data)
    }),
  )
})

describe('subscriptions of older and newer clients are read:', () => {
  const nothing = { topics: ['t'], ownedPartitions: [], generation: -1, rackId: null, userData: null }
  const v0 = (version: number): FieldWriter => {
    const writer = new FieldWriter().int16(version)
    return writer.array(['t'], (name) => writer.string(name)).nullableByteString(null)
  }
  const v1 = (version: number): FieldWriter => {
    const writer = v0(version)
    return writer.array([3], (partition) => writer.string('t').int32(1).int32(partition))
  }
  const owned = { ownedPartitions: [{ topic: 't', partition: 3 }] }
  test.each([
    ['version 0', v0(0), nothing],
    ['version 1', v1(1), { ...nothing, ...owned }],
    ['version 2', v1(2).int32(7), { ...nothing, ...owned, generation: 7 }],
    ['version 3', v1(3).int32(7).nullableString('r'), { ...nothing, ...owned, generation: 7, rackId: 'r' }],
    ['version 9', v1(9).int32(7).nullableString('r').int64(1), { ...nothing, ...owned, generation: 7, rackId: 'r' }],
    ['no rack', v1(3).int32(-5).nullableString(''), { ...nothing, ...owned }],
  ])('%s', (_, writer, expected) => {
    expect(decodeSubscription(writer.finish())).toEqual(expected)
  })
})

test('no bytes at all are an assignment of nothing', () => {
  expect(decodeAssignment(new Uint8Array())).toEqual({ partitions: [], userData: null })
})

test('a subscription that ends after its user data names its topics, whatever version it says', () => {
  const writer = new FieldWriter().int16(1)
  const bytes = writer
    .array(['orders'], (topic) => writer.string(topic))
    .nullableByteString(null)
    .finish()
  expect(decodeSubscription(bytes)).toMatchObject({ topics: ['orders'], ownedPartitions: [], rackId: null })
})

test('a version below 0 is refused', () => {
  const bytes = new FieldWriter().int16(-1).int32(0).int32(-1).finish()
  expect(() => decodeSubscription(bytes)).toThrow('cannot read the subscription of a member: there is no version -1')
  expect(() => decodeAssignment(bytes)).toThrow('cannot read the assignment of a member: there is no version -1')
})

test('hostile bytes give a value or the one error, and nothing else', () => {
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 60 }), spoiled(subscription.map(encodeSubscription)))
  fc.assert(
    fc.property(bytes, fc.nat(4), (tail, version) => {
      const hostile = Buffer.concat([Buffer.from([0, version]), tail])
      for (const decode of [decodeSubscription, decodeAssignment]) {
        try {
          decode(hostile)
        } catch (error) {
          expect(error).toBeInstanceOf(VarveError)
          expect((error as VarveError).code).toBe('INVALID_RECORD')
        }
      }
    }),
    { numRuns: 2000 },
  )
})

/** Valid bytes without their version, one of them changed, and perhaps cut off. */
function spoiled(valid: fc.Arbitrary<Buffer>): fc.Arbitrary<Uint8Array> {
  return fc.tuple(valid, fc.nat(), fc.nat(255), fc.nat()).map(([whole, at, value, cut]) => {
    const bytes = Uint8Array.from(whole.subarray(2))
    bytes[at % bytes.length] = value
    return bytes.subarray(0, cut % 3 === 0 ? cut % bytes.length : undefined)
  })
}

function plain(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : Uint8Array.from(bytes)
}
