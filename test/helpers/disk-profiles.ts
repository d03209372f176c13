import type {
  CrashOptions,
  PendingDirectoryOperation,
  PendingTruncate,
  PendingWrite,
} from '../../src/storage/memory-crash.ts'
import type { ByteRange } from '../../src/storage/memory-file.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { SeededRandom } from './seeded-random.ts'

/** What is not synced on a disk, in the order in which it was done. */
export interface Pending {
  writes: PendingWrite[]
  truncates: PendingTruncate[]
  operations: PendingDirectoryOperation[]
}

/** How large the units are in which a file system and its disk write. */
export interface Sectors {
  /** What the disk writes whole or not at all, bytes. */
  sectorBytes: number
  /** What the file system writes at a time, bytes; a multiple of `sectorBytes`. */
  pageBytes: number
}

/** The sectors of real disks, and small ones for small records, which stand for large ones. */
export const REAL_SECTORS: Sectors = { sectorBytes: 512, pageBytes: 4096 }
export const SMALL_SECTORS: Sectors = { sectorBytes: 32, pageBytes: 128 }

/** What one kind of file system may leave of what was not synced when the power goes. */
export type DiskProfile = (pending: Pending, random: SeededRandom, sectors: Sectors) => CrashOptions

export function pendingOn(disk: MemoryStorage): Pending {
  const pending: Pending = { writes: [], truncates: [], operations: [] }
  disk.crash({
    choose: (write) => {
      pending.writes.push(write)
      return 0
    },
    keepTruncate: (truncate) => pending.truncates.push(truncate) < 0,
    keepDirectoryOperation: (operation) => pending.operations.push(operation) > 0,
  })
  return pending
}

/** Tells whether anything was written, synced or renamed between two moments of one disk. */
export function signatureOf({ writes, truncates, operations }: Pending): string {
  return [writes, truncates, operations].map((all) => all.map(({ sequence }) => sequence).join()).join(';')
}

/**
 * ext4 with data=ordered: names, truncates and sizes come from one journal, so those before some moment are there and
 * those after it are not. A file never grows before its data: what is there of appends is the beginning. What was
 * overwritten in place may be there sector by sector.
 */
const ext4Ordered: DiskProfile = (pending, random, sectors) => {
  const journal = cutoffIn(pending, random)
  const overwritten = sectorsOf(pending, random, sectors.sectorBytes)
  const appended = beginningsOf(pending, random, sectors.pageBytes)
  return {
    choose: (write) => (grows(write) ? appended(write) : overwritten(write)),
    keepTruncate: ({ sequence }) => sequence <= journal,
    keepDirectoryOperation: ({ sequence }) => sequence <= journal,
  }
}

/**
 * XFS: names and truncates come from one log, as above. Each page of a file goes to the disk by itself, and the size
 * follows the last one that has: pages before it that have not read as zeros.
 */
const xfs: DiskProfile = (pending, random, { pageBytes }) => {
  const log = cutoffIn(pending, random)
  return {
    choose: sectorsOf(pending, random, pageBytes),
    keepTruncate: ({ sequence }) => sequence <= log,
    keepDirectoryOperation: ({ sequence }) => sequence <= log,
    fill: 'zeros',
  }
}

/**
 * btrfs: copies on write, so a page is the old one or the new one; a file grows page by page. Names are in order only within
 * one directory: what syncs of other files put in the log tree may be there before them.
 */
const btrfs: DiskProfile = (pending, random, { pageBytes }) => {
  const overwritten = sectorsOf(pending, random, pageBytes)
  const appended = beginningsOf(pending, random, pageBytes)
  const cutoffs = new Map<string, number>()
  const cutoffOf = (path: string) => {
    const directory = path.slice(0, path.lastIndexOf('/'))
    if (!cutoffs.has(directory)) cutoffs.set(directory, cutoffIn(pending, random))
    return cutoffs.get(directory)!
  }
  return {
    choose: (write) => (grows(write) ? appended(write) : overwritten(write)),
    keepTruncate: ({ path, sequence }) => sequence <= cutoffOf(path),
    keepDirectoryOperation: ({ path, sequence }) => sequence <= cutoffOf(path),
  }
}

/**
 * Any part of anything, as no file system should: sectors in any order and each in any state that it had, one of them torn
 * at any byte, sizes before data and data before sizes, zeros or garbage where a file has grown, each name for itself.
 */
const adversarial: DiskProfile = (pending, random, sectors) => {
  const mostly = random.pick([0.1, 0.5, 0.9])
  const whole = sectorsOf(pending, random, random.chance(0.7) ? sectors.sectorBytes : sectors.pageBytes)
  const anyLength = random.chance(0.3)
  const torn = random.below(2 * pending.writes.length + 1)
  return {
    choose: (write) => {
      if (anyLength) return random.below(write.length + 1)
      return write.index === torn ? tear(whole(write), random) : whole(write)
    },
    keepTruncate: () => random.chance(mostly),
    keepDirectoryOperation: () => random.chance(mostly),
    size: random.pick(['written', 'kept'] as const),
    fill: random.pick(['zeros', 'garbage'] as const),
  }
}

export const DISK_PROFILES: Record<string, DiskProfile> = { 'ext4-ordered': ext4Ordered, xfs, btrfs, adversarial }

function grows({ position, length, sizeBefore }: PendingWrite): boolean {
  return position + length > sizeBefore
}

/** A moment among all that is pending: what came up to it is there. */
function cutoffIn({ writes, truncates, operations }: Pending, random: SeededRandom): number {
  const all = [...writes, ...truncates, ...operations]
  if (all.length === 0 || random.chance(0.15)) return -1
  return random.chance(0.25) ? Infinity : random.pick(all).sequence
}

/** Each sector of each file as it was at a moment of its own. */
function sectorsOf(pending: Pending, random: SeededRandom, sectorBytes: number) {
  const cutoffs = new Map<string, number>()
  return ({ path, position, length, sequence }: PendingWrite): ByteRange[] => {
    const ranges: ByteRange[] = []
    const end = position + length
    for (let start = position; start < end;) {
      const sector = Math.floor(start / sectorBytes)
      const next = Math.min((sector + 1) * sectorBytes, end)
      const key = `${path}:${sector}`
      let cutoff = cutoffs.get(key)
      if (cutoff === undefined) cutoffs.set(key, (cutoff = cutoffIn(pending, random)))
      if (sequence <= cutoff) ranges.push([start - position, next - position])
      start = next
    }
    return ranges
  }
}

/** Of the appends to each file those before a moment, and of the one that follows its first pages. */
function beginningsOf(pending: Pending, random: SeededRandom, pageBytes: number) {
  const cutoffs = new Map<string, number>()
  const ended = new Set<string>()
  return ({ path, position, length, sequence }: PendingWrite): number => {
    if (!cutoffs.has(path)) cutoffs.set(path, cutoffIn(pending, random))
    if (sequence <= cutoffs.get(path)!) return length
    if (ended.has(path)) return 0
    ended.add(path)
    const end = position + random.below(length + 1)
    return Math.max(0, Math.min(length, end - (end % pageBytes) - position))
  }
}

/** Cuts the last of the ranges short, at any byte. */
function tear(ranges: ByteRange[], random: SeededRandom): ByteRange[] {
  const last = ranges.at(-1)
  return last === undefined ? ranges : [...ranges.slice(0, -1), [last[0], random.between(last[0], last[1])]]
}
