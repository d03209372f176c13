import crcTables from 'crc-32'
import murmur from 'murmurhash3js-revisited'
import { assert } from '../assert.ts'

/** The hash functions that choose a key's partition; see {@link partitionForKey}. */
export type KeyHasher = 'murmur2' | 'murmur3' | 'crc32'

const SIGN_MASK = 0x7fffffff

const hashers: Record<KeyHasher, (key: Uint8Array) => number> = {
  murmur2: (key) => murmur2(key) & SIGN_MASK,
  murmur3: (key) => murmur3(key) & SIGN_MASK,
  crc32,
}

/**
 * Names the partition of a key.
 *
 * - `'murmur2'`: as the Java client, kafkajs and franz-go do: the hash without its sign bit, modulo `partitions`
 * - `'crc32'`: as librdkafka's `consistent` does: the unsigned hash, modulo `partitions`
 * - `'murmur3'`: as murmur2; no other client's rule, so it is for topics that only Varve writes
 *
 * @param partitions at least 1
 * @returns in [0, partitions)
 */
export function partitionForKey(hasher: KeyHasher, key: Uint8Array, partitions: number): number {
  assert(partitions >= 1, `a topic of ${partitions} partitions`)
  return hashers[hasher](key) % partitions
}

/**
 * Kafka's MurmurHash2: 32 bits, seed 0x9747b28c.
 *
 * @returns signed 32-bit integer
 *
 * Source: Kafka's Utils.java, `murmur2`.
 */
export function murmur2(bytes: Uint8Array): number {
  const multiplier = 0x5bd1e995
  const length = bytes.length
  const wholeWords = length & ~3
  let hash = 0x9747b28c ^ length
  for (let i = 0; i < wholeWords; i += 4) {
    let word = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24)
    word = Math.imul(word, multiplier)
    word = Math.imul(word ^ (word >>> 24), multiplier)
    hash = Math.imul(hash, multiplier) ^ word
  }
  if (length !== wholeWords) {
    for (let i = wholeWords; i < length; i++) hash ^= bytes[i] << ((i - wholeWords) * 8)
    hash = Math.imul(hash, multiplier)
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return hash ^ (hash >>> 15)
}

/** MurmurHash3_x86_32 with seed 0, as an unsigned 32-bit integer. */
export function murmur3(bytes: Uint8Array): number {
  return murmur.x86.hash32(bytes)
}

/** CRC-32 (IEEE 802.3, as in zlib), as an unsigned 32-bit integer: librdkafka's `rd_crc32`. */
export function crc32(bytes: Uint8Array): number {
  return crcTables.buf(bytes) >>> 0
}
