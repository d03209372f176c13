import type { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import { checkGoesOn } from '../../helpers/crash-aftermath.ts'
import {
  checkFound,
  openOn,
  recoveredFrom,
  type Moment,
  type RecoveredLog,
  type Survivors,
} from '../../helpers/crash-oracle.ts'
import { hashOf } from '../../helpers/disk-hash.ts'
import type { SeededRandom } from '../../helpers/seeded-random.ts'
import type { Run } from './campaign.ts'

/**
 * The disks that a run can leave. Many moments can leave the same one: it is opened and read once, and held to what each of
 * them promises.
 */
export class Images {
  private readonly found = new Map<string, RecoveredLog>()

  /** @param goOnOneIn what goes on after a recovery is looked at in one disk out of this many */
  constructor(
    private readonly run: Run,
    private readonly goOnOneIn: number,
  ) {}

  /** Holds a disk to what must be there after the power went at `moment`; changes it. */
  async check(image: MemoryStorage, moment: Moment, own: SeededRandom): Promise<Map<string, Survivors[]>> {
    const key = await hashOf(image)
    const known = this.found.get(key)
    if (known !== undefined) return checkFound(known, moment)
    this.run.countImage()
    const log = await openOn(image, own, moment.wallMs)
    const found = await recoveredFrom(log)
    this.found.set(key, found)
    const survivors = checkFound(found, moment)
    if (own.below(this.goOnOneIn) === 0) await checkGoesOn(image, log, own, survivors, moment)
    return survivors
  }
}
