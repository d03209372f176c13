import type { CrashOptions, PendingDirectoryOperation, PendingWrite } from '../../src/storage/memory-crash.ts'
import type { ByteRange } from '../../src/storage/memory-file.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
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

/** What is not synced on a disk. */
export function pendingOn(disk: MemoryStorage) {
  const writes: PendingWrite[] = []
  const operations: PendingDirectoryOperation[] = []
  let truncates = 0
  disk.crash({
    choose: (write) => {
      writes.push(write)
      return 0
    },
    keepTruncate: () => {
      truncates += 1
      return false
    },
    keepDirectoryOperation: (operation) => operations.push(operation) > 0,
  })
  return { writes, operations, truncates }
}

/**
 * The ways in which a power cut may leave a disk: nothing or all of what is not synced, data without names and names
 * without data, files that have grown without their data, each directory operation alone kept or alone lost, and
 * `draws` times any part of anything.
 */
export function powerCuts(disk: MemoryStorage, random: SeededRandom, draws: number): PowerCut[] {
  const { writes, operations, truncates } = pendingOn(disk)
  const cuts: PowerCut[] = [{ name: 'nothing kept', options: {} }]
  if (writes.length + operations.length + truncates === 0) return cuts
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
  for (let draw = 0; draw < draws; draw++) {
    // randomness of its own: which cuts are made must not change those that follow
    cuts.push({ name: `draw ${draw}`, options: drawCut(new SeededRandom(random.below(2 ** 32))) })
  }
  return cuts
}

/** Any part of anything: sectors in any order, one of them torn. */
export function drawCut(random: SeededRandom): CrashOptions {
  const mostly = random.pick([0.1, 0.5, 0.9])
  const sectors = random.chance(0.5)
  return {
    choose: ({ length }) => (sectors ? drawSectors(random, length, mostly) : random.below(length + 1)),
    keepTruncate: () => random.chance(mostly),
    keepDirectoryOperation: () => random.chance(mostly),
    size: random.pick(['written', 'kept'] as const),
    fill: random.pick(['zeros', 'garbage'] as const),
  }
}

function drawSectors(random: SeededRandom, length: number, mostly: number): ByteRange[] {
  // small writes stand for large ones: their sectors are small as well, but not so small that one could be lost from
  // within the 16 bytes of a batch's header that no checksum covers
  const sectorBytes = length > SECTOR_BYTES ? SECTOR_BYTES : random.between(24, 60)
  const ranges: ByteRange[] = []
  for (let start = 0; start < length; start += sectorBytes) {
    const end = Math.min(start + sectorBytes, length)
    if (!random.chance(mostly)) continue
    ranges.push([start, random.chance(0.1) ? random.between(start, end) : end])
  }
  return ranges
}

/**
 * The tail cut at every byte: all writes before it are whole, and of those after it nothing is there. `share` of the
 * bytes are taken, at random; of a long write only the ends of its sectors and a few places between them.
 */
export function tailCuts(disk: MemoryStorage, random: SeededRandom, share: number): PowerCut[] {
  const cuts: PowerCut[] = []
  for (const { index, length, path } of pendingOn(disk).writes) {
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
