import { partitionForKey } from '../codec/key-hash.ts'
import type { Random } from '../environment.ts'
import { show } from '../options.ts'
import type { PartitionerFunction, PartitionerName } from './topic-config.ts'

/** Bytes after which records without a key move on to another partition: Kafka's default batch.size. */
const STICKY_BYTES = 16 * 1024

/**
 * Assigns records to the partitions of one topic.
 *
 * Records with a key go where its hash says, so all records of a key stay in order. Records without one stay with one
 * partition for a batch's worth of bytes and then move on to another, chosen at random: few large batches instead of
 * many small ones.
 *
 * Source: Kafka's BuiltInPartitioner.java (KIP-794) for the sticky part.
 */
export class Partitioner {
  private sticky: number
  private stickyBytes = 0

  constructor(
    private readonly hasher: PartitionerName | PartitionerFunction,
    private readonly random: Random,
    public partitions: number,
  ) {
    this.sticky = Math.floor(random.next() * partitions)
  }

  /** @throws RangeError when a function returns anything but an integer in [0, partitions) */
  forKey(key: Uint8Array): number {
    const { hasher, partitions } = this
    if (typeof hasher !== 'function') return partitionForKey(hasher, key, partitions)
    const partition = hasher(key, partitions)
    if (Number.isInteger(partition) && partition >= 0 && partition < partitions) return partition
    throw new RangeError(
      `the topic's partitioner must return an integer from 0 to ${partitions - 1}, not ${show(partition)}`,
    )
  }

  /** @param sizeBytes of the record, roughly */
  withoutKey(sizeBytes: number): number {
    const chosen = this.sticky
    this.stickyBytes += sizeBytes
    if (this.stickyBytes >= STICKY_BYTES && this.partitions > 1) {
      this.stickyBytes = 0
      this.sticky = (chosen + 1 + Math.floor(this.random.next() * (this.partitions - 1))) % this.partitions
    }
    return chosen
  }
}
