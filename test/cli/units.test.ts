import { expect, test } from 'vitest'
import {
  countOf,
  formatAge,
  formatBytes,
  formatCount,
  formatRate,
  formatSeconds,
  formatTime,
  parseTime,
} from '../../src/cli/units.ts'

test('counts have separators, and nouns a plural', () => {
  expect(formatCount(1234567)).toBe('1,234,567')
  expect(countOf(1, 'record')).toBe('1 record')
  expect(countOf(0, 'record')).toBe('0 records')
})

test('sizes have two or three digits and a unit of powers of 1000', () => {
  const sizes = [0, 999, 1000, 1049, 9950, 12_345, 999_499, 999_500, 1_151_271, 10 ** 9, 2 ** 50]
  expect(sizes.map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '1.0 kB',
    '9.9 kB',
    '12.3 kB',
    '999 kB',
    '1.0 MB',
    '1.2 MB',
    '1.0 GB',
    '1.1 PB',
  ])
})

test('durations are read at a glance', () => {
  expect([0.208, 9.999, 12.34, 59.94, 245.2].map(formatSeconds)).toEqual([
    '0.21 s',
    '10.00 s',
    '12.3 s',
    '59.9 s',
    '4 min 05 s',
  ])
})

test('a rate is records, bytes, time and records per second', () => {
  expect(formatRate(1707, 1_151_271, 0.5)).toBe('1,707 records, 1.2 MB in 0.50 s (3,414 records/s)')
  expect(formatRate(1, 7, 0)).toBe('1 record, 7 B in 0.00 s (1,000 records/s)')
})

test('times are ISO 8601 in UTC, and a number beyond the calendar', () => {
  expect(formatTime(0)).toBe('1970-01-01T00:00:00.000Z')
  expect(formatTime(-1)).toBe('1969-12-31T23:59:59.999Z')
  expect(formatTime(9e15)).toBe('9000000000000000')
})

test('ISO 8601 is read with and without zone, and a zone that is left out is UTC', () => {
  const noon = Date.UTC(2026, 0, 31, 12)
  for (const text of [
    '2026-01-31T12:00Z',
    '2026-01-31T12:00',
    '2026-01-31T12:00:00',
    '2026-01-31T12:00:00.000Z',
    '2026-01-31t12:00:00,000z',
    '2026-01-31T13:00+01:00',
    '2026-01-31T13:00+0100',
    '2026-01-31T13:00+01',
    '2026-01-31T07:30:00-04:30',
  ]) {
    expect({ text, time: parseTime(text) }).toEqual({ text, time: noon })
  }
  expect(parseTime('2026-01-31')).toBe(Date.UTC(2026, 0, 31))
})

test('anything else is no time', () => {
  for (const text of [
    '',
    '12',
    '2026',
    '2026-01',
    '2026-13-01',
    'May 1',
    '2026-01-31 12:00',
    '2026-01-31T12',
    '2026-01-31Z',
    '-5',
  ]) {
    expect({ text, time: parseTime(text) }).toEqual({ text, time: null })
  }
})

test.each([
  [-5, '0 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [3_599_000, '59 min'],
  [3_600_000, '1 h'],
  [172_799_000, '47 h'],
  [172_800_000, '2 days'],
  [1_234 * 86_400_000, '1,234 days'],
])('an age of %d ms reads %s', (ms, text) => {
  expect(formatAge(ms)).toBe(text)
})
