import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VarintReader, varintSize, varlongSize, writeVarint, writeVarlong } from '../../src/codec/varint.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const MAX = Number.MAX_SAFE_INTEGER

/** The facts of Kafka's ByteUtilsTest. */
const INT32_VECTORS: [number, string][] = [
  [0, '00'],
  [-1, '01'],
  [1, '02'],
  [63, '7e'],
  [-64, '7f'],
  [64, '8001'],
  [-65, '8101'],
  [8191, 'fe7f'],
  [-8192, 'ff7f'],
  [8192, '808001'],
  [-8193, '818001'],
  [1048575, 'feff7f'],
  [-1048576, 'ffff7f'],
  [1048576, '80808001'],
  [-1048577, '81808001'],
  [134217727, 'feffff7f'],
  [-134217728, 'ffffff7f'],
  [134217728, '8080808001'],
  [-134217729, '8180808001'],
  [2147483647, 'feffffff0f'],
  [-2147483648, 'ffffffff0f'],
]
const INT64_VECTORS: [number, string][] = [
  [17179869183, 'feffffff7f'],
  [-17179869184, 'ffffffff7f'],
  [17179869184, '808080808001'],
  [-17179869185, '818080808001'],
  [2199023255551, 'feffffffff7f'],
  [-2199023255552, 'ffffffffff7f'],
  [2199023255552, '80808080808001'],
  [-2199023255553, '81808080808001'],
  [281474976710655, 'feffffffffff7f'],
  [-281474976710656, 'ffffffffffff7f'],
  [281474976710656, '8080808080808001'],
  [-281474976710657, '8180808080808001'],
]

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
/** All lengths alike, where evenly drawn numbers would nearly all be long. */
const writable = fc
  .tuple(fc.integer({ min: 0, max: 52 }), fc.maxSafeNat(), fc.boolean())
  .map(([bits, random, negative]) => (negative ? -1 : 1) * (random % (2 ** bits + 1)))

function encoded(write: (target: Uint8Array, position: number, value: number) => number, value: number): Buffer {
  const target = Buffer.alloc(20, 0xaa)
  const end = write(target, 3, value)
  expect([...target.subarray(0, 3), ...target.subarray(end)]).toEqual(Array(20 - end + 3).fill(0xaa))
  return target.subarray(3, end)
}

/** Zigzag LEB128 by definition; null where the bytes end too soon or there are more than `maxBytes` of them. */
function decode(bytes: Uint8Array, maxBytes: number): { value: bigint; length: number } | null {
  let zigzag = 0n
  for (let i = 0; i < Math.min(bytes.length, maxBytes); i++) {
    zigzag |= BigInt(bytes[i] & 0x7f) << BigInt(7 * i)
    if (bytes[i] < 0x80) return { value: (zigzag >> 1n) ^ -(zigzag & 1n), length: i + 1 }
  }
  return null
}

test.each(INT32_VECTORS)('%d is a varint, and a varlong, of the bytes that Kafka writes: %s', (value, hex) => {
  const bytes = Buffer.from(hex, 'hex')
  expect(encoded(writeVarint, value)).toEqual(bytes)
  expect(encoded(writeVarlong, value)).toEqual(bytes)
  expect([varintSize(value), varlongSize(value)]).toEqual([bytes.length, bytes.length])
  expect(new VarintReader(bytes, 0).varint()).toBe(value)
  expect(new VarintReader(bytes, 0).varlong()).toBe(value)
})

test.each(INT64_VECTORS)('%d is a varlong of the bytes that Kafka writes: %s', (value, hex) => {
  const bytes = Buffer.from(hex, 'hex')
  expect(encoded(writeVarlong, value)).toEqual(bytes)
  expect(varlongSize(value)).toBe(bytes.length)
  expect(new VarintReader(bytes, 0).varlong()).toBe(value)
})

test('every int32 is read as it was written, in as many bytes as were announced', () => {
  fc.assert(
    fc.property(int32, (value) => {
      const bytes = encoded(writeVarint, value)
      expect(bytes.length).toBe(varintSize(value))
      const reader = new VarintReader(bytes, 0)
      expect([reader.varint(), reader.position]).toEqual([value, bytes.length])
    }),
    { numRuns: 20_000 },
  )
})

