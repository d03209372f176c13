import { expect, test } from 'vitest'
import { syntheticValues } from '../../../src/cli/comparison/values.ts'

test.each([1, 2, 10, 100, 1024, 100_000])('all values have %d bytes', (recordBytes) => {
  const values = syntheticValues(recordBytes)
  expect(new Set(values.map(({ length }) => length))).toEqual(new Set([recordBytes]))
})

test('they are not all the same byte, nor the same value, and the same at every run', () => {
  const values = syntheticValues(100)
  expect(new Set(values[0]).size).toBeGreaterThan(10)
  expect(new Set(values.map(String)).size).toBe(values.length)
  expect(Buffer.concat(syntheticValues(100)).equals(Buffer.concat(values))).toBe(true)
})
