/** Damage in the catalog of topics, and directories that are not where they should be. */
import { expect, test } from 'vitest'
import { VarveError } from '../../src/errors.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { given } from '../helpers/corruption-campaign.ts'
import { demand } from '../helpers/damaged-check.ts'
import { filesIn, openStill } from '../helpers/damaged-image.ts'
import { changeFile, contentOf, DIRECTORY, offsetsOf, putFile } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const FILE = 'test/crash/corruption.catalog.test.ts'
const CATALOG = `${DIRECTORY}/__varve_catalog-0`
const TOPICS = ['a', 'b', 'c']

async function reference(): Promise<MemoryStorage> {
  const disk = new MemoryStorage()
  const log = await openStill(disk)
  for (const name of TOPICS) {
    await log.createTopic({ name, valueCodec: 'string' })
    for (let i = 0; i < 3; i++) await log.append(name, { value: `${name} ${i}` })
  }
  await log.createTopic({ name: 'gone' })
  await log.deleteTopic('gone')
  await log.close()
  return disk
}

/** Either all topics are there with all their records, or nothing is opened, nothing changed, and the catalog named. */
async function check(disk: MemoryStorage, readOnly: boolean): Promise<'opened' | 'refused'> {
  const before = await contentOf(disk)
  let log
  try {
    log = await openStill(disk, { readOnly })
  } catch (error) {
    demand(error instanceof VarveError, () => String(error))
    demand(error.details.path?.startsWith(CATALOG) === true, () => `no place: ${error.message}`)
    demand(/restore .* from a copy, or move it away/.test(error.message), () => `no advice: ${error.message}`)
    for (const [path, content] of await contentOf(disk)) {
      // where the last segment is missing, an empty one may have been begun
      if (!before.has(path) && path.endsWith('.log') && content === '') continue
      demand(before.get(path) === content, () => `'${path}' of a log that was refused has changed`)
      before.delete(path)
    }
    demand(before.size === 0, () => `${[...before.keys()].join()} of a log that was refused is gone`)
    return 'refused'
  }
  const names = (await log.listTopics()).map(({ name }) => name)
  demand(JSON.stringify(names) === JSON.stringify(TOPICS), () => `topics ${names.join()}`)
  for (const name of TOPICS) demand((await offsetsOf(log, name)).join() === '0,1,2', () => `records of ${name}`)
  await log.close()
  return 'opened'
}

test(
  'damage of any kind in the catalog refuses the log as it is, or loses no topic',
  { timeout: 3_600_000 },
  async () => {
    const seed = given('CORRUPTION_SEED') ?? new SeededRandom().below(2 ** 24)
    const random = new SeededRandom(seed)
    const image = await reference()
    const outcomes = { opened: 0, refused: 0 }
    let count = 0
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    const attempt = async (what: string, apply: (disk: MemoryStorage) => Promise<void>) => {
      count++
      if (given('CORRUPTION_STATE') !== undefined && given('CORRUPTION_STATE') !== count) return
      const disk = image.clone()
      await apply(disk)
      const result = await check(disk, new SeededRandom(seed + count).chance(0.3)).catch((error: unknown) => {
        const replay = `CORRUPTION_SEED=${seed} CORRUPTION_STATE=${count} npx vitest run ${FILE}`
        throw new Error(`${what}: ${(error as Error).message}\nrepeat with ${replay}`, { cause: error })
      })
      outcomes[result]++
    }
    for (const { path, content } of await filesIn(image, CATALOG)) {
      await attempt(`'${path}' gone`, (disk) => disk.removeFile(path))
      for (let length = 0; length < content.length; length++)
        await attempt(`'${path}' cut at ${length}`, (disk) => putFile(disk, path, content.subarray(0, length)))
      for (let i = 0; i < 50; i++) {
        const [start, more] = [random.below(content.length), random.bytes(random.between(1, 100))]
        await attempt(`'${path}' with zeros`, (disk) => changeFile(disk, path, (bytes) => void bytes.fill(0, start)))
        await attempt(`'${path}' and more`, (disk) => putFile(disk, path, Buffer.concat([content, more])))
      }
      for (let bit = 0; bit < content.length * 8; bit++) {
        if (!random.chance(given('CORRUPTION_SHARE') ?? 0.5)) continue
        const flip = (bytes: Buffer) => void (bytes[bit >> 3] ^= 1 << (bit & 7))
        await attempt(`bit ${bit} of '${path}'`, (disk) => changeFile(disk, path, flip))
      }
    }
    Error.stackTraceLimit = stackTraceLimit
    console.log(`${FILE}: ${count} states, CORRUPTION_SEED=${seed}: ${JSON.stringify(outcomes)}`)
  },
)

test("directories in each other's place are found by verify, and no open deletes anything of them", async () => {
  const disk = await reference()
  for (const [from, to] of [
    ['a-0', 'kept'],
    ['b-0', 'a-0'],
    ['kept', 'b-0'],
  ])
    await disk.rename(`${DIRECTORY}/${from}`, `${DIRECTORY}/${to}`)
  const { ok, damage } = await verifyDirectory(DIRECTORY, { storage: disk })
  expect(ok).toBe(false)
  expect(damage.map(({ path }) => path)).toEqual(
    expect.arrayContaining([`${DIRECTORY}/a-0/partition.metadata`, `${DIRECTORY}/b-0/partition.metadata`]),
  )
  const before = await filesIn(disk, `${DIRECTORY}/a-0`)
  await (await openStill(disk)).close()
  expect(await filesIn(disk, `${DIRECTORY}/a-0`)).toEqual(before)
})

test('directories that no topic knows are told and left alone', async () => {
  const disk = await reference()
  await putFile(disk, `${DIRECTORY}/stray-0/00000000000000000000.log`, 'x')
  await putFile(disk, `${DIRECTORY}/stray/y`, 'y')
  await putFile(disk, `${DIRECTORY}/a-1/00000000000000000000.log`, '')
  await putFile(disk, `${DIRECTORY}/recovery/z`, 'z')
  const before = await contentOf(disk)
  const log = await openStill(disk)
  expect(log.recovery.unknownDirectories.map(({ path }) => path)).toEqual([`${DIRECTORY}/a-1`, `${DIRECTORY}/stray-0`])
  await log.close()
  const after = await contentOf(disk)
  for (const [path, content] of before) if (/stray|a-1|recovery/.test(path)) expect(after.get(path)).toBe(content)
})
