import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FieldReader, FieldWriter } from '../../src/codec/fields.ts'
import { VarveError } from '../../src/errors.ts'

const wellFormed = fc.string({ unit: 'binary', maxLength: 400 })

test('every field reads back as it was written, one after another', () => {
  const fields = fc.record({
    short: fc.integer({ min: -0x8000, max: 0x7fff }),
    int: fc.integer(),
    long: fc.maxSafeInteger(),
    text: wellFormed,
    perhapsText: fc.option(wellFormed),
    bytes: fc.uint8Array({ maxLength: 700 }),
    perhapsBytes: fc.option(fc.uint8Array()),
    list: fc.array(fc.integer()),
  })
  fc.assert(
    fc.property(fields, (value) => {
      const writer = new FieldWriter().int16(value.short).int32(value.int).int64(value.long)
      writer.string(value.text).nullableString(value.perhapsText)
      writer.byteString(value.bytes).nullableByteString(value.perhapsBytes)
      writer.array(value.list, (item) => writer.int32(item))
      const reader = new FieldReader(writer.finish(), 'a test')
      const [short, int, long] = [reader.int16(), reader.int32(), reader.int64()]
      const [text, perhapsText] = [reader.string(), reader.nullableString()]
      const bytes = new Uint8Array(reader.byteString())
      const perhaps = reader.nullableByteString()
      const perhapsBytes = perhaps === null ? null : new Uint8Array(perhaps)
      const list = reader.array(4, () => reader.int32())
      expect({ short, int, long, text, perhapsText, bytes, perhapsBytes, list }).toEqual(value)
    }),
  )
})

