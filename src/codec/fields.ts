import { VarveError, type ErrorCode } from '../errors.ts'

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

/** Up to so many bytes are copied into what is written; more are passed on as they are. */
const COPIED_BYTES_MAX = 1024

/** Writes fields one after another. */
export class FieldWriter {
  /** Whether lengths are written as flexible versions have them. */
  flexible = false
  private bytes = Buffer.allocUnsafe(FIRST_BYTES)
  private length = 0
  /** What comes before `bytes`. */
  private readonly pieces: Buffer[] = []

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  int8(value: number): this {
    const at = this.reserve(1)
    this.bytes.writeInt8(value, at)
    return this
  }

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
    if (this.flexible) this.compactLength(size)
    else this.int16(size)
    const at = this.reserve(size)
    this.bytes.write(text, at)
    return this
  }

  nullableString(text: string | null): this {
    if (text !== null) return this.string(text)
    return this.flexible ? this.compactLength(-1) : this.int16(-1)
  }

  byteString(value: Uint8Array): this {
    return this.size(value.length).append(value)
  }

  nullableByteString(value: Uint8Array | null): this {
    return value === null ? this.size(-1) : this.byteString(value)
  }

  /** Bytes without their length. They are not to change until what is written has gone out. */
  append(value: Uint8Array): this {
    if (value.length > COPIED_BYTES_MAX) {
      this.pieces.push(this.bytes.subarray(0, this.length), Buffer.from(value.buffer, value.byteOffset, value.length))
      this.bytes = Buffer.allocUnsafe(FIRST_BYTES)
      this.length = 0
      return this
    }
    const at = this.reserve(value.length)
    this.bytes.set(value, at)
    return this
  }

  array<T>(items: readonly T[], writeItem: (item: T) => void): this {
    this.size(items.length)
    items.forEach(writeItem)
    return this
  }

  /** How many bytes or items follow; -1: null. */
  size(count: number): this {
    return this.flexible ? this.compactLength(count) : this.int32(count)
  }

  unsignedVarint(value: number): this {
    for (; value > 0x7f; value >>>= 7) this.int8(((value & 0x7f) | 0x80) - 0x100)
    return this.int8(value)
  }

  private compactLength(size: number): this {
    return this.unsignedVarint(size + 1)
  }

  /** What was written. The writer is not used after that. */
  finish(): Buffer {
    const last = this.bytes.subarray(0, this.length)
    return this.pieces.length === 0 ? last : Buffer.concat([...this.pieces, last])
  }

  /** As {@link finish}, in pieces that follow one another, and nothing copied. */
  finishInPieces(): Buffer[] {
    return [...this.pieces, this.bytes.subarray(0, this.length)]
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
 * Total: whatever the bytes are, each call gives a value or throws a VarveError, and no length is believed
 * before so many bytes are there.
 */
export class FieldReader {
  /** Whether lengths are read as flexible versions have them. */
  flexible = false
  /** How many items of lists, and tagged fields, may still be read: a caller sets it who trusts nobody. */
  itemsLeft = Infinity
  private readonly bytes: Buffer
  private position = 0

  /**
   * @param what is read, for messages: "an offset commit"
   * @param code of the errors that it throws
   */
  constructor(
    bytes: Uint8Array,
    private readonly what: string,
    private readonly code: ErrorCode = 'INVALID_RECORD',
  ) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  int8(): number {
    return this.bytes.readInt8(this.advance(1))
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
    const text = this.bytes.toString('utf8', start, start + size)
    // what is no UTF-8 grows as it is read, and what cannot be written again would fail whoever is told of it later
    if (size > STRING_BYTES_MAX / 3 && Buffer.byteLength(text) > STRING_BYTES_MAX)
      this.fail(`a text is longer than ${STRING_BYTES_MAX} bytes`)
    return text
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

  /** A view of the next `size` bytes. */
  take(size: number): Buffer {
    const start = this.advance(size)
    return this.bytes.subarray(start, start + size)
  }

  /** @param minItemBytes least that an item takes: a count that cannot be is refused before anything is made */
  array<T>(minItemBytes: number, readItem: () => T): T[] {
    return this.nullableArray(minItemBytes, readItem) ?? this.fail('a list is null that must not be')
  }

  /** As {@link array}, or null. */
  nullableArray<T>(minItemBytes: number, readItem: () => T): T[] | null {
    const count = this.count(minItemBytes)
    if (count === null) return null
    const items: T[] = []
    for (let i = 0; i < count; i++) items.push(readItem())
    return items
  }

  /** How many items of a list follow; null: it is null. @param minItemBytes see {@link array} */
  count(minItemBytes: number): number | null {
    const count = this.flexible ? this.compactLength() : this.int32()
    if (count < 0) return this.nullOnly(count)
    if (count * minItemBytes > this.remaining) this.fail(`${this.remaining} bytes cannot hold a list of ${count}`)
    this.takeItems(count)
    return count
  }

  /** Steps over the tagged fields that end a structure of a flexible version; in others there are none. */
  skipTags(): void {
    this.tags(() => false)
  }

  /** Reads the tagged fields that end a structure: `read` says whether it has read the one of that tag, which fills its size. */
  tags(read: (tag: number) => boolean): void {
    if (!this.flexible) return
    let count = this.unsignedVarint()
    this.takeItems(count)
    for (; count > 0; count--) {
      const tag = this.unsignedVarint()
      const size = this.unsignedVarint()
      const end = this.advance(size) + size
      this.position -= size
      if (!read(tag)) this.position = end
      else if (this.position !== end) this.fail(`the tagged field ${tag} is not of ${size} bytes`)
    }
  }

  /** Bytes that are left. */
  get remaining(): number {
    return this.bytes.length - this.position
  }

  /** Gives up. */
  fail(why: string): never {
    throw new VarveError(this.code, `cannot read ${this.what}: ${why} (byte ${this.position} of ${this.bytes.length})`)
  }

  private takeItems(count: number): void {
    if (count > this.itemsLeft) this.fail(`it has ${count} more items where ${this.itemsLeft} more are allowed`)
    this.itemsLeft -= count
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
