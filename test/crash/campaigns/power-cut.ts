import { checkGoesOn } from '../../helpers/crash-aftermath.ts'
import { checkFound, openOn, recoveredFrom, type RecoveredLog } from '../../helpers/crash-oracle.ts'
import { REAL_SCALE, SMALL_SCALE } from '../../helpers/crash-scale.ts'
import { CrashScript } from '../../helpers/crash-script.ts'
import { hashOf } from '../../helpers/disk-hash.ts'
import { pendingOn, signatureOf } from '../../helpers/disk-profiles.ts'
import { drawnCuts, plainCuts, tailCuts } from '../../helpers/power-cuts.ts'
import type { Campaign } from './campaign.ts'

const STEPS = 40
const REAL_SCALE_SHARE = 0.1
/** Draws of what a file system may leave, at any moment and where a sync is about to begin. */
const DRAWS = 2
const DRAWS_BEFORE_SYNC = 16
/** Of the bytes at which the tail can be cut, how many are tried: all of them in one moment out of this many. */
const EVERY_BYTE_ONE_IN = 40
const SHARE_OF_BYTES = 0.03
/** What goes on after a recovery is looked at in one disk out of this many. */
const GO_ON_ONE_IN = 4

/**
 * The power goes at every moment of a random run, and leaves what one kind of file system or another may leave.
 *
 * Many moments can leave the same disk: it is opened and read once, and held to what each of them promises.
 */
export const powerCut: Campaign = {
  name: 'power-cut',
  async takeApart({ random, flushes, tryState, countImage }) {
    const scale = random.chance(REAL_SCALE_SHARE) ? REAL_SCALE : SMALL_SCALE
    const script = new CrashScript(random, flushes, scale)
    await script.run(STEPS)
    const found = new Map<string, RecoveredLog>()
    let signature = ''
    for (const { disk, moment: before, beforeSync } of script.points) {
      const pending = pendingOn(disk)
      const cuts = drawnCuts(pending, random, beforeSync ? DRAWS_BEFORE_SYNC : DRAWS, scale.sectors)
      // where nothing has changed but the moment, the plain cuts leave what they left before
      if (signatureOf(pending) !== signature) cuts.push(...plainCuts(pending))
      signature = signatureOf(pending)
      if (beforeSync)
        cuts.push(...tailCuts(pending, random, random.below(EVERY_BYTE_ONE_IN) === 0 ? 1 : SHARE_OF_BYTES))
      for (const { name, options } of cuts) {
        const image = disk.crash(options)
        const moment = name === 'all kept' ? { ...before, isKill: !before.isCut } : before
        await tryState(
          () => `${moment.label}, ${name}`,
          async (own) => {
            const key = await hashOf(image)
            const known = found.get(key)
            if (known !== undefined) return void checkFound(known, moment)
            countImage()
            const log = await openOn(image, own, moment.wallMs)
            const recovered = await recoveredFrom(log)
            found.set(key, recovered)
            const survivors = checkFound(recovered, moment)
            if (own.below(GO_ON_ONE_IN) === 0) await checkGoesOn(image, log, own, survivors, moment)
          },
        )
      }
    }
  },
}
