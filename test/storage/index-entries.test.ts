/** Where the entries of an index file end that was laid out ahead, in zeros. */
import { expect, test } from 'vitest'
import { countBeforeZeros } from '../../src/storage/index-entries.ts'

test.each<[what: string, entries: number[][], count: number]>([
  ['none where there is nothing', [], 0],
  ['one where there is one, whatever it holds', [[0, 0, 0, 0]], 1],
  [
    'none where all is zeros',
    [
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ],
    0,
  ],
  [
    'those before the zeros',
    [
      [0, 0, 0, 1],
      [0, 0, 0, 2],
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ],
    2,
  ],
  [
    'one that ends in zeros whole',
    [
      [0, 0, 0, 1],
      [1, 0, 0, 0],
      [0, 0, 0, 0],
    ],
    2,
  ],
  [
    'all where no zeros follow',
    [
      [0, 0, 0, 1],
      [0, 0, 0, 2],
    ],
    2,
  ],
  [
    'none that is not whole',
    [
      [0, 0, 0, 1],
      [0, 0, 0, 2],
      [0, 9],
    ],
    2,
  ],
])('%s', (_, entries, count) => {
  expect(countBeforeZeros(Buffer.from(entries.flat()), 4)).toBe(count)
})
