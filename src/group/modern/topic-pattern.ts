import { invalidPattern, parsePattern, type PatternNode } from './pattern-parser.ts'

/** Characters of a pattern. */
const PATTERN_MAX = 1_000
/** Steps of a pattern whose repetitions are written out: each character of a name takes each of them once at most. */
const STEPS_MAX = 1_000

type Step =
  | { type: 'codes'; codes: ReadonlySet<number> }
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
    if (source.length > PATTERN_MAX) throw invalidPattern(source, `it is longer than ${PATTERN_MAX} characters`)
    this.steps = stepsOf(parsePattern(source), source)
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

function stepsOf(pattern: PatternNode, source: string): Step[] {
  const steps: Step[] = []
  const add = (step: Step) => {
    if (steps.push(step) > STEPS_MAX) throw invalidPattern(source, `it has more than ${STEPS_MAX} steps`)
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
  const write = (node: PatternNode): void => {
    // of nothing there may be a great many repetitions
    if (++writes > 10 * STEPS_MAX) throw invalidPattern(source, 'it repeats too much')
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
      case 'codes':
      case 'begin':
      case 'end':
        add(node)
    }
  }
  write(pattern)
  add({ type: 'match' })
  return steps
}
