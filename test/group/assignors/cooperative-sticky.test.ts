import { expect, test } from 'vitest'
import { cooperativeSticky } from '../../../src/group/assignors/cooperative-sticky.ts'
import { divide, partitionsIn, toldTo } from '../../helpers/assignments.ts'

// what it gives where nothing contradicts stands with the cases of sticky

test('what moves is withheld for one rebalance, and then given', () => {
  const first = divide(cooperativeSticky, { c1: { topics: 't', owned: 't-0 t-1 t-2' }, c2: { topics: 't' } }, { t: 3 })
  expect(first).toEqual({ c1: 't-0 t-1', c2: '' })
  const then = { c1: { topics: 't', owned: first['c1'] }, c2: { topics: 't', generation: 1 } }
  expect(divide(cooperativeSticky, then, { t: 3 })).toEqual({ c1: 't-0 t-1', c2: 't-2' })
})

test('what a member owns of a topic that it left is withheld from others until it has given it up', () => {
  const members = { c1: { topics: 't1', owned: 't1-0 t2-0' }, c2: { topics: 't1 t2' } }
  expect(divide(cooperativeSticky, members, { t1: 1, t2: 2 })).toEqual({ c1: 't1-0', c2: 't2-1' })
})

test('a claim from long ago gets nothing that another still owns, where Kafka gives it at once', () => {
  const members = {
    c1: { topics: 't', owned: 't-0 t-1 t-2', generation: 5 },
    c2: { topics: 't other', owned: 't-0', generation: 3 },
  }
  expect(divide(cooperativeSticky, members, { t: 3 })).toEqual({ c1: 't-1 t-2', c2: '' })
})

test('the generation of the subscription counts, and that of the user data where there is none', () => {
  const told = (memberId: string, partition: number, generation: number, userData: number) => ({
    ...toldTo(cooperativeSticky, memberId, { topics: 't', owned: `t-0 t-${partition}`, generation }),
    userData: cooperativeSticky.userData([], userData),
  })
  const assigned = (members: ReturnType<typeof told>[]) => cooperativeSticky.assign(members, new Map([['t', 3]]))
  expect(assigned([told('c1', 1, -1, 4), told('c2', 2, -1, 5)]).get('c2')).toEqual(partitionsIn('t-0 t-2'))
  expect(assigned([told('c1', 1, -1, 6), told('c2', 2, -1, 5)]).get('c1')).toEqual(partitionsIn('t-0 t-1'))
  expect(assigned([told('c1', 1, 4, 9), told('c2', 2, 5, 0)]).get('c2')).toEqual(partitionsIn('t-0 t-2'))
  // two of one generation: neither keeps it
  expect([...assigned([told('c1', 1, 5, 0), told('c2', 2, 5, 0)]).values()].flat()).not.toContainEqual(
    partitionsIn('t-0')[0],
  )
})
