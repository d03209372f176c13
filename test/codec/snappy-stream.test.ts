import fc from 'fast-check'
import snappyjs from 'snappyjs'
import { expect, test } from 'vitest'
import { checkSnappyBlock, readSnappyStream, writeSnappyStream } from '../../src/codec/snappy-stream.ts'

const HEADER = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]
const literal = (text: string) => [(text.length - 1) << 2, ...Buffer.from(text)]

test('writes 32 KiB of input to a chunk, each behind its length', () => {
  const stream = writeSnappyStream(Buffer.alloc(70_000), (block) => Buffer.from(`<${block.length}>`))
  const chunk = (text: string) => [0, 0, 0, text.length, ...Buffer.from(text)]
  expect([...stream]).toEqual([...HEADER, ...chunk('<32768>'), ...chunk('<32768>'), ...chunk('<4464>')])
})

test('adds up what all blocks declare before it decompresses one', () => {
  const block = [3, ...literal('abc')]
  const stream = Buffer.from([...HEADER, 0, 0, 0, block.length, ...block, 0, 0, 0, block.length, ...block])
  const decompressed: Buffer[] = []
  const uncompress = (bytes: Buffer) => {
    decompressed.push(bytes)
    return Buffer.from('abc')
  }
  expect(() => readSnappyStream(stream, 5, uncompress)).toThrow('more than 5 bytes in snappy blocks')
  expect(decompressed).toEqual([])
  expect(readSnappyStream(stream, 6, uncompress).toString()).toBe('abcabc')
})

test.each([
  ['no bytes', [], 'a snappy block without its size'],
  ['a size that never ends', [0x80, 0x80, 0x80, 0x80, 0x80, 0x01], 'a snappy block without its size'],
  ['a chunk length that is cut short', [...HEADER, 0, 0, 0], 'a snappy chunk that is cut short'],
  ['a chunk that is cut short', [...HEADER, 0, 0, 0, 5, 3, 8, 97], 'a snappy chunk of 5 bytes'],
  ['an empty chunk', [...HEADER, 0, 0, 0, 0], 'a snappy chunk of 0 bytes'],
  ['a negative chunk length', [...HEADER, 0xff, 0xff, 0xff, 0xf0], 'a snappy chunk of -16 bytes'],
  ['a header that is cut short', HEADER.slice(0, 9), 'a snappy stream whose header is cut short'],
])('refuses %s', (_, bytes, message) => {
  expect(() => readSnappyStream(Buffer.from(bytes), 1000, (block) => block)).toThrow(message)
})

test('finds no fault with the blocks that a compressor makes', () => {
  const unit = fc.uint8Array({ minLength: 1, maxLength: 100 })
  fc.assert(
    fc.property(unit, fc.integer({ min: 1, max: 1000 }), unit, (repeated, times, noise) => {
      const content = Buffer.concat([noise, Buffer.alloc(repeated.length * times, repeated), noise])
      expect(() => checkSnappyBlock(snappyjs.compress(content))).not.toThrow()
    }),
  )
})

test.each([
  ['nothing', [0]],
  ['a literal with one byte of length', [70, 60 << 2, 69, ...Buffer.alloc(70)]],
  ['a literal with four bytes of length', [70, 63 << 2, 69, 0, 0, 0, ...Buffer.alloc(70)]],
  ['the longest copy of the first kind', [15, ...literal('abcd'), (7 << 2) | 1, 4]],
  ['a copy of the first kind from 256 back', [0x84, 2, 61 << 2, 0xff, 0, ...Buffer.alloc(256), (1 << 5) | 1, 0]],
  ['the longest copy of the second kind', [68, ...literal('abcd'), (63 << 2) | 2, 1, 0]],
  ['the longest copy of the third kind', [68, ...literal('abcd'), (63 << 2) | 3, 4, 0, 0, 0]],
])('takes a block of %s', (_, block) => {
  expect(() => checkSnappyBlock(Buffer.from(block))).not.toThrow()
})

test.each([
  ['a literal whose length is negative as an int32', [10, 63 << 2, 0xfa, 0xff, 0xff, 0xff, 1, 2, 3, 4]],
  ['a literal that is cut short', [4, 3 << 2, 1, 2, 3]],
  ['a literal length that is cut short', [70, 61 << 2, 69]],
  ['a copy that is cut short', [8, ...literal('abcd'), (3 << 2) | 2, 4]],
  ['a copy from before the start', [8, ...literal('abcd'), (3 << 2) | 2, 5, 0]],
  ['a copy from nowhere', [8, ...literal('abcd'), (3 << 2) | 2, 0, 0]],
  ['less than it declares', [5, ...literal('abcd')]],
  ['more than it declares', [3, ...literal('abcd')]],
  ['bytes behind what it declares', [4, ...literal('abcd'), ...literal('e')]],
])('refuses a block with %s', (_, block) => {
  expect(() => checkSnappyBlock(Buffer.from(block))).toThrow('a snappy block that')
})
