import { expect, test } from 'vitest'
import { LOADS } from '../../../src/cli/comparison/loads.ts'
import { comparisonReport } from '../../../src/cli/comparison/report.ts'
import { sampleComparison } from '../../helpers/sample-comparison.ts'

const plain = (_style: string, text: string) => text

test.each([80, 100])('at %d columns no line is longer', (columns) => {
  const lines = comparisonReport(sampleComparison(), columns, plain)
  expect(lines.filter((line) => line.length > columns)).toEqual([])
})

test('every load has a row in the table and a bar', () => {
  const text = comparisonReport(sampleComparison(), 100, plain).join('\n')
  for (const name of new Set(LOADS.map((load) => load.name))) {
    const rows = LOADS.filter((load) => load.name === name).length
    expect(text.match(new RegExp(`^  ${name} `, 'gm'))).toHaveLength(2 * rows)
  }
  expect(text).toContain('256 appends in flight')
})

test('a faster mode has a longer bar', () => {
  const lines = comparisonReport(sampleComparison(), 100, plain).filter((line) => line.includes('█'))
  const length = (name: string) => /█+/.exec(lines.find((line) => line.startsWith(`  ${name} `))!)![0].length
  expect(length('group')).toBeLessThan(length('window 1 ms'))
  expect(length('window 10 ms')).toBeLessThan(length('os'))
})

test('it ends by saying what the figures mean', () => {
  const text = comparisonReport(sampleComparison(), 200, plain).join('\n')
  expect(text).toContain('On this disk a sync takes 98 µs (p99 310 µs), so')
  expect(text).toContain(
    "'group' with 256 in flight does 700 k records/s: it costs 42 % of the speed of 'os' (1.20 M) and loses nothing.",
  )
  expect(text).toContain("A window of 10 ms, one record at a time, is 30 times as fast as 'group' (300 k records/s)")
  expect(text).toContain('cost 6.00 ms of work, 1,800 records or 1.2 MB')
  expect(text).toContain("'os' bounds nothing: its worst run had 974,400 records or 657 MB at risk.")
})

test('a tie is called a tie', () => {
  const sample = sampleComparison()
  const [os] = sample.loads.slice(-1)
  const loads = sample.loads.map((load) =>
    load.name === 'group' ? { ...load, recordsPerSecond: os.recordsPerSecond } : load,
  )
  const text = comparisonReport({ ...sample, loads }, 200, plain).join('\n')
  expect(text).toContain("does 1.20 M records/s, as fast as 'os', and loses nothing.")
  expect(text).toContain("one record at a time, gains nothing over 'group'")
})

test('a time beyond its window is explained', () => {
  const sample = sampleComparison()
  const text = (loads: typeof sample.loads) => comparisonReport({ ...sample, loads }, 200, plain).join(' ')
  expect(text(sample.loads)).not.toContain('beyond its window')
  const late = sample.loads.map((load) => ({ ...load, loss: { ...load.loss, ms: load.loss.ms * 3 } }))
  expect(text(late)).toContain('A time beyond its window is one for which this process waited for a processor')
})
