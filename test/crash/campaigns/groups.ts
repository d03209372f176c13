import { acknowledgesDurably, type Flush } from '../../../src/engine/flush.ts'
import type { Varve } from '../../../src/client/varve.ts'
import type { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import { atMost, must } from '../../helpers/crash-oracle.ts'
import { hashOf } from '../../helpers/disk-hash.ts'
import { pendingOn } from '../../helpers/disk-profiles.ts'
import { committedOf, GroupScript, openGroups, TOPIC, type GroupCrashPoint } from '../../helpers/group-script.ts'
import { drawnCuts, plainCuts, tailCuts } from '../../helpers/power-cuts.ts'
import type { SeededRandom } from '../../helpers/seeded-random.ts'
import type { Campaign } from './campaign.ts'

const STEPS = 30
const DRAWS = 3
const TAIL_SHARE = 0.02

/**
 * The power goes at every moment of a random run of consumer groups: what they have committed is what was acknowledged, or
 * something later that was under way; never an older place under `'group'`, never one past the end, never none by damage.
 */
export const groups: Campaign = {
  name: 'groups',
  async takeApart({ random, flushes, tryState, countImage }) {
    const flush = random.pick(flushes)
    const script = new GroupScript(random, flush)
    await script.run(STEPS)
    const keys = [...new Set(script.points.flatMap((point) => [...point.groups.keys()]))]
    const known = new Map<string, GroupsFound>()
    for (const point of script.points) {
      const pending = pendingOn(point.disk)
      const cuts = [...plainCuts(pending), ...drawnCuts(pending, random, DRAWS)]
      if (point.beforeSync) cuts.push(...tailCuts(pending, random, TAIL_SHARE))
      for (const { name, options } of cuts) {
        const image = point.disk.crash(options)
        await tryState(
          () => `${point.label}, ${name}`,
          async (own) => {
            const hash = await hashOf(image)
            let found = known.get(hash)
            if (found === undefined) {
              countImage()
              known.set(hash, (found = await read(image, own, point.wallMs, flush, keys)))
            }
            check(point, found, flush)
          },
        )
      }
    }
  },
}

interface GroupsFound {
  isThere: boolean
  /** By `<group>/<partition>`. */
  committed: Map<string, number | null>
  /** By partition. */
  highWatermarks: number[]
}

/** Opens a disk twice: what the first open finds, the second one does. */
async function read(
  disk: MemoryStorage,
  random: SeededRandom,
  wallMs: number,
  flush: Flush,
  keys: readonly string[],
): Promise<GroupsFound> {
  const log = await openGroups(disk, random, wallMs, flush)
  const damage = log.recovery.damage.filter(({ path }) => !/\/checkpoint-[ab]$/.test(path))
  must(damage.length === 0, () => `no damage, found ${JSON.stringify(damage)}`)
  const isThere = (await log.listTopics()).length > 0
  const committed = await committedIn(log, isThere ? keys : [])
  const highWatermarks = isThere ? log.offsets(TOPIC).map(({ highWatermark }) => highWatermark) : []
  // a consumer goes on at once: nobody waits for the members that are gone
  await log.close()
  const again = await openGroups(disk, random, wallMs, flush)
  for (const [key, offset] of await committedIn(again, isThere ? keys : [])) {
    const before = committed.get(key)
    must(offset === before, () => `${key} is at ${before} at the second open too, found at ${offset}`)
  }
  await again.close()
  return { isThere, committed, highWatermarks }
}

async function committedIn(log: Varve, keys: readonly string[]): Promise<Map<string, number | null>> {
  const found = new Map<string, number | null>()
  for (const key of keys) {
    const [group, partition] = key.split('/')
    found.set(key, (await committedOf(log, group)).get(Number(partition)) ?? null)
  }
  return found
}

function check({ groups: histories }: GroupCrashPoint, found: GroupsFound, flush: Flush): void {
  for (const [key, { commits, acknowledged }] of histories) {
    const committed = found.committed.get(key) ?? null
    const possible = acknowledgesDurably(flush) ? commits.slice(acknowledged - 1) : commits
    must(
      possible.includes(committed),
      () => `${key} is at ${possible.join(' or ')}, found at ${committed} (all: ${commits.join()})`,
    )
    const highWatermark = found.highWatermarks[Number(key.split('/')[1])]
    if (found.isThere) atMost(committed ?? 0, highWatermark, `what ${key} has committed`)
  }
}
