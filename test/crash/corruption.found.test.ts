/** Damage that was once read wrongly, one case for each mistake; the campaigns have found them. */
import { describe, expect, test } from 'vitest'
import { tryDamage } from '../helpers/corruption-campaign.ts'
import { filesIn, type Image, type PartitionImage } from '../helpers/damaged-image.ts'
import { imagesOf } from '../helpers/corruption-campaign.ts'
import { changeFile, openLog, putFile, valuesOf, DIRECTORY } from '../helpers/logs.ts'
import { BATCH_HEADER_BYTES } from '../../src/codec/record-batch.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'

type Apply = (disk: MemoryStorage, partition: PartitionImage) => Promise<void>

async function find(which: 'closed' | 'killed', directory: string): Promise<[Image, PartitionImage]> {
  const image = (await imagesOf())[which]
  return [image, image.partitions.find(({ path }) => path.endsWith(`/${directory}`))!]
}

/** Changes one byte of the batch that begins at `offset`. */
const flip =
  (offset: number, byte: number, mask: number): Apply =>
  (disk, { batches }) => {
    const { path, position } = batches.find(({ baseOffset }) => baseOffset === offset)!
    return changeFile(disk, path, (content) => void (content[position + byte] ^= mask))
  }

const CASES: [what: string, which: 'closed' | 'killed', directory: string, apply: Apply][] = [
  ['an end of a batch that claims offsets of others does not hide later times', 'closed', 'orders-2', flip(2, 23, 64)],
  ['an offset that overlaps the batch before is not believed by an index', 'closed', 'latest-1', flip(18, 7, 2)],
  ['a batch that cannot be read may hold the greatest time of its segment', 'closed', 'latest-1', flip(20, 1, 128)],
  ['its time is known where a stop has left indexes to be caught up with', 'killed', 'latest-1', flip(33, 0, 2)],
  ['an offset within those that were skipped is not believed', 'closed', 'windowed-1', flip(15, 7, 32)],
  ['a length that leads to the end of the file hides no batch', 'killed', 'orders-2', flip(27, 11, 128)],
  [
    'a file that ends with a batch before an epoch is too short all the same',
    'closed',
    'trimmed-1',
    (disk, { batches }) => {
      const { path, position } = batches.find(({ baseOffset }) => baseOffset === 13)!
      return changeFile(disk, path, (content) => content.subarray(0, position))
    },
  ],
  [
    'a last segment that is empty holds what a look-up by time wants',
    'closed',
    'latest-1',
    (disk, { batches }) => putFile(disk, batches.at(-1)!.path, ''),
  ],
  [
    "batches in each other's place before an epoch are not passed over as skipped offsets",
    'closed',
    'trimmed-0',
    (disk, { batches }) =>
      changeFile(disk, batches[0].path, (content) => {
        const [one, other] = batches
        return Buffer.concat([other.bytes, one.bytes, content.subarray(other.position + other.bytes.length)])
      }),
  ],
  [
    'batches of another segment are none of this one',
    'closed',
    'trimmed-1',
    async (disk, { batches }) => {
      const [one, other] = [batches[0].path, batches.find(({ segment }) => segment === 16)!.path]
      const [first, second] = [await disk.readFile(one), await disk.readFile(other)]
      await putFile(disk, one, second)
      await putFile(disk, other, first)
    },
  ],
  [
    'a time that is too early does not hide its batch where a stop has left indexes to be caught up with',
    'killed',
    'latest-1',
    flip(33, 39, 32),
  ],
  ['nor where a later time in its segment is the greatest', 'killed', 'orders-0', flip(11, 39, 4)],
  [
    'the latest time of a segment is known where it stood behind skipped offsets',
    'closed',
    'windowed-1',
    (disk, { batches }) => {
      const { path } = batches.find(({ segment }) => segment === 14)!
      return changeFile(disk, path, (content) => content.subarray(0, 10))
    },
  ],
  [
    'zeros over the end of one batch and the offset of the next do not move that one',
    'closed',
    'latest-0',
    (disk, { batches }) => changeFile(disk, batches[0].path, (content) => void content.fill(0, 9, 70)),
  ],
  [
    'a copy of a damaged batch behind it is not where to read on, for ever',
    'closed',
    'orders-1',
    (disk, { batches }) => {
      const { path, position, bytes } = batches.find(({ baseOffset }) => baseOffset === 8)!
      return changeFile(disk, path, (content) => {
        content[position + bytes.length - 2] ^= 4
        content.set(bytes, position + bytes.length)
      })
    },
  ],
  [
    'a copy of two batches, the second without its records, does not hide that one',
    'closed',
    'trimmed-1',
    (disk, { batches }) => {
      const index = batches.findIndex(({ baseOffset }) => baseOffset === 22)
      const [before, one, two] = batches.slice(index - 2)
      const copy = Buffer.concat([one.bytes, two.bytes.subarray(0, BATCH_HEADER_BYTES)])
      return changeFile(disk, before.path, (content) => content.set(copy, before.position))
    },
  ],
  ...(['closed', 'killed'] as const).map((which): (typeof CASES)[number] => [
    'a file that was added hides nothing of the segment before it',
    which,
    'latest-1',
    async (disk, { path, batches }) => {
      const base = batches.at(-1)!.lastOffset
      await putFile(disk, `${path}/${String(base).padStart(20, '0')}.log`, await disk.readFile(batches[0].path))
    },
  ]),
  [
    'a segment under a name behind its first offset is not taken for one',
    'killed',
    'zipped-1',
    async (disk, { path, batches }) => {
      const from = batches.find(({ segment }) => segment === 29)!.path
      await disk.rename(from, `${path}/${String(33).padStart(20, '0')}.log`)
    },
  ],
]

