import { FieldReader, FieldWriter } from '../../codec/fields.ts'
import type { Assignor, AssignorMember, TopicPartition } from './assignor.ts'
import { divide } from './sticky.ts'
import { NOBODY, spellOut, stickyProblem, type Claims } from './sticky-problem.ts'

const GENERATION_BYTES = 4

/**
 * Divides as sticky does, for members that keep what they own while they join. A partition that goes from one member to another
 * is given to nobody at first: the one gives it up and joins again, and then the other gets it.
 *
 * Source: Kafka's CooperativeStickyAssignor. It withholds less where members contradict each other and subscribe to different
 * topics; here a partition that somebody may still own is never given to another.
 */
export const cooperativeSticky: Assignor = {
  name: 'cooperative-sticky',
  rebalanceProtocol: 'cooperative',

  assign(members: readonly AssignorMember[], partitions: ReadonlyMap<string, number>): Map<string, TopicPartition[]> {
    const problem = stickyProblem(members, partitions, claimsOf)
    const assigned = divide(problem)
    for (const [partition, owner] of problem.owners.entries()) {
      if (owner !== NOBODY && owner !== assigned[partition]) assigned[partition] = NOBODY
    }
    return spellOut(problem, assigned)
  },

  userData(_owned: readonly TopicPartition[], generation: number): Buffer {
    return new FieldWriter().int32(generation).finish()
  },
}

/** Subscriptions before version 2 have no generation of their own. */
function claimsOf({ ownedPartitions, generation, userData }: AssignorMember): Claims {
  if (generation >= 0 || userData === null || userData.length < GENERATION_BYTES) {
    return { partitions: ownedPartitions, generation: Math.max(generation, -1) }
  }
  const reader = new FieldReader(userData, 'the user data of a cooperative-sticky member')
  return { partitions: ownedPartitions, generation: Math.max(reader.int32(), -1) }
}
