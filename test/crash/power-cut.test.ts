/**
 * The power goes at every moment of random runs, and takes any part of what was not synced.
 *
 * Every state is reproducible: `CRASH_SEED=<seed> npx vitest run test/crash/power-cut.test.ts` repeats the run that
 * failed, and with `CRASH_STATE=<number>` too only the state that failed in it.
 */
import { afterAll, describe, expect, test } from 'vitest'
import type { Flush } from '../../src/engine/flush.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { checkGoesOn, checkRecovered, DIRECTORY, openOn } from '../helpers/crash-oracle.ts'
import { CrashScript } from '../helpers/crash-script.ts'
import { powerCuts, tailCuts } from '../helpers/power-cuts.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const WINDOWS: Flush[] = [{ ms: 10 }, { ms: 40, records: 4 }, { ms: 40, bytes: 400 }]
const MODES: [name: string, flushes: Flush[]][] = [
  ["'each'", ['each']],
  ["'group'", ['group']],
  ['a window', WINDOWS],
  ["'os'", ['os']],
  ['all modes mixed', ['each', 'group', 'os', ...WINDOWS]],
]
const RUNS = Number(process.env['CRASH_RUNS'] ?? 8)
const STEPS = 40
const DRAWS = 3
const TAIL_SHARE = 0.05

const given = process.env['CRASH_SEED'] === undefined ? undefined : Number(process.env['CRASH_SEED'])
const onlyState = process.env['CRASH_STATE'] === undefined ? undefined : Number(process.env['CRASH_STATE'])
const baseSeed = given ?? new SeededRandom().below(2 ** 24) * MODES.length
let states = 0

describe('after a power cut', () => {
  for (const [index, [name, flushes]] of MODES.entries()) {
    test.runIf(given === undefined || given % MODES.length === index)(
      `what was promised under ${name} holds`,
      async () => {
        for (let run = 0; run < (given === undefined ? RUNS : 1); run++) {
          // the seed says the mode as well, so that it alone repeats a run
          await cutEverywhere(given ?? baseSeed + run * MODES.length + index, flushes)
        }
      },
    )
  }
})

afterAll(() => {
  console.log(`power cuts: ${states} states, CRASH_SEED=${baseSeed}`)
})

async function cutEverywhere(seed: number, flushes: Flush[]): Promise<void> {
  const random = new SeededRandom(seed)
  const script = new CrashScript(random, flushes)
  await script.run(STEPS)
  let state = 0
  for (const { disk, moment, beforeSync } of script.points) {
    const cuts = powerCuts(disk, random, DRAWS)
    if (beforeSync) cuts.push(...tailCuts(disk, random, TAIL_SHARE))
    for (const { name, options } of cuts) {
      state += 1
      const own = new SeededRandom(seed + state)
      if (onlyState !== undefined && state !== onlyState) continue
      states += 1
      const image = disk.crash(options)
      if (process.env['CRASH_DUMP'] !== undefined) await dumpFiles(image)
      try {
        const log = await openOn(image, own, moment.wallMs)
        const survivors = await checkRecovered(log, moment)
        await checkGoesOn(image, log, own, survivors, moment)
      } catch (error) {
        const replay = `CRASH_SEED=${seed} CRASH_STATE=${state}`
        throw new Error(`${replay}: ${moment.label}, ${name}: ${(error as Error).message}`, { cause: error })
      }
    }
  }
  expect(state).toBeGreaterThan(0)
}

/** Prints what is on a disk, to look into a state that failed. */
async function dumpFiles(disk: MemoryStorage, path = DIRECTORY): Promise<void> {
  for (const { name, kind } of await disk.list(path).catch(() => [])) {
    if (kind === 'directory') await dumpFiles(disk, `${path}/${name}`)
    else {
      const content = await disk.readFile(`${path}/${name}`)
      console.log(`${path}/${name}`, /checkpoint/.test(name) ? content.toString().trim() : content)
    }
  }
}
