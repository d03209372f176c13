/**
 * Consumers of one group against a model: they come and go, hang and fail, the log is closed and loses its power; and every
 * record is processed, in order, by one at a time, and again only where something explains it.
 *
 * A failure prints a seed; `VARVE_SEED=<seed> CONSUMER_RUNS=1 npx vitest run test/model/consumer-model.test.ts` repeats it.
 */
import { expect, test } from 'vitest'
import { GroupWorld, MAX_POLL_MS } from '../helpers/group-world.ts'
import { idle } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const RUNS = Number(process.env['CONSUMER_RUNS'] ?? 2_000)
const STEPS = 25

type Step = (world: GroupWorld) => void | Promise<void>

/** Steps whose end nobody waits for: they go on while others begin. */
const steps: Record<string, { weight: number; step: Step }> = {
  append: { weight: 30, step: (world) => void world.append().catch(ignoreEnd(world)) },
  spawn: { weight: 8, step: (world) => (world.slots.length < 5 ? world.spawn() : undefined) },
  close: { weight: 5, step: (world) => onSlot(world, (slot) => void world.close(slot, 30_000)) },
  closeAtOnce: { weight: 2, step: (world) => onSlot(world, (slot) => void world.close(slot, 0)) },
  break: { weight: 4, step: (world) => onSlot(world, (slot) => void (slot.breakSoon = true)) },
  consume: { weight: 8, step: (world) => onSlot(world, (slot) => world.consume(slot)) },
  pause: { weight: 4, step: (world) => onSlot(world, (slot) => world.pause(slot)) },
  resume: { weight: 6, step: (world) => onSlot(world, (slot) => world.resume(slot)) },
  seek: { weight: 3, step: (world) => onSlot(world, (slot) => world.seek(slot)) },
  releaseHung: { weight: 6, step: (world) => world.releaseHung() },
  createPartition: { weight: 2, step: (world) => (world.partitions.size < 6 ? world.createPartition() : undefined) },
  wait: { weight: 12, step: (world) => world.clock.advanceSlowly(20) },
  waitLong: { weight: 4, step: (world) => world.clock.advanceSlowly(2_500) },
  waitForHung: { weight: 3, step: (world) => world.clock.advanceSlowly(MAX_POLL_MS + 6_000) },
  stall: { weight: 1, step: (world) => world.stall() },
  restart: { weight: 1, step: (world) => world.restart() },
  cutPower: { weight: 1, step: (world) => world.cutPower() },
}

const weighted = Object.entries(steps).flatMap(([name, { weight }]) => Array<string>(weight).fill(name))

function onSlot(world: GroupWorld, act: (slot: GroupWorld['slots'][number]) => void): void {
  if (world.slots.length > 0) act(world.random.pick(world.slots))
}

/** Where the power was cut, or the log closed, an append may come to nothing. */
function ignoreEnd(world: GroupWorld) {
  const { log } = world
  return (error: unknown) => {
    if (world.log === log && (error as { code?: string }).code !== 'CLOSED') world.violation ??= error as Error
  }
}

async function schedule(seed: number): Promise<void> {
  const random = new SeededRandom(seed)
  const assignor = random.pick(['cooperative-sticky', 'cooperative-sticky', 'range', 'roundrobin', 'sticky'] as const)
  const world = new GroupWorld(random, assignor)
  world.history.push(assignor)
  try {
    await world.open(random.between(1, 4))
    world.habits.hang = random.pick([0, 0.01, 0.05])
    for (let i = 0; i < STEPS; i++) {
      const name = random.pick(weighted)
      world.history.push(`${world.clock.monotonicMs()} ${name}`)
      // what was handed out has reached its loop
      await idle(1)
      await steps[name].step(world)
      await idle(random.below(5))
      if (random.chance(0.3)) await world.verifyCommitted()
      world.throwIfViolated()
    }
    await finish(world)
  } catch (error) {
    const replay = `VARVE_SEED=${seed} CONSUMER_RUNS=1 npx vitest run test/model/consumer-model.test.ts`
    throw new Error(`${(error as Error).stack}\n${world.history.join('\n')}\nrepeat with ${replay}`, { cause: error })
  }
}

/** Nothing bad happens any more: all is processed and committed, and everybody goes home. */
async function finish(world: GroupWorld): Promise<void> {
  world.history.push('finish')
  world.habits = { slow: 0.1, hang: 0, fail: 0 }
  for (let turn = 0; ; turn++) {
    world.releaseHung()
    if (world.slots.length === 0) world.spawn()
    for (const slot of world.slots) {
      world.resume(slot)
      world.consume(slot)
    }
    await world.clock.advanceSlowly(turn < 10 ? 100 : 3_000)
    await idle(10)
    await world.verifyCommitted()
    world.throwIfViolated()
    if (world.isAllDone) break
    if (turn === 60) {
      const left = [...world.partitions].map(([partition, model]) => {
        const { offsets, done, committed } = model
        return { partition, left: offsets.filter((offset) => !done.has(offset)), committed, end: offsets.at(-1) }
      })
      const health = world.slots.map(({ name, consumer }) => [name, consumer.health()])
      throw new Error(`it hangs: ${JSON.stringify(left)} ${JSON.stringify(health)}`)
    }
  }
  const closing = Promise.all(world.slots.map((slot) => world.close(slot, 30_000))).then(() => world.log.close())
  let isClosed = false
  void closing.finally(() => (isClosed = true)).catch(() => {})
  for (let turn = 0; turn < 100 && !isClosed; turn++) {
    await world.clock.advanceSlowly(turn < 50 ? 100 : 1_000)
    await idle(5)
  }
  // a handler that hangs in a consumer that was told to close has 30 s
  expect(isClosed, 'closed in 55 s').toBe(true)
  await closing
  world.throwIfViolated()
  await world.verifyIdle()
}

test(`a group processes every record, in order, by one at a time: ${RUNS} schedules`, async () => {
  const random = new SeededRandom()
  for (let run = 0; run < RUNS; run++) await schedule(RUNS === 1 ? random.seed : random.below(2 ** 32))
})
