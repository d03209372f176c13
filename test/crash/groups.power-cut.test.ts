/**
 * The power goes at every moment of random runs of consumer groups: what they have committed is what was acknowledged, or
 * something later that was under way; never an older place under `'group'`, never one past the end, never none by damage.
 *
 * `CRASH_SEED=<seed> CRASH_STATE=<number> npx vitest run <this file>` repeats the state that failed; `CRASH_RUNS` sets the
 * number of runs in each mode.
 */
import { afterAll, expect, test } from 'vitest'
import { acknowledgesDurably, type Flush } from '../../src/engine/flush.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { committedOf, GroupScript, openGroups, TOPIC, type GroupCrashPoint } from '../helpers/group-script.ts'
import { powerCuts, tailCuts } from '../helpers/power-cuts.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const FILE = 'test/crash/groups.power-cut.test.ts'
const MODES: [name: string, flush: Flush][] = [
  ['group', 'group'],
  ['each', 'each'],
  ['a window', { ms: 20 }],
  ['os', 'os'],
]
const STEPS = 30
const DRAWS = 3
const TAIL_SHARE = 0.02

const numberFrom = (name: string) => (process.env[name] === undefined ? undefined : Number(process.env[name]))
const seedGiven = numberFrom('CRASH_SEED')
const stateGiven = numberFrom('CRASH_STATE')
const runs = numberFrom('CRASH_RUNS') ?? 2
const firstSeed = seedGiven ?? new SeededRandom().below(2 ** 24) * MODES.length
let states = 0

for (const [index, [name, flush]] of MODES.entries()) {
  const wanted = seedGiven === undefined || seedGiven % MODES.length === index
  test.runIf(wanted)(
    `after a power cut every group is where it was promised to be under ${name}`,
    async () => {
      for (let run = 0; run < (seedGiven === undefined ? runs : 1); run++) {
        await runOne(seedGiven ?? firstSeed + run * MODES.length + index, flush)
      }
    },
    600_000,
  )
}

afterAll(() => console.log(`${FILE}: ${states} states from CRASH_SEED=${firstSeed} on`))

async function runOne(seed: number, flush: Flush): Promise<void> {
  const random = new SeededRandom(seed)
  const script = new GroupScript(random, flush)
  await script.run(STEPS)
  let number = 0
  for (const point of script.points) {
    const cuts = powerCuts(point.disk, random, DRAWS)
    if (point.beforeSync) cuts.push(...tailCuts(point.disk, random, TAIL_SHARE))
    for (const { name, options } of cuts) {
      number += 1
      if (stateGiven !== undefined && number !== stateGiven) continue
      states += 1
      try {
        await checkState(point, point.disk.crash(options), new SeededRandom(seed + number), flush)
      } catch (error) {
        const repeat = `CRASH_SEED=${seed} CRASH_STATE=${number} npx vitest run ${FILE}`
        throw new Error(`${point.label}, ${name}: ${(error as Error).message}\nrepeat with ${repeat}`, { cause: error })
      }
    }
  }
}

async function checkState(point: GroupCrashPoint, disk: MemoryStorage, random: SeededRandom, flush: Flush) {
  const log = await openGroups(disk, random, point.wallMs, flush)
  const damage = log.recovery.damage.filter(({ path }) => !/\/checkpoint-[ab]$/.test(path))
  expect(damage).toEqual([])
  const isThere = (await log.listTopics()).length > 0
  const found = new Map<string, number | null>()
  for (const [key, { commits, acknowledged }] of point.groups) {
    const [group, partition] = key.split('/')
    const committed =
      (isThere ? await committedOf(log, group) : new Map<number, number>()).get(Number(partition)) ?? null
    const possible = acknowledgesDurably(flush) ? commits.slice(acknowledged - 1) : commits
    if (!possible.includes(committed)) {
      throw new Error(`${key} must be at ${possible.join(' or ')}, is at ${committed} (all: ${commits.join()})`)
    }
    found.set(key, committed)
  }
  if (isThere) {
    for (const { partition, highWatermark } of log.offsets(TOPIC)) {
      for (const [key, committed] of found) {
        if (Number(key.split('/')[1]) === partition) expect(committed ?? 0).toBeLessThanOrEqual(highWatermark)
      }
    }
  }
  // a consumer goes on at once: nobody waits for the members that are gone
  await log.close()
  const again = await openGroups(disk, random, point.wallMs, flush)
  for (const [key, committed] of found) {
    const [group, partition] = key.split('/')
    if (isThere) expect((await committedOf(again, group)).get(Number(partition)) ?? null).toBe(committed)
  }
  await again.close()
}
