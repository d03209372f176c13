import { FieldReader, FieldWriter } from '../codec/fields.ts'
import type { TopicPartition } from './assignors/assignor.ts'

/**
 * What consumers tell each other through the coordinator, which does not look into it: the subscription that a member
 * joins with, and the assignment that the leader gives it.
 *
 * A later version only adds fields behind those of the one before, so whoever does not know a version reads the fields
 * that it knows and leaves the rest.
 *
 * Source: Kafka's ConsumerProtocolSubscription.json, ConsumerProtocolAssignment.json, ConsumerProtocol.java.
 */

/** What a member joins with. */
export interface Subscription {
  topics: readonly string[]
  /** What it owns as it joins. */
  ownedPartitions: readonly TopicPartition[]
  /** In which generation it got them, or -1 where it does not say. */
  generation: number
  rackId: string | null
  /** For the assignor of the protocol that it is sent with, or null. */
  userData: Uint8Array | null
}

/** What a member is given. */
export interface Assignment {
  partitions: TopicPartition[]
  /** From the assignor, or null. */
  userData: Uint8Array | null
}

const VERSION = 3
const NO_GENERATION = -1
const STRING_MIN_BYTES = 2
const PARTITION_BYTES = 4
const TOPIC_MIN_BYTES = 6

/** Encodes as version 3, with topics and partitions in order, as Kafka's consumer does. */
export function encodeSubscription(subscription: Subscription): Buffer {
  const { topics, ownedPartitions, generation, rackId, userData } = subscription
  const writer = new FieldWriter().int16(VERSION)
  writer.array([...topics].sort(), (topic) => writer.string(topic)).nullableByteString(userData)
  writePartitions(writer, [...ownedPartitions].sort(compareTopicPartitions))
  return writer.int32(generation).nullableString(rackId).finish()
}

/** @throws VarveError INVALID_RECORD where these bytes are no subscription */
export function decodeSubscription(bytes: Uint8Array): Subscription {
  const reader = new FieldReader(bytes, 'the subscription of a member')
  const version = readVersion(reader)
  const topics = reader.array(STRING_MIN_BYTES, () => reader.string())
  const userData = reader.nullableByteString()
  // some clients say version 1 and end here
  const ownedPartitions = version >= 1 && reader.remaining > 0 ? readPartitions(reader) : []
  const generation = version >= 2 ? Math.max(reader.int32(), NO_GENERATION) : NO_GENERATION
  const rackId = version >= 3 ? reader.nullableString() : null
  // Kafka takes the empty rack for none
  return { topics, ownedPartitions, generation, rackId: rackId === '' ? null : rackId, userData }
}

/** Encodes as version 3, as Kafka's consumer does. */
export function encodeAssignment(assignment: {
  partitions: readonly TopicPartition[]
  userData: Uint8Array | null
}): Buffer {
  const writer = new FieldWriter().int16(VERSION)
  writePartitions(writer, assignment.partitions)
  return writer.nullableByteString(assignment.userData).finish()
}

/**
 * No bytes are no partitions: what a member gets that the leader left out.
 *
 * @throws VarveError INVALID_RECORD where these bytes are no assignment
 */
export function decodeAssignment(bytes: Uint8Array): Assignment {
  if (bytes.length === 0) return { partitions: [], userData: null }
  const reader = new FieldReader(bytes, 'the assignment of a member')
  readVersion(reader)
  const partitions = readPartitions(reader)
  return { partitions, userData: reader.nullableByteString() }
}

/** Orders by topic, as Java orders strings, then by partition. */
export function compareTopicPartitions(a: TopicPartition, b: TopicPartition): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1
  return a.partition - b.partition
}

/** Writes partitions topic by topic, topics as they first appear. */
export function writePartitions(writer: FieldWriter, partitions: readonly TopicPartition[]): void {
  const byTopic = new Map<string, number[]>()
  for (const { topic, partition } of partitions) {
    const ofTopic = byTopic.get(topic)
    if (ofTopic === undefined) byTopic.set(topic, [partition])
    else ofTopic.push(partition)
  }
  writer.array([...byTopic], ([topic, numbers]) => {
    writer.string(topic).array(numbers, (number) => writer.int32(number))
  })
}

/** Reads what `writePartitions` writes. */
export function readPartitions(reader: FieldReader): TopicPartition[] {
  const topics = reader.array(TOPIC_MIN_BYTES, () => {
    const topic = reader.string()
    return reader.array(PARTITION_BYTES, () => ({ topic, partition: reader.int32() }))
  })
  return topics.flat()
}

function readVersion(reader: FieldReader): number {
  const version = reader.int16()
  return version >= 0 ? version : reader.fail(`there is no version ${version}`)
}
