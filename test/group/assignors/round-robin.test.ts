import { expect, test } from 'vitest'
import { roundRobin } from '../../../src/group/assignors/round-robin.ts'
import { divide, simpleCases, type AssignorCase } from '../../helpers/assignments.ts'

const both = { topics: 't1 t2' }
const instances = {
  c1: { ...both, instanceId: 'instance1' },
  c2: { ...both, instanceId: 'instance2' },
  c3: { ...both, instanceId: 'instance3' },
}

// the cases of Kafka's RoundRobinAssignorTest
test.each<AssignorCase>([
  ...simpleCases,
  ['two topics', { c1: both, c2: both }, { t1: 3, t2: 3 }, { c1: 't1-0 t1-2 t2-1', c2: 't1-1 t2-0 t2-2' }],
  [
    'static members, in the order of their instance ids',
    { 'consumer-b': { ...both, instanceId: 'instance1' }, 'consumer-a': { ...both, instanceId: 'instance2' } },
    { t1: 3, t2: 3 },
    { 'consumer-b': 't1-0 t1-2 t2-1', 'consumer-a': 't1-1 t2-0 t2-2' },
  ],
  [
    'a static member before a dynamic one',
    { 'consumer-b': { ...both, instanceId: 'instance1' }, 'consumer-a': both },
    { t1: 3, t2: 3 },
    { 'consumer-b': 't1-0 t1-2 t2-1', 'consumer-a': 't1-1 t2-0 t2-2' },
  ],
  [
    'a dynamic member behind static ones',
    { ...instances, c5: both },
    { t1: 3, t2: 3 },
    { c1: 't1-0 t2-1', c2: 't1-1 t2-2', c3: 't1-2', c5: 't2-0' },
  ],
  [
    'static members alone',
    instances,
    { t1: 5, t2: 5 },
    { c1: 't1-0 t1-3 t2-1 t2-4', c2: 't1-1 t1-4 t2-2', c3: 't1-2 t2-0 t2-3' },
  ],
])('divides as in Kafka: %s', (_, members, partitions, expected) => {
  expect(divide(roundRobin, members, partitions)).toEqual(expected)
})
