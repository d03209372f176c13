import type { Goal, Measured, Spread, Workload } from './workload.ts'

/** A goal held against what was measured. */
export interface Judged extends Goal {
  /** The metric itself, or as a multiple of the floor's. */
  value: number
  met: boolean
  /** So far off that it cannot be noise: less than a third of the goal. Only ratios to a floor count. */
  blunder: boolean
}

/** All there is to say of one workload. */
export interface Result {
  workload: string
  recordBytes: number
  detail?: string
  variants: Measured[]
  goals: Judged[]
}

const BLUNDER_FACTOR = 3

/** Holds the goals of a workload against what was measured. */
export function judge({ name, recordBytes, detail, goals }: Workload, measured: Measured[]): Result {
  return {
    workload: name,
    recordBytes,
    ...(detail === undefined ? {} : { detail }),
    variants: measured,
    goals: goals.map((goal) => judgeGoal(goal, measured)),
  }
}

function judgeGoal(goal: Goal, measured: Measured[]): Judged {
  const { floor, atLeast = -Infinity, atMost = Infinity } = goal
  const value = valueOf(goal, measured)
  const best = floor === undefined ? value : ratioOfBest(goal, measured)
  const isFarOff = (found: number) => found < atLeast / BLUNDER_FACTOR || found > atMost * BLUNDER_FACTOR
  return {
    ...goal,
    value,
    met: value >= atLeast && value <= atMost,
    blunder: floor !== undefined && goal.toldOnly !== true && isFarOff(value) && isFarOff(best),
  }
}

function valueOf(goal: Goal, measured: Measured[]): number {
  const own = spreadOf(goal, measured)
  if (goal.floor !== undefined) {
    const floor = find(measured, goal.floor)
    // run by run is known for the first variant only
    const paired = goal.metric === 'recordsPerSecond' && goal.variant === undefined ? floor.ratio : undefined
    return paired?.median ?? own.median / spreadOf({ metric: goal.metric, variant: goal.floor }, measured).median
  }
  if (goal.always !== true) return own.median
  return goal.atLeast === undefined ? own.max : own.min
}

/** On a machine that does other things too, the best runs are the ones to believe. */
function ratioOfBest({ metric, floor, variant, atLeast }: Goal, measured: Measured[]): number {
  const best = atLeast === undefined ? 'min' : 'max'
  return spreadOf({ metric, variant }, measured)[best] / spreadOf({ metric, variant: floor }, measured)[best]
}

function spreadOf({ metric, variant }: Pick<Goal, 'metric' | 'variant'>, measured: Measured[]): Spread {
  const found = (variant === undefined ? measured[0] : find(measured, variant)).metrics[metric]
  if (found === undefined) throw new Error(`${variant ?? measured[0].variant} has no ${metric}`)
  return found
}

function find(measured: Measured[], name: string): Measured {
  const found = measured.find(({ variant }) => variant === name)
  if (found === undefined) throw new Error(`no variant ${name}`)
  return found
}
