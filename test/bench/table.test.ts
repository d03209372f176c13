import { expect, test } from 'vitest'
import { formatMetric, formatRatio, formatSize } from '../../bench/figures.ts'
import { describeGoal, describeResult } from '../../bench/table.ts'
import type { Metric } from '../../bench/workload.ts'
import { around, sampleVariant } from './sample-document.ts'

test('a table has the columns that something was measured for, and no other', () => {
  const variants = [sampleVariant('varve', 5e5), sampleVariant('R3', 1e6, { ratio: around(0.5) })]
  const lines = describeResult({ workload: 'fill', recordBytes: 1024, detail: '16 in flight', variants, goals: [] })
  expect(lines[0]).toBe('fill, 1 KiB, 16 in flight')
  const [head, ours, floor] = lines[1].split('\n')
  expect(head.trim().split(/ {2,}/)).toEqual(['records/s', 'min - max', 'varve is', 'p50', 'p99'])
  expect(ours.trim().split(/ {2,}/)).toEqual(['varve', '500 k', '450 k - 550 k', '2.0 µs', '18 µs'])
  expect(floor.trim().split(/ {2,}/)).toEqual([
    'R3',
    '1.00 M',
    '900 k - 1.10 M',
    '0.50 x (0.45 - 0.55)',
    '1.0 µs',
    '9.0 µs',
  ])
})

test.each<[Metric, number, string]>([
  ['recordsPerSecond', 1_234_567, '1.23 M'],
  ['megabytesPerSecond', 0.1234, '0.123'],
  ['megabytesPerSecond', 1234.5, '1235'],
  ['latencyMaxUs', 12_345, '12.3 ms'],
  ['latencyP50Us', 2.44, '2.4 µs'],
  ['cpuUsPerRecord', 0.314, '0.31 µs'],
  ['lossMs', 9.98, '9.98 ms'],
  ['lossBytes', 1_234_567, '1.2 MB'],
  ['peakRssBytes', 81 * 1024 ** 2, '81 MiB'],
  ['rssGrowth', 1.049, '1.05'],
  ['movedPartitions', 20, '20'],
  ['movedAgainstLeast', 1, '1.00'],
  ['topicBytes', 1_234_567, '1.2 MB'],
  ['offsetsBytes', 29_900, '29.9 kB'],
])('%s of %d reads %s', (metric, value, text) => {
  expect(formatMetric(metric, value)).toBe(text)
})

test('where no records pass no size is told, and a bound is said in words', () => {
  const variants = [{ variant: 'sticky', runs: 5, metrics: { ms: around(2), movedAgainstLeast: around(1) } }]
  const moved = {
    metric: 'movedAgainstLeast' as const,
    variant: 'sticky',
    atMost: 1,
    value: 1,
    met: true,
    blunder: false,
  }
  const lines = describeResult({
    workload: 'rebalance',
    recordBytes: 0,
    detail: '100 members',
    variants,
    goals: [moved],
  })
  expect(lines[0]).toBe('rebalance, 100 members')
  expect(lines[2]).toBe('  ✓ 1.00 times the fewest that can move (sticky), wanted: at most 1.00')
})

test('bytes beside a floor are called bytes', () => {
  const goal = { metric: 'topicBytes' as const, floor: 'one group', atMost: 1, value: 1, met: true, blunder: false }
  expect(describeGoal(goal)).toBe('✓ 1.00 of the bytes of one group, wanted: at most 1.00')
})

test('ratios keep three digits at most', () => {
  expect([0.129, 1, 12.34, 123.4].map(formatRatio)).toEqual(['0.13', '1.00', '12.3', '123'])
})

test('sizes are those of memory', () => {
  expect([100, 1024, 16384, 1500].map(formatSize)).toEqual(['100 B', '1 KiB', '16 KiB', '1500 B'])
})
