import { expect, test } from 'vitest'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import { compileFormat } from '../../src/cli/record-format.ts'
import { valueDecoder } from '../../src/cli/values.ts'

const fields = {
  topic: 't',
  partition: 1,
  offset: 2,
  timestamp: 1500,
  keyBytes: Buffer.from('k'),
  valueBytes: Buffer.from('{"a": 1}'),
  rawHeaders: [
    ['h', Buffer.from('x')],
    ['n', null],
  ],
}
const record = fields as unknown as ConsumerRecord
const nothing = { ...fields, keyBytes: null, valueBytes: null, rawHeaders: [] } as unknown as ConsumerRecord

function print(format: string, what: ConsumerRecord = record, codec = 'json'): string {
  return compileFormat(format, valueDecoder(codec))(what).toString()
}

test('each token is what it says', () => {
  expect(print('%t|%p|%o|%T|%D|%k|%K|%v|%s|%S|%h|%%')).toBe(
    't|1|2|1500|1970-01-01T00:00:01.500Z|k|1|{"a":1}|{"a":1}|8|h=x,n=NULL|%',
  )
  expect(print('%v', record, 'string')).toBe('{"a": 1}')
})

test('nothing is printed for what a record does not have, and -1 for its length', () => {
  expect(print('%k|%K|%v|%S|%h', nothing)).toBe('|-1||-1|')
})

test('escapes are those of a shell string; other text stands as it is', () => {
  expect(print('a b\\n\\t\\r\\\\\\x41\\x00\\0ü')).toBe('a b\n\t\r\\A\0\0ü')
})

test('bytes go out as they are', () => {
  const raw = {
    ...fields,
    keyBytes: Buffer.from([0xff]),
    valueBytes: Buffer.from([0xfe, 0]),
  } as unknown as ConsumerRecord
  expect(compileFormat('%k%v\\xfd', valueDecoder('bytes'))(raw)).toEqual(Buffer.from([0xff, 0xfe, 0, 0xfd]))
})

test('a token or escape that does not exist is refused, and so is one that is cut off', () => {
  for (const format of ['%x', '%', 'a%', '\\q', '\\', '\\xg0'])
    expect(() => print(format)).toThrow(/--format has no (token|escape)/)
})
