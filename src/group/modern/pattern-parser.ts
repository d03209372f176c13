import { VarveError } from '../../errors.ts'

/** Topics' names are ASCII. */
const CODES = 128

type Codes = ReadonlySet<number>

/** What a pattern is made of. */
export type PatternNode =
  | { type: 'codes'; codes: Codes }
  | { type: 'begin' | 'end' }
  | { type: 'sequence' | 'choice'; of: PatternNode[] }
  | { type: 'repeat'; of: PatternNode; least: number; most: number }

/** The error for what is no pattern. */
export function invalidPattern(source: string, why: string): VarveError {
  return new VarveError('INVALID_REGULAR_EXPRESSION', `'${source}' is no regular expression for topics: ${why}`)
}

/** @throws VarveError INVALID_REGULAR_EXPRESSION */
export function parsePattern(source: string): PatternNode {
  return new PatternParser(source).parse()
}

const range = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i)
const codesOf = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0))
const others = (codes: Codes): Set<number> => new Set(range(0, CODES - 1).filter((code) => !codes.has(code)))

const DIGITS = new Set(range(48, 57))
const WORD = new Set([...DIGITS, ...range(65, 90), ...range(97, 122), ...codesOf('_')])
const SPACE = new Set(codesOf('\t\n\f\r '))
const CLASSES: Record<string, Codes> = {
  d: DIGITS,
  D: others(DIGITS),
  w: WORD,
  W: others(WORD),
  s: SPACE,
  S: others(SPACE),
}
const CONTROLS: Record<string, string> = { a: '\x07', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }
const FLAGS = /\?([imsU]*)(?:-([imsU]*))?([:)])/y
const GROUP_NAME = /\?P?<\w+>/y
const COUNTS = /\{(\d+)(,?)(\d*)\}/y
const COUNT_MAX = 1_000

/** Reads a pattern from its beginning to its end. */
class PatternParser {
  private at = 0
  private ignoresCase = false

  constructor(private readonly source: string) {}

  parse(): PatternNode {
    const node = this.choice()
    if (this.at < this.source.length) throw invalidPattern(this.source, `nothing opens the ')' at ${this.at}`)
    return node
  }

  private choice(): PatternNode {
    const of: PatternNode[] = []
    do of.push(this.sequence())
    while (this.takes('|'))
    return of.length === 1 ? of[0] : { type: 'choice', of }
  }

  private sequence(): PatternNode {
    const of: PatternNode[] = []
    for (
      let next = this.source[this.at];
      next !== undefined && next !== '|' && next !== ')';
      next = this.source[this.at]
    ) {
      if (this.takes('\\Q')) of.push(...this.quoted())
      else of.push(this.repeated(this.atom()))
    }
    return { type: 'sequence', of }
  }

  private quoted(): PatternNode[] {
    const end = this.source.indexOf('\\E', this.at)
    const text = this.source.slice(this.at, end < 0 ? undefined : end)
    this.at = end < 0 ? this.source.length : end + 2
    return codesOf(text).map((code) => this.oneOf([code]))
  }

  private repeated(of: PatternNode): PatternNode {
    const counts = this.match(COUNTS)
    let node: PatternNode
    if (counts !== null) {
      const least = Number(counts[1])
      const most = counts[2] === '' ? least : counts[3] === '' ? Infinity : Number(counts[3])
      if (least > most || Math.max(least, most === Infinity ? 0 : most) > COUNT_MAX)
        throw invalidPattern(this.source, `it cannot repeat ${counts[0]}`)
      node = { type: 'repeat', of, least, most }
    } else if (this.takes('*')) node = { type: 'repeat', of, least: 0, most: Infinity }
    else if (this.takes('+')) node = { type: 'repeat', of, least: 1, most: Infinity }
    else if (this.takes('?')) node = { type: 'repeat', of, least: 0, most: 1 }
    else return of
    // as few or as many as there can be: the name matches or not
    this.takes('?')
    if (this.match(COUNTS) !== null || '*+?'.includes(this.source[this.at] ?? ' '))
      throw invalidPattern(this.source, `what is repeated is repeated again at ${this.at}`)
    return node
  }

