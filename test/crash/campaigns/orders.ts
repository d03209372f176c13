import type { CrashOptions } from '../../../src/storage/memory-crash.ts'
import { CrashScript } from '../../helpers/crash-script.ts'
import { pendingOn, type Pending } from '../../helpers/disk-profiles.ts'
import type { Campaign } from './campaign.ts'
import { Images } from './images.ts'

const STEPS = 12
/** So many operations overtake all others, or are overtaken by them: most crash bugs of file systems need no more. */
const MOST_OPERATIONS = 3
/** Where more are pending, the latest are taken in every combination and the others are there. */
const MOST_PENDING = 12
const GO_ON_ONE_IN = 8

/**
 * Every order of up to three operations across files, whatever their kind: at each moment, every choice of up to three that
 * reached the disk before all others, and of up to three that had not when all others had.
 */
export const orders: Campaign = {
  name: 'orders',
  async takeApart(run) {
    const script = new CrashScript(run.random, run.flushes)
    await script.run(STEPS)
    const images = new Images(run, GO_ON_ONE_IN)
    for (const { disk, moment, beforeSync } of script.points) {
      if (!beforeSync) continue
      for (const { name, options } of orderings(pendingOn(disk))) {
        const image = disk.crash(options)
        await run.tryState(
          () => `${moment.label}, ${name}`,
          (own) => images.check(image, moment, own),
        )
      }
    }
  },
}

function* orderings({ writes, truncates, operations }: Pending): Generator<{ name: string; options: CrashOptions }> {
  const all = [...writes, ...truncates, ...operations].map(({ sequence }) => sequence).sort((a, b) => a - b)
  const latest = all.slice(-MOST_PENDING)
  for (const chosen of subsets(latest, MOST_OPERATIONS)) {
    for (const first of [true, false]) {
      const isThere = (sequence: number) => !latest.includes(sequence) || chosen.includes(sequence) === first
      const options: CrashOptions = {
        choose: ({ sequence, length }) => (isThere(sequence) ? length : 0),
        keepTruncate: ({ sequence }) => isThere(sequence),
        keepDirectoryOperation: ({ sequence }) => isThere(sequence),
      }
      yield { name: `${first ? 'only' : 'all but'} changes ${chosen.join()} of ${latest.join()}`, options }
    }
  }
}

/** All choices of up to so many of `items`, each in order. */
function* subsets<T>(items: readonly T[], most: number, from = 0): Generator<T[]> {
  yield []
  if (most === 0) return
  for (let i = from; i < items.length; i++) {
    for (const rest of subsets(items, most - 1, i + 1)) yield [items[i], ...rest]
  }
}
