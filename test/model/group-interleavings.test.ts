/**
 * Every order in which a few clients, the disk, the clock and a restart can act on a consumer group, from where a group
 * begins and from where it is in the middle of things. One of the three members is static.
 * `VARVE_GROUP_MORE_EVENTS` makes the sequences longer: one more takes ten times as long.
 */
import { expect, test } from 'vitest'
import { GroupWorld } from './group-world.ts'

/** Something that can happen. */
interface Move {
  name: string
  possible(world: GroupWorld): boolean
  make(world: GroupWorld): void
}

const MOVES: Move[] = [
  ...[0, 1, 2].flatMap((at): Move[] => [
    { name: `${at} goes on`, possible: (world) => world.clients[at].request === 0, make: (world) => world.proceed(at) },
    { name: `${at} joins again`, possible: (world) => isMember(world, at), make: (world) => world.join(at) },
    { name: `${at} commits`, possible: (world) => world.clients[at].owned > 0, make: (world) => world.commit(at) },
    { name: `${at} leaves`, possible: (world) => isMember(world, at), make: (world) => world.leave(at) },
    { name: `${at} crashes`, possible: (world) => isUsed(world, at), make: (world) => world.crash(at, false) },
  ]),
  // whoever crashed last was only slow
  {
    name: 'a zombie commits',
    possible: (world) => (world.clients.at(-1)?.owned ?? 0) > 0 && world.clients.length > world.slots,
    make: (world) => world.commit(world.clients.length - 1),
  },
  { name: 'stored', possible: (world) => world.stores.length > 0, make: (world) => world.finishStore(true) },
  { name: 'not stored', possible: (world) => world.stores.length > 0, make: (world) => world.finishStore(false) },
  {
    name: 'the next deadline',
    possible: (world) => world.nextDeadlineMs() < Infinity,
    make: (world) => world.advanceTo(world.nextDeadlineMs()),
  },
  {
    name: 'far ahead',
    possible: (world) => world.nextDeadlineMs() < Infinity,
    make: (world) => world.advanceTo(world.nowMs + 60_000),
  },
  {
    name: 'restart',
    possible: (world) => world.group.state !== 'Empty' || world.group.generation > 0,
    make: (world) => world.restart(0),
  },
]

const STARTS: { name: string; depth: number; cooperative: boolean; begin: (world: GroupWorld) => void }[] = [
  { name: 'nobody has joined', depth: 6, cooperative: false, begin: () => {} },
  { name: 'two members are in, eager', depth: 5, cooperative: false, begin: (world) => join(world, [0, 1]) },
  { name: 'two members are in, cooperative', depth: 5, cooperative: true, begin: (world) => join(world, [0, 2]) },
  { name: 'a third joins', depth: 5, cooperative: true, begin: (world) => joinAsThird(world) },
  { name: 'the leader assigns', depth: 5, cooperative: false, begin: (world) => startAssigning(world) },
  { name: 'a static leader comes back', depth: 5, cooperative: false, begin: (world) => comeBack(world) },
]

const moreEvents = Number(process.env['VARVE_GROUP_MORE_EVENTS'] ?? 0)

for (const { name, depth: least, cooperative, begin } of STARTS) {
  const depth = least + moreEvents
  test(`${name}: in every order of ${depth} events the group keeps its promises`, { timeout: 1_800_000 }, () => {
    const world = newWorld(cooperative)
    begin(world)
    const startedMs = Date.now()
    const sequences = explore(world, depth, [])
    console.log(`${name}: ${sequences} sequences of ${depth} events, ${Date.now() - startedMs} ms`)
    expect(sequences).toBeGreaterThan(1_000)
  })
}

/** Makes every possible sequence of moves; after each of them the group has to come to rest. */
function explore(world: GroupWorld, depth: number, made: string[]): number {
  if (depth === 0) {
    attempt(made, () => world.settle())
    return 1
  }
  let sequences = 0
  for (const move of MOVES) {
    if (!move.possible(world)) continue
    const next = world.clone()
    made.push(move.name)
    attempt(made, () => move.make(next))
    sequences += explore(next, depth - 1, made)
    made.pop()
  }
  return sequences
}

function attempt(made: string[], make: () => void): void {
  try {
    make()
  } catch (error) {
    throw new Error(`${(error as Error).message}, after: ${made.join(', ')}`, { cause: error })
  }
}

function newWorld(cooperative: boolean): GroupWorld {
  const world = new GroupWorld({
    initialRebalanceDelayMs: 3_000,
    minSessionTimeoutMs: 6_000,
    maxSessionTimeoutMs: 1_800_000,
    maxSize: 100,
  })
  const timeouts = { sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 15_000 }
  const common = { cooperative, supportsSkippingAssignment: true, protocols: ['first'], ...timeouts }
  world.addClient({ ...common, instanceId: null, requiresKnownMemberId: true })
  world.addClient({ ...common, instanceId: null, requiresKnownMemberId: false })
  world.addClient({ ...common, instanceId: 'instance', requiresKnownMemberId: true })
  return world
}

function join(world: GroupWorld, clients: number[]): void {
  for (const at of clients) world.proceed(at)
  world.settle()
}

/** The third is static and has joined; the others have not joined again. */
function joinAsThird(world: GroupWorld): void {
  join(world, [0, 1])
  world.proceed(2)
}

/** All three have joined, the static one first: it leads, and its assignment is being stored. */
function startAssigning(world: GroupWorld): void {
  world.proceed(2)
  world.proceed(1)
  world.advanceTo(world.nextDeadlineMs())
  world.proceed(2)
}

/** The static member leads, and has joined again under a new id, which is being stored. */
function comeBack(world: GroupWorld): void {
  world.proceed(2)
  join(world, [1])
  world.crash(2, false)
  world.proceed(2)
}

function isMember(world: GroupWorld, at: number): boolean {
  return world.group.members.has(world.clients[at].memberId)
}

/** Has something to lose. */
function isUsed(world: GroupWorld, at: number): boolean {
  return world.clients[at].request !== 0 || world.clients[at].memberId !== ''
}
