import { test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import {
  checkAppend,
  checkKept,
  checkLookups,
  checkReading,
  checkVerify,
  demand,
  expectationOf,
  type Expectation,
} from './damaged-check.ts'
import { makeImages, openStill, type Image, type PartitionImage } from './damaged-image.ts'
import { contentOf } from './logs.ts'
import { SeededRandom } from './seeded-random.ts'

/** One thing that is done to one partition's files. */
export interface Damage {
  what: string
  partition: PartitionImage
  apply(disk: MemoryStorage): Promise<void>
  /** By offset and by time, each; default 2. */
  lookups?: number
}

interface State extends Damage {
  number: number
}

let images: ReturnType<typeof makeImages> | null = null

/** The two images, made once for each test file. */
export function imagesOf(): ReturnType<typeof makeImages> {
  return (images ??= makeImages(new MemoryStorage()))
}

/** What is given from outside. */
export function given(name: 'CORRUPTION_SEED' | 'CORRUPTION_STATE' | 'CORRUPTION_SHARE'): number | undefined {
  const text = process.env[name]
  return text === undefined ? undefined : Number(text)
}

/**
 * A test that tries damages of single partitions. Partitions have nothing to do with one another, so one directory takes
 * a damage in each of them at a time; where that fails, each is tried alone.
 *
 * @param file    as it is given to vitest
 * @param damages in an order that depends on `random` alone
 */
export function corruptionCampaign(
  file: string,
  name: string,
  which: 'closed' | 'killed',
  damages: (image: Image, random: SeededRandom) => Promise<Damage[]>,
): void {
  test(`${name}`, { timeout: 3_600_000 }, async () => {
    const seed = given('CORRUPTION_SEED') ?? new SeededRandom().below(2 ** 24)
    const wanted = given('CORRUPTION_STATE')
    const image = (await imagesOf())[which]
    const { stackTraceLimit } = Error
    if (wanted === undefined) Error.stackTraceLimit = 0
    let count = 0
    const waiting = new Map<PartitionImage, State[]>()
    const started = process.cpuUsage()
    try {
      for (const damage of await damages(image, new SeededRandom(seed))) {
        count++
        if (wanted !== undefined && wanted !== count) continue
        const queue = waiting.get(damage.partition) ?? []
        waiting.set(damage.partition, queue)
        queue.push({ ...damage, number: count })
      }
      while (waiting.size > 0) await tryNext(image, waiting, seed, file, name)
    } finally {
      Error.stackTraceLimit = stackTraceLimit
    }
    const seconds = process.cpuUsage(started).user / 1e6
    console.log(`${name}: ${count} states in ${seconds.toFixed(1)} s, CORRUPTION_SEED=${seed}`)
  })
}

/** Tries one damage of each partition that has any waiting. */
async function tryNext(
  image: Image,
  waiting: Map<PartitionImage, State[]>,
  seed: number,
  file: string,
  name: string,
): Promise<void> {
  const states: State[] = []
  for (const [partition, queue] of waiting) {
    states.push(queue.shift()!)
    if (queue.length === 0) waiting.delete(partition)
  }
  try {
    await tryStates(image, states, seed)
  } catch (cause) {
    for (const state of states) {
      await tryStates(image, [state], seed).catch((error: unknown) => {
        const share = given('CORRUPTION_SHARE') === undefined ? '' : `CORRUPTION_SHARE=${given('CORRUPTION_SHARE')} `
        const replay = `${share}CORRUPTION_SEED=${seed} CORRUPTION_STATE=${state.number} npx vitest run ${file} -t '${name}'`
        const message = `${image.name}, ${state.what}: ${(error as Error).message}\nrepeat with ${replay}`
        throw new Error(message, { cause: error })
      })
    }
    const numbers = states.map(({ number }) => number).join(', ')
    throw new Error(`${(cause as Error).message}\nonly where all of these are tried: ${numbers}`, { cause })
  }
}

/** Tries one damage, as `seed` says in what order. */
export function tryDamage(image: Image, damage: Damage, seed: number): Promise<void> {
  return tryStates(image, [{ ...damage, number: 0 }], seed)
}

async function tryStates(image: Image, states: readonly State[], seed: number): Promise<void> {
  const disk = image.disk.clone()
  for (const state of states) await state.apply(disk)
  const expected: Expectation[] = []
  for (const { partition } of states) expected.push(await expectationOf(image, partition, disk))
  const random = new SeededRandom(seed + states[0].number)
  const damaged = disk.clone()
  if (random.chance(0.1)) {
    await checkReadOnly(damaged, expected, random).catch((cause: unknown) => {
      throw new Error(`read only: ${(cause as Error).message}`, { cause })
    })
  }
  const log = await openStill(disk)
  for (const one of expected) await checkKept(one, disk)
  const appended: number[] = []
  for (const [i, one] of expected.entries()) {
    // the same whether it is tried alone or with others
    appended.push(await checkPartition(log, one, damaged, new SeededRandom(seed + states[i].number), states[i].lookups))
  }
  await log.close()
  if (!random.chance(0.1)) return
  const again = await openStill(disk)
  for (const [i, one] of expected.entries()) {
    const { topic, partition } = one.partition
    demand(again.offsets(topic)[partition].logEndOffset > appended[i], () => `${appended[i]} is gone after a close`)
  }
  await again.close()
}

async function checkPartition(
  log: Varve,
  expected: Expectation,
  damaged: MemoryStorage,
  random: SeededRandom,
  lookups = 2,
): Promise<number> {
  const before = random.pick([0, lookups])
  const nothing = { read: expected.required, lost: [] }
  // an index that leads astray must do no harm, whoever uses it first
  if (expected.isLogWhole) await checkLookups(log, expected, nothing, random, before)
  const outcome = await checkReading(log, expected)
  await checkLookups(log, expected, outcome, random, lookups - before)
  if (random.chance(0.25)) await checkVerify(expected, outcome, damaged)
  return checkAppend(log, expected, outcome)
}

async function checkReadOnly(disk: MemoryStorage, expected: Expectation[], random: SeededRandom): Promise<void> {
  const before = JSON.stringify([...(await contentOf(disk))])
  const log = await openStill(disk, { readOnly: true })
  for (const one of expected.map((other) => ({ ...other, isReadOnly: true }))) {
    // it cannot be told from a topic that the writer has just deleted
    if ([...one.files].every(([path, content]) => content.length === 0 || !/\.(log|metadata)$/.test(path))) continue
    const outcome = await checkReading(log, one)
    await checkLookups(log, one, outcome, random, 1)
  }
  await log.close()
  demand(before === JSON.stringify([...(await contentOf(disk))]), () => 'a log that was only read has changed')
}
