import { afterAll, describe, test } from 'vitest'
import type { Flush } from '../../src/engine/flush.ts'
import { CrashScript } from './crash-script.ts'
import { SeededRandom } from './seeded-random.ts'

const WINDOWS: Flush[] = [{ ms: 10 }, { ms: 40, records: 4 }, { ms: 40, bytes: 400 }]
const MODES: [name: string, flushes: Flush[]][] = [
  ["'each'", ['each']],
  ["'group'", ['group']],
  ['a window', WINDOWS],
  ["'os'", ['os']],
  ['all modes mixed', ['each', 'group', 'os', ...WINDOWS]],
]
const STEPS = 40

/** Tries one state: unless another one is wanted, counts it and says how to repeat it when it fails. */
export type TryState = (what: () => string, check: (random: SeededRandom) => Promise<void>) => Promise<void>

/**
 * A test for each flush mode that takes a number of random runs apart.
 *
 * `CRASH_SEED=<seed> npx vitest run <file>` repeats the run that failed, with `CRASH_STATE=<number>` too only the state
 * in which it did. `CRASH_RUNS` sets the number of runs in each mode.
 *
 * @param file as it is given to vitest
 */
export function crashCampaign(
  file: string,
  runs: number,
  takeApart: (script: CrashScript, random: SeededRandom, tryState: TryState) => Promise<void>,
): void {
  const seedGiven = numberFrom('CRASH_SEED')
  const stateGiven = numberFrom('CRASH_STATE')
  const runsGiven = numberFrom('CRASH_RUNS') ?? runs
  // the seed says the mode as well, so that it alone repeats a run
  const firstSeed = seedGiven ?? new SeededRandom().below(2 ** 24) * MODES.length
  let states = 0

  async function runOne(seed: number, flushes: Flush[]): Promise<void> {
    const random = new SeededRandom(seed)
    const script = new CrashScript(random, flushes)
    let number = 0
    const replay = () => `CRASH_SEED=${seed} CRASH_STATE=${number} npx vitest run ${file}`
    const { stackTraceLimit } = Error
    // an open expects some files to be missing, and the traces of those errors take a tenth of the time
    if (stateGiven === undefined) Error.stackTraceLimit = 0
    try {
      await script.run(STEPS)
      await takeApart(script, random, async (what, check) => {
        number += 1
        if (stateGiven !== undefined && number !== stateGiven) return
        states += 1
        try {
          await check(new SeededRandom(seed + number))
        } catch (error) {
          throw new Error(`${what()}: ${(error as Error).message}\nrepeat with ${replay()}`, { cause: error })
        }
      })
    } catch (error) {
      throw number > 0 ? error : new Error(`${(error as Error).message}\nrepeat with ${replay()}`, { cause: error })
    } finally {
      Error.stackTraceLimit = stackTraceLimit
    }
  }

  describe('after a power cut', () => {
    for (const [index, [name, flushes]] of MODES.entries()) {
      const wanted = seedGiven === undefined || seedGiven % MODES.length === index
      test.runIf(wanted)(`what was promised under ${name} holds`, { timeout: 600_000 }, async () => {
        if (seedGiven !== undefined) return runOne(seedGiven, flushes)
        for (let run = 0; run < runsGiven; run++) await runOne(firstSeed + run * MODES.length + index, flushes)
      })
    }
  })

  afterAll(() => {
    console.log(`${file}: ${states} states from CRASH_SEED=${firstSeed} on`)
  })
}

function numberFrom(variable: string): number | undefined {
  const text = process.env[variable]
  return text === undefined ? undefined : Number(text)
}
