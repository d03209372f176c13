import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  assertCompressionAvailable,
  compress,
  compressionIds,
  compressionTypeOf,
  compressionTypes,
  decompress,
  isCompressionAvailable,
  type CompressionType,
} from '../../src/codec/compression.ts'
import { VarveError } from '../../src/errors.ts'
import {
  GZIP_SAMPLE,
  LZ4_INDEPENDENT_SAMPLE,
  LZ4_LINKED_SAMPLE,
  SAMPLE_CONTENT,
  ZSTD_SAMPLE,
  ZSTD_STREAMED_SAMPLE,
} from './compression.samples.ts'

const LIMIT = 1024 * 1024
const compressing = compressionTypes.filter((type) => type !== 'none')

/** A snappy stream of one chunk, byte by byte: header, chunk length, then size 9, literal of 9, the text. */
const SNAPPY_STREAM = Buffer.concat([
  Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]),
  Buffer.from([0, 0, 0, 11, 9, (9 - 1) << 2]),
  Buffer.from('PLAINDATA'),
])
/** A raw block: size 36, literal of 6, then a copy of 30 from 6 back. */
const SNAPPY_RAW = Buffer.from([36, (6 - 1) << 2, ...Buffer.from('REPEAT'), ((30 - 1) << 2) | 2, 6, 0])

/** The error for damaged data: it names the type and keeps the library's reason. */
function corrupt(type: CompressionType): unknown {
  const message: unknown = expect.stringMatching(new RegExp(`^cannot decompress \\d+ bytes of ${type}: .+; `))
  return expect.objectContaining({ code: 'CORRUPT_MESSAGE', message, cause: expect.any(Error) as unknown })
}

function outcome(type: CompressionType, bytes: Buffer, limit: number): string {
  try {
    return decompress(type, bytes, limit).length <= limit ? 'within the limit' : 'over the limit'
  } catch (error) {
    return error instanceof VarveError ? error.code : String(error)
  }
}

test('types have the ids that Kafka gave them', () => {
  expect(compressionIds).toEqual({ none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 })
  for (const type of compressionTypes) expect(compressionTypeOf(compressionIds[type])).toBe(type)
})

test.each([5, 6, 7])('id %d, which Kafka has not given out, is refused', (id) => {
  expect(() => compressionTypeOf(id)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_COMPRESSION_TYPE' }))
})

describe.each(compressionTypes)('%s', (type) => {
  test('is available with the development packages', () => {
    expect(isCompressionAvailable(type)).toBe(true)
    expect(() => assertCompressionAvailable(type)).not.toThrow()
  })

  test('gives back what was compressed, whatever it was and wherever it lay', () => {
    const repetitive = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 5000 }))
    const long = repetitive.map(([unit, times]) => Buffer.alloc(unit.length * times, unit))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 2000 }), long), fc.nat({ max: 20 }), (bytes, shift) => {
        const within = new Uint8Array(bytes.length + shift)
        within.set(bytes, shift)
        const output = decompress(type, compress(type, within.subarray(shift)), LIMIT)
        expect(Buffer.isBuffer(output) && output.equals(bytes)).toBe(true)
      }),
    )
  })

  test('keeps to the limit, to the byte', () => {
    const incompressible = Buffer.from(
      Array.from({ length: 70_000 }, (_, i) => Math.imul(i ^ (i >>> 7), 0x9e3779b1) >>> 24),
    )
    for (const content of [SAMPLE_CONTENT, incompressible, Buffer.alloc(300_000), Buffer.from('xy')]) {
      const compressed = compress(type, content)
      expect(decompress(type, compressed, content.length).length).toBe(content.length)
      expect(() => decompress(type, compressed, content.length - 1)).toThrow(corrupt(type))
    }
  })

  test('a limit that is no size is refused as a mistake of the caller', () => {
    for (const limit of [0, -1, 1.5, Number.NaN, Infinity, 2 ** 31]) {
      expect(() => decompress(type, compress(type, Buffer.from('a')), limit)).toThrow(RangeError)
    }
  })
})

describe.each(compressing)('damaged %s', (type) => {
  const content = SAMPLE_CONTENT.subarray(0, 2000)

  test('is reported as such, with the reason, when it is cut short or has bytes behind it', () => {
    const compressed = compress(type, content)
    // a snappy stream has no end mark: its header alone is a whole stream
    const lengths = Array.from(compressed.keys()).filter((length) => type !== 'snappy' || length !== 16)
    for (const length of lengths) {
      expect(() => decompress(type, compressed.subarray(0, length), LIMIT), `${length}`).toThrow(corrupt(type))
    }
    expect(() => decompress(type, Buffer.concat([compressed, Buffer.from('left over')]), LIMIT)).toThrow(corrupt(type))
  })

  test('never gives any other error, runs on, or comes to more than the limit', () => {
    const compressed = compress(type, content)
    const change = fc.tuple(fc.nat({ max: compressed.length - 1 }), fc.integer({ min: 1, max: 255 }))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const damaged = Buffer.from(compressed)
        for (const [at, bits] of changes) damaged[at] ^= bits
        expect(['within the limit', 'CORRUPT_MESSAGE']).toContain(outcome(type, damaged, 3000))
      }),
      { numRuns: 1000 },
    )
  })

  test('is what the data of another type is', () => {
    for (const other of compressing.filter((name) => name !== type)) {
      expect(() => decompress(type, compress(other, content), LIMIT)).toThrow(corrupt(type))
    }
    expect(() => decompress(type, Buffer.alloc(0), LIMIT)).toThrow(corrupt(type))
  })
})

