/**
 * Zigzag LEB128 integers as Kafka's records use them: `varint` for int32, `varlong` for int64.
 *
 * Values are JavaScript numbers, so a varlong here covers the safe integers.
 *
 * Source: Kafka's ByteUtils.java; the encoding is that of Protocol Buffers' sint32 and sint64.
 */

/** Bytes that `writeVarint` needs for an int32: 1 to 5. */
export function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  if (zigzag < 0x4000) return 2
  if (zigzag < 0x200000) return 3
  return zigzag < 0x10000000 ? 4 : 5
}

/** Writes an int32 at `position` and returns the position after it. The caller has made room. */
export function writeVarint(target: Uint8Array, position: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  while (zigzag > 0x7f) {
    target[position++] = (zigzag & 0x7f) | 0x80
    zigzag >>>= 7
  }
  target[position++] = zigzag
  return position
}

/** Bytes that `writeVarlong` needs for a safe integer of at most 2^52 in size: 1 to 8. */
export function varlongSize(value: number): number {
  if (value === (value | 0)) return varintSize(value)
  let zigzag = value >= 0 ? value * 2 : -value * 2 - 1
  let size = 1
  while (zigzag > 0x7f) {
    zigzag = Math.floor(zigzag / 0x80)
    size++
  }
  return size
}

/** Writes a safe integer of at most 2^52 in size at `position` and returns the position after it. */
export function writeVarlong(target: Uint8Array, position: number, value: number): number {
  if (value === (value | 0)) return writeVarint(target, position, value)
  let zigzag = value >= 0 ? value * 2 : -value * 2 - 1
  while (zigzag > 0x7f) {
    target[position++] = (zigzag % 0x80) | 0x80
    zigzag = Math.floor(zigzag / 0x80)
  }
  target[position++] = zigzag
  return position
}

/**
 * Reads varints one after another from `bytes`.
 *
 * Total: a varint that is longer than its type allows gives NaN, and bytes past the end read as NaN too, so a caller
 * that checks the position and the values once per record cannot be led astray.
 */
export class VarintReader {
  constructor(
    readonly bytes: Uint8Array,
    public position: number,
  ) {}

  /** The next int32, or NaN. */
  varint(): number {
    const { bytes } = this
    let byte = bytes[this.position++]
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let zigzag = byte & 0x7f
    for (let shift = 7; ; shift += 7) {
      byte = bytes[this.position++]!
      if (shift === 28 && byte > 0x0f) return NaN
      zigzag |= (byte & 0x7f) << shift
      if (byte < 0x80) return (zigzag >>> 1) ^ -(zigzag & 1)
      if (byte === undefined) return NaN
    }
  }

  /** The next int64 where it is a safe integer, else NaN. */
  varlong(): number {
    const { bytes } = this
    let byte = bytes[this.position++]
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let low = byte & 0x7f
    for (let shift = 7; shift < 28; shift += 7) {
      byte = bytes[this.position++]
      low |= (byte & 0x7f) << shift
      if (byte < 0x80) return (low >>> 1) ^ -(low & 1)
      if (byte === undefined) return NaN
    }
    // the rest apart, because the zigzag form of a safe integer may be none itself
    let high = 0
    let factor = 1
    for (let count = 4; count < 10; count++) {
      byte = bytes[this.position++]
      if (byte === undefined) return NaN
      high += (byte & 0x7f) * factor
      factor *= 0x80
      if (byte < 0x80) {
        const half = high * 2 ** 27 + (low >>> 1)
        const value = (low & 1) === 0 ? half : -half - 1
        return Number.isSafeInteger(value) ? value : NaN
      }
    }
    return NaN
  }
}
