import { describe, expect, test } from 'vitest'
import { cooperativeSticky } from '../../../src/group/assignors/cooperative-sticky.ts'
import { sticky } from '../../../src/group/assignors/sticky.ts'
import { divide, partitionsIn, toldTo, type ShortMember } from '../../helpers/assignments.ts'

type Case = [
  name: string,
  members: { [memberId: string]: ShortMember },
  partitions: { [topic: string]: number },
  expected: { [memberId: string]: string },
  /** By cooperative-sticky, at first. */
  withheld?: string,
]

const t = { topics: 't' }
const both = { topics: 't1 t2' }

// the cases of Kafka's AbstractStickyAssignorTest whose result it states, those with racks apart
const CASES: Case[] = [
  ['a member without topics', { c1: { topics: '' } }, {}, { c1: '' }],
  ['a topic that does not exist', { c1: t }, {}, { c1: '' }],
  ['a topic without partitions', { c1: t }, { t: 0 }, { c1: '' }],
  ['one member, one topic', { c1: t }, { t: 3 }, { c1: 't-0 t-1 t-2' }],
  ['partitions of a topic it left', { c1: { ...t, owned: 't-0 t-1 other-0 other-1' } }, { t: 2 }, { c1: 't-0 t-1' }],
  ['one member, two topics', { c1: both }, { t1: 1, t2: 2 }, { c1: 't1-0 t2-0 t2-1' }],
  ['more members than partitions', { c1: t, c2: t }, { t: 1 }, { c1: 't-0', c2: '' }],
  ['one partition each', { c1: t, c2: t }, { t: 2 }, { c1: 't-0', c2: 't-1' }],
  [
    'different topics',
    { c1: { topics: 't1' }, c2: both, c3: { topics: 't1' } },
    { t1: 3, t2: 2 },
    { c1: 't1-0 t1-2', c2: 't2-0 t2-1', c3: 't1-1' },
  ],
  ['two topics', { c1: both, c2: both }, { t1: 3, t2: 3 }, { c1: 't1-0 t1-2 t2-1', c2: 't1-1 t2-0 t2-2' }],
  [
    'a new partition for one of two that have the lower share',
    { c1: { ...both, owned: 't1-0 t2-1' }, c2: { ...both, owned: 't1-1 t2-2' } },
    { t1: 2, t2: 3 },
    { c1: 't1-0 t2-0 t2-1', c2: 't1-1 t2-2' },
  ],
  [
    // who keeps more is the first in a hash map in Kafka, where this c2 is called consumer1
    'more members with the higher share than may have it',
    { c1: { ...both, owned: 't1-1 t2-1' }, c2: { ...both, owned: 't1-0 t2-0' }, c3: both },
    { t1: 2, t2: 2 },
    { c1: 't1-1 t2-1', c2: 't1-0', c3: 't2-0' },
    't2-0',
  ],
  [
    'everybody below the share',
    { c1: { ...both, owned: 't1-0' }, c2: { ...both, owned: 't1-1' }, c3: both },
    { t1: 2, t2: 3 },
    { c1: 't1-0 t2-1', c2: 't1-1 t2-2', c3: 't2-0' },
  ],
  ['a second member', { c1: { ...t, owned: 't-0 t-1 t-2' }, c2: t }, { t: 3 }, { c1: 't-0 t-1', c2: 't-2' }, 't-2'],
  [
    'two members more',
    { c1: { ...both, owned: 't1-0 t1-2 t2-1 t2-3' }, c2: { ...both, owned: 't1-1 t2-0 t2-2' }, c3: both, c4: both },
    { t1: 3, t2: 4 },
    { c1: 't1-0 t2-1', c2: 't1-1 t2-0', c3: 't1-2 t2-3', c4: 't2-2' },
    't1-2 t2-3 t2-2',
  ],
  [
    'two members less',
    { c3: { ...both, owned: 't1-2 t2-3' }, c4: { ...both, owned: 't2-2' } },
    { t1: 3, t2: 4 },
    { c3: 't1-0 t1-2 t2-1 t2-3', c4: 't1-1 t2-0 t2-2' },
  ],
  [
    'members that have their share',
    { c1: { ...t, owned: 't-0 t-1' }, c2: { ...t, owned: 't-2' }, c3: t },
    { t: 4 },
    { c1: 't-0 t-1', c2: 't-2', c3: 't-3' },
  ],
  [
    'one that claims the same from the generation before',
    {
      c1: { ...both, owned: 't1-0 t1-2 t2-1', generation: 10 },
      c2: { ...both, owned: 't1-0 t1-2 t2-1', generation: 9 },
    },
    { t1: 3, t2: 3 },
    { c1: 't1-0 t1-2 t2-1', c2: 't1-1 t2-0 t2-2' },
  ],
  [
    'one that claims partly the same from long before',
    {
      c1: { ...both, owned: 't1-0 t2-1 t1-1', generation: 10 },
      c2: { ...both, owned: 't1-0 t2-1 t2-2', generation: 8 },
    },
    { t1: 3, t2: 3 },
    { c1: 't1-0 t1-1 t2-1', c2: 't1-2 t2-0 t2-2' },
  ],
  [
    'one partition that two of one generation claim',
    { c1: { ...t, owned: 't-0 t-1' }, c2: { ...t, owned: 't-0 t-2' }, c3: { ...t, generation: 1 } },
    { t: 3 },
    { c1: 't-1', c2: 't-2', c3: 't-0' },
    't-0',
  ],
  [
    'one partition that two of one generation claim, and one more',
    { c1: { ...t, owned: 't-0 t-1' }, c2: { ...t, owned: 't-0 t-2' }, c3: { ...t, generation: 1 } },
    { t: 4 },
    { c1: 't-1 t-3', c2: 't-2', c3: 't-0' },
    't-0',
  ],
  [
    'claims of three generations',
    {
      c1: { topics: 't1 t2 t3', owned: 't1-0 t2-0 t3-0', generation: 10 },
      c2: { topics: 't1 t2 t3', owned: 't1-1 t2-1 t3-1', generation: 9 },
      c3: { topics: 't1 t2 t3', owned: 't2-1 t3-0 t3-2', generation: 8 },
    },
    { t1: 3, t2: 3, t3: 3 },
    { c1: 't1-0 t2-0 t3-0', c2: 't1-1 t2-1 t3-1', c3: 't1-2 t2-2 t3-2' },
  ],
  [
    'a new member beside those of three generations',
    {
      c1: { topics: 't t1 t2 t3' },
      c2: { topics: 't t1 t2 t3', owned: 't-0 t2-0 t1-0', generation: 9 },
      c3: { topics: 't t1 t2 t3', owned: 't3-2 t2-2 t1-1', generation: 8 },
      c4: { topics: 't t1 t2 t3', owned: 't3-1 t-1 t-2', generation: 7 },
    },
    { t: 3, t1: 3, t2: 3, t3: 3 },
    { c1: 't1-2 t2-1 t3-0', c2: 't-0 t1-0 t2-0', c3: 't1-1 t2-2 t3-2', c4: 't-1 t-2 t3-1' },
  ],
  [
    'three topics in turn',
    { c1: { topics: 't1 t2 t3' }, c2: { topics: 't1 t2 t3' }, c3: { topics: 't1 t2 t3' } },
    { t1: 6, t2: 7, t3: 2 },
    { c1: 't1-0 t1-3 t2-0 t2-3 t2-6', c2: 't1-1 t1-4 t2-1 t2-4 t3-0', c3: 't1-2 t1-5 t2-2 t2-5 t3-1' },
  ],
  [
    'three topics, of which one member has two',
    { c1: { topics: 't1 t2 t3' }, c2: { topics: 't1 t2 t3' }, c3: { topics: 't1 t3' } },
    { t1: 6, t2: 7, t3: 2 },
    { c1: 't1-5 t2-0 t2-2 t2-4 t2-6', c2: 't1-3 t2-1 t2-3 t2-5 t3-0', c3: 't1-0 t1-1 t1-2 t1-4 t3-1' },
  ],
]