describe('what Kafka clients write can be read:', () => {
  test.each<[string, CompressionType, Buffer]>([
    ['a gzip member', 'gzip', GZIP_SAMPLE],
    ['an LZ4 frame of linked blocks with content size and checksums', 'lz4', LZ4_LINKED_SAMPLE],
    ['an LZ4 frame of independent blocks', 'lz4', LZ4_INDEPENDENT_SAMPLE],
    ['a Zstandard frame with content size and checksum', 'zstd', ZSTD_SAMPLE],
    ['a Zstandard frame without either', 'zstd', ZSTD_STREAMED_SAMPLE],
  ])('%s', (_, type, bytes) => {
    expect(decompress(type, bytes, SAMPLE_CONTENT.length).equals(SAMPLE_CONTENT)).toBe(true)
  })

  test('snappy with and without framing, and streams one after another', () => {
    expect(decompress('snappy', SNAPPY_STREAM, LIMIT).toString()).toBe('PLAINDATA')
    expect(decompress('snappy', SNAPPY_RAW, LIMIT).toString()).toBe('REPEAT'.repeat(6))
    expect(decompress('snappy', Buffer.concat([SNAPPY_STREAM, SNAPPY_STREAM]), LIMIT).toString()).toBe(
      'PLAINDATAPLAINDATA',
    )
  })

  test('gzip members and Zstandard frames one after another, some of them skippable', () => {
    const twice = Buffer.concat([SAMPLE_CONTENT, SAMPLE_CONTENT])
    expect(decompress('gzip', Buffer.concat([GZIP_SAMPLE, GZIP_SAMPLE]), LIMIT).equals(twice)).toBe(true)
    const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
    const frames = Buffer.concat([ZSTD_SAMPLE, skippable, ZSTD_STREAMED_SAMPLE])
    expect(decompress('zstd', frames, twice.length).equals(twice)).toBe(true)
    expect(() => decompress('zstd', frames, twice.length - 1)).toThrow(corrupt('zstd'))
  })
})

describe('what is written is in the form that Kafka clients read:', () => {
  test('snappy in a xerial stream, in blocks of at most 32 KiB', () => {
    expect(compress('snappy', Buffer.from('PLAINDATA'))).toEqual(SNAPPY_STREAM)
    expect(compress('snappy', Buffer.alloc(0))).toEqual(SNAPPY_STREAM.subarray(0, 16))
    const stream = compress('snappy', SAMPLE_CONTENT)
    const sizes: number[] = []
    for (let at = 16; at < stream.length; at += 4 + stream.readInt32BE(at)) {
      // the block's own size, a varint of 3 bytes above 16,383
      sizes.push(
        (stream[at + 4] & 0x7f) | ((stream[at + 5] & 0x7f) << 7) | (stream[at + 5] > 127 ? stream[at + 6] << 14 : 0),
      )
    }
    expect(sizes).toEqual([32768, 32768, 32768, 32768, 32768, 32768, SAMPLE_CONTENT.length - 6 * 32768])
  })

  test('lz4 in a frame of version 1 with independent blocks, no dictionary and the right header checksum', () => {
    for (const content of [Buffer.from('short'), SAMPLE_CONTENT]) {
      const frame = compress('lz4', content)
      expect(frame.readUInt32LE(0)).toBe(0x184d2204)
      expect(frame[4] & 0b1110_0001).toBe(0b0110_0000)
    }
    // flags, 64 KiB blocks and checksum as lz4 1.9.4 writes them
    expect(compress('lz4', Buffer.from('short')).subarray(4, 7)).toEqual(LZ4_INDEPENDENT_SAMPLE.subarray(4, 7))
  })

  test('gzip and zstd by their magic numbers, none as it is', () => {
    expect(compress('gzip', SAMPLE_CONTENT).subarray(0, 3)).toEqual(Buffer.from([0x1f, 0x8b, 8]))
    expect(compress('zstd', SAMPLE_CONTENT).readUInt32LE(0)).toBe(0xfd2fb528)
    expect(compress('none', SAMPLE_CONTENT)).toBe(SAMPLE_CONTENT)
  })

  test.each(compressing)('%s makes repetitive records smaller', (type) => {
    expect(compress(type, SAMPLE_CONTENT).length).toBeLessThan(SAMPLE_CONTENT.length / 10)
  })
})
