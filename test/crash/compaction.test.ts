/**
 * The power goes, the process is killed, or the disk fails, at every storage operation of a compaction: nothing that is
 * durable and latest of its key is lost, nothing comes back, and the next open ends what was begun.
 */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import type { Flush } from '../../src/engine/flush.ts'
import { VarveError } from '../../src/errors.ts'
import { parseCheckpoint } from '../../src/storage/checkpoint.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { findLoss, readAll, SMALL, TOPIC, writeSome, type Written } from '../helpers/compacted-topic.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { changeFile, contentOf, DIRECTORY, openLog } from '../helpers/logs.ts'
import { ObservedStorage } from '../helpers/observed-storage.ts'
import { drawCut, powerCuts } from '../helpers/power-cuts.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const random = new SeededRandom()
const RUNS = Number(process.env['COMPACTION_RUNS'] ?? 2)
const DAY_MS = 86_400_000

function open(storage: Storage, clock = new FakeClock()): Promise<Varve> {
  clock.deferWith = queueMicrotask
  return openLog({ storage, clock, random: new SeededRandom(1), compactionCheckMs: 2 ** 31 - 1 })
}

/** A log that was compacted once and written to since: what a compaction now does, it does to old and to new. */
async function prepare(
  storage: Storage,
  own: SeededRandom,
  flush: Flush = 'group',
): Promise<{ log: Varve; written: Written[]; clock: FakeClock }> {
  const clock = new FakeClock()
  const log = await open(storage, clock)
  const compressionType = own.pick(['none', 'gzip', 'none'] as const)
  await log.createTopic({ ...SMALL, compressionType, segmentBytes: own.pick([400, 700, 1500]), flush })
  const written = await writeSome(log, own, 40)
  await log.compact(TOPIC)
  written.push(...(await writeSome(log, own, 40)))
  // the time of the tombstones that the first one saw has come
  clock.advance(own.pick([0, DAY_MS + 1]))
  return { log, written, clock }
}

/** Opens what is left, finds everything, and goes on; a second open finds the same and changes nothing. */
async function check(disk: MemoryStorage, written: readonly Written[], own: SeededRandom, what: string): Promise<void> {
  const log = await open(disk)
  const damage = log.recovery.damage.filter(({ path }) => !/\/checkpoint-[ab]$/.test(path))
  if (damage.length > 0) throw new Error(`${what}: damage ${JSON.stringify(damage)}`)
  const found = await readAll(log)
  // what 'os' acknowledged may be lost from some record on, but never from the middle
  const isDurable = (await log.describeTopic(TOPIC)).config.flush === 'group'
  const last = found.at(-1)?.offset ?? -1
  const kept = isDurable ? written : written.filter(({ offset }) => offset <= last)
  const loss = findLoss(kept, found, { mayLoseTombstones: true })
  if (loss !== null) throw new Error(`${what}: ${loss}`)
  const names = [...(await contentOf(disk)).keys()].filter((name) => /\.(cleaned|swap)$/.test(name))
  if (names.length > 0) throw new Error(`${what}: left ${names.join()}`)
  const end = written.at(-1)!.offset + 1
  const [first] = await writeSome(log, own, 1)
  if (first.offset < end) throw new Error(`${what}: offset ${first.offset} was given to another record`)
  if (own.chance(0.3)) await log.compact(TOPIC)
  const before = JSON.stringify(await readAll(log))
  await log.close()
  const again = await open(disk)
  const { clean, scannedBytes, damage: none } = again.recovery
  const state = JSON.stringify([clean, scannedBytes, none.length])
  if (state !== '[true,0,0]') throw new Error(`${what}: the second open found ${state}`)
  const after = JSON.stringify(await readAll(again))
  if (after !== before) throw new Error(`${what}: the second open found ${after}, not ${before}`)
  await again.close()
}

/** Cuts the power at every moment of the recovery of a disk, and of some of the recoveries from that, three deep. */
async function cutRecoveries(
  image: MemoryStorage,
  written: readonly Written[],
  what: string,
  depth = 1,
): Promise<number> {
  const moments: MemoryStorage[] = []
  const storage = new ObservedStorage(image, () => moments.push(image.clone()))
  await open(storage)
  storage.observer = null
  let states = moments.length
  for (const [i, disk] of moments.entries()) {
    const cut = disk.crash(random.chance(0.3) ? {} : drawCut(disk, random))
    const label = `${what}, cut again at ${i}`
    if (depth < 3 && random.chance(0.01)) states += await cutRecoveries(cut.clone(), written, label, depth + 1)
    await check(cut, written, random, label)
  }
  return states
}

