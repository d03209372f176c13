import { expect, test } from 'vitest'
import { formatMicroseconds, formatPercent, formatShort } from '../../../src/cli/comparison/figures.ts'

test.each([
  [0, '0'],
  [7, '7'],
  [7.25, '7.3'],
  [951, '951'],
  [999.4, '999'],
  [999.6, '1.00 k'],
  [9_812, '9.81 k'],
  [99_960, '100 k'],
  [1_312_000, '1.31 M'],
  [2e9, '2.00 G'],
])('%d is %s', (value, text) => {
  expect(formatShort(value)).toBe(text)
})

test.each([
  [2.31, '2.3 µs'],
  [83, '83 µs'],
  [999.7, '1.00 ms'],
  [4_214, '4.21 ms'],
  [140_000, '140 ms'],
  [1_200_000, '1.20 s'],
  [75e6, '75.0 s'],
  [0, '0 µs'],
])('%d microseconds are %s', (us, text) => {
  expect(formatMicroseconds(us)).toBe(text)
})

test.each([
  [0.934, '93 %'],
  [0.002, 'less than 1 %'],
  [1, '100 %'],
])('%d is %s', (share, text) => {
  expect(formatPercent(share)).toBe(text)
})
