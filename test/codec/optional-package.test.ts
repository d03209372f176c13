import { expect, test } from 'vitest'
import { loadOptional } from '../../src/codec/optional-package.ts'

test('a package that is installed is loaded', () => {
  const { exports } = loadOptional<{ version: string }>('crc-32')
  expect(exports?.version).toMatch(/^\d/)
})

test('a package that is not installed gives the reason instead of throwing', () => {
  expect(loadOptional('no-such-package')).toEqual({
    error: expect.objectContaining({ code: 'MODULE_NOT_FOUND' }) as unknown,
  })
})
