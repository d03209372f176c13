import { expect, test } from 'vitest'
import { judge } from '../../bench/judge.ts'
import { spreadOf } from '../../bench/statistics.ts'
import { describeResult } from '../../bench/table.ts'
import type { Goal, Measured, Spread } from '../../bench/workload.ts'

const spread = (median: number, max = median): Spread => ({ median, min: median, max })
const rates = (variant: string, rate: Spread, ratio?: number): Measured => ({
  variant,
  runs: 5,
  metrics: { recordsPerSecond: rate },
  ...(ratio === undefined ? {} : { ratio: spread(ratio) }),
})
const ATLEAST: Goal = { metric: 'recordsPerSecond', floor: 'R3', atLeast: 0.9 }

function judged(goal: Goal, measured: Measured[]) {
  return judge({ name: 'fill', recordBytes: 100, variants: [], goals: [goal] }, measured)
}

test.each([
  [0.9, true, false],
  [0.89, false, false],
  [0.31, false, false],
  [0.29, false, true],
])('a ratio of %d where 0.9 is asked for: met %s, a blunder %s', (ratio, met, blunder) => {
  const measured = [rates('varve', spread(Math.round(1000 * ratio))), rates('R3', spread(1000), ratio)]
  expect(judged(ATLEAST, measured).goals[0]).toMatchObject({ value: ratio, met, blunder })
})

test('it is no blunder while the best runs are near', () => {
  const { goals } = judged(ATLEAST, [rates('varve', spread(50, 700)), rates('R3', spread(1000), 0.05)])
  expect(goals[0]).toMatchObject({ met: false, blunder: false })
})

test('it is no blunder while the median is near, whatever the best runs are', () => {
  const { goals } = judged(ATLEAST, [rates('varve', spread(500)), rates('R3', spread(1000, 9000), 0.5)])
  expect(goals[0]).toMatchObject({ met: false, blunder: false })
})

test.each([
  [1.4, 9, true, false],
  [4.4, 9, false, false],
  [4.6, 9, false, true],
  [4.6, 4.4, false, false],
])('a wait of %d times, at best %d, where 1.5 is asked for: met %s, a blunder %s', (times, best, met, blunder) => {
  const wait = (variant: string, median: number, min: number): Measured => ({
    variant,
    runs: 5,
    metrics: { latencyP50Us: { median, min, max: 99 } },
  })
  const goal: Goal = { metric: 'latencyP50Us', floor: 'pread', atMost: 1.5 }
  const result = judged(goal, [wait('varve', 10 * times, 10 * best), wait('pread', 10, 10)])
  expect(result.goals[0]).toMatchObject({ met, blunder })
  expect(result.goals[0].value).toBeCloseTo(times)
  expect(describeResult(result).join('\n')).toContain('of the median wait of pread, wanted: at most 1.50')
})

test('a ratio that the disk decides is told, and is never a blunder', () => {
  const goal = { ...ATLEAST, toldOnly: true }
  const { goals } = judged(goal, [rates('varve', spread(1)), rates('R3', spread(1000), 0.001)])
  expect(goals[0]).toMatchObject({ met: false, blunder: false })
})

test('a bound without a floor is told, and is never a blunder', () => {
  const result = judged({ metric: 'ms', atMost: 5 }, [{ variant: 'varve', runs: 1, metrics: { ms: spread(100) } }])
  expect(result.goals[0]).toMatchObject({ value: 100, met: false, blunder: false })
  expect(describeResult(result).join('\n')).toContain('✗ 100 ms, wanted: at most 5.00 ms')
})

test('a bound that holds always is held against the worst run of the variant that it names', () => {
  const measured = [rates('varve', spread(1)), { variant: 'loss', runs: 3, metrics: { lossMs: spreadOf([9, 8, 12]) } }]
  const goal: Goal = { metric: 'lossMs', variant: 'loss', atMost: 10, always: true }
  expect(judged(goal, measured).goals[0]).toMatchObject({ value: 12, met: false })
  expect(judged({ ...goal, always: false }, measured).goals[0]).toMatchObject({ value: 9, met: true })
})

test('a goal of another variant is held against its own rate, not the ratio of the first', () => {
  const measured = [rates('varve', spread(900)), rates('slow', spread(500)), rates('R3', spread(1000), 0.9)]
  const result = judged({ ...ATLEAST, variant: 'slow' }, measured)
  expect(result.goals[0]).toMatchObject({ value: 0.5, met: false })
  expect(describeResult(result).join('\n')).toContain('✗ 0.50 of R3 (slow), wanted: at least 0.90')
})

test('a goal for what was not measured is a mistake in the benchmark', () => {
  const measured = [rates('varve', spread(1))]
  expect(() => judged({ metric: 'ms', atMost: 5 }, measured)).toThrow('varve has no ms')
  expect(() => judged(ATLEAST, measured)).toThrow('no variant R3')
})
