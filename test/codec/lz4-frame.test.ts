import fc from 'fast-check'
import { compressFrameSync } from 'lz4-napi'
import { expect, test } from 'vitest'
import { checkLz4Frame } from '../../src/codec/lz4-frame.ts'
import { LZ4_INDEPENDENT_SAMPLE, LZ4_LINKED_SAMPLE, SAMPLE_CONTENT } from './compression.samples.ts'

test.each([
  ['independent blocks', LZ4_INDEPENDENT_SAMPLE],
  ['linked blocks, content size and all checksums', LZ4_LINKED_SAMPLE],
])('a frame of %s holds exactly its content', (_, frame) => {
  checkLz4Frame(frame, SAMPLE_CONTENT.length)
  expect(() => checkLz4Frame(frame, SAMPLE_CONTENT.length - 1)).toThrow(`more than ${SAMPLE_CONTENT.length - 1} bytes`)
})

test('the size of any content is found to the byte', () => {
  const unit = fc.uint8Array({ minLength: 1, maxLength: 400 })
  fc.assert(
    fc.property(unit, fc.integer({ min: 1, max: 1000 }), unit, (repeated, times, noise) => {
      const content = Buffer.concat([noise, Buffer.alloc(repeated.length * times, repeated), noise])
      const frame = compressFrameSync(content, { blockChecksums: times % 2 === 0, contentChecksum: times % 3 === 0 })
      checkLz4Frame(frame, content.length)
      expect(() => checkLz4Frame(frame, content.length - 1)).toThrow('more than')
    }),
  )
})

test('every part of a frame must be there, and nothing behind it', () => {
  for (const frame of [LZ4_INDEPENDENT_SAMPLE, LZ4_LINKED_SAMPLE]) {
    for (let length = 0; length < frame.length; length++) {
      expect(() => checkLz4Frame(frame.subarray(0, length), 2 ** 30), `${length}`).toThrow('LZ4')
    }
    expect(() => checkLz4Frame(Buffer.concat([frame, Buffer.alloc(1)]), 2 ** 30)).toThrow(
      'does not end where its bytes end',
    )
  }
})

/** A frame of one compressed block. */
function frameOf(...block: number[]): Buffer {
  return Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, block.length, 0, 0, 0, ...block, 0, 0, 0, 0])
}

test.each([
  ['literals', [0x50, 97, 98]],
  ['the length of its literals', [0xf0, 255]],
  ['the offset of a match', [0x10, 97, 1]],
  ['the length of a match', [0x1f, 97, 1, 0, 255]],
])('a block that is cut short in %s is refused', (_, block) => {
  expect(() => checkLz4Frame(frameOf(...block), 500)).toThrow('an LZ4 block whose last sequence is cut short')
})

test.each([
  ['another magic number', 0, 0x05, 'no LZ4 frame'],
  ['another version', 4, 0x20, 'version 1'],
  ['a dictionary', 4, 0x61, 'dictionary'],
])('a frame with %s is refused', (_, at, byte, message) => {
  const frame = Buffer.from(LZ4_INDEPENDENT_SAMPLE)
  frame[at] = byte
  expect(() => checkLz4Frame(frame, 2 ** 30)).toThrow(message)
})
