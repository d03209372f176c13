import { REAL_SCALE, SMALL_SCALE } from '../../helpers/crash-scale.ts'
import { CrashScript } from '../../helpers/crash-script.ts'
import { pendingOn, signatureOf } from '../../helpers/disk-profiles.ts'
import { drawnCuts, plainCuts, tailCuts } from '../../helpers/power-cuts.ts'
import type { Campaign, Run } from './campaign.ts'
import { Images } from './images.ts'

const STEPS = 40
const PRODUCER_STEPS = 25
const REAL_SCALE_SHARE = 0.1
/** Draws of what a file system may leave, at any moment and where a sync is about to begin. */
const DRAWS = 2
const DRAWS_BEFORE_SYNC = 16
/** Of the bytes at which the tail can be cut, how many are tried: all of them in one moment out of this many. */
const EVERY_BYTE_ONE_IN = 40
const SHARE_OF_BYTES = 0.03
const GO_ON_ONE_IN = 4

/** The power goes at every moment of a random run, and leaves what one kind of file system or another may leave. */
export const powerCut: Campaign = { name: 'power-cut', takeApart: (run) => takeApart(run, false) }

/** As {@link powerCut}, and idempotent producers send batches, some of them again. */
export const producers: Campaign = { name: 'producers', takeApart: (run) => takeApart(run, true) }

async function takeApart(run: Run, produces: boolean): Promise<void> {
  const { random, flushes } = run
  const scale = random.chance(REAL_SCALE_SHARE) ? REAL_SCALE : SMALL_SCALE
  const script = new CrashScript(random, flushes, scale, produces)
  await script.run(produces ? PRODUCER_STEPS : STEPS)
  const images = new Images(run, GO_ON_ONE_IN)
  let signature = ''
  for (const { disk, moment: before, beforeSync } of script.points) {
    const pending = pendingOn(disk)
    const cuts = drawnCuts(pending, random, beforeSync ? DRAWS_BEFORE_SYNC : DRAWS, scale.sectors)
    // where nothing has changed but the moment, the plain cuts leave what they left before
    if (signatureOf(pending) !== signature) cuts.push(...plainCuts(pending))
    signature = signatureOf(pending)
    if (beforeSync) cuts.push(...tailCuts(pending, random, random.below(EVERY_BYTE_ONE_IN) === 0 ? 1 : SHARE_OF_BYTES))
    for (const { name, options } of cuts) {
      const image = disk.crash(options)
      const moment = name === 'all kept' ? { ...before, isKill: !before.isCut } : before
      await run.tryState(
        () => `${moment.label}, ${name}`,
        (own) => images.check(image, moment, own),
      )
    }
  }
}
