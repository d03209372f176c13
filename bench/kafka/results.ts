import Table from 'cli-table3'
import { PLAIN } from '../../src/cli/table.ts'
import { formatRatio } from '../figures.ts'
import { spreadOf } from '../statistics.ts'
import type { Spread } from '../workload.ts'

/** Bounds of Varve's figure as a multiple of what it is compared with. */
export interface Goal {
  atLeast?: number
  atMost?: number
}

/** What was found of one thing in all rounds. The ratio is taken round by round. */
export interface Figure {
  what: string
  unit: string
  varve: Spread
  other: Spread
  ratio: Spread
  goal: Goal
  isReached: boolean
}

/** Collects what is measured, round by round. */
export class Figures {
  private readonly found = new Map<string, { unit: string; goal: Goal; pairs: { varve: number; other: number }[] }>()

  add(what: string, unit: string, goal: Goal, pair: { varve: number; other: number }): void {
    const known = this.found.get(what) ?? { unit, goal, pairs: [] }
    known.pairs.push(pair)
    this.found.set(what, known)
  }

  /** In the order in which they were found first. */
  get all(): Figure[] {
    return [...this.found].map(([what, { unit, goal, pairs }]) => {
      const ratio = spreadOf(pairs.map(({ varve, other }) => varve / other))
      const { atLeast = 0, atMost = Infinity } = goal
      return {
        what,
        unit,
        varve: spreadOf(pairs.map(({ varve }) => varve)),
        other: spreadOf(pairs.map(({ other }) => other)),
        ratio,
        goal,
        isReached: ratio.median >= atLeast && ratio.median <= atMost,
      }
    })
  }
}

/** A table for a terminal. */
export function describeFigures(figures: readonly Figure[]): string {
  const table = new Table({
    head: ['', '', 'Varve', 'other', 'ratio (min to max)', 'goal', ''],
    chars: PLAIN,
    style: { head: [], border: [] },
  })
  for (const { what, unit, varve, other, ratio, goal, isReached } of figures) {
    const range = `${formatRatio(ratio.median)} (${formatRatio(ratio.min)} to ${formatRatio(ratio.max)})`
    const wanted = describeGoal(goal)
    table.push([
      what,
      unit,
      figure(varve),
      figure(other),
      range,
      wanted,
      wanted === '' ? '' : isReached ? 'ok' : 'MISSED',
    ])
  }
  return table.toString()
}

function figure({ median }: Spread): string {
  return median >= 100 ? Math.round(median).toLocaleString('en') : median.toPrecision(3)
}

function describeGoal({ atLeast, atMost }: Goal): string {
  if (atLeast !== undefined) return `at least ${atLeast}`
  return atMost === undefined ? '' : `at most ${atMost}`
}
