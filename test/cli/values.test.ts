import { expect, test } from 'vitest'
import { resolveValueCodec } from '../../src/codec/value-codec.ts'
import { jsonText, keyText, safeText, valueDecoder, valueText } from '../../src/cli/values.ts'

const msgpack = resolveValueCodec('msgpack')

test('everything that a codec decodes has a JSON form, and plain data the one that JSON.stringify gives', () => {
  const plain = { a: [1, 'x', null, true, { b: {} }], c: -0.5 }
  expect(jsonText(plain)).toBe(JSON.stringify(plain))
  expect(jsonText(plain, 2)).toBe(JSON.stringify(plain, null, 2))
  const rich = {
    date: new Date(0),
    big: 2n ** 60n,
    small: 5n,
    bytes: Buffer.from([1, 2]),
    floats: new Float64Array([0.5]),
    set: new Set([1, 2]),
    map: new Map([['k', 1]]),
    pattern: /x/g,
    error: new Error('no'),
    nan: NaN,
    missing: undefined,
  }
  expect(JSON.parse(jsonText(rich))).toEqual({
    date: '1970-01-01T00:00:00.000Z',
    big: String(2n ** 60n),
    small: 5,
    bytes: { base64: 'AQI=' },
    floats: [0.5],
    set: [1, 2],
    map: [['k', 1]],
    pattern: '/x/g',
    error: 'Error: no',
    nan: 'NaN',
    missing: null,
  })
  expect(jsonText(undefined)).toBe('null')
  expect(jsonText(3n)).toBe('3')
})

test('what msgpack wrote is shown whatever it is', () => {
  const decode = valueDecoder('msgpack')
  for (const value of [1, 'x', [1], { a: new Date(5) }, 2n ** 60n, new Set(['x']), Buffer.from('x')]) {
    const shown = decode(Buffer.from(msgpack.encode(value)))
    expect(shown.kind).toBe('data')
    expect(() => JSON.parse(valueText(shown)) as unknown).not.toThrow(TypeError)
  }
})

test('bytes that a codec did not write are shown as bytes', () => {
  const invalid = Buffer.from([0xff, 0xff])
  for (const codec of ['msgpack', 'json', 'string', 'bytes', 'custom']) {
    expect(valueDecoder(codec)(invalid)).toEqual({ kind: 'bytes', bytes: invalid })
    expect(valueDecoder(codec)(null)).toEqual({ kind: 'none' })
  }
  expect(valueDecoder('json')(Buffer.from('"\xff"', 'latin1'))).toMatchObject({ kind: 'bytes' })
})

test('text without control characters is shown as it is, other text as JSON that holds none', () => {
  expect(safeText('a "quoted" ü')).toBe('a "quoted" ü')
  expect(safeText('a\nb')).toBe('"a\\nb"')
  expect(safeText('\u001b[2J\u009b\u2028\u007f')).toBe('"\\u001b[2J\\u009b\\u2028\\u007f"')
  expect(valueText({ kind: 'data', data: { a: '\u009b' } })).toBe('{"a":"\\u009b"}')
  expect(keyText(Buffer.from([0xff]))).toBe('base64:/w==')
})
