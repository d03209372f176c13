/**
 * The outside of Zstandard frames, little-endian; the blocks themselves are left to a library.
 *
 *   magic         u32     0xfd2fb528
 *   descriptor    u8      bits 7-6 size of content size, 5 single segment, 3 reserved, 2 checksum, 1-0 dictionary id size
 *   window        u8      unless single segment: bits 7-3 exponent, 2-0 mantissa
 *   dictionary id         0, 1, 2 or 4 bytes
 *   content size          0, 1, 2, 4 or 8 bytes
 *   blocks        each u24: bit 0 last, 1-2 type (0 raw, 1 one byte repeated, 2 compressed), 3-23 size; then its bytes
 *   checksum      u32     if flagged
 *
 * Source: RFC 8878, section 3.1.
 */
const FRAME_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
/** No block holds more. */
export const MAX_BLOCK_BYTES = 128 * 1024

/** One frame within its bytes. */
export interface ZstdFrame {
  start: number
  end: number
  /**
   * Most bytes that the frame can hold: its blocks added up, each compressed one taken for a full block. What the frame
   * declares as its content size is not believed.
   */
  maxOutput: number
}

/**
 * Finds the frames that `bytes` consist of, without decompressing them. Skippable frames are left out.
 *
 * Decoders differ in what they make of a frame that is cut short and of bytes behind the first frame (some say nothing),
 * so both are settled here.
 *
 * @throws Error saying what is wrong, when there is not at least one frame or the last one does not end where the bytes end
 */
export function findZstdFrames(bytes: Buffer): ZstdFrame[] {
  const frames: ZstdFrame[] = []
  let position = 0
  while (position < bytes.length) {
    if (position + 8 > bytes.length) throw cutShort()
    const magic = bytes.readUInt32LE(position)
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      position += 8 + bytes.readUInt32LE(position + 4)
      continue
    }
    if (magic !== FRAME_MAGIC) throw new Error('no Zstandard frame')
    const frame = walkFrame(bytes, position)
    frames.push(frame)
    position = frame.end
  }
  if (position > bytes.length) throw cutShort()
  if (frames.length === 0) throw new Error('no Zstandard frame')
  return frames
}

/** Walks one frame. Its end may lie behind the bytes. */
function walkFrame(bytes: Buffer, start: number): ZstdFrame {
  const descriptor = bytes[start + 4]
  const singleSegment = (descriptor & 0x20) !== 0
  const contentSizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6]
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3]
  let position = start + 5 + (singleSegment ? 0 : 1) + dictionaryIdBytes + contentSizeBytes

  let maxOutput = 0
  for (let last = false; !last;) {
    if (position + 3 > bytes.length) throw cutShort()
    const header = bytes.readUIntLE(position, 3)
    const type = (header >>> 1) & 3
    const size = header >>> 3
    if (type === 3) throw new Error('a Zstandard block of an unknown type')
    last = (header & 1) === 1
    maxOutput += type === 2 ? MAX_BLOCK_BYTES : size
    position += 3 + (type === 1 ? 1 : size)
  }
  return { start, end: position + ((descriptor & 0x04) !== 0 ? 4 : 0), maxOutput }
}

function cutShort(): Error {
  return new Error('a Zstandard frame that is cut short')
}
