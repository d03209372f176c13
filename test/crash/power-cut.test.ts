/**
 * The power goes at every moment of random runs, and takes any part of what was not synced.
 *
 * A failure says how to repeat it; see `crashCampaign`.
 */
import { checkGoesOn, checkRecovered, openOn } from '../helpers/crash-oracle.ts'
import { crashCampaign } from '../helpers/crash-campaign.ts'
import { powerCuts, tailCuts } from '../helpers/power-cuts.ts'

/** Random parts of what is not synced, for each moment. */
const DRAWS = 3
/** Of the bytes at which the tail can be cut, how many are tried: all of them in one moment out of this many. */
const EVERY_BYTE_ONE_IN = 40
const SHARE_OF_BYTES = 0.01
/** What goes on after a recovery is looked at in one state out of this many. */
const GO_ON_ONE_IN = 3

crashCampaign('test/crash/power-cut.test.ts', 2, async (script, random, tryState) => {
  let tried = 0
  for (const { disk, moment, beforeSync } of script.points) {
    const cuts = powerCuts(disk, random, DRAWS)
    if (beforeSync) cuts.push(...tailCuts(disk, random, random.below(EVERY_BYTE_ONE_IN) === 0 ? 1 : SHARE_OF_BYTES))
    for (const { name, options } of cuts) {
      const goesOn = tried++ % GO_ON_ONE_IN === 0
      await tryState(
        () => `${moment.label}, ${name}`,
        async (own) => {
          const image = disk.crash(options)
          const log = await openOn(image, own, moment.wallMs)
          const survivors = await checkRecovered(log, moment)
          if (goesOn) await checkGoesOn(image, log, own, survivors, moment)
        },
      )
    }
  }
})