/** Damages the checkpoint that counts, so that the one before it does. */
async function withoutNewest(disk: MemoryStorage): Promise<MemoryStorage> {
  const paths = ['checkpoint-a', 'checkpoint-b'].map((name) => `${DIRECTORY}/${name}`)
  const sequences = await Promise.all(
    paths.map(async (path) => parseCheckpoint(await disk.readFile(path), path)?.sequence ?? 0),
  )
  const newest = paths[sequences[0] > sequences[1] ? 0 : 1]
  await changeFile(disk, newest, (content) => void (content[200] ^= 1))
  return disk
}

describe(`a compaction (VARVE_SEED=${random.seed})`, () => {
  test(
    'that a power cut ends at any operation loses nothing, nor do those in the recoveries from it, three deep',
    { timeout: 300_000 },
    async () => {
      let states = 0
      for (let run = 0; run < RUNS; run++) {
        const disk = new MemoryStorage()
        const moments: { what: string; disk: MemoryStorage }[] = []
        const storage = new ObservedStorage(disk, null)
        const { log, written } = await prepare(storage, random, run % 2 === 0 ? 'group' : 'os')
        storage.observer = (call, path, when) => moments.push({ what: `${when} ${call} ${path}`, disk: disk.clone() })
        await log.compact(TOPIC)
        storage.observer = null
        expect(findLoss(written, await readAll(log), { mayLoseTombstones: true })).toBe(null)
        expect(moments.some(({ what }) => what.includes('after rename'))).toBe(true)
        for (const moment of moments) {
          states++
          await check(moment.disk.clone(), written, random, `killed ${moment.what}`)
          await check(
            await withoutNewest(moment.disk.clone()),
            written,
            random,
            `newest checkpoint damaged ${moment.what}`,
          )
          for (const { name, options } of powerCuts(moment.disk, random, 3)) {
            const what = `${moment.what}, ${name}`
            states++
            await check(moment.disk.crash(options), written, random, what)
            if (!random.chance(0.04)) continue
            states += await cutRecoveries(moment.disk.crash(options), written, what)
          }
        }
      }
      console.log(`compaction: ${states} states from VARVE_SEED=${random.seed}`)
    },
  )

  for (const code of ['EIO', 'ENOSPC']) {
    for (const sticky of [false, true]) {
      test(
        `that meets ${code} ${sticky ? 'from some call on' : 'once'} loses nothing, and goes through later`,
        { timeout: 300_000 },
        async () => {
          const seed = random.below(2 ** 32)
          const healthy = new FaultyStorage(new MemoryStorage())
          const first = await prepare(healthy, new SeededRandom(seed))
          const start = healthy.calls.length
          await first.log.compact(TOPIC)
          const calls = healthy.calls.length - start
          expect(calls).toBeGreaterThan(30)
          for (let index = 0; index < calls; index++) {
            const disk = new MemoryStorage()
            const storage = new FaultyStorage(disk)
            const { log, written } = await prepare(storage, new SeededRandom(seed))
            storage.failAt({ call: storage.calls.length + index, code, sticky })
            const failure: unknown = await log.compact(TOPIC).catch((error: unknown) => error)
            const call = storage.calls.find(({ fault }) => fault !== undefined)
            const what = `${code} at call ${index} (${call?.kind} ${call?.path})`
            if (failure instanceof Error) expect(failure, what).toBeInstanceOf(VarveError)
            const own = new SeededRandom(seed + index)
            const images = [disk.clone(), disk.crash(), disk.crash(drawCut(disk, own))]
            storage.clearFaults()
            // in the same process: readers see everything, and the next one ends it
            expect(findLoss(written, await readAll(log), { mayLoseTombstones: true }), what).toBe(null)
            await log.compact(TOPIC)
            expect(findLoss(written, await readAll(log), { mayLoseTombstones: true }), what).toBe(null)
            await log.close()
            await check(disk, written, own, `${what}, closed`)
            for (const image of images) await check(image, written, own, `${what}, then stopped`)
          }
        },
      )
    }
  }
})
