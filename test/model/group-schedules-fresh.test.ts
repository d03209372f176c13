/** The same as group-schedules-fixed.test.ts, from other seeds in each run: a failure tells how to repeat it. */
import { expect, test } from 'vitest'
import { SeededRandom } from '../helpers/seeded-random.ts'
import { runSchedules, SCHEDULES } from './group-schedules.ts'

test(
  'whatever else happens to a group, no partition has two owners and no position is lost',
  { timeout: 600_000 },
  () => {
    const firstSeed = new SeededRandom().below(2 ** 31)
    const count = Math.ceil(SCHEDULES / 2)
    const startedMs = Date.now()
    runSchedules(firstSeed, count)
    console.log(`${count} schedules from seed ${firstSeed} on, ${Date.now() - startedMs} ms`)
    expect(count).toBeGreaterThan(0)
  },
)
