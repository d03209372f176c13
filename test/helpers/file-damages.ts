/** What can happen to whole files, and to pieces of them. */
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { Damage } from './corruption-campaign.ts'
import { filesIn, type Image, type PartitionImage, type PlacedBatch } from './damaged-image.ts'
import { changeFile, putFile } from './logs.ts'
import type { SeededRandom } from './seeded-random.ts'

/** Tries damages of one partition after another. */
type Describe = (image: Image, partition: PartitionImage, random: SeededRandom) => Promise<Damage[]>

/** The damages of all partitions of an image. */
export function ofAllPartitions(...kinds: Describe[]) {
  return async (image: Image, random: SeededRandom): Promise<Damage[]> => {
    const damages: Damage[] = []
    for (const partition of image.partitions) {
      for (const kind of kinds) damages.push(...(await kind(image, partition, random)))
    }
    return damages
  }
}

function change(partition: PartitionImage, path: string, what: string, how: (bytes: Buffer) => Buffer | void): Damage {
  return { what: `${what} in '${path}'`, partition, apply: (disk) => changeFile(disk, path, how) }
}

/** Every file cut at every length, or at as many as `share` says. */
export const cutAtEveryLength =
  (share: number): Describe =>
  async (image, partition, random) => {
    const damages: Damage[] = []
    for (const { path, content } of await filesIn(image.disk, partition.path)) {
      const ends = new Set(partition.batches.filter((batch) => batch.path === path).map(({ position }) => position))
      for (let length = 0; length < content.length; length++) {
        if (!ends.has(length) && !random.chance(share)) continue
        damages.push(change(partition, path, `cut at ${length}`, (bytes) => bytes.subarray(0, length)))
      }
    }
    return damages
  }

/** Stretches of zeros, of garbage and of what stands elsewhere in the file. */
export const overwritten =
  (count: number): Describe =>
  async (image, partition, random) => {
    const damages: Damage[] = []
    for (const { path, content } of await filesIn(image.disk, partition.path)) {
      for (let i = 0; i < count && content.length > 0; i++) {
        const length = random.pick([1, 2, 4, 8, 12, 61, 512, 4096, random.between(1, content.length)])
        const start = length === 512 || length === 4096 ? 0 : random.below(content.length)
        const from = random.below(content.length)
        const garbage = random.bytes(Math.min(length, content.length - start))
        const [what, how] = random.pick<[string, (bytes: Buffer) => void]>([
          ['zeros', (bytes) => void bytes.fill(0, start, Math.min(start + length, bytes.length))],
          ['ones', (bytes) => void bytes.fill(0xff, start, Math.min(start + length, bytes.length))],
          ['garbage', (bytes) => bytes.set(garbage, start)],
          [`what stands at ${from}`, (bytes) => void bytes.copyWithin(start, from, from + length)],
        ])
        damages.push(change(partition, path, `${length} bytes of ${what} at ${start}`, how))
      }
      for (const length of [1, 100, 4096]) {
        for (const [what, more] of [
          ['zeros', Buffer.alloc(length)],
          ['garbage', Buffer.from(random.bytes(length))],
        ] as const)
          damages.push(change(partition, path, `${length} ${what} behind`, (bytes) => Buffer.concat([bytes, more])))
      }
    }
    return damages
  }

/** Batches written twice, in the place of others, and exchanged. */
export const batchesMoved: Describe = async (_image, partition) => {
  const damages: Damage[] = []
  const { batches } = partition
  for (const one of batches) {
    const { path, position, bytes } = one
    const end = position + bytes.length
    const double = (content: Buffer) => Buffer.concat([content.subarray(0, end), bytes, content.subarray(end)])
    const without = (content: Buffer) => Buffer.concat([content.subarray(0, position), content.subarray(end)])
    damages.push(change(partition, path, `the batch at ${position} twice`, double))
    damages.push(change(partition, path, `no batch at ${position}`, without))
    const behind = (content: Buffer) => Buffer.concat([content, bytes])
    damages.push(change(partition, path, `the batch at ${position} at the end`, behind))
    for (const other of batches) {
      if (other !== one) damages.push(copied(partition, one, other), ...exchanged(partition, one, other))
    }
  }
  return damages
}

function copied(partition: PartitionImage, from: PlacedBatch, to: PlacedBatch): Damage {
  const length = Math.min(from.bytes.length, to.bytes.length)
  const what = `the batch of ${from.baseOffset} over that of ${to.baseOffset}`
  return change(partition, to.path, what, (content) => content.set(from.bytes.subarray(0, length), to.position))
}

