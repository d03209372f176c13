import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32, murmur2, murmur3, partitionForKey, type KeyHasher } from '../../src/codec/key-hash.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

// Kafka's UtilsTest.java
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of %j is the %d that Kafka expects', (key, hash) => {
  expect(murmur2(utf8(key))).toBe(hash)
})

// The C++ reference implementation's results, as published by Wikipedia ("MurmurHash") and the Go port's tests
test.each([
  ['', 0],
  ['test', 0xba6bd213],
  ['hello', 0x248bfa47],
  ['hello, world', 0x149bbb7f],
  ['Hello, world!', 0xc0363e43],
  ['19 Jan 2038 at 3:14:07 AM', 0xe31e8a70],
  ['The quick brown fox jumps over the lazy dog', 0x2e4ff723],
  ['The quick brown fox jumps over the lazy dog.', 0xd5c48bfc],
])('murmur3 of %j is that of MurmurHash3_x86_32', (key, hash) => {
  expect(murmur3(utf8(key))).toBe(hash)
})

test('crc32 gives the standard check value', () => {
  expect(crc32(utf8('123456789'))).toBe(0xcbf43926)
  expect(crc32(utf8(''))).toBe(0)
})

test('murmur2 partitions drop the sign bit, as in Java', () => {
  // -973932308 & 0x7fffffff = 1173551340
  expect(partitionForKey('murmur2', utf8('21'), 1000)).toBe(340)
  expect(partitionForKey('murmur2', utf8('abc'), 1000)).toBe(107)
})

test('crc32 partitions keep the whole unsigned hash, as in librdkafka', () => {
  // 0xcbf43926 = 3421780262; without its top bit it would be 1274296614
  expect(partitionForKey('crc32', utf8('123456789'), 1000)).toBe(262)
})

test('murmur3 partitions drop the top bit', () => {
  // 0xba6bd213 & 0x7fffffff = 980144659
  expect(partitionForKey('murmur3', utf8('test'), 1000)).toBe(659)
})

test.each<KeyHasher>(['murmur2', 'murmur3', 'crc32'])(
  '%s gives every key one partition of those there are',
  (hasher) => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 10_000 }), (key, partitions) => {
        const partition = partitionForKey(hasher, key, partitions)
        expect(Number.isInteger(partition) && partition >= 0 && partition < partitions).toBe(true)
        expect(partitionForKey(hasher, Buffer.concat([Buffer.of(9), key]).subarray(1), partitions)).toBe(partition)
      }),
    )
  },
)

test('a topic without partitions has none for a key', () => {
  expect(() => partitionForKey('murmur2', utf8('a'), 0)).toThrow('invariant broken')
})
