import type { CrashOptions, PendingDirectoryOperation, PendingWrite } from '../../src/storage/memory-crash.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { DISK_PROFILES, pendingOn, SMALL_SECTORS, type Pending, type Sectors } from './disk-profiles.ts'
import { SeededRandom } from './seeded-random.ts'

/** One way in which a power cut may end. */
export interface PowerCut {
  name: string
  options: CrashOptions
}

const SECTOR_BYTES = 512
/** A longer write is not cut at every byte. */
const EVERY_BYTE_UP_TO = 700

const everything: CrashOptions = {
  choose: ({ length }) => length,
  keepTruncate: () => true,
  keepDirectoryOperation: () => true,
}

/**
 * The ways in which a power cut may leave a disk: nothing or all of what is not synced, data without names and names
 * without data, files that have grown without their data, each directory operation alone kept or alone lost, and
 * `draws` times what a file system of some kind may leave.
 */
export function powerCuts(disk: MemoryStorage, random: SeededRandom, draws: number): PowerCut[] {
  const pending = pendingOn(disk)
  return [...plainCuts(pending), ...drawnCuts(pending, random, draws)]
}

/** As {@link powerCuts}, without draws. */
export function plainCuts({ writes, operations, truncates }: Pending): PowerCut[] {
  const cuts: PowerCut[] = [{ name: 'nothing kept', options: {} }]
  if (writes.length + operations.length + truncates.length === 0) return cuts
  cuts.push({ name: 'all kept', options: everything })
  const names: CrashOptions = { keepDirectoryOperation: () => true, keepTruncate: () => true }
  if (writes.length > 0) {
    cuts.push({ name: 'sizes kept, zeros', options: { ...names, size: 'written', fill: 'zeros' } })
    cuts.push({ name: 'sizes kept, garbage', options: { ...names, size: 'written', fill: 'garbage' } })
    if (operations.length > 0) {
      cuts.push({ name: 'data kept, names lost', options: { choose: everything.choose } })
      cuts.push({ name: 'names kept, data lost', options: names })
    }
  }
  if (operations.length > 1 && operations.length <= 6) {
    for (const { index, kind, path } of operations) {
      const keepDirectoryOperation = (operation: PendingDirectoryOperation) => operation.index === index
      const loseOne = (operation: PendingDirectoryOperation) => operation.index !== index
      cuts.push({ name: `only ${kind} ${path}`, options: { ...everything, keepDirectoryOperation } })
      cuts.push({ name: `all but ${kind} ${path}`, options: { ...everything, keepDirectoryOperation: loseOne } })
    }
  }
  return cuts
}

/** `draws` times what a file system of some kind may leave, fewer where there is little that it could take. */
export function drawnCuts(pending: Pending, random: SeededRandom, draws: number, sectors = SMALL_SECTORS): PowerCut[] {
  const { writes, operations, truncates } = pending
  const parts = writes.reduce((sum, { length }) => sum + Math.ceil(length / sectors.sectorBytes), 0)
  const count = Math.min(draws, 2 * (parts + operations.length + truncates.length))
  return Array.from({ length: count }, (_, draw) => {
    // randomness of its own: which cuts are made must not change those that follow
    const { name, options } = drawFrom(pending, new SeededRandom(random.below(2 ** 32)), sectors)
    return { name: `draw ${draw} of ${name}`, options }
  })
}

/** What a file system of some kind may leave: see {@link DISK_PROFILES}. */
export function drawCut(disk: MemoryStorage, random: SeededRandom, sectors = SMALL_SECTORS): CrashOptions {
  return drawFrom(pendingOn(disk), random, sectors).options
}

function drawFrom(pending: Pending, random: SeededRandom, sectors: Sectors): PowerCut {
  const name = random.pick(Object.keys(DISK_PROFILES))
  return { name, options: DISK_PROFILES[name](pending, random, sectors) }
}

/**
 * The tail cut at every byte: all writes before it are whole, and of those after it nothing is there. `share` of the
 * bytes are taken, at random; of a long write only the ends of its sectors and a few places between them.
 */
export function tailCuts({ writes }: Pending, random: SeededRandom, share: number): PowerCut[] {
  const cuts: PowerCut[] = []
  for (const { index, length, path } of writes) {
    for (let kept = 0; kept < length; kept++) {
      if (length > EVERY_BYTE_UP_TO && kept % SECTOR_BYTES !== 0 && !random.chance(4 / SECTOR_BYTES)) continue
      if (share < 1 && !random.chance(share)) continue
      const choose = (write: PendingWrite) => (write.index < index ? write.length : write.index === index ? kept : 0)
      const size = kept % 2 === 0 ? 'kept' : 'written'
      const fill = kept % 3 === 0 ? 'garbage' : 'zeros'
      const name = `write ${index} of ${path} cut at ${kept} of ${length}, size ${size}, ${fill}`
      cuts.push({ name, options: { ...everything, choose, size, fill } })
    }
  }
  return cuts
}
