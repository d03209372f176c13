/**
 * Storage calls fail while a log recovers from a power cut: the open fails with a typed error and gives everything back,
 * and loses nothing that the next one, on a healthy disk, needs.
 */
import { expect, test } from 'vitest'
import { VarveError } from '../../src/errors.ts'
import type { Varve } from '../../src/client/varve.ts'
import { checkRecovered, openOn, type Moment } from '../helpers/crash-oracle.ts'
import { CrashScript } from '../helpers/crash-script.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { watchOpenFiles } from '../helpers/io-run.ts'
import { drawCut } from '../helpers/power-cuts.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const RUNS = Number(process.env['FAULT_RUNS'] ?? 3)
const CODES = ['EIO', 'ENOSPC', 'EMFILE', 'EACCES', 'EROFS']

test(
  'a recovery that fails at any call says why, gives the lock and the files back, and loses nothing',
  { timeout: 300_000 },
  async () => {
    const random = new SeededRandom()
    console.log(
      `failing recoveries: ${random.toString()} (repeat with VARVE_SEED=${random.seed}; FAULT_RUNS sets the number of runs)`,
    )
    let [failed, opened] = [0, 0]
    for (let run = 0; run < RUNS; run++) {
      const script = new CrashScript(random, ['group', 'os', { ms: 10 }])
      await script.run(25)
      const { disk: before, moment } = random.pick(script.points.slice(script.points.length / 2))
      const image = before.crash(drawCut(before, random))
      const healthy = new FaultyStorage(image.clone())
      const log = await openOn(healthy, random, moment.wallMs)
      const left = await survivors(moment, log)
      await log.close()
      for (let index = 0; index < healthy.calls.length; index++) {
        for (const code of CODES) {
          for (const sticky of [false, true]) {
            const disk = image.clone()
            const openFiles = watchOpenFiles(disk)
            const storage = new FaultyStorage(disk)
            storage.failAt({ call: index, code, sticky })
            const { kind, path } = healthy.calls[index]
            const what = `${moment.label}: ${code} at call ${index}${sticky ? ' and from then on' : ''}, ${kind} ${path}`
            const isOpen = await openAndClose(storage, random, moment, what)
            if (isOpen) opened++
            else failed++
            expect(openFiles, `${what}: files left open`).toEqual([])
            storage.clearFaults()
            const again = await openOn(storage, random, moment.wallMs)
            expect(await survivors({ ...moment, expected: 'either' }, again), what).toBe(left)
            await again.close()
          }
        }
      }
    }
    console.log(`failing recoveries: ${failed} opens failed, ${opened} did without the call`)
    expect(failed).toBeGreaterThan(300)
  },
)

/** Whether the log could be opened; what is thrown on the way must be typed. */
async function openAndClose(
  storage: FaultyStorage,
  random: SeededRandom,
  moment: Moment,
  what: string,
): Promise<boolean> {
  try {
    const log = await openOn(storage, random, moment.wallMs)
    await log.close().catch((error: unknown) => expect(error, what).toBeInstanceOf(VarveError))
    return true
  } catch (error) {
    expect(error, what).toBeInstanceOf(VarveError)
    return false
  }
}

/** What is left of each partition, but for what every recovery raises. */
async function survivors(moment: Moment, log: Varve): Promise<string> {
  const left = await checkRecovered(log, moment)
  const places = [...left].map(([name, all]) => JSON.stringify([name, all.map(({ kept, start }) => [kept, start])]))
  return places.sort().join()
}
