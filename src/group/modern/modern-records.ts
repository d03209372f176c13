import { FieldReader, FieldWriter } from '../../codec/fields.ts'
import { partitionKey } from '../../engine/topic.ts'
import {
  byTopicId,
  type CurrentAssignment,
  type MemberMetadata,
  type ModernMember,
  type PartitionKeys,
  type StoredModern,
} from './modern-group.ts'

/**
 * The records of `__consumer_offsets` that keep a group of the newer protocol, byte for byte Kafka's. A record without a value
 * says that what it was about is no more.
 *
 * Source: Kafka's ConsumerGroupMetadataKey.json (3), ConsumerGroupMemberMetadataKey.json (5),
 * ConsumerGroupTargetAssignmentMetadataKey.json (6), ConsumerGroupTargetAssignmentMemberKey.json (7),
 * ConsumerGroupCurrentMemberAssignmentKey.json (8), and the values of the same names.
 */

const GROUP_EPOCH = 3
const MEMBER_METADATA = 5
const TARGET_EPOCH = 6
const TARGET_MEMBER = 7
const CURRENT_MEMBER = 8

const VALUE_VERSION = 0
const UUID_BYTES = 16
/** Of a list of partitions: the topic's id, a length and the end of the structure. */
const TOPIC_MIN_BYTES = UUID_BYTES + 2
const STATES = ['stable', 'unrevoked', 'unreleased'] as const

/** What one record says of a group. */
export type ModernRecord =
  | { part: 'epoch' | 'assignmentEpoch'; epoch: number }
  | { part: 'metadata'; memberId: string; value: MemberMetadata | undefined }
  | { part: 'target'; memberId: string; value: PartitionKeys | undefined }
  | { part: 'current'; memberId: string; value: CurrentAssignment | undefined }

/** A record to write. */
export interface ModernEntry {
  key: Buffer
  /** Null: a tombstone. */
  value: Buffer | null
}

/** What of a group is stored. */
export interface Storable {
  epoch: number
  assignmentEpoch: number
  members: ReadonlyMap<string, Pick<ModernMember, 'metadata' | 'current' | 'target'>>
}

/** The records that make of what is stored what is to be stored; parts that are the same object are not written again. */
export function changesOf(groupId: string, before: Storable, after: Storable): ModernEntry[] {
  const entries: ModernEntry[] = []
  const add = (key: Buffer, value: Buffer | null) => void entries.push({ key, value })
  for (const memberId of before.members.keys()) {
    if (after.members.has(memberId)) continue
    for (const version of [CURRENT_MEMBER, TARGET_MEMBER, MEMBER_METADATA]) add(keyOf(version, groupId, memberId), null)
  }
  for (const [memberId, { metadata }] of after.members)
    if (before.members.get(memberId)?.metadata !== metadata)
      add(keyOf(MEMBER_METADATA, groupId, memberId), metadataValue(metadata))
  if (before.epoch !== after.epoch) add(keyOf(GROUP_EPOCH, groupId), epochValue(after.epoch))
  for (const [memberId, { target }] of after.members)
    if (before.members.get(memberId)?.target !== target)
      add(keyOf(TARGET_MEMBER, groupId, memberId), targetValue(target))
  if (before.assignmentEpoch !== after.assignmentEpoch)
    add(keyOf(TARGET_EPOCH, groupId), epochValue(after.assignmentEpoch))
  for (const [memberId, { current }] of after.members)
    if (before.members.get(memberId)?.current !== current)
      add(keyOf(CURRENT_MEMBER, groupId, memberId), currentValue(current))
  return entries
}

/** The records that make it as if the group had never been. */
export function tombstonesOf(groupId: string, { members }: StoredModern): ModernEntry[] {
  const ofMembers = [...members.keys()].flatMap((memberId) =>
    [CURRENT_MEMBER, TARGET_MEMBER, MEMBER_METADATA].map((version) => keyOf(version, groupId, memberId)),
  )
  const keys = [...ofMembers, keyOf(TARGET_EPOCH, groupId), keyOf(GROUP_EPOCH, groupId)]
  return keys.map((key) => ({ key, value: null }))
}

/** What a record of this version of key is about, or null for one that is none of these, or newer than these. */
export function decodeModernRecord(
  version: number,
  key: FieldReader,
  value: Uint8Array | null,
): { groupId: string; record: ModernRecord } | null {
  if (version < GROUP_EPOCH || version > CURRENT_MEMBER || version === 4) return null
  const groupId = key.string()
  const memberId = version === GROUP_EPOCH || version === TARGET_EPOCH ? '' : key.string()
  const reader = value === null ? null : new FieldReader(value, 'a record of a consumer group')
  if (reader !== null && reader.int16() !== VALUE_VERSION) return null
  if (reader !== null) reader.flexible = true
  return { groupId, record: recordOf(version, memberId, reader) }
}

