import { expect, test } from 'vitest'
import { BufferPool } from '../../src/codec/buffer-pool.ts'

const KIB = 1024
const MIB = 1024 * KIB

test('a buffer that was given back is taken again where it fits, and by one taker only', () => {
  const pool = new BufferPool(MIB)
  const buffer = pool.take(100 * KIB)
  expect(buffer).toHaveLength(128 * KIB)
  pool.give(buffer)
  // not by toBe, which compares the contents where they are not the same
  expect([200, 65, 65].map((kib) => pool.take(kib * KIB) === buffer)).toEqual([false, true, false])
})

test('no more is kept than was allowed, and nothing that is very large', () => {
  const pool = new BufferPool(192 * KIB)
  const buffers = [pool.take(1), pool.take(1), pool.take(1), pool.take(1)]
  for (const buffer of buffers) pool.give(buffer)
  const again = new Set(Array.from({ length: 4 }, () => pool.take(1)))
  expect(buffers.filter((buffer) => again.has(buffer))).toHaveLength(3)
  const large = new BufferPool(1024 * MIB)
  const buffer = large.take(65 * MIB)
  expect(buffer).toHaveLength(65 * MIB)
  large.give(buffer)
  expect(large.take(65 * MIB) === buffer).toBe(false)
})
