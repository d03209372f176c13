import { OFFSETS_PARTITIONS } from '../engine/internal-topics.ts'

/**
 * The partition of `__consumer_offsets` that holds a group.
 *
 * Source: Kafka's GroupCoordinatorService.partitionFor, and Java's String.hashCode over UTF-16 units.
 */
export function offsetsPartitionFor(groupId: string, partitions = OFFSETS_PARTITIONS): number {
  let hash = 0
  for (let i = 0; i < groupId.length; i++) hash = (Math.imul(hash, 31) + groupId.charCodeAt(i)) | 0
  // Java has no positive counterpart of its smallest integer; Kafka takes 0
  return hash === -0x80000000 ? 0 : Math.abs(hash) % partitions
}