function recordOf(version: number, memberId: string, reader: FieldReader | null): ModernRecord {
  switch (version) {
    case GROUP_EPOCH:
      return { part: 'epoch', epoch: reader?.int32() ?? 0 }
    case TARGET_EPOCH:
      return { part: 'assignmentEpoch', epoch: reader?.int32() ?? 0 }
    case MEMBER_METADATA:
      return { part: 'metadata', memberId, value: reader === null ? undefined : readMetadata(reader) }
    case TARGET_MEMBER:
      return { part: 'target', memberId, value: reader === null ? undefined : readKeys(reader) }
    default:
      return { part: 'current', memberId, value: reader === null ? undefined : readCurrent(reader) }
  }
}

/** What is stored of a group with one more record; null for nothing. */
export function withRecord(stored: StoredModern | null, record: ModernRecord): StoredModern | null {
  const next = stored ?? { epoch: 0, assignmentEpoch: 0, members: new Map<string, Partial<ModernMember>>() }
  if ('epoch' in record) next[record.part] = record.epoch
  else {
    const member = { ...next.members.get(record.memberId), [record.part]: record.value }
    const { metadata, target, current } = member
    if (metadata ?? target ?? current) next.members.set(record.memberId, member)
    else next.members.delete(record.memberId)
  }
  return next.epoch === 0 && next.assignmentEpoch === 0 && next.members.size === 0 ? null : next
}

function keyOf(version: number, groupId: string, memberId?: string): Buffer {
  const writer = new FieldWriter().int16(version).string(groupId)
  return (memberId === undefined ? writer : writer.string(memberId)).finish()
}

function valueWriter(): FieldWriter {
  const writer = new FieldWriter().int16(VALUE_VERSION)
  writer.flexible = true
  return writer
}

/** With the tagged fields, of which there are none, that end each structure. */
function finish(writer: FieldWriter): Buffer {
  return writer.unsignedVarint(0).finish()
}

/** A group that was never used has no epoch. */
function epochValue(epoch: number): Buffer | null {
  return epoch === 0 ? null : finish(valueWriter().int32(epoch))
}

function metadataValue(metadata: MemberMetadata): Buffer {
  const { instanceId, rackId, clientId, clientHost, topics, pattern, rebalanceTimeoutMs, assignor } = metadata
  const writer = valueWriter()
  writer.nullableString(instanceId).nullableString(rackId).string(clientId).string(clientHost)
  writer.array(topics, (topic) => writer.string(topic)).nullableString(pattern)
  return finish(writer.int32(rebalanceTimeoutMs).nullableString(assignor))
}

function readMetadata(reader: FieldReader): MemberMetadata {
  return {
    instanceId: reader.nullableString(),
    rackId: reader.nullableString(),
    clientId: reader.string(),
    clientHost: reader.string(),
    topics: reader.array(1, () => reader.string()),
    // Kafka takes the empty one for none
    pattern: reader.nullableString() || null,
    rebalanceTimeoutMs: reader.int32(),
    assignor: reader.nullableString(),
  }
}

function targetValue(target: PartitionKeys): Buffer {
  return finish(writeKeys(valueWriter(), target))
}

function currentValue({ epoch, previousEpoch, state, assigned, revoking }: CurrentAssignment): Buffer {
  const writer = valueWriter().int32(epoch).int32(previousEpoch).int8(STATES.indexOf(state))
  return finish(writeKeys(writeKeys(writer, assigned), revoking))
}

function readCurrent(reader: FieldReader): CurrentAssignment {
  const epoch = reader.int32()
  const previousEpoch = reader.int32()
  const state = STATES[reader.int8()] ?? reader.fail('a member is in no state that is known')
  return { epoch, previousEpoch, state, assigned: readKeys(reader), revoking: readKeys(reader) }
}

function writeKeys(writer: FieldWriter, keys: PartitionKeys): FieldWriter {
  return writer.array(byTopicId(keys), ({ topicId, partitions }) => {
    writer.append(Buffer.from(topicId, 'base64url')).array(partitions, (partition) => writer.int32(partition))
    writer.unsignedVarint(0)
  })
}

function readKeys(reader: FieldReader): PartitionKeys {
  const topics = reader.array(TOPIC_MIN_BYTES, () => {
    const topicId = reader.take(UUID_BYTES).toString('base64url')
    const keys = reader.array(4, () => partitionKey({ topicId }, reader.int32()))
    reader.skipTags()
    return keys
  })
  return new Set(topics.flat())
}