test('text that Kafka has no room for is refused, and named', () => {
  expect(new FieldWriter().string('x'.repeat(32_767)).finish().length).toBe(32_769)
  expect(() => new FieldWriter().string('é'.repeat(16_384))).toThrow(/^text of 32768 bytes is too long: 'éé/)
})

describe('what cannot be is refused, with its place:', () => {
  test.each<[string, number[], (reader: FieldReader) => unknown, string]>([
    ['a number cut off', [0, 0, 1], (r) => r.int32(), 'it ends within a field of 4 bytes (byte 0 of 3)'],
    ['a text cut off', [0, 5, 65], (r) => r.string(), 'it ends within a field of 5 bytes (byte 2 of 3)'],
    ['a text that is null', [255, 255], (r) => r.string(), 'a text is null that must not be (byte 2 of 2)'],
    ['a text of -2 bytes', [255, 254], (r) => r.nullableString(), 'the length -2 cannot be (byte 2 of 2)'],
    ['bytes cut off', [127, 255, 255, 255], (r) => r.byteString(), 'within a field of 2147483647 bytes (byte 4 of 4)'],
    ['bytes that are null', [255, 255, 255, 255], (r) => r.byteString(), 'bytes are null that must not be'],
    ['bytes of -2 bytes', [255, 255, 255, 254], (r) => r.nullableByteString(), 'the length -2 cannot be'],
    ['a list that is null', [255, 255, 255, 255], (r) => r.array(4, () => r.int32()), 'a list is null'],
    [
      'a list too long',
      [0, 0, 0, 2, 0, 0, 0, 1],
      (r) => r.array(4, () => r.int32()),
      '4 bytes cannot hold a list of 2',
    ],
    ['a number over 2^53', [0, 32, 0, 0, 0, 0, 0, 0], (r) => r.int64(), 'the number 9007199254740992 is out of range'],
  ])('%s', (_, bytes, read, message) => {
    const reader = new FieldReader(Uint8Array.from(bytes), 'a test')
    const error = errorOf(() => read(reader))
    expect(error).toBeInstanceOf(VarveError)
    expect((error as VarveError).code).toBe('INVALID_RECORD')
    expect((error as VarveError).message).toMatch(/^cannot read a test: /)
    expect((error as VarveError).message).toContain(message)
  })
})

test('flexible versions have compact lengths, and tags that are stepped over', () => {
  const values = [3, 65, 66, 0, 2, 7, 3, 0, 1, 2, 9]
  const tags = [2, 5, 1, 77, 200, 1, 0]
  const bytes = [...values, ...tags, 1, 1, 200, 1, ...Array<number>(199).fill(66)]
  const reader = new FieldReader(Uint8Array.from(bytes), 'a test')
  reader.flexible = true
  expect(reader.string()).toBe('AB')
  expect(reader.nullableString()).toBeNull()
  expect(reader.byteString()).toEqual(Buffer.from([7]))
  expect(reader.array(2, () => reader.int16() >> 8)).toEqual([0, 2])
  reader.skipTags()
  expect(reader.nullableByteString()).toEqual(Buffer.alloc(0))
  expect(reader.nullableString()).toBe('')
  expect(reader.string()).toBe('B'.repeat(199))
  const tooLong = new FieldReader(Uint8Array.from([128, 128, 128, 128, 128, 1]), 'a test')
  tooLong.flexible = true
  expect(() => tooLong.string()).toThrow('a length is longer than 5 bytes')
})

test('a text that could not be written again is not read: one that is too long, or grows as it is no UTF-8', () => {
  const textOf = (size: number, byte: number, flexible: boolean) => {
    const length = flexible ? new FieldWriter().unsignedVarint(size + 1) : new FieldWriter().int16(size)
    const reader = new FieldReader(Buffer.concat([length.finish(), Buffer.alloc(size, byte)]), 'a test')
    reader.flexible = flexible
    return reader.string()
  }
  expect(textOf(32_767, 65, false)).toHaveLength(32_767)
  expect(textOf(32_767, 65, true)).toHaveLength(32_767)
  expect(textOf(10_922, 0xff, false)).toBe('\ufffd'.repeat(10_922))
  expect(() => textOf(10_923, 0xff, false)).toThrow('a text is longer than 32767 bytes')
  expect(() => textOf(32_768, 65, true)).toThrow('a text is longer than 32767 bytes')
})

test('flexible fields read back as they were written, and so do booleans and bytes', () => {
  const fields = fc.record({
    yes: fc.boolean(),
    byte: fc.integer({ min: -0x80, max: 0x7f }),
    text: wellFormed,
    perhapsText: fc.option(wellFormed),
    bytes: fc.uint8Array({ maxLength: 700 }),
    perhapsBytes: fc.option(fc.uint8Array()),
    perhapsList: fc.option(fc.array(fc.integer())),
  })
  fc.assert(
    fc.property(fields, fc.boolean(), (value, flexible) => {
      const writer = new FieldWriter()
      writer.flexible = flexible
      writer.boolean(value.yes).int8(value.byte).string(value.text).nullableString(value.perhapsText)
      writer.byteString(value.bytes).nullableByteString(value.perhapsBytes)
      if (value.perhapsList === null) writer.size(-1)
      else writer.array(value.perhapsList, (item) => writer.int32(item))
      writer.append(Buffer.from('end'))
      const reader = new FieldReader(writer.finish(), 'a test')
      reader.flexible = flexible
      const [yes, byte, text, perhapsText] = [reader.boolean(), reader.int8(), reader.string(), reader.nullableString()]
      const bytes = new Uint8Array(reader.byteString())
      const perhaps = reader.nullableByteString()
      const perhapsBytes = perhaps === null ? null : new Uint8Array(perhaps)
      const perhapsList = reader.nullableArray(4, () => reader.int32())
      expect({ yes, byte, text, perhapsText, bytes, perhapsBytes, perhapsList }).toEqual(value)
      expect(reader.take(3).toString()).toBe('end')
    }),
  )
})

test('many bytes are passed on and not copied, in their place among the others', () => {
  const many = Buffer.alloc(5_000, 'm')
  const pieces = new FieldWriter().int16(1).byteString(many).int16(2).finishInPieces()
  expect(pieces.map(({ length }) => length)).toEqual([6, 5_000, 2])
  expect(pieces[1].buffer).toBe(many.buffer)
  const whole = new FieldWriter().int16(1).byteString(many).int16(2).finish()
  expect(whole).toEqual(Buffer.concat(pieces))
})

test('lists together may have as many items as the reader is told, and no more', () => {
  const reading = (itemsLeft: number) => {
    const writer = new FieldWriter()
    for (const items of [[1, 2], [3]]) writer.array(items, (item) => writer.int32(item))
    const reader = new FieldReader(writer.finish(), 'a test')
    reader.itemsLeft = itemsLeft
    return [reader.array(4, () => reader.int32()), reader.array(4, () => reader.int32())]
  }
  expect(reading(3)).toEqual([[1, 2], [3]])
  expect(() => reading(2)).toThrow('it has 1 more items where 0 more are allowed')
})

test('a tagged field is read where it is known, and must fill its size; others are stepped over', () => {
  const reading = (bytes: number[], flexible = true) => {
    const reader = new FieldReader(Uint8Array.from(bytes), 'a test')
    reader.flexible = flexible
    const found: number[] = []
    reader.tags((tag) => {
      if (tag !== 1) return false
      found.push(reader.int8())
      return true
    })
    return found
  }
  expect(reading([2, 0, 3, 9, 9, 9, 1, 1, 7])).toEqual([7])
  expect(reading([], false)).toEqual([])
  expect(() => reading([1, 1, 2, 7, 7])).toThrow('the tagged field 1 is not of 2 bytes')
})

test('no more items of lists and tagged fields are read than a caller allows', () => {
  const reader = new FieldReader(Uint8Array.from([3, 65, 66, 2, 5, 0, 6, 0, 4, 1, 2, 3, 2, 7, 0, 8, 0]), 'a test')
  reader.flexible = true
  reader.itemsLeft = 7
  expect(reader.array(1, () => reader.int8())).toEqual([65, 66])
  reader.skipTags()
  expect(reader.array(1, () => reader.int8())).toEqual([1, 2, 3])
  expect(() => reader.skipTags()).toThrow('it has 2 more items where 0 more are allowed')
})

function errorOf(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}
