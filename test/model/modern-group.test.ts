/**
 * Groups whose partitions the server divides, under random members, topics, losses, restarts and power cuts.
 *
 * A failure prints a seed; `VARVE_SEED=<seed> MODERN_RUNS=1 npx vitest run test/model/modern-group.test.ts` repeats it.
 */
import { expect, test } from 'vitest'
import { ModernWorld } from '../helpers/modern-world.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const RUNS = Number(process.env['MODERN_RUNS'] ?? 25)
const STEPS = 250

test(
  'no partition has two users at any moment, epochs never go back, and in the end all is in use and divided evenly',
  { timeout: RUNS * 10_000 },
  async () => {
    const seeds = new SeededRandom()
    for (let run = 0; run < RUNS; run++) {
      const seed = run === 0 ? seeds.seed : seeds.below(2 ** 32)
      const random = new SeededRandom(seed)
      const world = new ModernWorld(random, random.chance(0.8) ? 'uniform' : 'range')
      const replay = `VARVE_SEED=${seed} MODERN_RUNS=1 npx vitest run test/model/modern-group.test.ts`
      try {
        await world.begin()
        for (let step = 0; step < STEPS; step++) await world.step()
        await world.settle()
      } catch (error) {
        console.error(`${world.history.slice(-40).join('\n')}\n\nrepeat with ${replay}`)
        throw error
      }
      await world.end()
    }
    expect(RUNS).toBeGreaterThan(0)
  },
)
