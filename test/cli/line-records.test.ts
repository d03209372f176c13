import { expect, test } from 'vitest'
import { LineFault, lineRecords, type LineFormat, type LineRecordOptions } from '../../src/cli/line-records.ts'

function record(
  line: string | Buffer,
  options: LineRecordOptions = {},
  format: LineFormat = 'json',
  valueCodec = 'msgpack',
) {
  return lineRecords(format, valueCodec, options)(Buffer.from(line))
}

test('the key is a field, and dots lead into objects unless the whole name is a field', () => {
  expect(record('{"a":{"b":"x"}}', { key: 'a.b' })?.key).toBe('x')
  expect(record('{"a.b":"y","a":{"b":"x"}}', { key: 'a.b' })?.key).toBe('y')
  expect(record('{"a.b":{"c":"z"}}', { key: 'a.b.c' })?.key).toBe('z')
  expect(record('{"a":[{"id":7}]}', { key: 'a.0.id' })?.key).toBe('7')
})

test('numbers make keys as JSON writes them; null makes a record without a key', () => {
  expect(record('{"k":12.5}', { key: 'k' })?.key).toBe('12.5')
  expect(record('{"k":null}', { key: 'k' })?.key).toBe(null)
})

test('a key that is missing, inherited, true or an object is a fault that names the field', () => {
  expect(() => record('{"a":true}', { key: 'a' })).toThrow("field 'a', must be a string, a number or null, not true")
  expect(() => record('{"a":1}', { key: 'b' })).toThrow("no field 'b' to take the key from")
  expect(() => record('{"a":1}', { key: 'toString' })).toThrow("no field 'toString'")
  expect(() => record('7', { key: 'b' })).toThrow("no field 'b'")
  expect(() => record('{"a":{}}', { key: 'a' })).toThrow("field 'a', must be a string, a number or null, not an object")
})

test('the timestamp is milliseconds or ISO 8601, UTC where there is no zone; null leaves it to the append', () => {
  expect(record('{"t":-5}', { timestamp: 't' })?.timestamp).toBe(-5)
  expect(record('{"t":"1970-01-01T00:00:01.5"}', { timestamp: 't' })?.timestamp).toBe(1500)
  expect(record('{"t":"1970-01-01T01:00+01:00"}', { timestamp: 't' })?.timestamp).toBe(0)
  expect(record('{"t":null}', { timestamp: 't' })).not.toHaveProperty('timestamp')
})

test('a timestamp that is none is a fault that shows it', () => {
  for (const given of ['1.5', '"yesterday"', '"12"', '9e15', 'true', '{}']) {
    expect(() => record(`{"t":${given}}`, { timestamp: 't' })).toThrow(
      /field 't', must be whole milliseconds from -8\.64e15 to 8\.64e15, or an ISO 8601 time/,
    )
  }
  expect(() => record('{}', { timestamp: 't' })).toThrow("no field 't' to take the timestamp from")
})

test('JSON is parsed for codecs that hold data, and kept to the byte for those that hold text or bytes', () => {
  const line = '{"n": 12345678901234567890, "ü":1}'
  expect(record(line, {}, 'json', 'json')?.value).toEqual(JSON.parse(line))
  expect(record(line, {}, 'json', 'string')?.value).toBe(line)
  expect(record(line, {}, 'json', 'bytes')?.value).toEqual(Buffer.from(line))
})

test('a number that JSON.parse would make Infinity is a fault that names the field, where it would be stored as one', () => {
  const digits = '9'.repeat(250)
  for (const number of ['1e400', '-1E+309', `${digits}e99`, '9'.repeat(310), '0.1e0310']) {
    for (const codec of ['msgpack', 'json', 'custom']) {
      expect(() => record(`{"a":[{"b":${number}}]}`, {}, 'json', codec)).toThrow(LineFault)
      expect(() => record(`{"a":[{"b":${number}}]}`, {}, 'json', codec)).toThrow(
        "the field 'a.0.b' is a number beyond 1.8e308, which no number can hold: write it as a string",
      )
    }
    expect(record(number, {}, 'json', 'string')?.value).toBe(number)
  }
  expect(() => record('1e400')).toThrow('the value is a number beyond 1.8e308')
  for (const number of ['1e308', '1e-400', `${digits}e-200`, '"1e400"']) {
    expect(record(number)?.value).toBe(JSON.parse(number))
  }
})

test('null is a record without a value, under every codec', () => {
  for (const codec of ['msgpack', 'json', 'string', 'bytes'])
    expect(record(' null ', {}, 'json', codec)?.value).toBe(null)
})

test('a blank line between JSON values is no record; between lines of text it is an empty one', () => {
  expect(record('  ')).toBe(null)
  expect(record('', {}, 'lines')?.value).toBe('')
})

test('lines of text are strings, and bytes where the topic takes bytes', () => {
  expect(record('{"a":1}', {}, 'lines')?.value).toBe('{"a":1}')
  expect(record(Buffer.from([0xff, 0x00]), {}, 'lines', 'bytes')?.value).toEqual(Buffer.from([0xff, 0x00]))
})

test('what is not JSON and what is not UTF-8 is a fault, never changed in silence', () => {
  expect(() => record('{"a":')).toThrow(LineFault)
  expect(() => record('[')).toThrow(/one value must stand whole on one line/)
  expect(() => record(Buffer.from([0x22, 0xff, 0x22]))).toThrow('not UTF-8')
  expect(() => record(Buffer.from([0xff]), {}, 'lines', 'string')).toThrow(
    'not UTF-8 (a topic with valueCodec=bytes takes any bytes)',
  )
})

test('partition and headers are those of the options', () => {
  const headers: [string, string][] = [
    ['a', '1'],
    ['a', '2'],
  ]
  expect(record('1', { partition: 3, headers })).toEqual({ value: 1, partition: 3, headers })
})
