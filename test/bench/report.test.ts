import { expect, test } from 'vitest'
import type { Goal, Measured, Spread } from '../../bench/harness.ts'
import { describeResult, judge } from '../../bench/report.ts'

const spread = (median: number, max = median): Spread => ({ median, min: median, max })
const rates = (variant: string, rate: Spread): Measured => ({ variant, metrics: { recordsPerSecond: rate } })
const ATLEAST: Goal = { metric: 'recordsPerSecond', floor: 'R3', atLeast: 0.8 }

function judged(goal: Goal, measured: Measured[]) {
  return judge({ name: 'fill', recordBytes: 100, variants: [], goals: [goal] }, measured)
}

test.each([
  [0.8, true, false],
  [0.79, false, false],
  [0.11, false, false],
  [0.09, false, true],
])('a ratio of %d where 0.8 is asked for: met %s, a blunder %s', (ratio, met, blunder) => {
  const { goals } = judged(ATLEAST, [rates('varve', spread(Math.round(1000 * ratio))), rates('R3', spread(1000))])
  expect(goals[0]).toMatchObject({ value: ratio, met, blunder })
})

test('it is no blunder while the best runs are near', () => {
  const { goals } = judged(ATLEAST, [rates('varve', spread(50, 700)), rates('R3', spread(1000))])
  expect(goals[0]).toMatchObject({ met: false, blunder: false })
})

test('a ratio that the disk decides is told, and is never a blunder', () => {
  const goal = { ...ATLEAST, decidedByDisk: true }
  const { goals } = judged(goal, [rates('varve', spread(1)), rates('R3', spread(1000))])
  expect(goals[0]).toMatchObject({ met: false, blunder: false })
})

test('a bound without a floor is told, and is never a blunder', () => {
  const result = judged({ metric: 'ms', atMost: 5 }, [{ variant: 'varve', metrics: { ms: spread(100) } }])
  expect(result.goals[0]).toMatchObject({ value: 100, met: false, blunder: false })
  expect(describeResult(result).join('\n')).toContain('✗ 100.0 ms, wanted: at most 5.0 ms')
})
