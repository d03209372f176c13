import { expect, test } from 'vitest'
import { range } from '../../../src/group/assignors/range.ts'
import { divide, simpleCases, type AssignorCase } from '../../helpers/assignments.ts'

const both = { topics: 't1 t2' }

// the cases of Kafka's RangeAssignorTest, those with racks apart
test.each<AssignorCase>([
  ...simpleCases,
  ['a topic named twice', { c1: { topics: 't1 t1' }, c2: { topics: 't1' } }, { t1: 2 }, { c1: 't1-0', c2: 't1-1' }],
  [
    'two topics that do not come out even',
    { c1: both, c2: both },
    { t1: 3, t2: 3 },
    { c1: 't1-0 t1-1 t2-0 t2-1', c2: 't1-2 t2-2' },
  ],
  [
    'static members, in the order of their instance ids',
    { 'consumer-b': { ...both, instanceId: 'instance1' }, 'consumer-a': { ...both, instanceId: 'instance2' } },
    { t1: 3, t2: 3 },
    { 'consumer-b': 't1-0 t1-1 t2-0 t2-1', 'consumer-a': 't1-2 t2-2' },
  ],
  [
    'a static member before a dynamic one',
    { 'consumer-b': { ...both, instanceId: 'instance1' }, 'consumer-a': both },
    { t1: 3, t2: 3 },
    { 'consumer-b': 't1-0 t1-1 t2-0 t2-1', 'consumer-a': 't1-2 t2-2' },
  ],
  [
    'a dynamic member behind static ones',
    {
      c1: { ...both, instanceId: 'instance1' },
      c2: { ...both, instanceId: 'instance2' },
      c3: { ...both, instanceId: 'instance3' },
      c5: both,
    },
    { t1: 5, t2: 4 },
    { c1: 't1-0 t1-1 t2-0', c2: 't1-2 t2-1', c3: 't1-3 t2-2', c5: 't1-4 t2-3' },
  ],
])('divides as in Kafka: %s', (_, members, partitions, expected) => {
  expect(divide(range, members, partitions)).toEqual(expected)
})

test('static members keep their partitions under new member ids', () => {
  const partitions = { t1: 5, t2: 5 }
  const before = divide(range, { c1: { ...both, instanceId: 'i1' }, c2: { ...both, instanceId: 'i2' } }, partitions)
  const after = divide(range, { c9: { ...both, instanceId: 'i1' }, c0: { ...both, instanceId: 'i2' } }, partitions)
  expect([after['c9'], after['c0']]).toEqual([before['c1'], before['c2']])
})

test('partitions of one number meet in one member', () => {
  const assigned = divide(range, { c1: both, c2: both, c3: both }, { t1: 8, t2: 8 })
  for (const text of Object.values(assigned)) {
    const numbers = ['t1', 't2'].map((topic) =>
      text.split(' ').flatMap((word) => word.match(`^${topic}-(.*)`)?.[1] ?? []),
    )
    expect(numbers[0]).toEqual(numbers[1])
  }
})