  private atom(): PatternNode {
    const character = this.take()
    switch (character) {
      case '(':
        return this.group()
      case '[':
        return this.class()
      case '.':
        return { type: 'codes', codes: others(new Set(codesOf('\n'))) }
      case '^':
        return { type: 'begin' }
      case '$':
        return { type: 'end' }
      case '*':
      case '+':
      case '?':
        throw invalidPattern(this.source, `there is nothing that '${character}' repeats`)
      case '\\':
        return this.escape()
      default:
        return this.oneOf(codesOf(character))
    }
  }

  private group(): PatternNode {
    const before = this.ignoresCase
    const flags = this.match(FLAGS)
    if (flags !== null) {
      this.ignoresCase = flags[1].includes('i') || (before && !(flags[2] ?? '').includes('i'))
      // they count to the end of the group that they stand in
      if (flags[3] === ')') return { type: 'sequence', of: [] }
    } else if (this.match(GROUP_NAME) === null && this.source[this.at] === '?') {
      throw invalidPattern(this.source, `'(${this.source.slice(this.at, this.at + 2)}' is not known`)
    }
    const node = this.choice()
    this.ignoresCase = before
    if (!this.takes(')')) throw invalidPattern(this.source, "a ')' is missing")
    return node
  }

  private escape(): PatternNode {
    const character = this.take()
    if (character === 'A') return { type: 'begin' }
    if (character === 'z') return { type: 'end' }
    return this.oneOf(this.escaped(character))
  }

  private escaped(character: string): Iterable<number> {
    if (Object.hasOwn(CLASSES, character)) return CLASSES[character]
    if (Object.hasOwn(CONTROLS, character)) return codesOf(CONTROLS[character])
    if (WORD.has(character.charCodeAt(0)) && character !== '_')
      throw invalidPattern(this.source, `'\\${character}' is not known`)
    return codesOf(character)
  }

  private class(): PatternNode {
    const isNegated = this.takes('^')
    const codes = new Set<number>()
    // a bracket that comes first stands for itself
    do {
      if (this.source.startsWith('[:', this.at)) throw invalidPattern(this.source, "'[:' is not known")
      const first = this.classItem()
      const isRange = first.length === 1 && this.source[this.at] === '-' && this.source[this.at + 1] !== ']'
      if (!isRange) for (const code of first) codes.add(code)
      else {
        this.at++
        const last = this.classItem()
        if (last.length !== 1 || last[0] < first[0]) throw invalidPattern(this.source, `a range ends before it begins`)
        for (const code of range(first[0], Math.min(last[0], CODES))) codes.add(code)
      }
    } while (!this.takes(']'))
    const withCases = this.withCases(codes)
    return { type: 'codes', codes: isNegated ? others(withCases) : withCases }
  }

  private classItem(): number[] {
    const character = this.take()
    return character === '\\' ? [...this.escaped(this.take())] : codesOf(character)
  }

  private oneOf(codes: Iterable<number>): PatternNode {
    return { type: 'codes', codes: this.withCases(codes) }
  }

  private withCases(codes: Iterable<number>): Set<number> {
    const all = new Set(codes)
    if (!this.ignoresCase) return all
    for (const code of codes) {
      const character = String.fromCharCode(code)
      for (const other of [character.toLowerCase(), character.toUpperCase()]) all.add(other.charCodeAt(0))
    }
    return all
  }

  private take(): string {
    if (this.at >= this.source.length) throw invalidPattern(this.source, 'it ends too early')
    return this.source[this.at++]
  }

  private takes(text: string): boolean {
    const isThere = this.source.startsWith(text, this.at)
    if (isThere) this.at += text.length
    return isThere
  }

  private match(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.at
    const found = expression.exec(this.source)
    if (found !== null) this.at += found[0].length
    return found
  }
}
