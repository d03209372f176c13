/** The messages that wrong options get: they name the call, the option, what it must be and what it was. */
import { describe, expect, test } from 'vitest'
import {
  abortSignal,
  anyOf,
  boolean,
  checkOptions,
  integer,
  milliseconds,
  nonEmptyString,
  oneOf,
  path,
  show,
  withMethods,
  type Check,
} from '../src/options.ts'
import { thrown } from './helpers/logs.ts'

describe('each check takes what is right and says what must be', () => {
  const table: [name: string, check: Check, right: unknown[], wrong: unknown[], must: string][] = [
    [
      'integer',
      integer(1),
      [1, 2 ** 53 - 1],
      [0, -1, 1.5, 2 ** 53, NaN, Infinity, '1', 1n, null],
      'an integer of at least 1',
    ],
    ['integer with a range', integer(-1, 5), [-1, 0, 5], [-2, 6, 0.5, '0'], 'an integer from -1 to 5'],
    ['milliseconds', milliseconds(1), [1, 1.5, 1e15], [0.9, NaN, Infinity, '5', null], 'a number of at least 1 (ms)'],
    ['oneOf', oneOf(['a', 'b']), ['a', 'b'], ['c', 'A', '', null, ['a'], 0], "one of 'a', 'b'"],
    ['boolean', boolean, [true, false], [0, 1, 'true', null], 'true or false'],
    ['nonEmptyString', nonEmptyString, ['a', ' '], ['', 5, null, ['a']], 'a string that is not empty'],
    ['path', path, ['a', './b c'], ['', 5, null], 'a string that is not empty'],
    ['path', path, [], ['a\0b', '\0'], 'a path without NUL characters'],
    ['abortSignal', abortSignal, [new AbortController().signal], [new AbortController(), {}, null], 'an AbortSignal'],
    [
      'withMethods',
      withMethods('x', 'y'),
      [{ x() {}, y() {} }],
      [{ x() {} }, { x() {}, y: 1 }],
      "an object with a method 'y'",
    ],
    [
      'withMethods',
      withMethods('x'),
      [Object.create({ x() {} })],
      [null, {}, 5, 'x', []],
      "an object with a method 'x'",
    ],
  ]
  test.each(table)('%s', (_, check, right, wrong, must) => {
    for (const value of right) expect(check(value)).toBeNull()
    for (const value of wrong) expect([value, check(value)]).toEqual([value, `must be ${must}`])
  })

  test('anyOf takes what one of its checks takes, and names all of them otherwise', () => {
    const check = anyOf(boolean, integer(0))
    expect([check(true), check(3)]).toEqual([null, null])
    expect(check('x')).toBe('must be true or false, or must be an integer of at least 0')
  })
})

describe('checkOptions', () => {
  const checks = { count: integer(1), readOnly: boolean, flushMs: milliseconds(0) }
  const check = (options: unknown, required: string[] = []) => checkOptions('call', options, checks, required)

  test('takes what is right, and an option that is undefined as absent', () => {
    expect(() => {
      check({})
      check({ count: 5, readOnly: undefined, flushMs: 0 })
      check(Object.assign(Object.create(null) as object, { count: 1 }), ['count'])
    }).not.toThrow()
  })

  test.each([
    ['undefined', undefined],
    ['null', null],
    ["'x'", 'x'],
    ['an array', []],
    ['a Map', new Map([['count', 5]])],
    ['5', 5],
    ['a function', () => {}],
  ])('instead of an object, %s is a TypeError', (shown, options) => {
    const error = thrown(() => check(options))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toBe(`call: options must be an object, not ${shown}`)
  })

  test.each([
    ['readonly', 'readOnly'],
    ['read_only', 'readOnly'],
    ['READONLY', 'readOnly'],
    ['counts', 'count'],
    ['flush', 'flushMs'],
    ['flushMsec', 'flushMs'],
    ['cont', 'count'],
    ['coutn', 'count'],
    ['raedOnyl', 'readOnly'],
    ['flishMs', 'flushMs'],
  ])("of an unknown option '%s' it says that '%s' may have been meant", (given, meant) => {
    const error = thrown(() => check({ [given]: 1 }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toBe(
      `call: unknown option '${given}' (did you mean '${meant}'?); known options: count, readOnly, flushMs`,
    )
  })

  test.each(['size', 'toString', 'constructor', '1', '-'])(
    "of '%s', which resembles none, it lists the known ones",
    (given) => {
      const error = thrown(() => check({ [given]: 1 }))
      expect(error.message).toBe(`call: unknown option '${given}'; known options: count, readOnly, flushMs`)
    },
  )

  test('a number out of its range is a RangeError, anything else wrong a TypeError', () => {
    const kinds = [0, 1.5, Infinity, NaN, '5', null, {}].map((count) => {
      const error = thrown(() => check({ count }))
      expect(error.message).toMatch(/^call: option 'count' must be an integer of at least 1, not /)
      return error.constructor
    })
    expect(kinds).toEqual([RangeError, RangeError, RangeError, TypeError, TypeError, TypeError, TypeError])
    expect(thrown(() => check({ flushMs: -1 }))).toBeInstanceOf(RangeError)
    expect(thrown(() => check({ flushMs: '1' }))).toBeInstanceOf(TypeError)
  })

  test('a required option that is absent or undefined is named', () => {
    for (const options of [{}, { count: undefined }]) {
      const error = thrown(() => check(options, ['count']))
      expect(error).toBeInstanceOf(TypeError)
      expect(error.message).toBe("call: option 'count' is required")
    }
  })
})

test.each([
  ["'text'", 'text'],
  [`'${'x'.repeat(64)}...'`, 'x'.repeat(65)],
  ['a function', () => {}],
  ['an array', [1]],
  ['3 bytes', new Uint8Array(3)],
  ['an object', { toString: () => 'never called' }],
  ['an object', Object.create(null)],
  ['null', null],
  ['undefined', undefined],
  ['-0.5', -0.5],
  ['5n', 5n],
  ['the Date 1970-01-01T00:00:00.005Z', new Date(5)],
  ['an invalid Date', new Date(NaN)],
  ['a Map', new Map()],
  ["'a\\x00b\\x1b'", 'a\0b\u001b'],
  ['Symbol(s)', Symbol('s')],
])('a value is shown as %s', (shown, value) => {
  expect(show(value)).toBe(shown)
})
