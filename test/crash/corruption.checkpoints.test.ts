/** Checkpoint files that are gone, empty, torn, flipped, older than they were, exchanged, and copies of one another. */
import { expect, test } from 'vitest'
import { CHECKPOINT_FILES, parseCheckpoint } from '../../src/storage/checkpoint.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { given } from '../helpers/corruption-campaign.ts'
import { checkAppend, checkKept, checkLookups, checkReading, demand, expectationOf } from '../helpers/damaged-check.ts'
import { describe as describeImage, openStill, START_MS, type Image } from '../helpers/damaged-image.ts'
import { contentOf, DIRECTORY, putFile } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const FILE = 'test/crash/corruption.checkpoints.test.ts'
const TOPICS = ['orders', 'windowed']
const PATHS = CHECKPOINT_FILES.map((name) => `${DIRECTORY}/${name}`)

interface Reference {
  image: Image
  /** What each of the two files was at some time before. */
  older: Buffer[]
}

/** Written in several runs, of which some were killed: closed in the end, or killed in it. */
async function reference(name: 'closed' | 'killed'): Promise<Reference> {
  let disk = new MemoryStorage()
  let older: Buffer[] = []
  for (let run = 0; run < 4; run++) {
    const log = await openStill(disk)
    const config = { segmentBytes: 500, indexIntervalBytes: 120, valueCodec: 'string' } as const
    if (run === 0) {
      await log.createTopic({ name: 'orders', ...config })
      await log.createTopic({ name: 'windowed', flush: { ms: 60_000 }, ...config })
    }
    if (run === 2) older = await Promise.all(PATHS.map((path) => disk.readFile(path)))
    for (const topic of TOPICS) {
      for (let batch = 0; batch < 5; batch++) {
        const timestamp = START_MS + run * 1000 + batch * 10
        await log.appendBatch(
          topic,
          Array.from({ length: 2 }, (_, i) => ({ value: `${run} ${batch} ${i}`, timestamp })),
        )
      }
    }
    if (run % 2 === 0 && name === 'closed' && run < 3) disk = disk.clone()
    else if (run === 3 && name === 'killed') disk = disk.clone()
    else await log.close()
  }
  return { image: await describeImage(name, disk), older }
}

/** Everything must be read, whatever became of the checkpoints: the logs are whole. */
async function check({ image }: Reference, disk: MemoryStorage, random: SeededRandom): Promise<void> {
  const contents = await Promise.all(PATHS.map((path) => disk.readFile(path).catch(() => Buffer.alloc(0))))
  const isUnknown = contents.every((content, i) => parseCheckpoint(content, PATHS[i]) === null)
  const isNewest = contents.some((content, i) => {
    const found = parseCheckpoint(content, PATHS[i])?.checkpoint
    return JSON.stringify(found) === JSON.stringify(image.checkpoint)
  })
  const all = []
  for (const partition of image.partitions) {
    const one = await expectationOf(image, partition, disk)
    // a reservation that is lost may have been the only word of offsets without a record
    const known = isNewest ? partition : { ...partition, checkpoint: { ...partition.checkpoint, reservedOffset: 0 } }
    all.push({ ...one, partition: known, isUnknown })
  }
  if (random.chance(0.1)) {
    const before = JSON.stringify([...(await contentOf(disk))])
    const reader = await openStill(disk, { readOnly: true })
    for (const one of all) await checkReading(reader, one)
    await reader.close()
    demand(before === JSON.stringify([...(await contentOf(disk))]), () => 'a log that was only read has changed')
  }
  const opensWanted = random.chance(0.2) ? 2 : 1
  for (let opens = 0; opens < opensWanted; opens++) {
    const log = await openStill(disk)
    for (const one of opens === 0 ? all : []) {
      await checkKept(one, disk)
      const outcome = await checkReading(log, one)
      demand(outcome.lost.length === 0, () => `lost ${JSON.stringify(outcome.lost)}`)
      await checkLookups(log, one, outcome, random, 1)
      await checkAppend(log, one, outcome)
    }
    // the second open finds one that was written since, and nothing wrong with it
    demand(opens === 0 || log.recovery.damage.length === 0, () => JSON.stringify(log.recovery.damage))
    if (opens === 0) for (let i = 0; i < 2; i++) await log.createPartitions('orders', 2 + i)
    await log.close()
  }
}