test('every integer up to 2^52 in size is read as it was written, in as many bytes as were announced', () => {
  fc.assert(
    fc.property(writable, (value) => {
      const bytes = encoded(writeVarlong, value)
      expect(bytes.length).toBe(varlongSize(value))
      const reader = new VarintReader(bytes, 0)
      expect([reader.varlong(), reader.position]).toEqual([value + 0, bytes.length])
    }),
    { numRuns: 20_000, examples: [[2 ** 52], [-(2 ** 52)], [2 ** 52 - 1], [1 - 2 ** 52]] },
  )
})

test('what was written one after another is read one after another', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(int32, writable)), (values) => {
      const target = Buffer.alloc(values.length * 10)
      let end = 0
      for (const value of values) end = writeVarlong(target, end, value)
      const reader = new VarintReader(target.subarray(0, end), 0)
      expect(values.map(() => reader.varlong())).toEqual(values.map((value) => value + 0))
      expect(reader.position).toBe(end)
    }),
  )
})

test.each([
  [MAX, 'feffffffffffff1f'],
  [-MAX, 'fdffffffffffff1f'],
  [2 ** 52, '8080808080808010'],
  [-(2 ** 52) - 1, '8180808080808010'],
])('the varlong %d, which Kafka may write, is read exactly', (value, hex) => {
  expect(new VarintReader(Buffer.from(hex, 'hex'), 0).varlong()).toBe(value)
})

test.each([
  ['a 64-bit integer that no number can hold: 2^53', '8080808080808020'],
  ['a 64-bit integer that no number can hold: the least one', 'ffffffffffffffffff01'],
  ['more bytes than an int64 has', 'ffffffffffffffffffff01'],
  ['more bytes than an int64 has, though they add nothing', '8080808080808080808000'],
  ['an end in the middle', 'ffffff'],
  ['no byte at all', ''],
])('a varlong of %s reads as NaN', (_, hex) => {
  expect(new VarintReader(Buffer.from(hex, 'hex'), 0).varlong()).toBeNaN()
})

test.each([
  ['more bytes than an int32 has', 'ffffffffff01'],
  ['more bytes than an int32 has, though they add nothing', '808080808000'],
  ['more bits than an int32 has', 'ffffffff1f'],
  ['an end in the middle', 'ffffff'],
  ['no byte at all', ''],
])('a varint of %s reads as NaN', (_, hex) => {
  expect(new VarintReader(Buffer.from(hex, 'hex'), 0).varint()).toBeNaN()
})

test('any bytes at all give the integer that they stand for, or NaN, and nothing beyond the end is read', () => {
  const random = new SeededRandom()
  const wrong: string[] = []
  for (let i = 0; i < 200_000; i++) {
    const bytes = random.bytes(random.below(13)).map((byte) => (random.chance(0.6) ? byte | 0x80 : byte))
    // what follows would make a whole varint of any that is cut short
    const surrounded = Buffer.concat([bytes, Buffer.from([0])]).subarray(0, bytes.length)
    for (const type of ['varint', 'varlong'] as const) {
      const expected = decode(bytes, type === 'varint' ? 5 : 10)
      const reader = new VarintReader(surrounded, 0)
      const value = reader[type]()
      const inRange = expected !== null && isInRange(expected.value, type)
      const right = Object.is(value, inRange ? Number(expected.value) : NaN)
      const atEnd = !inRange || reader.position === expected.length
      if (!right || !atEnd) wrong.push(`${type} of ${Buffer.from(bytes).toString('hex')}: ${value}`)
    }
  }
  expect({ seed: random.seed, wrong }).toEqual({ seed: random.seed, wrong: [] })
})

function isInRange(value: bigint, type: 'varint' | 'varlong'): boolean {
  if (type === 'varlong') return value >= -BigInt(MAX) && value <= BigInt(MAX)
  return value >= -(2n ** 31n) && value < 2n ** 31n
}
