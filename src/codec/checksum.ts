import crc32cTables from 'crc-32/crc32c.js'
import { assert } from '../assert.ts'
import { loadOptional } from './optional-package.ts'

/**
 * From this many bytes on the native checksum is the faster one. A call into native code costs about 110 ns however
 * little there is to do, in which JavaScript checks 200 bytes; the two meet between 256 and 512 bytes, and over 16 KiB
 * native code is 3 times as fast (7.5 GB/s against 2.5).
 */
const NATIVE_FROM_BYTES = 512

const native = loadOptional<{ crc32c(bytes: Uint8Array): number }>('@node-rs/crc32').exports

/**
 * Computes the CRC-32C (Castagnoli) of `bytes` from `start` up to but not including `end`: Kafka's batch checksum.
 *
 * @param start in [0, end]
 * @param end   in [start, bytes.length]
 * @returns unsigned 32-bit integer; 0 for no bytes
 */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  // subarray would clamp a wrong range, and a checksum of the wrong bytes looks like any other
  assert(start >= 0 && start <= end && end <= bytes.length, `checksum of ${start}..${end} in ${bytes.length} bytes`)
  const range = bytes.subarray(start, end)
  if (native !== undefined && range.length >= NATIVE_FROM_BYTES) return native.crc32c(range)
  return crc32cTables.buf(range) >>> 0
}
