/** Requests put together from whatever pieces they come in. */
import { getHeapStatistics } from 'node:v8'
import { expect, test } from 'vitest'
import { BufferPool } from '../../src/codec/buffer-pool.ts'
import { FrameReader } from '../../src/kafka/frames.ts'
import { sized } from '../helpers/kafka-scratch.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const PRODUCE = 0
const KIB = 1024

function reader(maxBytes = 1024 * KIB, plainMaxBytes = maxBytes): FrameReader {
  return new FrameReader(maxBytes, plainMaxBytes, (key) => key === PRODUCE, new BufferPool(0))
}

/** What comes of some bytes, cut as `next` says. */
function framesOf(frames: FrameReader, bytes: Buffer, next: () => number): Buffer[] {
  const found: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    // each piece has memory of its own, as what a socket reads has
    const piece = Buffer.from(bytes.subarray(at, (at += next())))
    for (const frame of frames.push(piece)) found.push(frame.bytes)
  }
  return found
}

test('requests are whole however they were cut', () => {
  const random = new SeededRandom()
  for (let round = 0; round < 200; round++) {
    const sent = Array.from({ length: random.between(1, 6) }, () => {
      const frame = Buffer.from(random.bytes(random.pick([10, 11, 500, 1023, 1024, 1025, 5000])))
      frame.writeInt16BE(PRODUCE, 0)
      return frame
    })
    const most = random.pick([1, 3, 700, 2000, 9000])
    const frames = reader()
    const found = framesOf(frames, Buffer.concat(sent.map(sized)), () => random.between(1, most))
    expect(
      found.map((frame) => frame.toString('hex')),
      `seed ${random.seed}`,
    ).toEqual(sent.map((frame) => frame.toString('hex')))
    expect(frames.isWithin).toBe(false)
  }
})

test('large requests are whole however they were cut, and small ones between them', () => {
  const random = new SeededRandom()
  for (let round = 0; round < 10; round++) {
    const sent = [3 * KIB * KIB + 7, 20, KIB * KIB, 2 * KIB * KIB].map((size) => {
      const frame = Buffer.from(random.bytes(size))
      frame.writeInt16BE(PRODUCE, 0)
      return frame
    })
    const most = random.pick([5_000, 70_000, 2_000_000])
    const frames = reader(4 * KIB * KIB)
    const found = framesOf(frames, Buffer.concat(sent.map(sized)), () => random.between(1, most))
    const areSame = found.length === sent.length && found.every((frame, i) => frame.equals(sent[i]))
    expect(areSame, `seed ${random.seed}`).toBe(true)
    expect(frames.isWithin).toBe(false)
  }
})

test('a request that comes byte by byte takes little more memory than it has bytes', () => {
  const bytes = sized(Buffer.alloc(256 * KIB))
  const frames = reader()
  const memory = () => getHeapStatistics().external_memory
  const before = memory()
  expect(framesOf(frames, bytes.subarray(0, -1), () => 1)).toEqual([])
  expect(frames.isWithin).toBe(true)
  expect(memory() - before).toBeLessThan(bytes.length * 8)
  expect(framesOf(frames, bytes.subarray(-1), () => 1).map(({ length }) => length)).toEqual([256 * KIB])
})

test('one that brings no records is refused above its own limit, before it has come', () => {
  const head = (size: number, key: number) => Buffer.from([0, 0, size >> 8, size & 0xff, key >> 8, key & 0xff])
  const push = (bytes: Buffer, next: number) => framesOf(reader(2 * KIB, KIB), bytes, () => next)
  expect(push(head(2 * KIB, PRODUCE), 6)).toEqual([])
  expect(push(head(KIB, 3), 6)).toEqual([])
  for (const next of [1, 5, 6]) expect(() => push(head(KIB + 1, 3), next)).toThrow(/1025 bytes brings no records/)
  expect(() => push(head(2 * KIB + 1, PRODUCE).subarray(0, 4), 4)).toThrow(/2049 bytes/)
})