function repeating(name: string, seed: number, number: number, what: string, error: unknown): Error {
  const replay = `CORRUPTION_SEED=${seed} CORRUPTION_STATE=${number} npx vitest run ${FILE} -t '${name}'`
  return new Error(`${what}: ${(error as Error).message}\nrepeat with ${replay}`, { cause: error })
}

const STATES = ['ok', 'missing', 'empty', 'zeros', 'torn', 'flipped', 'older', 'the other one'] as const

async function put(disk: MemoryStorage, index: number, state: (typeof STATES)[number], { image, older }: Reference) {
  const [path, content] = [PATHS[index], await image.disk.readFile(PATHS[index])]
  if (state === 'missing') await disk.removeFile(path)
  else if (state === 'empty') await putFile(disk, path, '')
  else if (state === 'zeros') await putFile(disk, path, Buffer.alloc(content.length))
  else if (state === 'torn')
    await putFile(disk, path, Buffer.concat([content.subarray(0, 512), older[index].subarray(512)]))
  else if (state === 'flipped') await putFile(disk, path, Buffer.from(content).fill(content[99] ^ 4, 99, 100))
  else if (state === 'older') await putFile(disk, path, older[index])
  else if (state === 'the other one') await putFile(disk, path, await image.disk.readFile(PATHS[1 - index]))
}

test.each(['closed', 'killed'] as const)('any two states of both, of a log that was %s', async (name) => {
  const found = await reference(name)
  expect(found.older).toHaveLength(2)
  for (const a of STATES) {
    for (const b of STATES) {
      // both of them from a backup are a whole state, with which the logs do not agree
      if (a === 'older' && b === 'older') continue
      const disk = found.image.disk.clone()
      await put(disk, 0, a, found)
      await put(disk, 1, b, found)
      await check(found, disk, new SeededRandom(1)).catch((error: unknown) => {
        throw new Error(`checkpoint-a ${a}, checkpoint-b ${b}: ${(error as Error).message}`, { cause: error })
      })
    }
  }
})

test.each(['closed', 'killed'] as const)(
  'one bit of either, of a log that was %s',
  { timeout: 3_600_000 },
  async (name) => {
    const seed = given('CORRUPTION_SEED') ?? new SeededRandom().below(2 ** 24)
    const random = new SeededRandom(seed)
    const found = await reference(name)
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = given('CORRUPTION_STATE') === undefined ? 0 : stackTraceLimit
    const started = process.cpuUsage()
    let count = 0
    for (const path of PATHS) {
      const content = await found.image.disk.readFile(path)
      const padding = content.toString('latin1').trimEnd().length
      for (let bit = 0; bit < content.length * 8; bit++) {
        const share = (given('CORRUPTION_SHARE') ?? 1) * (bit >> 3 < padding ? 1 : 0.02)
        if (!random.chance(given('CORRUPTION_SHARE') === 1 ? 1 : share * 0.12)) continue
        count++
        if (given('CORRUPTION_STATE') !== undefined && given('CORRUPTION_STATE') !== count) continue
        const disk = found.image.disk.clone()
        await putFile(
          disk,
          path,
          Buffer.from(content).fill(content[bit >> 3] ^ (1 << (bit & 7)), bit >> 3, (bit >> 3) + 1),
        )
        await check(found, disk, new SeededRandom(seed + count)).catch((error: unknown) => {
          throw repeating(`one bit of either, of a log that was ${name}`, seed, count, `bit ${bit} of '${path}'`, error)
        })
      }
    }
    Error.stackTraceLimit = stackTraceLimit
    console.log(`one bit of a checkpoint, ${name}: ${count} states in ${process.cpuUsage(started).user / 1e6} s`)
  },
)
