import { expect, test } from 'vitest'
import { compress } from '../../src/codec/compression.ts'
import { findZstdFrames } from '../../src/codec/zstd-frame.ts'
import { SAMPLE_CONTENT, ZSTD_SAMPLE, ZSTD_STREAMED_SAMPLE } from './compression.samples.ts'

const BLOCK = 128 * 1024
const SKIPPABLE = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9])
const MAGIC = [0x28, 0xb5, 0x2f, 0xfd]

test.each([
  ['with content size and checksum', ZSTD_SAMPLE],
  ['without either', ZSTD_STREAMED_SAMPLE],
])('a frame %s is found whole, with a bound in blocks of 128 KiB', (_, frame) => {
  expect(findZstdFrames(frame)).toEqual([{ start: 0, end: frame.length, maxOutput: 2 * BLOCK }])
  expect(2 * BLOCK).toBeGreaterThanOrEqual(SAMPLE_CONTENT.length)
})

test('what this machine writes is one frame', () => {
  for (const size of [0, 1, 300, 70_000, 5_000_000]) {
    const bytes = compress('zstd', Buffer.alloc(size, 'varve'))
    const [frame, ...others] = findZstdFrames(bytes)
    expect([frame.start, frame.end, others]).toEqual([0, bytes.length, []])
    expect(frame.maxOutput).toBeGreaterThanOrEqual(size)
  }
})

test('frames are told apart, and skippable ones left out', () => {
  const bytes = Buffer.concat([SKIPPABLE, ZSTD_SAMPLE, SKIPPABLE, ZSTD_STREAMED_SAMPLE, SKIPPABLE])
  const second = SKIPPABLE.length * 2 + ZSTD_SAMPLE.length
  expect(findZstdFrames(bytes).map(({ start, end }) => [start, end])).toEqual([
    [SKIPPABLE.length, SKIPPABLE.length + ZSTD_SAMPLE.length],
    [second, second + ZSTD_STREAMED_SAMPLE.length],
  ])
})

test('raw and repeated blocks count for what they hold', () => {
  // window of 1 KiB; a raw block of 3 bytes; a last block of one byte 1,000 times
  const frame = Buffer.from([
    ...MAGIC,
    0,
    0,
    3 << 3,
    0,
    0,
    1,
    2,
    3,
    ((1000 << 3) & 0xff) | (1 << 1) | 1,
    1000 >> 5,
    0,
    7,
  ])
  expect(findZstdFrames(frame)).toEqual([{ start: 0, end: frame.length, maxOutput: 1003 }])
})

test('every size of the optional fields is stepped over', () => {
  for (const contentSize of [0, 1, 2, 3]) {
    for (const dictionary of [0, 1, 2, 3]) {
      for (const singleSegment of [0, 1]) {
        const fields = (singleSegment ? 0 : 1) + [0, 1, 2, 4][dictionary] + [singleSegment, 2, 4, 8][contentSize]
        const descriptor = (contentSize << 6) | (singleSegment << 5) | dictionary
        // fields of 0xff: taken for a block header, they would be one of an unknown type
        const frame = Buffer.from([...MAGIC, descriptor, ...Array<number>(fields).fill(0xff), 1, 0, 0])
        expect(findZstdFrames(frame)).toEqual([{ start: 0, end: frame.length, maxOutput: 0 }])
      }
    }
  }
})

test('every part of a frame must be there', () => {
  for (const frame of [ZSTD_SAMPLE, ZSTD_STREAMED_SAMPLE, SKIPPABLE]) {
    for (let length = 1; length < frame.length; length++) {
      expect(() => findZstdFrames(frame.subarray(0, length)), `${length}`).toThrow(
        'a Zstandard frame that is cut short',
      )
    }
  }
})

test.each([
  ['no bytes', Buffer.alloc(0), 'no Zstandard frame'],
  ['a skippable frame alone', SKIPPABLE, 'no Zstandard frame'],
  ['bytes behind the frame', Buffer.concat([ZSTD_SAMPLE, Buffer.from('left over')]), 'no Zstandard frame'],
  ['a block of the reserved type', Buffer.from([...MAGIC, 0, 0, 7, 0, 0]), 'unknown type'],
])('%s: refused', (_, bytes, message) => {
  expect(() => findZstdFrames(bytes)).toThrow(message)
})
