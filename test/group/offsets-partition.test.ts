import { expect, test } from 'vitest'
import { offsetsPartitionFor } from '../../src/group/offsets-partition.ts'

test('a group is where Kafka looks for it', () => {
  // group ids and what Java gives for Math.abs(id.hashCode()) % 50, the smallest integer apart
  const inKafka = { '': 0, a: 47, 'my-group': 12, billing: 9, polygenelubricants: 0, 'счета-🔑': 12 }
  const here = Object.fromEntries(Object.keys(inKafka).map((groupId) => [groupId, offsetsPartitionFor(groupId)]))
  expect(here).toEqual(inKafka)
})

test('a topic with another number of partitions is no matter', () => {
  expect(offsetsPartitionFor('my-group', 1)).toBe(0)
  expect(offsetsPartitionFor('my-group', 7)).toBeLessThan(7)
})
