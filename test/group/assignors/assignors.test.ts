import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Assignor, AssignorMember, TopicPartition } from '../../../src/group/assignors/assignor.ts'
import { assignors } from '../../../src/group/assignors/assignors.ts'
import { compareTopicPartitions } from '../../../src/group/consumer-protocol.ts'

/** Members as drawn, before an assignor is told of them. */
interface Drawn {
  memberId: string
  instanceId: string | null
  topics: string[]
  owned: TopicPartition[]
  generation: number
}

interface Group {
  members: Drawn[]
  partitions: Map<string, number>
}

const TOPICS = ['t1', 't2', 't3', 't4']
const NUMBERS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

const partitionCounts = fc.tuple(...TOPICS.map(() => fc.nat(9))).map((counts) => {
  return new Map(TOPICS.map((topic, index) => [topic, counts[index]]))
})
/** One of them twice, and one that does not exist. */
const someTopics = fc.subarray([...TOPICS, 'missing', TOPICS[0]])
const claimable = [...TOPICS, 'unknown'].flatMap((topic) => [-1, ...NUMBERS].map((partition) => ({ topic, partition })))
const memberIds = fc.shuffledSubarray(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], { minLength: 1 })

/** Anything that members could say, true or not. */
const anyGroup: fc.Arbitrary<Group> = fc
  .record({ ids: memberIds, partitions: partitionCounts, same: fc.boolean() })
  .chain(({ ids, partitions, same }) =>
    fc
      .tuple(
        someTopics,
        ...ids.map((memberId) =>
          fc.record({
            memberId: fc.constant(memberId),
            instanceId: fc.option(fc.constant(`i-${memberId}`)),
            topics: someTopics,
            owned: fc.subarray([...claimable, ...claimable.slice(0, 3)], { maxLength: 12 }),
            generation: fc.integer({ min: -1, max: 3 }),
          }),
        ),
      )
      .map(([topics, ...members]) => {
        return { members: same ? members.map((member) => ({ ...member, topics })) : members, partitions }
      }),
  )

/** A group in which nobody owns anything yet. */
const newGroup = anyGroup.map(({ members, partitions }) => {
  return { members: members.map((member) => ({ ...member, owned: [], generation: -1 })), partitions }
})
const newUniformGroup = newGroup.map(({ members, partitions }) => {
  return { members: members.map((member) => ({ ...member, topics: TOPICS })), partitions }
})

const all = Object.values(assignors)
const stickies = all.filter(({ name }) => name.endsWith('sticky'))

test('the assignors are found by the names that the protocol has for them', () => {
  expect(Object.keys(assignors)).toEqual(['range', 'roundrobin', 'sticky', 'cooperative-sticky'])
  expect(Object.entries(assignors).every(([name, assignor]) => assignor.name === name)).toBe(true)
  const cooperative = all.filter(({ rebalanceProtocol }) => rebalanceProtocol === 'cooperative')
  expect(cooperative.map(({ name }) => name)).toEqual(['cooperative-sticky'])
})

describe.each(all)('$name', (assignor) => {
  test('gives each subscribed partition to one member, and nobody what it does not subscribe to', () => {
    fc.assert(
      fc.property(anyGroup, (group) => {
        const assignment = assign(assignor, group)
        expect([...assignment.keys()].sort()).toEqual(group.members.map(({ memberId }) => memberId).sort())
        const given = new Set<string>()
        for (const { memberId, topics } of group.members) {
          const ofMember = assignment.get(memberId)!
          expect(ofMember).toEqual([...ofMember].sort(compareTopicPartitions))
          for (const partition of ofMember) {
            expect(topics).toContain(partition.topic)
            expect(partition.partition).toBeLessThan(group.partitions.get(partition.topic)!)
            expect(given.has(keyOf(partition))).toBe(false)
            given.add(keyOf(partition))
          }
        }
        // what is missing is what somebody may still own
        const claimed = new Set(group.members.flatMap(({ owned }) => owned.map(keyOf)))
        const missing = subscribedIn(group).filter((key) => !given.has(key))
        expect(missing.filter((key) => assignor.rebalanceProtocol === 'eager' || !claimed.has(key))).toEqual([])
      }),
      { numRuns: 400 },
    )
  })

  test('gives the same whatever the order in which it is told of the members', () => {
    fc.assert(
      fc.property(anyGroup, (group) => {
        const reversed = { ...group, members: [...group.members].reverse() }
        expect(assign(assignor, reversed)).toEqual(assign(assignor, group))
      }),
    )
  })

  test('gives members that subscribe to the same topics numbers that differ by as little as it can', () => {
    fc.assert(
      fc.property(newUniformGroup, (group) => {
        const sizes = [...assign(assignor, group).values()].map((partitions) => partitions.length)
        // range divides each topic by itself
        const uneven = assignor.name === 'range' ? TOPICS.length : 1
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(uneven)
      }),
    )
  })
})

