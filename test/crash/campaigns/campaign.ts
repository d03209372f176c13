import type { Flush } from '../../../src/engine/flush.ts'
import { SeededRandom } from '../../helpers/seeded-random.ts'

const WINDOWS: Flush[] = [{ ms: 10 }, { ms: 40, records: 4 }, { ms: 40, bytes: 400 }]

/** The flush modes in which each campaign is run, by name; the topics of one run use those listed. */
export const MODES: ReadonlyMap<string, readonly Flush[]> = new Map([
  ['each', ['each']],
  ['group', ['group']],
  ['window', WINDOWS],
  ['os', ['os']],
  ['mixed', ['each', 'group', 'os', ...WINDOWS]],
])

/** One random run, to be taken apart: every state of it is handed to `tryState`. */
export interface Run {
  random: SeededRandom
  flushes: readonly Flush[]
  /**
   * Tries one state: counts it, and says how to repeat it when it fails.
   *
   * @param check with randomness of its own, so that the state alone can be repeated; all that draws from the run's must
   *              happen outside
   */
  tryState: (what: () => string, check: (own: SeededRandom) => Promise<unknown>) => Promise<void>
  /** Counts a disk that no state of this run had before. */
  countImage: () => void
}

/** A way to look for broken promises: random runs that are taken apart. */
export interface Campaign {
  name: string
  takeApart(run: Run): Promise<void>
}

export interface Tally {
  /** Moments of a run, times the ways in which the power cut left the disk. */
  states: number
  /** Disks among them that differ, each of which was opened and read. */
  images: number
}

/** The seed of a run: it says the mode as well, so that it alone repeats the run. */
export function seedOf(mode: string, number: number): number {
  return number * MODES.size + [...MODES.keys()].indexOf(mode)
}

/** Draws where to begin with seeds that no run had before, most likely. */
export function freshNumber(): number {
  return 2 ** 20 + new SeededRandom().below(2 ** 28)
}

/**
 * Takes the run of one seed apart.
 *
 * @param only the number of the only state to try
 * @throws Error of the first state that breaks a promise, with the command that repeats it
 */
export async function runSeed(campaign: Campaign, seed: number, only?: number): Promise<Tally> {
  const flushes = [...MODES.values()][seed % MODES.size]
  const tally: Tally = { states: 0, images: 0 }
  let number = 0
  const repeated = (message: string, cause: unknown) => {
    const state = number > 0 ? ` --state ${number}` : ''
    const command = `npm run crash -- --campaign ${campaign.name} --seed ${seed}${state}`
    return new Error(`${message}\nrepeat with ${command}`, { cause })
  }
  const run: Run = {
    random: new SeededRandom(seed),
    flushes,
    countImage: () => void tally.images++,
    tryState: async (what, check) => {
      number += 1
      if (only !== undefined && number !== only) return
      tally.states += 1
      try {
        await check(new SeededRandom(seed + number))
      } catch (error) {
        throw repeated(`${what()}: ${(error as Error).message}`, error)
      }
    },
  }
  const { stackTraceLimit } = Error
  // an open expects some files to be missing, and the traces of those errors take a tenth of the time
  if (only === undefined) Error.stackTraceLimit = 0
  try {
    await campaign.takeApart(run)
  } catch (error) {
    throw (error as Error).message.includes('repeat with') ? error : repeated((error as Error).message, error)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
  return tally
}
