import type { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import { checkFound, openOn, recoveredFrom, type Moment, type Survivors } from '../../helpers/crash-oracle.ts'
import type { CrashPoint } from '../../helpers/crash-live.ts'
import { CrashScript } from '../../helpers/crash-script.ts'
import { pendingOn, signatureOf } from '../../helpers/disk-profiles.ts'
import { ObservedStorage } from '../../helpers/observed-storage.ts'
import { drawCut, drawnCuts, plainCuts } from '../../helpers/power-cuts.ts'
import { SeededRandom } from '../../helpers/seeded-random.ts'
import type { Campaign, Run } from './campaign.ts'
import { Images } from './images.ts'

const STEPS = 40
/** Moments of a run whose recovery is taken apart: some of each kind of step, as their labels name them. */
const MOMENTS_OF_EACH = 1
const STEP_KINDS = ['append', 'flush', 'createTopic', 'deleteTopic', 'createPartitions', 'alterTopic', 'deleteRecords']
const KINDS = [...STEP_KINDS, 'retention', 'close', 'kill', 'power cut', ': create', ': truncate', ': syncDirectory']
/** Of the states within a recovery, those whose recovery is taken apart as well. */
const NESTED_SHARE = 0.02
const DEPTH = 3
const DRAWS = 12
const GO_ON_ONE_IN = 10

/**
 * The power goes, and goes again at every moment of the recovery, and of the recovery from that, three deep: each of them
 * ends where the first one would have ended.
 */
export const recovery: Campaign = {
  name: 'recovery',
  async takeApart(run) {
    const { random, flushes } = run
    const script = new CrashScript(random, flushes)
    await script.run(STEPS)
    const nested = new NestedCuts(run)
    for (const kind of KINDS) {
      const points = script.points.filter(({ moment }) => moment.label.includes(kind))
      for (let i = 0; i < MOMENTS_OF_EACH && points.length > 0; i++) await nested.takeApart(random.pick(points))
    }
  },
}

class NestedCuts {
  private readonly images: Images

  constructor(private readonly run: Run) {
    this.images = new Images(run, GO_ON_ONE_IN)
  }

  async takeApart({ disk, moment }: CrashPoint): Promise<void> {
    await this.cutRecovery(disk.crash(drawCut(disk, this.run.random)), moment, 1, null)
  }

  /** @param wanted what a recovery that was not cut short had left, or null when this is it */
  private async cutRecovery(image: MemoryStorage, moment: Moment, depth: number, wanted: string | null): Promise<void> {
    const { random } = this.run
    const disks: { label: string; disk: MemoryStorage }[] = []
    const storage = new ObservedStorage(image, (call, path) =>
      disks.push({ label: `${call} ${path}`, disk: image.clone() }),
    )
    const log = await openOn(storage, new SeededRandom(random.below(2 ** 32)), moment.wallMs)
    storage.observer = null
    const left = shown(checkFound(await recoveredFrom(log), moment))
    if (wanted !== null && left !== wanted)
      throw new Error(`${moment.label}: the second recovery left ${left}, the first ${wanted}`)
    // a recovery that was cut short is an unclean stop, unless it may have stopped before it began
    const expected = moment.expected === 'unclean' ? 'unclean' : 'either'
    let signature = ''
    for (const { label, disk } of disks) {
      const pending = pendingOn(disk)
      if (signatureOf(pending) === signature) continue
      signature = signatureOf(pending)
      const nested = { ...moment, label: `${moment.label}, recovery ${depth}: ${label}`, expected } as const
      for (const { name, options } of [...plainCuts(pending), ...drawnCuts(pending, random, DRAWS)]) {
        const again = disk.crash(options)
        if (depth < DEPTH && random.chance(NESTED_SHARE)) {
          await this.cutRecovery(again.clone(), nested, depth + 1, left)
        }
        await this.run.tryState(
          () => `${nested.label}, ${name}`,
          async (own) => {
            const after = shown(await this.images.check(again, nested, own))
            if (after !== left) throw new Error(`left ${after}, and ${left} when it was not cut short`)
          },
        )
      }
    }
  }
}

/** What is left of each partition, but for what every recovery raises. */
function shown(survivors: Map<string, Survivors[]>): string {
  const partitions = [...survivors].map(
    ([name, all]) => `${name} ${all.map(({ kept, start }) => `${kept} from ${start}`).join(', ')}`,
  )
  return partitions.sort().join('; ')
}
