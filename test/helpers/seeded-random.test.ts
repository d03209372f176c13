import { expect, test } from 'vitest'
import { SeededRandom } from './seeded-random.ts'

test('one seed gives one sequence', () => {
  const sequence = (seed: number) => {
    const random = new SeededRandom(seed)
    return [random.next(), random.below(100), random.between(5, 9), random.pick(['a', 'b', 'c']), ...random.bytes(8)]
  }
  expect(sequence(42)).toEqual(sequence(42))
  expect(sequence(42)).not.toEqual(sequence(43))
})

test('numbers are spread evenly over [0, 1)', () => {
  const random = new SeededRandom(7)
  const counts = Array.from({ length: 10 }, () => 0)
  for (let draw = 0; draw < 100_000; draw++) counts[Math.floor(random.next() * 10)] += 1
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500)
})

test('a run can be repeated by the seed that it prints', () => {
  const first = new SeededRandom()
  const again = new SeededRandom(first.seed)
  expect(String(first)).toBe(`seed ${first.seed}`)
  expect(again.bytes(16)).toEqual(first.bytes(16))
})
