import { expect, test } from 'vitest'
import { comparisonSvg } from '../../../src/cli/comparison/svg.ts'
import { sampleComparison } from '../../helpers/sample-comparison.ts'

test('it is one well-formed document', () => {
  const svg = comparisonSvg(sampleComparison())
  expect(misplacedTags(svg)).toEqual([])
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/)
  expect(svg).not.toMatch(/NaN|undefined|Infinity/)
})

test('every mode has a point inside the picture', () => {
  const { loads } = sampleComparison()
  const points = [...comparisonSvg(sampleComparison()).matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)]
  expect(points).toHaveLength(loads.filter(({ inFlight }) => inFlight !== 16).length)
  for (const [, x, y] of points) {
    expect(Number(x)).toBeGreaterThan(92)
    expect(Number(x)).toBeLessThan(900)
    expect(Number(y)).toBeGreaterThanOrEqual(128)
    expect(Number(y)).toBeLessThanOrEqual(420)
  }
})

/** Tags that close nothing, or are never closed. */
function misplacedTags(svg: string): string[] {
  const open: string[] = []
  const misplaced: string[] = []
  for (const [tag, close, name, selfClosed] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
    if (close === '' && selfClosed === '') open.push(name)
    else if (close !== '' && open.pop() !== name) misplaced.push(tag)
  }
  return [...misplaced, ...open]
}
