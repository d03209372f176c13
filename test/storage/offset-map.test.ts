import { describe, expect, test } from 'vitest'
import { OffsetMap } from '../../src/storage/offset-map.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const random = new SeededRandom()

function put(map: OffsetMap, key: Uint8Array, offset: number): boolean {
  return map.put(key, 0, key.length, offset)
}

function get(map: OffsetMap, key: Uint8Array): number {
  return map.get(key, 0, key.length)
}

describe(`an offset map (seed ${random.seed})`, () => {
  test('answers as a Map does, for keys of all lengths, until it is full', () => {
    for (const bytes of [0, 4096, 20_000, 300_000]) {
      const map = new OffsetMap(bytes)
      const expected = new Map<string, number>()
      let isFull = false
      for (let offset = 0; !isFull; offset++) {
        const key = Buffer.from(random.bytes(random.pick([0, 1, 2, 3, 16, 40])))
        isFull = !put(map, key, offset)
        if (!isFull) expected.set(key.toString('hex'), offset)
      }
      expect(map.size).toBe(expected.size)
      expect(expected.size).toBeGreaterThan(20)
      for (const [key, offset] of expected) expect(get(map, Buffer.from(key, 'hex'))).toBe(offset)
      for (let i = 0; i < 1000; i++) {
        const key = Buffer.from(random.bytes(random.below(20)))
        expect(get(map, key)).toBe(expected.get(key.toString('hex')) ?? -1)
      }
    }
  })

  test('takes newer offsets of the keys that it has also when it is full, and keeps the latest', () => {
    const map = new OffsetMap(4096)
    const keys: Buffer[] = []
    for (let i = 0; put(map, Buffer.from(`key ${i}`), i); i++) keys.push(Buffer.from(`key ${i}`))
    for (const key of keys) expect(put(map, key, 10_000)).toBe(true)
    for (const key of keys) expect(put(map, key, 5)).toBe(true)
    for (const key of keys) expect(get(map, key)).toBe(10_000)
    expect(put(map, Buffer.from('one more'), 1)).toBe(false)
    expect(get(map, Buffer.from('one more'))).toBe(-1)
  })

  test('has room for one key, however long', () => {
    const long = Buffer.alloc(10_000, 'k')
    const map = new OffsetMap(4096)
    expect(put(map, long, 7)).toBe(true)
    expect(get(map, long)).toBe(7)
    expect(put(map, Buffer.from('one more'), 8)).toBe(false)
    const other = new OffsetMap(4096)
    expect(put(other, Buffer.from('a'), 1)).toBe(true)
    expect(put(other, long, 2)).toBe(false)
  })

  test('never takes two keys for one, however alike their hashes', () => {
    // enough keys for many pairs with the same 32 bits, were it not for the bytes
    const map = new OffsetMap(32 * 1024 * 1024)
    const key = Buffer.alloc(4)
    const count = 400_000
    for (let i = 0; i < count; i++) {
      key.writeUInt32LE(Math.imul(i, 2654435761) >>> 0)
      expect(put(map, key, i)).toBe(true)
    }
    for (let i = 0; i < count; i++) {
      key.writeUInt32LE(Math.imul(i, 2654435761) >>> 0)
      if (get(map, key) !== i) expect(get(map, key), `key ${i}`).toBe(i)
    }
    expect(map.size).toBe(count)
  })

  test.each([
    ['of the same length', 'mofaiqw', 'gwkbfsp'],
    ['of different lengths', 'key-901258', 'key-1540052'],
  ])('never takes two keys of one hash for one (%s)', (_, one, other) => {
    const map = new OffsetMap(4096)
    put(map, Buffer.from(one), 1)
    expect(get(map, Buffer.from(other))).toBe(-1)
    put(map, Buffer.from(other), 2)
    expect([get(map, Buffer.from(one)), get(map, Buffer.from(other)), map.size]).toEqual([1, 2, 2])
  })
})
