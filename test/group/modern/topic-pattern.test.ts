/** Regular expressions that names of topics match. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TopicPattern } from '../../../src/group/modern/topic-pattern.ts'

const matches = (pattern: string, name: string) => new TopicPattern(pattern).matches(name)

test('a pattern of any kind matches what a RegExp matches', () => {
  const atom = fc.constantFrom(
    'a',
    'b',
    '.',
    '[ab]',
    '[^a]',
    '[b-c]',
    '\\d',
    '\\w',
    '\\.',
    '1',
    '_',
    '[\\d_]',
    '^',
    '$',
  )
  const { pattern } = fc.letrec<{ pattern: string; part: string }>((tie) => ({
    pattern: fc.oneof(
      { maxDepth: 4 },
      atom,
      fc.tuple(tie('part'), tie('part')).map(([a, b]) => a + b),
      fc.tuple(tie('part'), tie('part')).map(([a, b]) => `(${a}|${b})`),
      fc
        .tuple(tie('part'), fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{0,}', '*?', '{1,3}?'))
        .map(([a, count]) => `(?:${a})${count}`),
    ),
    part: tie('pattern'),
  }))
  const name = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', '.', '_', '-'), maxLength: 8 })
  fc.assert(
    fc.property(pattern, fc.array(name, { minLength: 5, maxLength: 10 }), (source, names) => {
      const same = new RegExp(`^(?:${source})$`)
      for (const one of names) expect([source, one, matches(source, one)]).toEqual([source, one, same.test(one)])
    }),
    { numRuns: 2_000 },
  )
})

test('what RE2 writes in ways of its own is understood', () => {
  const cases: [pattern: string, matching: string[], not: string[]][] = [
    ['\\Qa.b\\E.*', ['a.b', 'a.bc'], ['axb']],
    ['a\\Q.b', ['a.b'], ['axb']],
    ['(?i)Ab[c-d]', ['aBC', 'abd'], ['abe']],
    ['a(?i:b)c', ['abc', 'aBc'], ['Abc']],
    ['(?i:a(?-i)b)', ['Ab'], ['AB']],
    ['(?i:a(?-i:b)c)', ['AbC'], ['aBc']],
    ['(?P<name>a)|(?<other>b)', ['a', 'b'], ['ab']],
    ['\\Aab\\z', ['ab'], ['b']],
    ['[]a]+', [']a'], ['b']],
    ['[^]a]', ['b'], [']']],
    ['[a-]', ['a', '-'], ['b']],
    ['a{,2}', ['a{,2}'], ['aa']],
    ['[\\w.-]+', ['a-b.c_1'], ['a b']],
    ['\\D\\W\\S', ['a.b'], ['1.b']],
    ['', [''], ['a']],
    ['|a', ['', 'a'], ['b']],
  ]
  for (const [pattern, matching, not] of cases) {
    for (const name of matching) expect([pattern, name, matches(pattern, name)]).toEqual([pattern, name, true])
    for (const name of not) expect([pattern, name, matches(pattern, name)]).toEqual([pattern, name, false])
  }
})

test('what is no pattern is refused with the reason', () => {
  const cases = {
    '(': 'missing',
    'a)': 'opens',
    '[a': 'ends too early',
    'a\\': 'ends too early',
    '*a': 'nothing that',
    'a**': 'repeated again',
    'a{2}{2}': 'repeated again',
    'a{3,2}': 'cannot repeat',
    'a{1001}': 'cannot repeat',
    '[b-a]': 'ends before',
    '[[:alpha:]]': 'not known',
    '\\p{L}': 'not known',
    '\\bword': 'not known',
    '(a)\\1': 'not known',
    '(?=a)': 'not known',
    '(?<=a)': 'not known',
    '(?:a{500}){3}': 'steps',
    '((((){1000}){1000}){1000})': 'repeats too much',
    [`${'a'.repeat(1_001)}`]: 'longer than',
  }
  for (const [pattern, why] of Object.entries(cases)) {
    let message = 'nothing'
    try {
      new TopicPattern(pattern)
    } catch (error) {
      expect((error as { code?: string }).code).toBe('INVALID_REGULAR_EXPRESSION')
      message = (error as Error).message
    }
    expect([pattern.slice(0, 30), message]).toEqual([pattern.slice(0, 30), expect.stringContaining(why)])
  }
})

test('hostile patterns are refused, or matched without trying one way after the other', () => {
  const name = `${'a'.repeat(248)}!`
  for (const pattern of ['(a+)+', '(a|a)*', '(a|aa)+', '(.*)*', '(((a*)*)*)*', '(a{0,15}){0,15}']) {
    expect([pattern, matches(pattern, name)]).toEqual([pattern, pattern === '(.*)*'])
  }
  // of these there are more states than are kept
  const long = new TopicPattern('(a|b)*a(a|b){12}')
  for (let i = 0; i < 3_000; i++) {
    const bits = (i * 0x9e3779b1) >>> 0
    const one = bits.toString(2).padStart(32, '0').replaceAll('0', 'a').replaceAll('1', 'b')
    expect([one, long.matches(one)]).toEqual([one, one.at(-13) === 'a'])
  }
  const any = fc.string({ unit: fc.constantFrom(...Array.from('ab()[]{}*+?|^$\\.-,1Qi:<P>')), maxLength: 30 })
  fc.assert(
    fc.property(any, (source) => {
      try {
        new TopicPattern(source).matches('aab1')
      } catch (error) {
        expect((error as { code?: string }).code).toBe('INVALID_REGULAR_EXPRESSION')
      }
    }),
    { numRuns: 5_000 },
  )
})