describe.each(stickies)('$name', (assignor) => {
  test('moves nothing when nothing has changed', () => {
    fc.assert(
      fc.property(newGroup, (group) => {
        const first = assign(assignor, group)
        const again = assign(assignor, { ...group, members: remembering(group.members, first, 1) })
        expect(again).toEqual(first)
      }),
      { numRuns: 400 },
    )
  })

  test('leaves no partition with a member where another that could have it has two less', () => {
    fc.assert(
      fc.property(anyGroup, (group) => {
        const assignment = settled(assignor, group)
        for (const [owner, partitions] of assignment) {
          for (const { topic } of partitions) {
            for (const { memberId, topics } of group.members) {
              if (memberId === owner || !topics.includes(topic)) continue
              expect(partitions.length).toBeLessThanOrEqual(assignment.get(memberId)!.length + 1)
            }
          }
        }
      }),
      { numRuns: 400 },
    )
  })

  test('moves to a new member what it gets, and nothing else', () => {
    fc.assert(
      fc.property(newUniformGroup, (group) => {
        const first = assign(assignor, group)
        const members = [...remembering(group.members, first, 1), { ...newMember('new'), topics: TOPICS }]
        const after = settled(assignor, { ...group, members })
        for (const [memberId, before] of first) {
          expect(before.map(keyOf)).toEqual(expect.arrayContaining(after.get(memberId)!.map(keyOf)))
        }
        expect(after.get('new')!.length).toBe(Math.floor(countIn(group) / members.length))
      }),
    )
  })

  test('moves nothing but what a member had that is gone', () => {
    fc.assert(
      fc.property(newUniformGroup, (group) => {
        fc.pre(group.members.length > 1)
        const first = assign(assignor, group)
        const after = assign(assignor, { ...group, members: remembering(group.members, first, 1).slice(1) })
        for (const [memberId, partitions] of after) {
          expect(partitions.map(keyOf)).toEqual(expect.arrayContaining(first.get(memberId)!.map(keyOf)))
        }
      }),
    )
  })

  test('moves as few partitions as an even division takes', () => {
    fc.assert(
      fc.property(anyGroup, (group) => {
        // sticky says nothing of what was owned without a generation
        const members = group.members.map((member) => {
          return { ...member, topics: TOPICS, generation: Math.max(member.generation, 0) }
        })
        const uniform = { ...group, members }
        const owners = ownersIn(uniform.members, uniform.partitions)
        const after = settled(assignor, uniform)
        const kept = [...after].flatMap(([memberId, partitions]) =>
          partitions.filter((partition) => owners.get(keyOf(partition)) === memberId),
        )
        expect(kept.length).toBe(mostThatCanStay(uniform, owners))
      }),
      { numRuns: 400 },
    )
  })
})

describe('cooperative-sticky', () => {
  const assignor = assignors['cooperative-sticky']

  test('gives no partition that another member still owns', () => {
    fc.assert(
      fc.property(anyGroup, ({ members, partitions }) => {
        const owners = ownersIn(members, partitions)
        for (const [memberId, assigned] of assign(assignor, { members, partitions })) {
          for (const partition of assigned) expect([undefined, memberId]).toContain(owners.get(keyOf(partition)))
        }
      }),
      { numRuns: 1000 },
    )
  })
})

/** Divides until nothing is withheld, as members do that give up what they have to and join again. */
function settled(assignor: Assignor, group: Group): Map<string, TopicPartition[]> {
  let { members } = group
  // Kafka's CooperativeStickyAssignorTest allows for as many
  for (let generation = 10; generation <= 14; generation++) {
    const assignment = assign(assignor, { ...group, members })
    const given = [...assignment.values()].flat().length
    if (given === subscribedIn(group).length) return assignment
    members = remembering(members, assignment, generation)
  }
  throw new Error('partitions are withheld over and over')
}

function assign(assignor: Assignor, { members, partitions }: Group): Map<string, TopicPartition[]> {
  const cooperative = assignor.rebalanceProtocol === 'cooperative'
  const told = members.map(({ memberId, instanceId, topics, owned, generation }): AssignorMember => {
    const userData = assignor.userData(owned, generation)
    return {
      memberId,
      instanceId,
      topics,
      ownedPartitions: cooperative ? owned : [],
      generation,
      userData,
      rackId: null,
    }
  })
  return assignor.assign(told, partitions)
}

/** The members after they got this in this generation; new ones know nothing. */
function remembering(members: Drawn[], assignment: Map<string, TopicPartition[]>, generation: number): Drawn[] {
  return members.map((member) => {
    const owned = assignment.get(member.memberId)
    return { ...member, owned: owned ?? [], generation: owned === undefined ? -1 : generation }
  })
}

function newMember(memberId: string): Drawn {
  return { memberId, instanceId: null, topics: [], owned: [], generation: -1 }
}

/** Who owns a partition by the newest claim, or null where two of the newest contradict each other. */
function ownersIn(members: Drawn[], partitions: Map<string, number>): Map<string, string | null> {
  const owners = new Map<string, { memberId: string | null; generation: number }>()
  for (const { memberId, owned, generation } of members) {
    for (const key of new Set(owned.filter((claim) => isIn(partitions, claim)).map(keyOf))) {
      const other = owners.get(key)
      if (other === undefined || generation > other.generation) owners.set(key, { memberId, generation })
      else if (generation === other.generation) owners.set(key, { memberId: null, generation })
    }
  }
  return new Map([...owners].map(([key, owner]) => [key, owner.memberId]))
}

/** Partitions that their owners could keep at most if all members had as many, or one more. */
function mostThatCanStay(group: Group, owners: Map<string, string | null>): number {
  const share = Math.floor(countIn(group) / group.members.length)
  let largerShares = countIn(group) % group.members.length
  let kept = 0
  for (const { memberId } of group.members) {
    const owned = [...owners.values()].filter((owner) => owner === memberId).length
    kept += Math.min(owned, share)
    if (owned > share && largerShares > 0) {
      kept++
      largerShares--
    }
  }
  return kept
}

function subscribedIn({ members, partitions }: Group): string[] {
  const topics = new Set(members.flatMap((member) => member.topics))
  return claimable.filter((claim) => topics.has(claim.topic) && isIn(partitions, claim)).map(keyOf)
}

function countIn({ partitions }: Group): number {
  return [...partitions.values()].reduce((sum, count) => sum + count, 0)
}

function isIn(partitions: Map<string, number>, { topic, partition }: TopicPartition): boolean {
  return partition >= 0 && partition < (partitions.get(topic) ?? 0)
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}
