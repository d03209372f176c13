import { describe, expect, test } from 'vitest'
import type { Assignor, AssignorMember, TopicPartition } from '../../src/group/assignors/assignor.ts'
import { assignors } from '../../src/group/assignors/assignors.ts'
import { goldenScenarios, type GoldenRound } from './golden-groups.ts'

type Name = 'range' | 'roundrobin' | 'sticky' | 'cooperative-sticky'

test('the golden groups hold all that they are there for', () => {
  const rounds = goldenScenarios.flat()
  const members = rounds.map((round) => Object.values(round.members))
  const differing = members.filter((ofRound) => new Set(ofRound.map(([, topics]) => topics)).size > 1)
  const withLongPast = members.filter((ofRound) => {
    return new Set(ofRound.map(([, , generation]) => generation).filter((generation) => generation >= 0)).size > 1
  })
  const withheld = rounds.filter((round) => Object.values(round['cooperative-sticky']).join('').includes('-'))
  expect(rounds.length).toBe(2050)
  expect(differing.length).toBeGreaterThan(600)
  expect(withLongPast.length).toBeGreaterThan(50)
  expect(withheld.length).toBeGreaterThan(200)
  expect(members.flat().some(([instanceId]) => instanceId !== null)).toBe(true)
})

describe.each(['range', 'roundrobin', 'sticky', 'cooperative-sticky'] as const)('%s', (name) => {
  test('divides as Kafka does, in each generation of each group', () => {
    const assignor = assignors[name]
    for (const [number, rounds] of goldenScenarios.entries()) {
      const owned = new Map<string, TopicPartition[]>()
      for (const memberId of Object.keys(rounds[0].members)) {
        owned.set(memberId, ownedIn(rounds[0].owners ?? {}, memberId))
      }
      for (const [index, round] of rounds.entries()) {
        const members = Object.keys(round.members).map((id) => memberOf(assignor, id, round, owned))
        const expected = { ...round[name] }
        if (name === 'cooperative-sticky') withholdMore(expected, members)
        const assignment = assignor.assign(members, new Map(Object.entries(round.topics)))
        expect({ number, index, ...spell(round, assignment) }).toEqual({ number, index, ...expected })
        for (const { memberId } of members) owned.set(memberId, ownedIn(round[name], memberId))
      }
    }
  })
})

/**
 * Where members subscribe to different topics, Kafka gives a partition at once to a member that claims it from a generation long
 * past, although another owns it until now. That one still works on it, so here it is withheld for a rebalance.
 */
function withholdMore(spelled: { [topic: string]: string }, members: AssignorMember[]): void {
  const newest = new Map<string, AssignorMember>()
  for (const member of members) {
    for (const { topic, partition } of member.ownedPartitions) {
      const key = `${topic}-${partition}`
      if (member.generation > (newest.get(key)?.generation ?? -1)) newest.set(key, member)
    }
  }
  for (const [topic, letters] of Object.entries(spelled)) {
    spelled[topic] = letters
      .split('')
      .map((letter, partition) => ((newest.get(`${topic}-${partition}`)?.memberId ?? letter) === letter ? letter : '-'))
      .join('')
  }
}

function ownedIn(spelled: { [topic: string]: string }, memberId: string): TopicPartition[] {
  return Object.entries(spelled).flatMap(([topic, letters]) =>
    letters.split('').flatMap((letter, partition) => (letter === memberId ? [{ topic, partition }] : [])),
  )
}

function memberOf(
  assignor: Assignor,
  memberId: string,
  round: GoldenRound,
  owned: Map<string, TopicPartition[]>,
): AssignorMember {
  const [instanceId, topics, generation] = round.members[memberId]
  const remembered = generation < 0 ? [] : owned.get(memberId)!
  return {
    memberId,
    instanceId,
    topics: topics.split(''),
    ownedPartitions: assignor.rebalanceProtocol === 'cooperative' ? remembered : [],
    generation,
    userData: assignor.userData(remembered, generation),
    rackId: null,
  }
}

/** As in the golden rounds. */
function spell(round: GoldenRound, assignment: Map<string, TopicPartition[]>): GoldenRound[Name] {
  const topics = Object.keys(round.range).map((topic) => [topic, Array<string>(round.topics[topic]).fill('-')] as const)
  const letters = new Map(topics)
  for (const [memberId, partitions] of assignment) {
    for (const { topic, partition } of partitions) letters.get(topic)![partition] = memberId
  }
  return Object.fromEntries(topics.map(([topic, ofTopic]) => [topic, ofTopic.join('')]))
}
