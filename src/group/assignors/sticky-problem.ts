import type { AssignorMember, TopicPartition } from './assignor.ts'
import { subscribedTopics, compareText } from './member-order.ts'

/** Partitions that a member says it owns, and since which generation (-1 where it does not say). */
export interface Claims {
  partitions: readonly TopicPartition[]
  generation: number
}

/** In place of a member: none. */
export const NOBODY = -1
/** In place of an owner: several members claim the partition, and none has the better claim. */
export const CONTESTED = -2

const NO_CLAIM = -2

/** A topic of a {@link StickyProblem}. */
export interface ProblemTopic {
  name: string
  /** Its first partition's number in the problem; the others follow. */
  start: number
  count: number
  subscribers: number
}

/**
 * What the sticky assignors solve: members and partitions by number, in order, and who owned what.
 *
 * Of several claims to a partition the one of the latest generation counts; two of that generation make it contested, and
 * nobody's. Claims to partitions that do not exist count for nothing.
 */
export interface StickyProblem {
  /** In order. */
  memberIds: readonly string[]
  /** By name, those that have a subscriber. */
  topics: readonly ProblemTopic[]
  partitionCount: number
  /** By member, the index of each topic that it subscribes to. */
  subscriptions: readonly ReadonlySet<number>[]
  /** Whether all members name the same topics. */
  sameSubscriptions: boolean
  /** By partition: a member, NOBODY or CONTESTED. */
  owners: Int32Array
  /** By partition: who claims it of a generation before the latest, or NOBODY. */
  previousOwners: Int32Array
}

/** @param claimsOf what a member owned: where the assignor keeps it is its own affair */
export function stickyProblem(
  members: readonly AssignorMember[],
  partitions: ReadonlyMap<string, number>,
  claimsOf: (member: AssignorMember) => Claims,
): StickyProblem {
  const inOrder = [...members].sort((a, b) => compareText(a.memberId, b.memberId))
  let partitionCount = 0
  const topics = subscribedTopics(members, partitions).map(({ topic: name, count }): ProblemTopic => {
    const start = partitionCount
    partitionCount += count
    return { name, start, count, subscribers: 0 }
  })
  const topicIndexes = new Map(topics.map(({ name }, index) => [name, index]))
  const subscriptions = inOrder.map((member) => {
    const indexes = member.topics.map((name) => topicIndexes.get(name)!)
    return new Set(indexes)
  })
  for (const indexes of subscriptions) for (const index of indexes) topics[index].subscribers++

  const claims = inOrder.map((member) => {
    const { generation, partitions: claimed } = claimsOf(member)
    const numbers = new Set<number>()
    for (const { topic, partition } of claimed) {
      const index = topicIndexes.get(topic)
      if (index !== undefined && partition >= 0 && partition < topics[index].count) {
        numbers.add(topics[index].start + partition)
      }
    }
    return { generation, numbers }
  })
  return {
    memberIds: inOrder.map(({ memberId }) => memberId),
    topics,
    partitionCount,
    subscriptions,
    sameSubscriptions: haveSameTopics(inOrder),
    ...resolveClaims(claims, partitionCount),
  }
}

/** Spells out an assignment: by partition, the member that gets it or NOBODY. */
export function spellOut({ memberIds, topics }: StickyProblem, assigned: Int32Array): Map<string, TopicPartition[]> {
  const lists = memberIds.map(() => [] as TopicPartition[])
  for (const { name, start, count } of topics) {
    for (let partition = 0; partition < count; partition++) {
      const member = assigned[start + partition]
      if (member !== NOBODY) lists[member].push({ topic: name, partition })
    }
  }
  return new Map(memberIds.map((memberId, member) => [memberId, lists[member]]))
}

/** Kafka compares the topics by name, also those that do not exist. */
function haveSameTopics(members: readonly AssignorMember[]): boolean {
  const first = new Set(members[0].topics)
  return members.every(({ topics }) => {
    const others = new Set(topics)
    return others.size === first.size && topics.every((topic) => first.has(topic))
  })
}

function resolveClaims(
  claims: readonly { generation: number; numbers: ReadonlySet<number> }[],
  partitionCount: number,
): { owners: Int32Array; previousOwners: Int32Array } {
  const latest = claims.reduce((most, { generation }) => Math.max(most, generation), NO_CLAIM)
  const owners = new Int32Array(partitionCount).fill(NOBODY)
  const since = new Int32Array(partitionCount).fill(NO_CLAIM)
  const previousOwners = new Int32Array(partitionCount).fill(NOBODY)
  const previouslySince = new Int32Array(partitionCount).fill(NO_CLAIM)
  for (const [member, { generation, numbers }] of claims.entries()) {
    for (const number of numbers) {
      if (generation > since[number]) {
        owners[number] = member
        since[number] = generation
      } else if (generation === since[number]) {
        owners[number] = CONTESTED
      }
      if (generation < latest && generation > previouslySince[number]) {
        previousOwners[number] = member
        previouslySince[number] = generation
      }
    }
  }
  return { owners, previousOwners }
}