describe.each(CASES)('divides as in Kafka: %s', (_, members, partitions, expected, withheld) => {
  test('sticky', () => {
    expect(divide(sticky, members, partitions)).toEqual(expected)
  })

  test('cooperative-sticky', () => {
    const hidden = (withheld ?? '').split(' ')
    const atFirst = Object.entries(expected).map(([memberId, text]) => {
      return [
        memberId,
        text
          .split(' ')
          .filter((word) => !hidden.includes(word))
          .join(' '),
      ]
    })
    expect(divide(cooperativeSticky, members, partitions)).toEqual(Object.fromEntries(atFirst))
  })
})

test('a partition goes back to who had it before, where members subscribe to different topics', () => {
  const members = {
    c1: { topics: 't1', owned: 't1-0 t1-1 t1-2 t1-3', generation: 1 },
    c2: { topics: 't1 t2 t3', owned: 't1-0 t1-1 t1-2 t1-3 t2-0 t2-1 t2-2 t2-3 t3-0 t3-1 t3-2 t3-3', generation: 2 },
    c3: { topics: 't1 t2', owned: 't2-0 t2-1 t2-2 t2-3', generation: 1 },
  }
  const assigned = divide(sticky, members, { t1: 4, t2: 4, t3: 4 })
  expect(assigned).toEqual({
    c1: 't1-0 t1-1 t1-2 t1-3',
    c2: 't3-0 t3-1 t3-2 t3-3',
    c3: 't2-0 t2-1 t2-2 t2-3',
  })
})

test('of several that had a partition before, the first gets it back', () => {
  const before = { topics: 't', owned: 't-0', generation: 1 }
  const members = {
    c1: { topics: 't' },
    c2: before,
    c3: before,
    c4: { topics: 't other', owned: 't-0 t-1 t-2 t-3', generation: 2 },
  }
  expect(divide(sticky, members, { t: 4 })).toEqual({ c1: 't-1', c2: 't-0', c3: 't-2', c4: 't-3' })
})

test('of what is owned the highest partitions are given up, whatever the topic', () => {
  const members = { c1: { ...both, owned: 't1-0 t1-1 t1-2 t2-0 t2-1 t2-2' }, c2: both }
  expect(divide(sticky, members, { t1: 3, t2: 3 })).toEqual({ c1: 't1-0 t1-1 t2-0', c2: 't1-2 t2-1 t2-2' })
})

test('user data of version 0 is read, which has no generation', () => {
  const told = ['c1', 'c2'].map((memberId, index) => {
    const member = toldTo(sticky, memberId, { topics: 't', owned: `t-${1 - index}` })
    return { ...member, userData: member.userData!.subarray(0, -4) }
  })
  const assignment = sticky.assign(told, new Map([['t', 2]]))
  expect(assignment.get('c1')).toEqual(partitionsIn('t-1'))
  expect(assignment.get('c2')).toEqual(partitionsIn('t-0'))
})

test('user data that cannot be read counts for nothing', () => {
  const told = toldTo(sticky, 'c1', { topics: 't', owned: 't-0' })
  for (const userData of [new Uint8Array(), Uint8Array.from([9]), Uint8Array.from([127, 255, 255, 255, 0])]) {
    const assignment = sticky.assign([{ ...told, userData }], new Map([['t', 1]]))
    expect(assignment.get('c1')).toEqual(partitionsIn('t-0'))
  }
})
