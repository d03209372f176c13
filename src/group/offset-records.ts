import { FieldReader, FieldWriter } from '../codec/fields.ts'
import type { GroupSnapshot, SnapshotMember } from './group.ts'
import { decodeModernRecord, type ModernRecord } from './modern/modern-records.ts'

/**
 * The records of `__consumer_offsets`, byte for byte Kafka's: the version of a key says what the record is about, and the
 * latest value of a key counts. A record without a value says that it is no more.
 *
 * Source: Kafka's OffsetCommitKey.json, OffsetCommitValue.json, GroupMetadataKey.json, GroupMetadataValue.json (all
 * versions are read), GroupCoordinatorRecordHelpers.java (which version is written when).
 */

/** A position that a group has committed. */
export interface CommittedOffset {
  /** Of the next record to read. */
  offset: number
  /** Of the last record read, or -1. */
  leaderEpoch: number
  /** The committer's own words. */
  metadata: string
  commitTimestampMs: number
  /** When it expires whatever the retention, or -1: clients before Kafka 2.1 could say so. */
  expireTimestampMs: number
}

/** A record of `__consumer_offsets`; a null says that it was deleted. */
export type OffsetsRecord =
  | { type: 'offset'; groupId: string; topic: string; partition: number; committed: CommittedOffset | null }
  | { type: 'group'; groupId: string; stored: { snapshot: GroupSnapshot; currentStateTimestampMs: number } | null }
  /** Of a group of the newer protocol; see modern-records.ts. */
  | { type: 'modern'; groupId: string; record: ModernRecord }
  /** Of Kafka's share groups, or newer than this: not ours to read, nor to lose. */
  | { type: 'unknown'; version: number }

const OFFSET_KEY_VERSION = 1
const GROUP_KEY_VERSION = 2

const OFFSET_VALUE_VERSION = 3
const OFFSET_VALUE_VERSION_WITH_EXPIRY = 1
const GROUP_VALUE_VERSION = 3
const FIRST_FLEXIBLE_VERSION = 4
const LAST_VERSION = 4

const NONE = -1
/** Of a member in a version that has the fewest fields, and the shortest lengths. */
const MEMBER_MIN_BYTES = 15

export function encodeOffsetKey(groupId: string, topic: string, partition: number): Buffer {
  return new FieldWriter().int16(OFFSET_KEY_VERSION).string(groupId).string(topic).int32(partition).finish()
}

/**
 * Version 3, which every Kafka since 2.1 reads (4.3 writes version 4, which can hold the topic's id); as Kafka does,
 * version 1 where there is an expiry time, which has no room for the leader epoch.
 */
export function encodeOffsetValue(committed: CommittedOffset): Buffer {
  const { offset, leaderEpoch, metadata, commitTimestampMs, expireTimestampMs } = committed
  const writer = new FieldWriter()
  if (expireTimestampMs !== NONE) {
    writer.int16(OFFSET_VALUE_VERSION_WITH_EXPIRY).int64(offset).string(metadata)
    return writer.int64(commitTimestampMs).int64(expireTimestampMs).finish()
  }
  writer.int16(OFFSET_VALUE_VERSION).int64(offset).int32(leaderEpoch).string(metadata)
  return writer.int64(commitTimestampMs).finish()
}

export function encodeGroupKey(groupId: string): Buffer {
  return new FieldWriter().int16(GROUP_KEY_VERSION).string(groupId).finish()
}

export function encodeGroupValue(snapshot: GroupSnapshot, currentStateTimestampMs: number): Buffer {
  const { generation, protocolType, protocol, leader, members } = snapshot
  const writer = new FieldWriter().int16(GROUP_VALUE_VERSION)
  // Kafka has no null here
  writer
    .string(protocolType ?? '')
    .int32(generation)
    .nullableString(protocol)
    .nullableString(leader)
  writer.int64(currentStateTimestampMs)
  writer.array(members, (member) => {
    writer.string(member.memberId).nullableString(member.instanceId)
    writer.string(member.clientId).string(member.clientHost)
    writer.int32(member.rebalanceTimeoutMs).int32(member.sessionTimeoutMs)
    writer.byteString(member.subscription).byteString(member.assignment)
  })
  return writer.finish()
}

/**
 * Keeps no view of the key or the value.
 *
 * @throws VarveError INVALID_RECORD where a record that is ours to read cannot be read
 */
export function decodeOffsetsRecord(key: Uint8Array, value: Uint8Array | null): OffsetsRecord {
  const reader = new FieldReader(key, 'the key of a record of __consumer_offsets')
  const version = reader.int16()
  if (version === 0 || version === OFFSET_KEY_VERSION) {
    const groupId = reader.string()
    const topic = reader.string()
    const partition = reader.int32()
    return { type: 'offset', groupId, topic, partition, committed: value === null ? null : decodeCommitted(value) }
  }
  if (version === GROUP_KEY_VERSION) {
    const groupId = reader.string()
    return { type: 'group', groupId, stored: value === null ? null : decodeGroup(value) }
  }
  const modern = decodeModernRecord(version, reader, value)
  return modern === null ? { type: 'unknown', version } : { type: 'modern', ...modern }
}

function decodeCommitted(value: Uint8Array): CommittedOffset {
  const reader = new FieldReader(value, 'a committed offset')
  const version = readVersion(reader)
  const offset = reader.int64()
  const leaderEpoch = version >= 3 ? reader.int32() : NONE
  const metadata = reader.string()
  const commitTimestampMs = reader.int64()
  const expireTimestampMs = version === OFFSET_VALUE_VERSION_WITH_EXPIRY ? reader.int64() : NONE
  reader.skipTags()
  return { offset, leaderEpoch, metadata, commitTimestampMs, expireTimestampMs }
}

function decodeGroup(value: Uint8Array): { snapshot: GroupSnapshot; currentStateTimestampMs: number } {
  const reader = new FieldReader(value, 'the metadata of a group')
  const version = readVersion(reader)
  const protocolType = reader.string()
  const generation = reader.int32()
  const protocol = reader.nullableString()
  const leader = reader.nullableString()
  const currentStateTimestampMs = version >= 2 ? reader.int64() : NONE
  const members = reader.array(MEMBER_MIN_BYTES, () => readMember(reader, version))
  reader.skipTags()
  const snapshot = { generation, protocolType: protocolType === '' ? null : protocolType, protocol, leader, members }
  return { snapshot, currentStateTimestampMs }
}

function readMember(reader: FieldReader, version: number): SnapshotMember {
  const memberId = reader.string()
  const instanceId = version >= 3 ? reader.nullableString() : null
  const clientId = reader.string()
  const clientHost = reader.string()
  const rebalanceTimeoutMs = version >= 1 ? reader.int32() : NONE
  const sessionTimeoutMs = reader.int32()
  const subscription = Buffer.from(reader.byteString())
  const assignment = Buffer.from(reader.byteString())
  reader.skipTags()
  return {
    memberId,
    instanceId,
    clientId,
    clientHost,
    sessionTimeoutMs,
    // the one was the other before they were told apart
    rebalanceTimeoutMs: rebalanceTimeoutMs === NONE ? sessionTimeoutMs : rebalanceTimeoutMs,
    subscription,
    assignment,
  }
}

function readVersion(reader: FieldReader): number {
  const version = reader.int16()
  if (version < 0 || version > LAST_VERSION)
    reader.fail(`version ${version} is not known, only 0 to ${LAST_VERSION} are`)
  reader.flexible = version >= FIRST_FLEXIBLE_VERSION
  return version
}
