/**
 * Which library does the work, and what is said when there is none.
 */
import * as zlib from 'node:zlib'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { loadOptional } from '../../src/codec/optional-package.ts'
import type * as Compression from '../../src/codec/compression.ts'
import { SAMPLE_CONTENT, ZSTD_SAMPLE, ZSTD_STREAMED_SAMPLE } from './compression.samples.ts'

beforeEach(() => {
  vi.resetModules()
})
afterEach(() => {
  vi.doUnmock('../../src/codec/optional-package.ts')
  vi.doUnmock('node:zlib')
})

const notInstalled = new Error('Cannot find module')

/** Loads the module anew, as on a machine with only these packages and, in its node:zlib, only these functions for zstd. */
async function compressionWith(packages: Record<string, unknown>, zstd: object = {}): Promise<typeof Compression> {
  const load = vi.fn<typeof loadOptional>((name) =>
    name in packages ? { exports: packages[name] as never } : { error: notInstalled },
  )
  vi.doMock('../../src/codec/optional-package.ts', () => ({ loadOptional: load }))
  vi.doMock('node:zlib', () => ({ ...zlib, zstdCompressSync: undefined, zstdDecompressSync: undefined, ...zstd }))
  return await import('../../src/codec/compression.ts')
}

test.each([
  ['snappy', 'npm install snappyjs'],
  ['lz4', 'npm install lz4-napi'],
  ['zstd', 'npm install @toondepauw/node-zstd, or run Node 22.15 or later'],
] as const)('without its package %s is unavailable, and the error names what to install', async (type, remedy) => {
  const { assertCompressionAvailable, compress, decompress, isCompressionAvailable } = await compressionWith({})
  expect(isCompressionAvailable(type)).toBe(false)
  const refusal = expect.objectContaining({
    code: 'UNSUPPORTED_COMPRESSION_TYPE',
    message: `${type} compression is not available here: ${remedy}`,
    cause: notInstalled,
  }) as unknown
  expect(() => assertCompressionAvailable(type)).toThrow(refusal)
  expect(() => compress(type, SAMPLE_CONTENT)).toThrow(refusal)
  expect(() => decompress(type, SAMPLE_CONTENT, 10)).toThrow(refusal)
})

test.each(['none', 'gzip'] as const)('%s needs no package', async (type) => {
  const { compress, decompress, isCompressionAvailable } = await compressionWith({})
  expect(isCompressionAvailable(type)).toBe(true)
  expect(decompress(type, compress(type, SAMPLE_CONTENT), SAMPLE_CONTENT.length).equals(SAMPLE_CONTENT)).toBe(true)
})

test('a package is loaded when its type is first used, and once', async () => {
  const { compress } = await compressionWith({ snappyjs: loadOptional('snappyjs').exports })
  const { loadOptional: load } = await import('../../src/codec/optional-package.ts')
  compress('gzip', SAMPLE_CONTENT)
  expect(load).not.toHaveBeenCalled()
  compress('snappy', SAMPLE_CONTENT)
  compress('snappy', SAMPLE_CONTENT)
  expect(vi.mocked(load).mock.calls).toEqual([['snappy'], ['snappyjs']])
})

test('the native snappy is preferred to snappyjs', async () => {
  const native = {
    compressSync: vi.fn<(block: Buffer) => Buffer>((block) => block),
    uncompressSync: vi.fn<(block: Buffer) => Buffer>(() => Buffer.from('native')),
  }
  const { compress, decompress } = await compressionWith({ snappy: native, snappyjs: {} })
  compress('snappy', SAMPLE_CONTENT)
  expect(native.compressSync).toHaveBeenCalledTimes(7)
  expect(decompress('snappy', Buffer.from([6, 0, 0]), 6).toString()).toBe('native')
})

test('the zstd of node:zlib is preferred to a package, and given one frame and what is left of the limit at a time', async () => {
  const builtIn = {
    zstdCompressSync: vi.fn<(bytes: Buffer) => Buffer>(() => ZSTD_SAMPLE),
    zstdDecompressSync: vi.fn<(bytes: Buffer, options: { maxOutputLength: number }) => Buffer>(() => SAMPLE_CONTENT),
  }
  const { compress, decompress } = await compressionWith({}, builtIn)
  expect(compress('zstd', SAMPLE_CONTENT)).toBe(ZSTD_SAMPLE)
  expect(builtIn.zstdCompressSync).toHaveBeenCalledWith(SAMPLE_CONTENT, { pledgedSrcSize: SAMPLE_CONTENT.length })

  const twice = 2 * SAMPLE_CONTENT.length
  expect(decompress('zstd', Buffer.concat([ZSTD_SAMPLE, ZSTD_STREAMED_SAMPLE]), twice).length).toBe(twice)
  expect(builtIn.zstdDecompressSync.mock.calls).toEqual([
    [ZSTD_SAMPLE, { maxOutputLength: twice }],
    [ZSTD_STREAMED_SAMPLE, { maxOutputLength: SAMPLE_CONTENT.length }],
  ])
})

test('a node:zlib that says nothing of a frame cut short does not hide it', async () => {
  const builtIn = { zstdCompressSync: () => ZSTD_SAMPLE, zstdDecompressSync: () => SAMPLE_CONTENT }
  const { decompress } = await compressionWith({}, builtIn)
  expect(() => decompress('zstd', ZSTD_SAMPLE.subarray(0, -1), SAMPLE_CONTENT.length)).toThrow(
    'frame that is cut short',
  )
})
