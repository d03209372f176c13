import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { crc32c } from '../../src/codec/checksum.ts'

afterEach(() => {
  vi.doUnmock('../../src/codec/optional-package.ts')
  vi.resetModules()
})

/** Loads the module anew with another answer to whether `@node-rs/crc32` is installed. */
async function checksumWith(native: object): Promise<typeof crc32c> {
  vi.resetModules()
  vi.doMock('../../src/codec/optional-package.ts', () => ({ loadOptional: () => native }))
  return (await import('../../src/codec/checksum.ts')).crc32c
}

/** CRC-32C as it is defined, one bit at a time. */
function definition(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) !== 0 ? 0x82f63b78 : 0)
  }
  return ~crc >>> 0
}

const whole = (bytes: Uint8Array) => crc32c(bytes, 0, bytes.length)

test('agrees with the published vectors', () => {
  expect(whole(Buffer.from('123456789'))).toBe(0xe3069283)
  // RFC 3720, appendix B.4
  expect(whole(new Uint8Array(32))).toBe(0x8a9136aa)
  expect(whole(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
  expect(whole(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
  expect(whole(Uint8Array.from({ length: 32 }, (_, i) => 31 - i))).toBe(0x113fdb5c)
})

test('agrees with the definition at every length around the step to native code, and far above it', () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24)
  for (const length of [0, 1, 15, 16, 17, 511, 512, 513, 1023, 1024, 1025, 70_000]) {
    expect(crc32c(bytes, 0, length), `${length} bytes`).toBe(definition(bytes.subarray(0, length)))
  }
})

test('covers the bytes from start up to end and no others', () => {
  const ranges = fc.uint8Array({ maxLength: 1500 }).chain((bytes) => {
    const position = fc.nat({ max: bytes.length })
    return fc.tuple(fc.constant(bytes), position, position)
  })
  fc.assert(
    fc.property(ranges, ([bytes, a, b]) => {
      const [start, end] = [Math.min(a, b), Math.max(a, b)]
      expect(crc32c(bytes, start, end)).toBe(definition(bytes.slice(start, end)))
      expect(crc32c(Buffer.from(bytes), start, end)).toBe(definition(bytes.slice(start, end)))
    }),
  )
})

test.each([
  [-1, 4],
  [3, 2],
  [0, 11],
  [Number.NaN, 4],
])('refuses the range %d to %d of 10 bytes', (start, end) => {
  expect(() => crc32c(new Uint8Array(10), start, end)).toThrow('invariant broken: checksum of')
})

test('gives the same without @node-rs/crc32', async () => {
  const withoutNative = await checksumWith({ error: new Error('not installed') })
  const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i * 7)
  for (const length of [9, 512, 5000])
    expect(withoutNative(bytes, 0, length)).toBe(definition(bytes.subarray(0, length)))
})

test('asks @node-rs/crc32, when installed, for long ranges only', async () => {
  const native = vi.fn<(bytes: Uint8Array) => number>(() => 77)
  const withNative = await checksumWith({ exports: { crc32c: native } })
  const bytes = new Uint8Array(4096)
  withNative(bytes, 0, 256)
  expect(native).not.toHaveBeenCalled()
  expect(withNative(bytes, 0, 1024)).toBe(77)
  expect(native).toHaveBeenCalledWith(bytes.subarray(0, 1024))
})
