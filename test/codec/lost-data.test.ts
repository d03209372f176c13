/** What the msgpack codec refuses because nothing, or something else, would come back: never in silence. */
import { expect, test } from 'vitest'
import { resolveValueCodec } from '../../src/codec/value-codec.ts'

const codec = resolveValueCodec('msgpack')

/** A class whose state cannot be seen from outside. */
class Secret {
  readonly #text = 'hidden'

  reveal(): string {
    return this.#text
  }
}

class Point {
  constructor(
    readonly x: number,
    readonly y: number,
  ) {}
}

/** A kind of Map, as programs make them. */
class Registry extends Map<string, number> {}

const lost: [what: string, value: unknown, message: string][] = [
  ['a Map with a Date as key', new Map([[new Date(0), 1]]), 'a Map with a key that is an instance of Date: make all'],
  ['a Map with an object as key', { m: new Map([[{}, 1]]) }, 'a key that is an instance of Object (value.m): make all'],
  ['a Map with null as key', new Map([[null, 1]]), 'a Map with a key that is null'],
  ['a Map with a boolean as key', new Map([[true, 1]]), 'a Map with a key that is a boolean'],
  ['a Map with a function as key', new Map([[() => 1, 1]]), 'a Map with a key that is a function'],
  ['a Map with 1 and "1" as keys', new Map<unknown, number>().set(1, 1).set('1', 2), "with both 1 and '1' as keys"],
  ['a subclass of Map', new Registry([['a', 1]]), 'an instance of Registry, a kind of Map: store new Map(it)'],
  [
    'a boxed number',
    { lines: [{ n: Object(5) as unknown }] },
    'an instance of Number (value.lines[0].n): store what its',
  ],
  [
    'a boxed string',
    { 'a b': Object('text') as unknown },
    'an instance of String (value["a b"]): store what its valueOf()',
  ],
  ['a boxed boolean', Object(true), 'an instance of Boolean: store what its valueOf() gives'],
  ['a boxed bigint', [Object(5n)], 'an instance of BigInt (value[0]): store what its valueOf() gives'],
  ['a boxed symbol', Object(Symbol('s')), 'an instance of Symbol: store what its valueOf() gives'],
  ['a Promise', { total: Promise.resolve(5) }, 'an instance of Promise (value.total): await it first'],
  ['an instance of a class without a name', new (class {})(), 'an instance of a nameless class, which shows no fields'],
  ['a WeakMap', new WeakMap(), 'an instance of WeakMap, which shows no fields of its own: store plain data, or give'],
  [
    'a WeakSet in a Set',
    new Set([1, new WeakSet()]),
    'an instance of WeakSet, which shows no fields of its own (value[1])',
  ],
  ['an iterator in a Map', new Map([['k', [1].values()]]), '(value.get("k"))'],
  [
    'private state',
    new Secret(),
    'an instance of Secret, which shows no fields of its own: store plain data, or give its',
  ],
  ['search parameters', new URLSearchParams('a=1'), 'an instance of URLSearchParams, which shows no fields'],
  ['a generator', (function* () {})(), 'which shows no fields of its own'],
]
test.each(lost)('%s is refused, naming what it is, where, and what to do', (_, value, message) => {
  expect(() => codec.encode(value)).toThrow(TypeError)
  expect(() => codec.encode(value)).toThrow('the msgpack value codec cannot hold ')
  expect(() => codec.encode(value)).toThrow(message)
  // and the refusal leaves no trace
  expect(codec.decode(Buffer.from(codec.encode({ fine: true })))).toEqual({ fine: true })
})

const kept: [what: string, value: unknown, stored: unknown][] = [
  ['an instance of a class', [new Point(1, 2)], [{ x: 1, y: 2 }]],
  ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
  ['an empty object without a prototype', Object.create(null), {}],
  ['an object with a member named constructor', { constructor: 'x' }, { constructor: 'x' }],
  ['what has a toJSON', { at: new URL('http://localhost/') }, { at: 'http://localhost/' }],
  ['a Map of strings and numbers', new Map<unknown, unknown>().set('a', new Map()).set(2, 3), { a: {}, 2: 3 }],
  [
    'a Set, a date and bytes',
    [new Set([1]), new Date(5), Buffer.from('a')],
    [new Set([1]), new Date(5), Buffer.from('a')],
  ],
  ['an error', new RangeError('too far'), new RangeError('too far')],
  ['a pattern', [/a+/gi], [/a+/gi]],
  ['an ArrayBuffer', new Uint8Array([1, 2]).buffer, new Uint8Array([1, 2]).buffer],
  ['a member that is a function', { handler() {}, n: new Point(1, 2) }, { handler: undefined, n: { x: 1, y: 2 } }],
]
test.each(kept)('%s is stored', (_, value, stored) => {
  expect(codec.decode(Buffer.from(codec.encode(value)))).toEqual(stored)
})

test('looking for losses calls no code of the program a second time', () => {
  let calls = 0
  const value = {
    get read() {
      calls++
      return new Point(1, 2)
    },
    written: {
      toJSON() {
        calls++
        return codec.encode({ inner: new Point(3, 4) }).length
      },
      constructor: Point,
    },
  }
  expect(codec.decode(Buffer.from(codec.encode(value)))).toMatchObject({ read: { x: 1, y: 2 } })
  expect(calls).toBe(2)
})

test('a value that encodes another one on its way is looked through itself', () => {
  const innocent = { toJSON: () => codec.encode({ plain: true }).length, constructor: Point }
  expect(() => codec.encode([new WeakMap(), innocent])).toThrow('an instance of WeakMap')
  expect(() => codec.encode([innocent, new WeakMap()])).toThrow('an instance of WeakMap')
})

test('a lone surrogate comes back as U+FFFD, as is written', () => {
  const [text] = codec.decode(Buffer.from(codec.encode(['a\ud800b']))) as string[]
  expect(text).toMatch(/^a\ufffd+b$/)
})
