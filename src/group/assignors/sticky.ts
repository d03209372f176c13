import { FieldReader, FieldWriter } from '../../codec/fields.ts'
import { VarveError } from '../../errors.ts'
import { readPartitions, writePartitions } from '../consumer-protocol.ts'
import type { Assignor, AssignorMember, TopicPartition } from './assignor.ts'
import { divideEvenly } from './sticky-even.ts'
import { divideByLoad } from './sticky-general.ts'
import { spellOut, stickyProblem, type Claims, type StickyProblem } from './sticky-problem.ts'

const NO_GENERATION = -1
const GENERATION_BYTES = 4

/**
 * Divides as evenly as the subscriptions allow, and moves as few partitions as that takes. Members give up everything before
 * they join, so what they had is told in the user data.
 *
 * Source: Kafka's StickyAssignor; user data of its versions 0 and 1 is read, version 1 is written.
 */
export const sticky: Assignor = {
  name: 'sticky',
  rebalanceProtocol: 'eager',

  assign(members: readonly AssignorMember[], partitions: ReadonlyMap<string, number>): Map<string, TopicPartition[]> {
    const problem = stickyProblem(members, partitions, ({ userData }) => readUserData(userData))
    return spellOut(problem, divide(problem))
  },

  userData(owned: readonly TopicPartition[], generation: number): Buffer | null {
    if (generation < 0) return null
    const writer = new FieldWriter()
    writePartitions(writer, owned)
    return writer.int32(generation).finish()
  },
}

/** By partition, the member that gets it. */
export function divide(problem: StickyProblem): Int32Array {
  return problem.sameSubscriptions ? divideEvenly(problem) : divideByLoad(problem)
}

/** What cannot be read counts for nothing: it costs some moves, and a rebalance must not fail for it. */
function readUserData(userData: Uint8Array | null): Claims {
  if (userData === null || userData.length === 0) return { partitions: [], generation: NO_GENERATION }
  try {
    const reader = new FieldReader(userData, 'the user data of a sticky member')
    const partitions = readPartitions(reader)
    // version 0 ends here
    const generation = reader.remaining >= GENERATION_BYTES ? Math.max(reader.int32(), NO_GENERATION) : NO_GENERATION
    return { partitions, generation }
  } catch (error) {
    if (!(error instanceof VarveError)) throw error
    return { partitions: [], generation: NO_GENERATION }
  }
}
