/**
 * Snappy as Kafka's clients write it: the stream framing of xerial's snappy-java, big-endian.
 *
 *   magic       8 bytes   82 'SNAPPY' 00
 *   version     i32       1
 *   compatible  i32       1, the oldest version that can read this one
 *   chunks      each i32 length, then a raw snappy block of at most 32 KiB of input
 *
 * librdkafka and others write one raw block without framing; a reader takes both.
 *
 * Source: snappy-java's SnappyOutputStream.java and SnappyInputStream.java; raw blocks: google/snappy, format_description.txt.
 */
const HEADER = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
const MAGIC_BYTES = 8
const CHUNK_INPUT_BYTES = 32 * 1024

/** Compresses or decompresses one raw snappy block. */
export type SnappyBlockFunction = (block: Buffer) => Uint8Array

/** Writes `bytes` as a stream of blocks; no bytes give a stream without chunks. */
export function writeSnappyStream(bytes: Buffer, compressBlock: SnappyBlockFunction): Buffer {
  const parts: Uint8Array[] = [HEADER]
  for (let position = 0; position < bytes.length; position += CHUNK_INPUT_BYTES) {
    const block = compressBlock(bytes.subarray(position, position + CHUNK_INPUT_BYTES))
    const length = Buffer.allocUnsafe(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

/**
 * Reads a stream of blocks, or one raw block.
 *
 * The size that a block declares is held against `maxBytes` before anything is decompressed.
 *
 * @param uncompressBlock throws on a block that is damaged
 * @throws Error saying what is wrong
 */
export function readSnappyStream(bytes: Buffer, maxBytes: number, uncompressBlock: SnappyBlockFunction): Buffer {
  const blocks = splitBlocks(bytes)
  let output = 0
  for (const block of blocks) output += readPreamble(block).size
  if (output > maxBytes) throw new Error(`more than ${maxBytes} bytes in snappy blocks`)
  return Buffer.concat(blocks.map(uncompressBlock), output)
}

function splitBlocks(bytes: Buffer): Buffer[] {
  if (!startsStream(bytes, 0)) return [bytes]
  const blocks: Buffer[] = []
  let position = 0
  while (position < bytes.length) {
    // streams may follow one another; the magic cannot be a chunk, since as a length it would be negative
    if (startsStream(bytes, position)) {
      position += HEADER.length
      continue
    }
    if (position + 4 > bytes.length) throw new Error('a snappy chunk that is cut short')
    const length = bytes.readInt32BE(position)
    position += 4
    if (length <= 0 || position + length > bytes.length) throw new Error(`a snappy chunk of ${length} bytes`)
    blocks.push(bytes.subarray(position, position + length))
    position += length
  }
  if (position !== bytes.length) throw new Error('a snappy stream whose header is cut short')
  return blocks
}

function startsStream(bytes: Buffer, position: number): boolean {
  return (
    bytes[position] === HEADER[0] &&
    bytes.subarray(position, position + MAGIC_BYTES).equals(HEADER.subarray(0, MAGIC_BYTES))
  )
}

/** Reads the size that a raw block declares, a LEB128 uint32, and the position after it. */
function readPreamble(block: Buffer): { size: number; position: number } {
  let size = 0
  for (let position = 0; position < 5 && position < block.length; position++) {
    size += (block[position] & 0x7f) * 2 ** (7 * position)
    if (block[position] < 0x80) return { size, position: position + 1 }
  }
  throw new Error('a snappy block without its size')
}

/**
 * Checks that a raw block gives exactly what it declares and never copies from before its start.
 *
 * For decompressors that trust their input: snappyjs 0.7.0 runs for ever on a literal whose length is negative as an
 * int32, and fills in zeros for what a short block lacks.
 *
 * @throws Error saying what is wrong
 */
export function checkSnappyBlock(block: Buffer): void {
  const { size, position: start } = readPreamble(block)
  let position = start
  let output = 0
  while (position < block.length && output <= size) {
    const tag = block[position++]
    const kind = tag & 3
    if (kind === 0) {
      let length = (tag >>> 2) + 1
      if (length > 60) {
        const lengthBytes = length - 60
        if (position + lengthBytes > block.length) break
        length = block.readUIntLE(position, lengthBytes) + 1
        position += lengthBytes
      }
      position += length
      output += length
    } else {
      const offsetBytes = kind === 3 ? 4 : kind
      if (position + offsetBytes > block.length) break
      const low = block.readUIntLE(position, offsetBytes)
      const offset = kind === 1 ? ((tag >>> 5) << 8) | low : low
      if (offset === 0 || offset > output) throw new Error('a snappy block that copies from before its start')
      position += offsetBytes
      output += kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    }
  }
  if (position !== block.length || output !== size)
    throw new Error(`a snappy block that does not hold its ${size} bytes`)
}