/** Two batches of one file, or of the same size, in each other's place. */
function exchanged(partition: PartitionImage, one: PlacedBatch, other: PlacedBatch): Damage[] {
  if (one.baseOffset > other.baseOffset) return []
  if (one.path !== other.path && one.bytes.length !== other.bytes.length) return []
  // moved by one byte, the last zero of one batch may be the first zero of the next
  if (Math.abs(one.bytes.length - other.bytes.length) === 1) return []
  const what = `the batches of ${one.baseOffset} and ${other.baseOffset} exchanged`
  const apply = async (disk: MemoryStorage) => {
    if (one.path === other.path) {
      await changeFile(disk, one.path, (content) => {
        const [end, next] = [one.position + one.bytes.length, other.position + other.bytes.length]
        const between = content.subarray(end, other.position)
        const [before, after] = [content.subarray(0, one.position), content.subarray(next)]
        return Buffer.concat([before, other.bytes, between, one.bytes, after])
      })
    } else {
      await changeFile(disk, one.path, (content) => content.set(other.bytes, one.position))
      await changeFile(disk, other.path, (content) => content.set(one.bytes, other.position))
    }
  }
  return [{ what, partition, apply }]
}

/** Files gone, emptied, under other names, in each other's place, and others beside them. */
export const filesMoved: Describe = async (image, partition, random) => {
  const damages: Damage[] = []
  const add = (what: string, apply: Damage['apply']) =>
    damages.push({ what: `${what} in '${partition.path}'`, partition, apply })
  const files = await filesIn(image.disk, partition.path)
  const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1)
  const strange = [0, 1, 5, 20, 33, 39, 47, 60, 65_560, 2 ** 40].map((base) => String(base).padStart(20, '0'))
  for (const { path, content } of files) {
    const [name, suffix] = [nameOf(path), path.slice(path.lastIndexOf('.'))]
    add(`${name} gone`, (disk) => disk.removeFile(path))
    add(`${name} empty`, (disk) => putFile(disk, path, ''))
    for (const other of files) {
      if (other.path === path || !other.path.endsWith(suffix)) continue
      add(`${name} as ${nameOf(other.path)} too`, (disk) => putFile(disk, other.path, content))
      if (other.path < path) continue
      add(`${name} and ${nameOf(other.path)} exchanged`, async (disk) => {
        await putFile(disk, other.path, content)
        await putFile(disk, path, other.content)
      })
    }
    for (const base of strange) {
      const target = `${partition.path}/${base}${suffix}`
      if (files.some((file) => file.path === target) || suffix === '.metadata') continue
      add(`${name} as ${base}${suffix} too`, (disk) => putFile(disk, target, content))
      add(`${name} as ${base}${suffix} instead`, async (disk) => {
        await putFile(disk, target, content)
        await disk.removeFile(path)
      })
    }
  }
  const foreign = ['x', 'x.log', '.hidden', '1.log', 'leader-epoch-checkpoint', 'a.log.swap', 'partition.metadata.tmp']
  for (const name of foreign)
    add(`${name} added`, (disk) => putFile(disk, `${partition.path}/${name}`, random.bytes(99)))
  for (const base of strange) {
    for (const suffix of ['.log', '.index', '.timeindex', '.log.cleaned', '.log.swap', '.index.swap', '.snapshot']) {
      const path = `${partition.path}/${base}${suffix}`
      if (files.some((file) => file.path === path)) continue
      for (const length of [0, 61, 200])
        add(`${base}${suffix} of ${length} bytes added`, (disk) => putFile(disk, path, random.bytes(length)))
    }
  }
  add('a directory added', (disk) => putFile(disk, `${partition.path}/${strange[9]}.log/x`, 'y'))
  return damages
}

const EVERY_SET_OF = 10
const ANY_SET_OF = 14

/** Every set of the files of a small partition gone; of a larger one as many of them as `share` says. */
export const anyFilesGone =
  (share: number): Describe =>
  async (image, partition, random) => {
    const files = await filesIn(image.disk, partition.path)
    const damages: Damage[] = []
    if (files.length > ANY_SET_OF) return damages
    for (let set = 1; set < 2 ** files.length; set++) {
      if (files.length > EVERY_SET_OF && !random.chance(share)) continue
      const gone = files.filter((_, i) => ((set >> i) & 1) === 1).map(({ path }) => path)
      const apply = async (disk: MemoryStorage) => {
        for (const path of gone) await disk.removeFile(path)
      }
      damages.push({ what: `without ${gone.join(', ')}`, partition, apply })
    }
    return damages
  }
