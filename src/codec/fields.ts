import { VarveError } from '../errors.ts'

/**
 * The fields that Kafka's messages are made of, big-endian: those of its requests, of the records of its internal topics
 * and of what its clients put into them.
 *
 * A message version is flexible or it is not. In a flexible one the lengths of strings, bytes and arrays are unsigned
 * varints of the length plus one (0 for null), and each structure ends with tagged fields.
 *
 * Source: Kafka's protocol guide, "Protocol Primitive Types".
 */

const STRING_BYTES_MAX = 0x7fff
const FIRST_BYTES = 256

/** Writes fields one after another, as versions that are not flexible have them. */
export class FieldWriter {
  private bytes = Buffer.allocUnsafe(FIRST_BYTES)
  private length = 0

  int16(value: number): this {
    const at = this.reserve(2)
    this.bytes.writeInt16BE(value, at)
    return this
  }

  int32(value: number): this {
    const at = this.reserve(4)
    this.bytes.writeInt32BE(value, at)
    return this
  }

  int64(value: number): this {
    const at = this.reserve(8)
    this.bytes.writeBigInt64BE(BigInt(value), at)
    return this
  }

  /** @throws RangeError for text of more than 32,767 bytes in UTF-8 */
  string(text: string): this {
    const size = Buffer.byteLength(text)
    if (size > STRING_BYTES_MAX) {
      throw new RangeError(`text of ${size} bytes is too long: '${text.slice(0, 20)}...' may have ${STRING_BYTES_MAX}`)
    }
    this.int16(size)
    const at = this.reserve(size)
    this.bytes.write(text, at)
    return this
  }

  nullableString(text: string | null): this {
    return text === null ? this.int16(-1) : this.string(text)
  }

  byteString(value: Uint8Array): this {
    this.int32(value.length)
    const at = this.reserve(value.length)
    this.bytes.set(value, at)
    return this
  }

  nullableByteString(value: Uint8Array | null): this {
    return value === null ? this.int32(-1) : this.byteString(value)
  }

  array<T>(items: readonly T[], writeItem: (item: T) => void): this {
    this.int32(items.length)
    items.forEach(writeItem)
    return this
  }

  /** What was written. The writer is not used after that. */
  finish(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  /** Makes room, for which `bytes` may be replaced: called in a statement of its own. */
  private reserve(size: number): number {
    const at = this.length
    this.length += size
    if (this.length > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.length, this.bytes.length * 2))
      this.bytes.copy(grown, 0, 0, at)
      this.bytes = grown
    }
    return at
  }
}

/**
 * Reads fields one after another.
 *
 * Total: whatever the bytes are, each call gives a value or throws VarveError INVALID_RECORD, and no length is believed
 * before so many bytes are there.
 */
export class FieldReader {
  /** Whether lengths are read as flexible versions have them. */
  flexible = false
  private readonly bytes: Buffer
  private position = 0

  /** @param what is read, for messages: "an offset commit" */
  constructor(
    bytes: Uint8Array,
    private readonly what: string,
  ) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  int16(): number {
    return this.bytes.readInt16BE(this.advance(2))
  }

  int32(): number {
    return this.bytes.readInt32BE(this.advance(4))
  }

  /** An int64 that is a safe integer. */
  int64(): number {
    const value = Number(this.bytes.readBigInt64BE(this.advance(8)))
    return Number.isSafeInteger(value) ? value : this.fail(`the number ${value} is out of range`)
  }

  string(): string {
    return this.nullableString() ?? this.fail('a text is null that must not be')
  }

  nullableString(): string | null {
    const size = this.flexible ? this.compactLength() : this.int16()
    if (size < 0) return this.nullOnly(size)
    const start = this.advance(size)
    return this.bytes.toString('utf8', start, start + size)
  }

  /** A view of the bytes. */
  byteString(): Buffer {
    return this.nullableByteString() ?? this.fail('bytes are null that must not be')
  }

  nullableByteString(): Buffer | null {
    const size = this.flexible ? this.compactLength() : this.int32()
    if (size < 0) return this.nullOnly(size)
    const start = this.advance(size)
    return this.bytes.subarray(start, start + size)
  }

  /** @param minItemBytes least that an item takes: a count that cannot be is refused before anything is made */
  array<T>(minItemBytes: number, readItem: () => T): T[] {
    const count = this.flexible ? this.compactLength() : this.int32()
    if (count < 0) this.fail('a list is null that must not be')
    if (count * minItemBytes > this.remaining) this.fail(`${this.remaining} bytes cannot hold a list of ${count}`)
    const items: T[] = []
    for (let i = 0; i < count; i++) items.push(readItem())
    return items
  }

  /** Steps over the tagged fields that end a structure of a flexible version; in others there are none. */
  skipTags(): void {
    if (!this.flexible) return
    for (let count = this.unsignedVarint(); count > 0; count--) {
      this.unsignedVarint()
      this.advance(this.unsignedVarint())
    }
  }

  /** Bytes that are left. */
  get remaining(): number {
    return this.bytes.length - this.position
  }

  /** Gives up. */
  fail(why: string): never {
    throw new VarveError(
      'INVALID_RECORD',
      `cannot read ${this.what}: ${why} (byte ${this.position} of ${this.bytes.length})`,
    )
  }

  private advance(size: number): number {
    const start = this.position
    if (size > this.remaining) this.fail(`it ends within a field of ${size} bytes`)
    this.position += size
    return start
  }

  private nullOnly(size: number): null {
    return size === -1 ? null : this.fail(`the length ${size} cannot be`)
  }

  private compactLength(): number {
    return this.unsignedVarint() - 1
  }

  private unsignedVarint(): number {
    let value = 0
    for (let factor = 1; factor <= 2 ** 28; factor *= 0x80) {
      const byte = this.bytes[this.advance(1)]
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    return this.fail('a length is longer than 5 bytes')
  }
}
