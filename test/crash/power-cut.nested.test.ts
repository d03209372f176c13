/**
 * The power goes, and goes again at every moment of the recovery, and once more at every moment of the recovery from
 * that: each of them ends where the first one would have ended.
 *
 * A failure says how to repeat it; see `crashCampaign`.
 */
import { checkGoesOn, checkRecovered, openOn, type Moment, type Survivors } from '../helpers/crash-oracle.ts'
import { crashCampaign } from '../helpers/crash-campaign.ts'
import { ObservedStorage } from '../helpers/observed-storage.ts'
import { drawCut, powerCuts } from '../helpers/power-cuts.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'

/** Moments of a run whose recovery is taken apart. */
const MOMENTS = 5
/** Of the states within a recovery, those whose recovery is taken apart as well. */
const NESTED_SHARE = 0.02
const DEPTH = 2

crashCampaign('test/crash/power-cut.nested.test.ts', 3, async (script, random, tryState) => {
  for (let i = 0; i < MOMENTS; i++) {
    const { disk, moment } = random.pick(script.points)
    const image = disk.crash(drawCut(random))
    await cutRecovery(image, moment, 1, null)
  }

  /** @param wanted what a recovery that was not cut short had left, or null when this is it */
  async function cutRecovery(
    image: MemoryStorage,
    moment: Moment,
    depth: number,
    wanted: string | null,
  ): Promise<void> {
    const disks: { label: string; disk: MemoryStorage }[] = []
    const storage = new ObservedStorage(image, (call, path) =>
      disks.push({ label: `${call} ${path}`, disk: image.clone() }),
    )
    const log = await openOn(storage, new SeededRandom(random.below(2 ** 32)), moment.wallMs)
    storage.observer = null
    const left = shown(await checkRecovered(log, moment))
    if (wanted !== null && left !== wanted)
      throw new Error(`${moment.label}: the second recovery left ${left}, the first ${wanted}`)
    // a recovery that was cut short is an unclean stop, unless it may have stopped before it began
    const expected = moment.expected === 'unclean' ? 'unclean' : 'either'
    for (const { label, disk } of disks) {
      const nested = { ...moment, label: `${moment.label}, recovery ${depth}: ${label}`, expected } as const
      for (const { name, options } of powerCuts(disk, random, 1)) {
        if (depth < DEPTH && random.chance(NESTED_SHARE))
          await cutRecovery(disk.crash(options), nested, depth + 1, left)
        await tryState(
          () => `${nested.label}, ${name}`,
          async (own) => {
            const again = disk.crash(options)
            const recovered = await openOn(again, own, moment.wallMs)
            const survivors = await checkRecovered(recovered, nested)
            if (shown(survivors) !== left)
              throw new Error(`left ${shown(survivors)}, and ${left} when it was not cut short`)
            if (own.chance(0.2)) await checkGoesOn(again, recovered, own, survivors, nested)
          },
        )
      }
    }
  }
})

/** What is left of each partition, but for what every recovery raises. */
function shown(survivors: Map<string, Survivors[]>): string {
  const partitions = [...survivors].map(
    ([name, all]) => `${name} ${all.map(({ kept, start }) => `${kept} from ${start}`).join(', ')}`,
  )
  return partitions.sort().join('; ')
}
