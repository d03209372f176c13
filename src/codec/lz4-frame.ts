/**
 * The outside of an LZ4 frame, little-endian; the blocks themselves are left to a library.
 *
 *   magic             u32     0x184d2204
 *   FLG               u8      bits 7-6 version 01, 4 block checksums, 3 content size, 2 content checksum, 0 dictionary
 *   BD                u8      bits 6-4 greatest block size: 4 = 64 KiB, 5 = 256 KiB, 6 = 1 MiB, 7 = 4 MiB
 *   content size      u64     if flagged
 *   header checksum   u8
 *   blocks            each u32 size (top bit: stored uncompressed), bytes, u32 checksum if flagged
 *   end mark          u32     0
 *   content checksum  u32     if flagged
 *
 * Source: LZ4 Frame Format 1.6 and LZ4 Block Format, lz4/doc. Kafka writes and reads exactly one frame per batch.
 */
const MAGIC = 0x184d2204
const BLOCK_CHECKSUMS = 0x10
const CONTENT_SIZE = 0x08
const CONTENT_CHECKSUM = 0x04
const DICTIONARY = 0x01
const STORED = 0x80000000

/** No byte of LZ4 stands for more than 255 bytes of output. */
const MAX_EXPANSION = 255

/**
 * Checks what libraries do not: that `bytes` are one whole frame, and that it holds at most `maxBytes`.
 *
 * The sizes that the frame declares are not believed. Where the frame is so large that it could hold more than
 * `maxBytes`, its blocks are walked, which is exact, copies nothing and needs no memory.
 *
 * @throws Error saying what is wrong
 */
export function checkLz4Frame(bytes: Buffer, maxBytes: number): void {
  if (bytes.length < 7 || bytes.readUInt32LE(0) !== MAGIC) throw new Error('no LZ4 frame')
  const flags = bytes[4]
  if ((flags & 0xc0) !== 0x40) throw new Error('not version 1 of the LZ4 frame format')
  if ((flags & DICTIONARY) !== 0) throw new Error('an LZ4 frame that needs a dictionary')
  const blockTrailer = (flags & BLOCK_CHECKSUMS) !== 0 ? 4 : 0
  const frameTrailer = (flags & CONTENT_CHECKSUM) !== 0 ? 4 : 0
  const mayBeTooLarge = bytes.length * MAX_EXPANSION > maxBytes

  let position = 4 + 2 + ((flags & CONTENT_SIZE) !== 0 ? 8 : 0) + 1
  let output = 0
  for (;;) {
    if (position + 4 > bytes.length) throw new Error('an LZ4 frame without its end')
    const size = bytes.readUInt32LE(position)
    position += 4
    if (size === 0) break
    const stored = size >= STORED
    const end = position + (stored ? size - STORED : size)
    if (end + blockTrailer > bytes.length) throw new Error('an LZ4 block that is cut short')
    if (mayBeTooLarge) {
      output += stored ? end - position : blockOutput(bytes, position, end)
      if (output > maxBytes) throw new Error(`more than ${maxBytes} bytes in an LZ4 frame`)
    }
    position = end + blockTrailer
  }
  if (position + frameTrailer !== bytes.length) throw new Error('an LZ4 frame that does not end where its bytes end')
}

/** Adds up what the sequences of the block in [start, end) put out: literals, then a match, in the last one literals only. */
function blockOutput(bytes: Buffer, start: number, end: number): number {
  let position = start
  let output = 0
  while (position < end) {
    const token = bytes[position++]
    let literals = token >>> 4
    if (literals === 15) {
      let more = 255
      while (more === 255 && position < end) literals += more = bytes[position++]
    }
    position += literals
    output += literals
    if (position === end) return output

    position += 2
    let match = token & 15
    if (match === 15) {
      let more = 255
      while (more === 255 && position < end) match += more = bytes[position++]
    }
    output += match + 4
  }
  throw new Error('an LZ4 block whose last sequence is cut short')
}
