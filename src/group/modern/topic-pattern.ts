import { VarveError } from '../../errors.ts'

/** Topics' names are ASCII. */
const CODES = 128
/** Characters of a pattern. */
const PATTERN_MAX = 1_000
/** Steps of a pattern whose repetitions are written out: each character of a name takes each of them once at most. */
const STEPS_MAX = 1_000

type Codes = ReadonlySet<number>

type Node =
  | { type: 'codes'; codes: Codes }
  | { type: 'begin' | 'end' }
  | { type: 'sequence' | 'choice'; of: Node[] }
  | { type: 'repeat'; of: Node; least: number; most: number }

type Step =
  | { type: 'codes'; codes: Codes }
  | { type: 'begin' | 'end' | 'match' }
  /** Goes on at both. */
  | { type: 'fork'; to: number[] }

/** Where all ways through a pattern are after some characters. */
interface State {
  /** Those that wait for another character. */
  waiting: readonly number[]
  /** Whether the name may end here. */
  accepts: boolean
  /** By the character that comes next. */
  next: Map<number, State>
}

/** States that are kept of one pattern. */
const STATES_MAX = 1_000

/**
 * A regular expression that whole names of topics match, in the syntax of RE2, which Kafka uses: of that, what says something
 * about such names. Classes by name (`\p{Lu}`, `[[:alpha:]]`) and `\b` are not known here, and as in RE2 nothing looks ahead
 * or back.
 *
 * A name takes time in proportion to its length and the pattern's, whatever they are, and mostly to its length alone: all ways
 * are gone at once, where a RegExp would try one after the other, and could be made to try for ever.
 *
 * Source: the method is Thompson's (Regular Expression Search Algorithm, 1968), which keeps what it has found out.
 */
export class TopicPattern {
  private readonly steps: readonly Step[]
  private readonly states = new Map<string, State>()
  private first: State

  /** @throws VarveError INVALID_REGULAR_EXPRESSION */
  constructor(readonly source: string) {
    if (source.length > PATTERN_MAX) throw invalid(source, `it is longer than ${PATTERN_MAX} characters`)
    this.steps = stepsOf(new PatternParser(source).parse(), source)
    this.first = this.stateAt([0], true)
  }

  matches(name: string): boolean {
    let state = this.first
    for (let at = 0; at < name.length; at++) {
      if (state.waiting.length === 0) return false
      const code = name.charCodeAt(at)
      let next = state.next.get(code)
      if (next === undefined) {
        next = this.stateAfter(state, code)
        state.next.set(code, next)
      }
      state = next
    }
    return state.accepts
  }

  private stateAfter({ waiting }: State, code: number): State {
    const starts = waiting.filter((index) => {
      const step = this.steps[index]
      return step.type === 'codes' && step.codes.has(code)
    })
    const key = starts.join()
    const known = this.states.get(key)
    if (known !== undefined) return known
    if (this.states.size >= STATES_MAX) {
      this.states.clear()
      this.first = this.stateAt([0], true)
    }
    const state = this.stateAt(
      starts.map((index) => index + 1),
      false,
    )
    this.states.set(key, state)
    return state
  }

  private stateAt(starts: readonly number[], isBegin: boolean): State {
    const reached = this.reach(starts, isBegin, false)
    const waiting = [...reached].filter((index) => this.steps[index].type === 'codes')
    const accepts = this.reach(starts, isBegin, true).has(this.steps.length - 1)
    return { waiting, accepts, next: new Map() }
  }

  /** The steps that can be reached without another character. */
  private reach(starts: readonly number[], isBegin: boolean, isEnd: boolean): Set<number> {
    const reached = new Set<number>()
    const ahead = [...starts]
    for (let index = ahead.pop(); index !== undefined; index = ahead.pop()) {
      if (reached.has(index)) continue
      reached.add(index)
      const step = this.steps[index]
      if (step.type === 'fork') ahead.push(...step.to)
      else if ((step.type === 'begin' && isBegin) || (step.type === 'end' && isEnd)) ahead.push(index + 1)
    }
    return reached
  }
}

function invalid(source: string, why: string): VarveError {
  return new VarveError('INVALID_REGULAR_EXPRESSION', `'${source}' is no regular expression for topics: ${why}`)
}

function stepsOf(pattern: Node, source: string): Step[] {
  const steps: Step[] = []
  const add = (step: Step) => {
    if (steps.push(step) > STEPS_MAX) throw invalid(source, `it has more than ${STEPS_MAX} steps`)
  }
  const optional = (write: () => void, more: (start: number, fork: { to: number[] }) => void) => {
    const fork = { type: 'fork' as const, to: [steps.length + 1] }
    const start = steps.length
    add(fork)
    write()
    more(start, fork)
    fork.to.push(steps.length)
  }
  let writes = 0
  const write = (node: Node): void => {
    // of nothing there may be a great many repetitions
    if (++writes > 10 * STEPS_MAX) throw invalid(source, 'it repeats too much')
    switch (node.type) {
      case 'sequence':
        return node.of.forEach(write)
      case 'choice': {
        const fork = { type: 'fork' as const, to: [] as number[] }
        add(fork)
        const ends: { to: number[] }[] = []
        for (const one of node.of) {
          fork.to.push(steps.length)
          write(one)
          const end = { type: 'fork' as const, to: [] as number[] }
          add(end)
          ends.push(end)
        }
        for (const { to } of ends) to.push(steps.length)
        return
      }
      case 'repeat': {
        const { of, least, most } = node
        for (let i = 0; i < least; i++) write(of)
        if (most === Infinity)
          return optional(
            () => write(of),
            (start) => add({ type: 'fork', to: [start] }),
          )
        for (let i = least; i < most; i++)
          optional(
            () => write(of),
            () => {},
          )
        return
      }
      default:
        add(node)
    }
  }
  write(pattern)
  add({ type: 'match' })
  return steps
}

