/** Index entries that are wrong and look right: readers must never be led to another record by them. */
import { afterAll } from 'vitest'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { corruptionCampaign, given, type Damage } from '../helpers/corruption-campaign.ts'
import { filesIn, START_MS, type Image, type PartitionImage } from '../helpers/damaged-image.ts'
import { putFile } from '../helpers/logs.ts'
import type { SeededRandom } from '../helpers/seeded-random.ts'

const FILE = 'test/crash/corruption.indexes.test.ts'
const ROUNDS = Math.ceil(410 * (given('CORRUPTION_SHARE') ?? 1))
let entries = 0

/** Ascending numbers in [least, greatest), without the same one twice. */
function ascending(count: number, draw: () => number): number[] {
  const drawn = new Set(Array.from({ length: count }, draw))
  return [...drawn].sort((a, b) => a - b)
}

/** An offset index: offsets of batches and between them, and positions of batches and between them, all in range. */
function wrongOffsets(partition: PartitionImage, base: number, size: number, random: SeededRandom): Buffer {
  const batches = partition.batches.filter(({ segment }) => segment === base)
  const last = Math.max(batches.at(-1)!.lastOffset - base, 1)
  const count = random.between(1, 4)
  const isAligned = random.chance(0.7)
  const offset = () => (isAligned ? random.pick(batches).lastOffset - base : random.below(last + 1))
  const position = () => (isAligned ? random.pick(batches).position : random.between(1, size - 1))
  const offsets = ascending(count, offset)
  const positions = ascending(count, position).filter((at) => at > 0)
  const length = Math.min(offsets.length, positions.length)
  const bytes = Buffer.alloc(length * 8)
  for (let i = 0; i < length; i++) {
    bytes.writeInt32BE(offsets[i], i * 8)
    bytes.writeInt32BE(positions[i], i * 8 + 4)
  }
  entries += length
  return bytes
}

/** A time index: times of records and between them, and offsets as above. */
function wrongTimes(partition: PartitionImage, base: number, random: SeededRandom): Buffer {
  const batches = partition.batches.filter(({ segment }) => segment === base)
  const isReal = random.chance(0.7)
  const count = random.between(1, 4)
  const time = () => (isReal ? random.pick(partition.records).timestamp : START_MS + random.below(2000))
  const times = ascending(count, time)
  const offsets = ascending(count, () => random.pick(batches).lastOffset - base)
  // one that is true of its batch, but not of those before it, is not found out: a look-up may begin behind the record
  const isHalfTrue = (i: number) => {
    const named = batches.findIndex(({ lastOffset }) => lastOffset - base >= offsets[i])
    const latest = batches.map(({ bytes }) => Number(bytes.readBigInt64BE(35)))
    return latest[named] === times[i] && latest.slice(0, named).some((time) => time > times[i])
  }
  const pairs = Array.from({ length: Math.min(times.length, offsets.length) }, (_, i) => i)
  const length = pairs.findIndex(isHalfTrue) < 0 ? pairs.length : pairs.findIndex(isHalfTrue)
  const bytes = Buffer.alloc(length * 12)
  for (let i = 0; i < length; i++) {
    bytes.writeBigInt64BE(BigInt(times[i]), i * 12)
    bytes.writeInt32BE(offsets[i], i * 12 + 8)
  }
  entries += length
  return bytes
}

async function wrongIndexes(image: Image, random: SeededRandom): Promise<Damage[]> {
  const damages: Damage[] = []
  for (const partition of image.partitions) {
    const logs = (await filesIn(image.disk, partition.path)).filter(({ path }) => path.endsWith('.log'))
    for (let round = 0; round < ROUNDS; round++) {
      const files: [path: string, content: Buffer][] = []
      for (const { path, content } of logs) {
        const base = parseInt(path.slice(path.lastIndexOf('/') + 1))
        if (content.length === 0) continue
        const kind = random.below(3)
        if (kind !== 0)
          files.push([path.replace('.log', '.index'), wrongOffsets(partition, base, content.length, random)])
        if (kind !== 1) files.push([path.replace('.log', '.timeindex'), wrongTimes(partition, base, random)])
      }
      const apply = async (disk: MemoryStorage) => {
        for (const [path, content] of files) await putFile(disk, path, content)
      }
      damages.push({ what: `round ${round} of wrong indexes in '${partition.path}'`, partition, apply, lookups: 6 })
    }
  }
  return damages
}

corruptionCampaign(FILE, 'wrong indexes of a log that was closed', 'closed', wrongIndexes)
corruptionCampaign(FILE, 'wrong indexes of a log that was killed', 'killed', wrongIndexes)

afterAll(() => console.log(`${FILE}: ${entries} wrong entries`))