describe('of a damaged log', () => {
  test.each(CASES)('%s (%s)', async (_what, which, directory, apply) => {
    const [image, partition] = await find(which, directory)
    const damage = { what: directory, partition, apply: (disk: MemoryStorage) => apply(disk, partition) }
    for (let seed = 0; seed < 40; seed++) await tryDamage(image, { ...damage, lookups: 40 }, seed)
  })
})

test('a partition without its topic id is not taken for one that the writer has deleted', async () => {
  const [image, partition] = await find('closed', 'orders-0')
  const disk = image.disk.clone()
  const [first] = await filesIn(disk, partition.path)
  await disk.removeFile(first.path.replace(/index$/, 'log'))
  await disk.removeFile(`${partition.path}/partition.metadata`)
  const log = await openLog({ storage: disk, readOnly: true })
  expect(log.recovery.damage).toHaveLength(1)
  const from = partition.batches.find(({ segment }) => segment > 0)!.baseOffset
  expect(await valuesOf(log, 'orders', { partition: 0, from })).toHaveLength(partition.end - from)
  await log.close()
})

describe('checkpoint files', () => {
  const paths = ['checkpoint-a', 'checkpoint-b'].map((name) => `${DIRECTORY}/${name}`)

  async function twoRuns(): Promise<MemoryStorage> {
    const storage = new MemoryStorage()
    for (let run = 0; run < 2; run++) {
      const log = await openLog({ storage })
      if (run === 0) await log.createTopic({ name: 't' })
      await log.append('t', { value: run })
      await log.close()
    }
    return storage
  }

  test("in each other's place are named, and the newest one is not written over first", async () => {
    const storage = await twoRuns()
    const [a, b] = await Promise.all(paths.map((path) => storage.readFile(path)))
    await putFile(storage, paths[0], b)
    await putFile(storage, paths[1], a)
    const log = await openLog({ storage })
    expect(log.recovery.damage.length).toBeGreaterThan(0)
    await log.close()
    expect((await verifyDirectory(DIRECTORY, { storage })).ok).toBe(true)
  })

  test.each(paths)('a newer one that is missing counts as damaged: what it knew is not cut off (%s)', async (path) => {
    const storage = await twoRuns()
    const killed = storage.clone()
    const first = await openLog({ storage: killed })
    await first.append('t', { value: 2 })
    const again = killed.clone()
    // raises the epoch, which only the newest checkpoint knows
    const second = await openLog({ storage: again })
    await second.append('t', { value: 3 })
    const disk = again.clone()
    await disk.removeFile(path)
    const log = await openLog({ storage: disk })
    expect(log.recovery.damage).toMatchObject([{ path, reason: 'checkpoint is damaged or missing' }])
    expect(await valuesOf(log, 't')).toEqual([0, 1, 2, 3])
  })
})
