/**
 * A few bytes that stand for very many must not take the memory. A file of its own, since it measures the process's peak.
 */
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { compress, decompress, type CompressionType } from '../../src/codec/compression.ts'
import { ZSTD_STREAMED_SAMPLE } from './compression.samples.ts'

const MIB = 1024 * 1024
const LIMIT = 8 * MIB
const BOMB = 512 * MIB

const peakBytes = () => process.resourceUsage().maxRSS * 1024

function repeat(unit: Buffer, times: number): Buffer {
  return Buffer.alloc(unit.length * times, unit)
}

function gzipBomb(): Buffer {
  return repeat(gzipSync(Buffer.alloc(MIB)), BOMB / MIB)
}

/** Blocks of 4 MiB of zeros, taken from a frame of one: behind its header of 7 bytes and before its end mark of 4. */
function lz4Bomb(): Buffer {
  const frame = compress('lz4', Buffer.alloc(4 * MIB))
  return Buffer.concat([frame.subarray(0, 7), repeat(frame.subarray(7, -4), BOMB / (4 * MIB)), Buffer.alloc(4)])
}

/** Blocks of one byte repeated 128 KiB times, 4 bytes each. */
function zstdRunBomb(): Buffer {
  const blockBytes = MIB / 8
  const block = Buffer.from([((blockBytes << 3) | (1 << 1)) & 0xff, (blockBytes >>> 5) & 0xff, blockBytes >>> 13, 0])
  const last = Buffer.from([1, 0, 0])
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58]), repeat(block, BOMB / blockBytes), last])
}

/** Frames of 4 MiB. */
function zstdFramesBomb(): Buffer {
  return repeat(compress('zstd', Buffer.alloc(4 * MIB)), BOMB / (4 * MIB))
}

/** One frame whose compressed blocks are the sample's first one, then its second over and over: 96,628 bytes each. */
function zstdBlocksBomb(): Buffer {
  const secondAt = ZSTD_STREAMED_SAMPLE.length - 12
  const second = Buffer.from(ZSTD_STREAMED_SAMPLE.subarray(secondAt))
  expect(second[0] & 7).toBe(0b101)
  second[0] &= ~1
  const frame = (times: number) =>
    Buffer.concat([ZSTD_STREAMED_SAMPLE.subarray(0, secondAt), repeat(second, times), Buffer.from([1, 0, 0])])
  expect(decompress('zstd', frame(3), LIMIT).length).toBe(128 * 1024 + 3 * 96_628)
  return frame(BOMB / 96_628)
}

/** A raw block that declares 512 MiB: its size as a varint, and one literal. */
function snappyBomb(): Buffer {
  return Buffer.from([0x80, 0x80, 0x80, 0x80, 0x02, 0, 0])
}

/** A stream of blocks of 64 KiB of zeros. */
function snappyStreamBomb(): Buffer {
  const stream = compress('snappy', Buffer.alloc(32 * 1024))
  return Buffer.concat([stream.subarray(0, 16), repeat(stream.subarray(16), BOMB / (32 * 1024))])
}

test.each<[string, CompressionType, () => Buffer]>([
  ['gzip', 'gzip', gzipBomb],
  ['lz4', 'lz4', lz4Bomb],
  ['zstd of repeated bytes', 'zstd', zstdRunBomb],
  ['zstd of frames', 'zstd', zstdFramesBomb],
  ['zstd of compressed blocks', 'zstd', zstdBlocksBomb],
  ['snappy of one block', 'snappy', snappyBomb],
  ['snappy of many blocks', 'snappy', snappyStreamBomb],
])('a bomb of %s is refused before it takes memory', (_, type, make) => {
  decompress(type, compress(type, Buffer.alloc(LIMIT)), LIMIT)
  const bomb = make()
  const message: unknown = expect.stringMatching(/(more than|larger than|up to) \d+ bytes/)
  const tooLarge: unknown = expect.objectContaining({ code: 'CORRUPT_MESSAGE', message })
  const before = peakBytes()
  expect(() => decompress(type, bomb, LIMIT)).toThrow(tooLarge)
  expect(peakBytes() - before).toBeLessThan(LIMIT + 16 * MIB)
})
