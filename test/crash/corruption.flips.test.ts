/** One bit of one file is wrong. */
import { corruptionCampaign, given, type Damage } from '../helpers/corruption-campaign.ts'
import { filesIn, type Image } from '../helpers/damaged-image.ts'
import { changeFile } from '../helpers/logs.ts'
import type { SeededRandom } from '../helpers/seeded-random.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'

const FILE = 'test/crash/corruption.flips.test.ts'

/** Every bit, or as many of them as `share` says, of the files of all partitions that `wanted` names. */
function flipsOf(wanted: RegExp, share: number) {
  return async (image: Image, random: SeededRandom): Promise<Damage[]> => {
    const damages: Damage[] = []
    for (const partition of image.partitions) {
      for (const { path, content } of await filesIn(image.disk, partition.path)) {
        if (!wanted.test(path)) continue
        for (let bit = 0; bit < content.length * 8; bit++) {
          if (share < 1 && !random.chance(share)) continue
          const [at, mask] = [bit >> 3, 1 << (bit & 7)]
          const apply = (disk: MemoryStorage) => changeFile(disk, path, (bytes) => void (bytes[at] ^= mask))
          damages.push({ what: `bit ${bit & 7} of byte ${at} of '${path}'`, partition, apply })
        }
      }
    }
    return damages
  }
}

const share = given('CORRUPTION_SHARE')

corruptionCampaign(FILE, 'one bit of a log that was closed', 'closed', flipsOf(/\.log$/, share ?? 0.08))
corruptionCampaign(FILE, 'one bit of a log that was killed', 'killed', flipsOf(/\.log$/, share ?? 0.04))
corruptionCampaign(FILE, 'one bit of an index of a log that was closed', 'closed', flipsOf(/index$/, share ?? 1))
corruptionCampaign(FILE, 'one bit of an index of a log that was killed', 'killed', flipsOf(/index$/, share ?? 0.5))
