import { describe, expect, test } from 'vitest'
import { compareText } from '../../src/group/assignors/member-order.ts'
import { assignors } from '../../src/group/assignors/assignors.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../src/group/consumer-protocol.ts'
import type { GroupSnapshot } from '../../src/group/group.ts'
import {
  decodeOffsetsRecord,
  encodeGroupKey,
  encodeGroupValue,
  encodeOffsetKey,
  encodeOffsetValue,
} from '../../src/group/offset-records.ts'
import { offsetsPartitionFor } from '../../src/group/offsets-partition.ts'
import { asPartitions, fromHex, goldenProtocol, goldenRecords, toHex, type GoldenGroup } from './golden-groups.ts'

/** Values of this version are written here; an offset with an expiry time in version 1, as Kafka's coordinator does. */
const VALUE_VERSION = 3

describe.each(goldenRecords.offsets)('an offset that Kafka wrote in version $version', (golden) => {
  const { groupId, topic, partition, committed } = golden

  test('is read, and written as Kafka does', () => {
    const record = decodeOffsetsRecord(fromHex(golden.key)!, fromHex(golden.value))
    expect(record).toEqual({ type: 'offset', groupId, topic, partition, committed })
    if (golden.keyVersion === 1) expect(toHex(encodeOffsetKey(groupId, topic, partition))).toBe(golden.key)
    if (golden.version === (committed.expireTimestampMs === -1 ? VALUE_VERSION : 1)) {
      expect(toHex(encodeOffsetValue(committed))).toBe(golden.value)
    }
  })
})

describe.each(goldenRecords.groups)('a group that Kafka wrote in version $version', (golden) => {
  test('is read, and written as Kafka does', () => {
    const { groupId, currentStateTimestampMs } = golden
    const snapshot = snapshotOf(golden)
    const record = decodeOffsetsRecord(fromHex(golden.key)!, fromHex(golden.value))
    expect(record).toEqual({ type: 'group', groupId, stored: { snapshot, currentStateTimestampMs } })
    expect(toHex(encodeGroupKey(groupId))).toBe(golden.key)
    if (golden.version === VALUE_VERSION) {
      expect(toHex(encodeGroupValue(snapshot, currentStateTimestampMs))).toBe(golden.value)
    }
  })
})

test('records of groups of other kinds are told apart', () => {
  const [modern, share, ...more] = goldenRecords.others.map(({ key }) => decodeOffsetsRecord(fromHex(key)!, null))
  expect(modern).toEqual({ type: 'modern', groupId: 'g', record: { part: 'epoch', epoch: 0 } })
  expect(share).toEqual({ type: 'unknown', version: 11 })
  expect(more).toEqual([])
})

test('each group is in the partition where Kafka looks for it', () => {
  const here = goldenRecords.partitions.map(([groupId]) => [groupId, offsetsPartitionFor(groupId)])
  expect(here).toEqual(goldenRecords.partitions)
})

test.each(goldenProtocol.subscriptions)(
  'a subscription of version $version is read, and written as Kafka does',
  (golden) => {
    const { version, bytes, userData, ...rest } = golden
    const whole = { ...rest, userData: fromHex(userData), ownedPartitions: asPartitions(golden.ownedPartitions) }
    const { topics, ownedPartitions, generation, rackId, userData: read } = decodeSubscription(fromHex(bytes)!)
    expect({ topics: [...topics].sort(), generation, rackId, userData: read }).toEqual({
      topics: [...golden.topics].sort(),
      generation: version >= 2 ? golden.generation : -1,
      rackId: version >= 3 ? golden.rackId : null,
      userData: whole.userData,
    })
    expect(new Set(ownedPartitions)).toEqual(new Set(version >= 1 ? whole.ownedPartitions : []))
    if (version === 3) expect(toHex(encodeSubscription(whole))).toBe(bytes)
  },
)

test.each(goldenProtocol.assignments)(
  'an assignment of version $version is read, and written as Kafka does',
  (golden) => {
    const partitions = asPartitions(golden.partitions)
    const userData = fromHex(golden.userData)
    const read = decodeAssignment(fromHex(golden.bytes)!)
    expect(read.userData).toEqual(userData)
    expect(new Set(read.partitions)).toEqual(new Set(partitions))
    if (golden.version === 3) expect(toHex(encodeAssignment({ partitions, userData }))).toBe(golden.bytes)
  },
)

test.each(['range', 'roundrobin', 'sticky', 'cooperative-sticky'] as const)(
  '%s tells its user data as Kafka does',
  (name) => {
    for (const golden of goldenProtocol.userData) {
      // Kafka's sticky gives the topics in the order of a hash map: here that of their names
      const partitions = asPartitions(golden.partitions).sort((a, b) => compareText(a.topic, b.topic))
      const userData = assignors[name].userData(partitions, golden.generation)
      expect(toHex(userData)).toBe(golden[name])
    }
  },
)

function snapshotOf({ snapshot }: GoldenGroup): GroupSnapshot {
  const members = snapshot.members.map(({ subscription, assignment, ...rest }) => {
    return { ...rest, subscription: fromHex(subscription)!, assignment: fromHex(assignment)! }
  })
  // Kafka's record has the empty text for a group that never had a member
  return { ...snapshot, protocolType: snapshot.protocolType || null, members }
}