const range = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i)
const codesOf = (text: string): number[] => [...text].map((character) => character.charCodeAt(0))
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

class PatternParser {
  private at = 0
  private ignoresCase = false

  constructor(private readonly source: string) {}

  parse(): Node {
    const node = this.choice()
    if (this.at < this.source.length) throw invalid(this.source, `nothing opens the ')' at ${this.at}`)
    return node
  }

  private choice(): Node {
    const of: Node[] = []
    do of.push(this.sequence())
    while (this.takes('|'))
    return of.length === 1 ? of[0] : { type: 'choice', of }
  }

  private sequence(): Node {
    const of: Node[] = []
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

  private quoted(): Node[] {
    const end = this.source.indexOf('\\E', this.at)
    const text = this.source.slice(this.at, end < 0 ? undefined : end)
    this.at = end < 0 ? this.source.length : end + 2
    return codesOf(text).map((code) => this.oneOf([code]))
  }

  private repeated(of: Node): Node {
    const counts = this.match(COUNTS)
    let node: Node
    if (counts !== null) {
      const least = Number(counts[1])
      const most = counts[2] === '' ? least : counts[3] === '' ? Infinity : Number(counts[3])
      if (least > most || Math.max(least, most === Infinity ? 0 : most) > COUNT_MAX)
        throw invalid(this.source, `it cannot repeat ${counts[0]}`)
      node = { type: 'repeat', of, least, most }
    } else if (this.takes('*')) node = { type: 'repeat', of, least: 0, most: Infinity }
    else if (this.takes('+')) node = { type: 'repeat', of, least: 1, most: Infinity }
    else if (this.takes('?')) node = { type: 'repeat', of, least: 0, most: 1 }
    else return of
    // as few or as many as there can be: the name matches or not
    this.takes('?')
    if (this.match(COUNTS) !== null || '*+?'.includes(this.source[this.at] ?? ' '))
      throw invalid(this.source, `what is repeated is repeated again at ${this.at}`)
    return node
  }

  private atom(): Node {
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
        throw invalid(this.source, `there is nothing that '${character}' repeats`)
      case '\\':
        return this.escape()
      default:
        return this.oneOf(codesOf(character))
    }
  }

  private group(): Node {
    const before = this.ignoresCase
    const flags = this.match(FLAGS)
    if (flags !== null) {
      this.ignoresCase = flags[1].includes('i') || (before && !(flags[2] ?? '').includes('i'))
      // they count to the end of the group that they stand in
      if (flags[3] === ')') return { type: 'sequence', of: [] }
    } else if (this.match(GROUP_NAME) === null && this.source[this.at] === '?') {
      throw invalid(this.source, `'(${this.source.slice(this.at, this.at + 2)}' is not known`)
    }
    const node = this.choice()
    this.ignoresCase = before
    if (!this.takes(')')) throw invalid(this.source, "a ')' is missing")
    return node
  }

  private escape(): Node {
    const character = this.take()
    if (character === 'A') return { type: 'begin' }
    if (character === 'z') return { type: 'end' }
    return this.oneOf(this.escaped(character))
  }

  private escaped(character: string): Iterable<number> {
    if (Object.hasOwn(CLASSES, character)) return CLASSES[character]
    if (Object.hasOwn(CONTROLS, character)) return codesOf(CONTROLS[character])
    if (WORD.has(character.charCodeAt(0)) && character !== '_')
      throw invalid(this.source, `'\\${character}' is not known`)
    return codesOf(character)
  }

  private class(): Node {
    const isNegated = this.takes('^')
    const codes = new Set<number>()
    // a bracket that comes first stands for itself
    do {
      if (this.source.startsWith('[:', this.at)) throw invalid(this.source, "'[:' is not known")
      const first = this.classItem()
      const isRange = first.length === 1 && this.source[this.at] === '-' && this.source[this.at + 1] !== ']'
      if (!isRange) for (const code of first) codes.add(code)
      else {
        this.at++
        const last = this.classItem()
        if (last.length !== 1 || last[0] < first[0]) throw invalid(this.source, `a range ends before it begins`)
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

  private oneOf(codes: Iterable<number>): Node {
    return { type: 'codes', codes: this.withCases(codes) }
  }

  private withCases(codes: Iterable<number>): Set<number> {
    const all = new Set(codes)
    if (!this.ignoresCase) return all
    for (const code of [...all]) {
      const character = String.fromCharCode(code)
      for (const other of [character.toLowerCase(), character.toUpperCase()]) all.add(other.charCodeAt(0))
    }
    return all
  }

  private take(): string {
    if (this.at >= this.source.length) throw invalid(this.source, 'it ends too early')
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
