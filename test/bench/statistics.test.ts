import { expect, test } from 'vitest'
import { median, spreadOf, summarize } from '../../bench/statistics.ts'
import type { Variant } from '../../bench/workload.ts'

const variant = (name: string, about: Partial<Variant> = {}): Variant => ({ name, run: async () => ({}), ...about })

test('the middle of an even count is the greater of the two', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 3, 2])).toBe(3)
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 })
})

test('the ratio to a floor is taken run by run', () => {
  const samples = [
    [{ recordsPerSecond: 10 }, { recordsPerSecond: 100 }, { recordsPerSecond: 30 }],
    [{ recordsPerSecond: 20 }, { recordsPerSecond: 400 }, { recordsPerSecond: 10 }],
  ]
  const [ours, floor] = summarize([variant('varve'), variant('R3', { isFloor: true })], samples)
  expect(ours.ratio).toBeUndefined()
  expect(floor.ratio).toEqual({ median: 0.5, min: 0.25, max: 3 })
})

test('a variant that is no floor has no ratio, and what tells variants apart is kept', () => {
  const samples = [[{ recordsPerSecond: 1 }], [{ recordsPerSecond: 2 }]]
  const variants = [variant('a', { inFlight: 1, flush: 'os' }), variant('b', { inFlight: 256, flush: 10 })]
  expect(summarize(variants, samples)).toMatchObject([
    { variant: 'a', inFlight: 1, flush: 'os', runs: 1 },
    { variant: 'b', inFlight: 256, flush: 10, runs: 1 },
  ])
  expect(summarize(variants, samples)[1]).not.toHaveProperty('ratio')
})
