import type { Assignor, AssignorMember, TopicPartition } from '../../src/group/assignors/assignor.ts'

/** A member in short: topics and partitions as words, `'t1-0 t1-3'`. */
export interface ShortMember {
  topics: string
  owned?: string
  /** In which it got what it owned; 1 where it owns something, else none. */
  generation?: number
  instanceId?: string
}

/** Tells an assignor of a member in the way in which that one wants to be told what the member owned. */
export function toldTo(assignor: Assignor, memberId: string, member: ShortMember): AssignorMember {
  const owned = partitionsIn(member.owned ?? '')
  const generation = member.generation ?? (owned.length > 0 ? 1 : -1)
  const cooperative = assignor.rebalanceProtocol === 'cooperative'
  return {
    memberId,
    instanceId: member.instanceId ?? null,
    topics: wordsIn(member.topics),
    ownedPartitions: cooperative ? owned : [],
    generation,
    userData: cooperative && generation < 0 ? null : assignor.userData(owned, generation),
    rackId: null,
  }
}

/** Divides, and gives what each member got in short. */
export function divide(
  assignor: Assignor,
  members: { [memberId: string]: ShortMember },
  partitions: { [topic: string]: number },
): { [memberId: string]: string } {
  const told = Object.entries(members).map(([memberId, member]) => toldTo(assignor, memberId, member))
  const assignment = assignor.assign(told, new Map(Object.entries(partitions)))
  return Object.fromEntries([...assignment].map(([memberId, assigned]) => [memberId, inShort(assigned)]))
}

export function partitionsIn(text: string): TopicPartition[] {
  return wordsIn(text).map((word) => {
    const dash = word.lastIndexOf('-')
    return { topic: word.slice(0, dash), partition: Number(word.slice(dash + 1)) }
  })
}

export function inShort(partitions: readonly TopicPartition[]): string {
  return partitions.map(({ topic, partition }) => `${topic}-${partition}`).join(' ')
}

function wordsIn(text: string): string[] {
  return text.split(' ').filter((word) => word !== '')
}
