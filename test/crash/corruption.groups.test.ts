/** Damage in what keeps committed offsets: a group goes on where it was, or is told; it never begins anew. */
import { expect, test } from 'vitest'
import { VarveError } from '../../src/errors.ts'
import { offsetsPartitionFor } from '../../src/group/offsets-partition.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { given } from '../helpers/corruption-campaign.ts'
import { demand } from '../helpers/damaged-check.ts'
import { filesIn, openStill } from '../helpers/damaged-image.ts'
import { changeFile, DIRECTORY, putFile } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const FILE = 'test/crash/corruption.groups.test.ts'
const GROUPS = ['billing', 'search', 'audit', 'mail']
const pathOf = (groupId: string) => `${DIRECTORY}/__consumer_offsets-${offsetsPartitionFor(groupId)}`

/** Groups that have committed several times, closed in order. */
async function reference(): Promise<MemoryStorage> {
  const disk = new MemoryStorage()
  for (let run = 0; run < 2; run++) {
    const log = await openStill(disk)
    if (run === 0) await log.createTopic({ name: 'orders', partitions: 2 })
    for (const partition of [0, 1]) {
      for (let i = 0; i < 20; i++) await log.append('orders', { partition, value: i })
    }
    for (const [index, groupId] of GROUPS.entries()) {
      for (let i = 1; i <= 3; i++) {
        const offsets = [0, 1].map((partition) => ({
          topic: 'orders',
          partition,
          offset: wanted(index, partition, run, i),
        }))
        await log.resetOffsets(groupId, { offsets, dryRun: false })
      }
    }
    await log.close()
  }
  return disk
}

function wanted(index: number, partition: number, run = 1, i = 3): number {
  return 4 * index + partition + run * 10 + i
}

/** Every group has what it has committed, or an error that names the damage; those of other partitions have theirs. */
async function check(disk: MemoryStorage, damaged: string, readOnly: boolean): Promise<'there' | 'refused'> {
  const log = await openStill(disk, { readOnly })
  let outcome: 'there' | 'refused' = 'there'
  for (const [index, groupId] of GROUPS.entries()) {
    try {
      const found = (await log.lag(groupId)).map(({ committed }) => committed)
      const right = [0, 1].map((partition) => wanted(index, partition))
      demand(
        JSON.stringify(found) === JSON.stringify(right),
        () => `'${groupId}' has ${found.join()}, not ${right.join()}`,
      )
    } catch (error) {
      const isNamed = error instanceof VarveError && error.code === 'CORRUPT_MESSAGE'
      // beside a writer, a directory that is gone is one that the writer has deleted
      const isGone = readOnly && error instanceof VarveError && error.code === 'UNKNOWN_TOPIC_OR_PARTITION'
      outcome = 'refused'
      if (isGone && pathOf(groupId) === damaged) continue
      demand(isNamed && error.details.path!.startsWith(damaged), () => `'${groupId}': ${(error as Error).message}`)
      demand(/restore|deleteRecords/.test((error as Error).message), () => `no advice: ${(error as Error).message}`)
      demand(pathOf(groupId) === damaged, () => `'${groupId}' is kept elsewhere: ${(error as Error).message}`)
      // nor is anything committed on top of it
      const offsets = [{ topic: 'orders', partition: 0, offset: 1 }]
      if (readOnly) continue
      const refusal = await log.resetOffsets(groupId, { offsets, dryRun: false }).catch((reason: Error) => reason)
      demand(refusal instanceof VarveError, () => `'${groupId}' takes commits`)
    }
  }
  await log.close()
  return outcome
}

test(
  'damage of any kind in __consumer_offsets never reads as "nothing committed"',
  { timeout: 3_600_000 },
  async () => {
    const seed = given('CORRUPTION_SEED') ?? new SeededRandom().below(2 ** 24)
    const random = new SeededRandom(seed)
    const image = await reference()
    expect(new Set(GROUPS.map(pathOf)).size).toBe(GROUPS.length)
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    const outcomes = { there: 0, refused: 0 }
    let count = 0
    const attempt = async (what: string, path: string, apply: (disk: MemoryStorage) => Promise<void>) => {
      count++
      if (given('CORRUPTION_STATE') !== undefined && given('CORRUPTION_STATE') !== count) return
      const disk = image.clone()
      await apply(disk)
      const result = await check(disk, path, new SeededRandom(seed + count).chance(0.2)).catch((error: unknown) => {
        const replay = `CORRUPTION_SEED=${seed} CORRUPTION_STATE=${count} npx vitest run ${FILE}`
        throw new Error(`${what}: ${(error as Error).message}\nrepeat with ${replay}`, { cause: error })
      })
      outcomes[result]++
    }
    for (const path of new Set(GROUPS.map(pathOf))) {
      for (const { path: file, content } of await filesIn(image, path)) {
        await attempt(`'${file}' gone`, path, (disk) => disk.removeFile(file))
        await attempt(`'${file}' empty`, path, (disk) => putFile(disk, file, ''))
        await attempt(`'${file}' in zeros`, path, (disk) => putFile(disk, file, Buffer.alloc(content.length)))
        for (let length = 0; length < content.length; length += random.between(1, 40))
          await attempt(`'${file}' cut at ${length}`, path, (disk) => putFile(disk, file, content.subarray(0, length)))
        for (let bit = 0; bit < content.length * 8; bit++) {
          if (!random.chance(given('CORRUPTION_SHARE') ?? 0.04)) continue
          const flip = (bytes: Buffer) => void (bytes[bit >> 3] ^= 1 << (bit & 7))
          await attempt(`bit ${bit} of '${file}'`, path, (disk) => changeFile(disk, file, flip))
        }
      }
      await attempt(`'${path}' gone`, path, (disk) => disk.removeDirectory(path))
    }
    Error.stackTraceLimit = stackTraceLimit
    console.log(`${FILE}: ${count} states, CORRUPTION_SEED=${seed}: ${JSON.stringify(outcomes)}`)
  },
)
