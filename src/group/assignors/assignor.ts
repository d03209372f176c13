/** A partition of a topic. */
export interface TopicPartition {
  topic: string
  partition: number
}

/** A partition as the key of a map. No topic's name holds a slash. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

/** What an assignor is told of one member. */
export interface AssignorMember {
  memberId: string
  /** Of a static member, else null. */
  instanceId: string | null
  /** The topics that it subscribes to. */
  topics: readonly string[]
  /** The partitions that it owned when it joined. */
  ownedPartitions: readonly TopicPartition[]
  /** The generation in which it owned them, or -1 where it does not say. */
  generation: number
  /** What the assignor of this name put into the member's subscription, or null. */
  userData: Uint8Array | null
  rackId: string | null
}

/**
 * Divides the partitions of the subscribed topics among the members of a group. Pure; the same input gives the same result
 * in every process.
 */
export interface Assignor {
  /** As it stands in the protocol: `'range'`, `'roundrobin'`, `'sticky'`, `'cooperative-sticky'`. */
  readonly name: string
  /**
   * `'eager'`: members give up everything before they join. `'cooperative'`: they keep what they own meanwhile, and give up
   * only what the assignment takes from them; what moves is assigned in the rebalance that follows.
   */
  readonly rebalanceProtocol: 'eager' | 'cooperative'
  /**
   * @param members    at least one
   * @param partitions number of partitions by topic; a topic that is not there has none to assign
   * @returns by member id, one entry for every member, each in order of topic and partition
   */
  assign(members: readonly AssignorMember[], partitions: ReadonlyMap<string, number>): Map<string, TopicPartition[]>
  /** What the member's next subscription carries for this assignor, or null. */
  userData(owned: readonly TopicPartition[], generation: number): Uint8Array | null
}
