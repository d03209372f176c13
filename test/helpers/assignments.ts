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

/** A case of Kafka's own tests of an assignor: partitions as `t1-0 t1-1`. */
export type AssignorCase = [
  name: string,
  members: { [memberId: string]: ShortMember },
  partitions: { [topic: string]: number },
  expected: { [memberId: string]: string },
]

const both = { topics: 't1 t2' }

/** The cases that range and roundrobin have in common, with the same outcome. */
export const simpleCases: AssignorCase[] = [
  ['a member without topics', { c1: { topics: '' } }, {}, { c1: '' }],
  ['a topic that does not exist', { c1: { topics: 't1' } }, {}, { c1: '' }],
  ['one member, one topic', { c1: { topics: 't1' } }, { t1: 3 }, { c1: 't1-0 t1-1 t1-2' }],
  ['a topic that nobody asks for', { c1: { topics: 't1' } }, { t1: 3, other: 3 }, { c1: 't1-0 t1-1 t1-2' }],
  ['one member, two topics', { c1: both }, { t1: 1, t2: 2 }, { c1: 't1-0 t2-0 t2-1' }],
  ['more members than partitions', { c1: { topics: 't1' }, c2: { topics: 't1' } }, { t1: 1 }, { c1: 't1-0', c2: '' }],
  ['one partition each', { c1: { topics: 't1' }, c2: { topics: 't1' } }, { t1: 2 }, { c1: 't1-0', c2: 't1-1' }],
  [
    'different topics',
    { c1: { topics: 't1' }, c2: both, c3: { topics: 't1' } },
    { t1: 3, t2: 2 },
    { c1: 't1-0', c2: 't1-1 t2-0 t2-1', c3: 't1-2' },
  ],
]
