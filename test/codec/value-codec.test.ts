import fc from 'fast-check'
import { unpack } from 'msgpackr'
import { expect, test } from 'vitest'
import { VarveError } from '../../src/errors.ts'
import { resolveValueCodec, valueCodecNames, type ValueCodecName } from '../../src/codec/value-codec.ts'

/** What a value comes back as after it was stored: encoded, copied, decoded. */
function stored(name: ValueCodecName, value: unknown): unknown {
  const codec = resolveValueCodec(name)
  return codec.decode(Buffer.from(codec.encode(value)))
}

/** Any JSON value but null, which is a tombstone. */
const jsonValue = fc
  .json()
  .filter((text) => text !== 'null' && !text.includes('__proto__'))
  .map((text) => JSON.parse(text) as unknown)

test('json and msgpack give back any JSON value', () => {
  fc.assert(
    fc.property(jsonValue, (value) => {
      expect(stored('json', value)).toEqual(value)
      expect(stored('msgpack', value)).toEqual(value)
    }),
  )
})

test('msgpack gives back what JSON cannot hold', () => {
  const leaf = fc.oneof(
    fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
    fc.date(),
    fc.double().filter((number) => !Object.is(number, -0)),
    fc.constant(undefined),
    fc.uint8Array(),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.float64Array(),
    fc.int16Array(),
    fc.bigUint64Array(),
    fc.array(fc.string()).map((items) => new Set(items)),
  )
  const key = fc.string().filter((name) => name !== '__proto__')
  const value = fc.oneof(fc.array(leaf), fc.dictionary(key, leaf, { noNullPrototype: true }))
  fc.assert(
    fc.property(value, (given) => {
      expect(stored('msgpack', given)).toStrictEqual(given)
    }),
  )
})

test('string gives back any well-formed text, bytes any bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.uint8Array(), (text, bytes) => {
      expect(stored('string', text)).toBe(text)
      expect(stored('bytes', bytes)).toStrictEqual(Buffer.from(bytes))
    }),
  )
})

test('string and json are plain UTF-8, bytes are the bytes, msgpack is MessagePack', () => {
  expect(Buffer.from(resolveValueCodec('string').encode('Zürich')).toString('hex')).toBe('5ac3bc72696368')
  expect(Buffer.from(resolveValueCodec('json').encode({ a: 'ü' })).toString()).toBe('{"a":"ü"}')
  expect(Buffer.from(resolveValueCodec('bytes').encode(Uint8Array.of(1, 2))).toString('hex')).toBe('0102')
  // fixmap 1, fixstr "a", uint 1; the smallest form there is
  expect(Buffer.from(resolveValueCodec('msgpack').encode({ a: 1 })).toString('hex')).toBe('81a16101')
})

test('each msgpack value stands alone, whatever was written before it', () => {
  const codec = resolveValueCodec('msgpack')
  const orders = Array.from({ length: 300 }, (_, i) => ({ id: i, total: i / 8, lines: [{ sku: `s${i}` }] }))
  const copies = orders.map((order) => Buffer.from(codec.encode(order)))
  // a reader that shares nothing with the writer, latest value first
  expect(copies.toReversed().map((bytes) => unpack(bytes) as unknown)).toEqual(orders.toReversed())
})

test('a value that encodes another one on its way is not confused by it', () => {
  const codec = resolveValueCodec('msgpack')
  class Envelope {
    constructor(readonly inner: unknown) {}
    toJSON() {
      return { inner: Buffer.from(codec.encode(this.inner)) }
    }
  }
  const value = {
    before: 'x'.repeat(5000),
    nested: [new Envelope({ a: 1 }), new Envelope(new Envelope('deep'))],
    after: 2,
  }
  const result = stored('msgpack', value) as { before: string; nested: { inner: Buffer }[]; after: number }
  expect([result.before, result.after]).toEqual([value.before, 2])
  expect(result.nested.map(({ inner }) => unpack(inner) as unknown)).toEqual([
    { a: 1 },
    { inner: expect.any(Buffer) as unknown },
  ])
})

test('an object may have more keys than 16 bits count', () => {
  const many = Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i]))
  expect(stored('msgpack', many)).toEqual(many)
})

const circular: Record<string, unknown> = {}
circular['self'] = circular

test.each<[ValueCodecName, unknown, string]>([
  ['msgpack', undefined, 'undefined'],
  ['msgpack', () => 1, 'a function'],
  ['msgpack', Symbol('s'), 'a symbol'],
  ['msgpack', circular, 'an instance of Object'],
  ['json', undefined, 'undefined'],
  ['json', () => 1, 'a function'],
  ['json', 5n, 'a bigint'],
  ['json', [5n], 'an instance of Array'],
  ['json', circular, 'an instance of Object'],
  ['string', { a: 1 }, 'an instance of Object'],
  ['string', Buffer.from('a'), 'an instance of Buffer'],
  ['string', 5, 'a number'],
  ['bytes', 'text', 'a string'],
  ['bytes', new Date(0), 'an instance of Date'],
  ['bytes', new ArrayBuffer(2), 'an instance of ArrayBuffer'],
  ['bytes', Object.create(null), 'an instance of Object'],
])('%s refuses %s, naming the codec and what it got', (name, value, got) => {
  const codec = resolveValueCodec(name)
  expect(() => codec.encode(value)).toThrow(TypeError)
  expect(() => codec.encode(value)).toThrow(new RegExp(`^the ${name} value codec takes .+, not ${got}`))
})

test('the reason stays with the refusal, and the next value is not affected', () => {
  const codec = resolveValueCodec('msgpack')
  let refusal: unknown
  try {
    codec.encode(circular)
  } catch (error) {
    refusal = error
  }
  expect((refusal as Error).cause).toBeInstanceOf(RangeError)
  expect(codec.decode(Buffer.from(codec.encode({ fine: true })))).toEqual({ fine: true })
})

test.each<[ValueCodecName, string]>([
  ['msgpack', '93'],
  ['msgpack', ''],
  ['msgpack', '0102'],
  ['json', '7b'],
  ['json', ''],
])('%s says so when it cannot read the bytes %j', (name, hex) => {
  const read = () => resolveValueCodec(name).decode(Buffer.from(hex, 'hex'))
  expect(read).toThrow(VarveError)
  expect(read).toThrow(expect.objectContaining({ code: 'INVALID_RECORD', cause: expect.any(Error) as unknown }))
  expect(read).toThrow(`the ${name} value codec cannot read these ${hex.length / 2} bytes`)
})

test('a stored __proto__ key does not become a prototype', () => {
  const hostile = JSON.parse('{"__proto__":{"admin":true}}') as object
  for (const name of ['msgpack', 'json'] as const) expect(stored(name, hostile)).not.toHaveProperty('admin')
})

test('every name has a codec, and any other name is refused', () => {
  for (const name of valueCodecNames) expect(resolveValueCodec(name)).toHaveProperty('encode')
  for (const name of ['avro', 'toString'] as unknown as ValueCodecName[]) {
    expect(() => resolveValueCodec(name)).toThrow(
      new TypeError(`valueCodec must be one of 'msgpack', 'json', 'string', 'bytes', not '${name}'`),
    )
  }
})
