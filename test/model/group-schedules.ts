import type { GroupLimits } from '../../src/group/group.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'
import { GroupWorld } from './group-world.ts'

/** How many random schedules a run of all tests makes. */
export const SCHEDULES = Number(process.env['VARVE_GROUP_SCHEDULES'] ?? 1_000_000)

/** Runs one schedule after the other; one that fails is run again to tell what happened. */
export function runSchedules(firstSeed: number, count: number): void {
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    try {
      runSchedule(seed, null)
    } catch {
      traceSchedule(seed)
      throw new Error(`seed ${seed} failed, and did not when it was run again`)
    }
  }
}

/** Runs one schedule. @throws with everything that happened, if it fails */
export function traceSchedule(seed: number): string[] {
  const trace: string[] = []
  try {
    runSchedule(seed, trace)
  } catch (error) {
    const again = `VARVE_GROUP_SEED=${seed} npx vitest run test/model/group-schedules-fixed.test.ts`
    throw new Error(`${(error as Error).message}\nrun it again with ${again}\n${trace.join('\n')}`, { cause: error })
  }
  return trace
}

function runSchedule(seed: number, trace: string[] | null): void {
  const random = new SeededRandom(seed)
  const world = newWorld(random)
  world.trace = trace
  if (random.chance(0.6)) {
    for (let at = 0; at < world.slots; at++) if (random.chance(0.7)) world.proceed(at)
    world.settle()
  }
  const steps = random.between(15, 30)
  for (let at = 0; at < steps; at++) act(world, random)
  world.settle()
}

function newWorld(random: SeededRandom): GroupWorld {
  const slots = random.between(2, 4)
  const limits: GroupLimits = {
    initialRebalanceDelayMs: random.pick([0, 3_000]),
    minSessionTimeoutMs: 6_000,
    maxSessionTimeoutMs: 1_800_000,
    maxSize: random.chance(0.1) ? 2 : 100,
  }
  const world = new GroupWorld(limits)
  const cooperative = random.chance(0.5)
  const statics = random.pick([0, 0.3, 1])
  for (let slot = 0; slot < slots; slot++) {
    world.addClient({
      instanceId: random.chance(statics) ? `instance-${slot}` : null,
      cooperative,
      requiresKnownMemberId: random.chance(0.7),
      supportsSkippingAssignment: random.chance(0.7),
      sessionTimeoutMs: random.pick([6_000, 9_000, 25_000]),
      rebalanceTimeoutMs: random.pick([9_000, 15_000]),
      protocols: protocols(random),
    })
  }
  return world
}

/** Both assign in the same way: what counts is which of them is chosen. */
function protocols(random: SeededRandom): string[] {
  return random.chance(0.7) ? ['first', 'second'] : ['second', 'first']
}

/** One thing happens: mostly that clients go on. */
function act(world: GroupWorld, random: SeededRandom): void {
  const roll = random.below(100)
  const client = random.below(world.slots)
  if (roll < 50) goOn(world, client, random)
  else if (roll < 58) world.commit(client, random.chance(0.8) ? 'assigned' : 'joined')
  else if (roll < 61) world.join(client)
  else if (roll < 64) world.crash(client, random.chance(0.5), protocols(random))
  else if (roll < 66) world.leave(client)
  else if (roll < 74) actAsZombie(world, random)
  else if (roll < 84) world.finishStore(true)
  else if (roll < 87) world.finishStore(false)
  else if (roll < 92) world.advanceTo(world.nextDeadlineMs())
  else if (roll < 95) world.advanceTo(world.nowMs + random.below(6_000))
  else if (roll < 96) world.advanceTo(world.nowMs + 60_000)
  else if (roll < 97) world.stall(random.below(60_000))
  else if (roll < 98) world.delete()
  else world.restart(random.below(3))
}

/** Whoever is in works, and says that it is alive now and then. */
function goOn(world: GroupWorld, client: number, random: SeededRandom): void {
  if (world.clients[client].phase === 'in' && random.chance(0.5)) world.commit(client)
  else world.proceed(client)
}

/** A client that was replaced, or is taken for dead, speaks: it was slow, and knows nothing of it. */
function actAsZombie(world: GroupWorld, random: SeededRandom): void {
  if (world.clients.length === world.slots) return
  const at = random.between(world.slots, world.clients.length - 1)
  const { phase } = world.clients[at]
  const roll = random.below(10)
  if (roll < 5) world.commit(at)
  else if (roll < 6) world.heartbeat(at)
  else if (roll < 7 && phase !== 'out') world.join(at)
  else if (roll < 9 && phase === 'sync') world.sync(at)
  else if (roll < 10 && phase !== 'out') world.leave(at)
}
