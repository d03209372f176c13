/**
 * Random schedules of clients, faults and restarts against a consumer group, from seeds that are the same in each run.
 * `VARVE_GROUP_SCHEDULES` sets how many (half of them here), `VARVE_GROUP_SEED` repeats one and prints it.
 */
import { expect, test } from 'vitest'
import { runSchedules, SCHEDULES, traceSchedule } from './group-schedules.ts'

const seed = process.env['VARVE_GROUP_SEED']

test('whatever happens to a group, no partition has two owners and no position is lost', { timeout: 600_000 }, () => {
  if (seed !== undefined) {
    console.log(traceSchedule(Number(seed)).join('\n'))
    return
  }
  const count = Math.ceil(SCHEDULES / 2)
  const startedMs = Date.now()
  runSchedules(0, count)
  console.log(`${count} schedules from seed 0 on, ${Date.now() - startedMs} ms`)
  expect(count).toBeGreaterThan(0)
})
