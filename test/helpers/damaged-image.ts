/** The undamaged directories that corruption is tried on, and where each batch of theirs stands. */
import type { Varve } from '../../src/client/varve.ts'
import { BATCH_HEADER_BYTES, readBatchHeader } from '../../src/codec/record-batch.ts'
import type { ProducerRecord } from '../../src/engine/record-encoding.ts'
import { CHECKPOINT_FILES, parseCheckpoint, type Checkpoint } from '../../src/storage/checkpoint.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { PartitionCheckpoint } from '../../src/storage/checkpoint.ts'
import { FakeClock } from './fake-clock.ts'
import { DIRECTORY, openLog } from './logs.ts'
import { SeededRandom } from './seeded-random.ts'

/** One batch, and where it stands. */
export interface PlacedBatch {
  path: string
  segment: number
  position: number
  bytes: Buffer
  baseOffset: number
  lastOffset: number
  /** Compaction leaves batches without records, which readers pass over. */
  isEmpty: boolean
}

/** One partition of an image: what it holds. */
export interface PartitionImage {
  topic: string
  partition: number
  /** Its directory. */
  path: string
  batches: PlacedBatch[]
  /** By offset; what reading has given before anything was damaged. */
  records: { offset: number; timestamp: number }[]
  start: number
  end: number
  checkpoint: PartitionCheckpoint
}

/** A directory at rest, and everything that it holds. */
export interface Image {
  name: string
  disk: MemoryStorage
  clean: boolean
  checkpoint: Checkpoint
  partitions: PartitionImage[]
}

export const START_MS = Date.UTC(2026, 0, 1)
/** The windowed ones come first: what they reserve is a checkpoint, and what follows that is a tail. */
const TOPICS = { windowed: 2, orders: 4, zipped: 2, latest: 2, trimmed: 2 } as const
type TopicName = keyof typeof TOPICS
const NAMES = Object.keys(TOPICS) as TopicName[]

/** Opens a log as the tests of corruption do: time stands still, and chance is the same each time. */
export function openStill(storage: MemoryStorage, options: { readOnly?: boolean } = {}): Promise<Varve> {
  return openLog({ storage, clock: new FakeClock(START_MS), random: new SeededRandom(7), ...options })
}

/** Batches of one to four records, so large that each partition gets a few segments more. */
async function write(log: Varve, random: SeededRandom, bytes: number, batches: number): Promise<void> {
  for (const name of NAMES) {
    for (let partition = 0; partition < TOPICS[name]; partition++) {
      for (let batch = 0; batch < batches; batch++) {
        const records = Array.from({ length: random.between(1, 4) }, (): ProducerRecord => ({
          partition,
          key: name === 'latest' ? `k${random.below(6)}` : null,
          value: `${name}-${partition}-${random.below(1e6)}${'.'.repeat(random.below(bytes))}`,
          timestamp: START_MS + log.offsets(name)[partition].logEndOffset * 10 + random.between(-25, 25),
        }))
        await log.appendBatch(name, records)
      }
    }
  }
}

async function createTopics(log: Varve): Promise<void> {
  const small = { segmentBytes: 620, indexIntervalBytes: 120, valueCodec: 'string' } as const
  await log.createTopic({ name: 'orders', partitions: TOPICS.orders, ...small })
  await log.createTopic({ name: 'zipped', partitions: TOPICS.zipped, compressionType: 'gzip', ...small })
  await log.createTopic({ name: 'latest', partitions: TOPICS.latest, cleanupPolicy: 'compact', ...small })
  await log.createTopic({ name: 'trimmed', partitions: TOPICS.trimmed, ...small })
  await log.createTopic({ name: 'windowed', partitions: TOPICS.windowed, flush: { ms: 60_000 }, ...small })
}

/** A directory that was closed in order, and the same one after more was written and the process was killed. */
export async function makeImages(disk: MemoryStorage): Promise<{ closed: Image; killed: Image }> {
  const random = new SeededRandom(3)
  const first = await openStill(disk)
  await createTopics(first)
  await write(first, random, 40, 7)
  // an unclean stop in between raises the leader epoch
  const between = disk.clone()
  const second = await openStill(between)
  await write(second, random, 40, 7)
  await second.compact()
  for (const { partition, logEndOffset } of second.offsets('trimmed'))
    await second.deleteRecords('trimmed', { partition, beforeOffset: Math.floor(logEndOffset / 3) })
  await second.close()
  const closed = await describe('closed', between.clone())
  const third = await openStill(between)
  await write(third, random, 40, 6)
  const killed = await describe('killed', between.clone())
  return { closed, killed }
}

/** What a directory holds, as reading it tells while nothing is damaged. */
export async function describe(name: string, disk: MemoryStorage): Promise<Image> {
  const checkpoint = await newestCheckpoint(disk)
  const log = await openStill(disk.clone())
  const partitions: PartitionImage[] = []
  for (const { name: topic, topicId } of await log.listTopics()) {
    for (const { partition, logStartOffset: start, logEndOffset } of log.offsets(topic)) {
      const path = `${DIRECTORY}/${topic}-${partition}`
      const stored = checkpoint.partitions[`${topicId}/${partition}`]
      const batches = await placesIn(disk, path)
      const records: PartitionImage['records'] = []
      for await (const { offset, timestamp } of log.read(topic, { partition })) records.push({ offset, timestamp })
      const end = checkpoint.clean ? logEndOffset : (batches.at(-1)?.lastOffset ?? -1) + 1
      partitions.push({ topic, partition, path, batches, records, start, end, checkpoint: stored })
    }
  }
  await log.close()
  return { name, disk, clean: checkpoint.clean, checkpoint, partitions }
}

async function newestCheckpoint(disk: MemoryStorage): Promise<Checkpoint> {
  const found = await Promise.all(
    CHECKPOINT_FILES.map(async (name) => parseCheckpoint(await disk.readFile(`${DIRECTORY}/${name}`), name)!),
  )
  return found.sort((a, b) => b.sequence - a.sequence)[0].checkpoint
}

/** All batches in the log files of a directory, in order. */
async function placesIn(disk: MemoryStorage, directory: string): Promise<PlacedBatch[]> {
  const places: PlacedBatch[] = []
  for (const { name } of await disk.list(directory)) {
    if (!name.endsWith('.log')) continue
    const path = `${directory}/${name}`
    const content = await disk.readFile(path)
    for (let position = 0; position + BATCH_HEADER_BYTES <= content.length;) {
      const { baseOffset, lastOffset, recordCount, sizeBytes } = readBatchHeader(content, position)
      const bytes = content.subarray(position, position + sizeBytes)
      const isEmpty = recordCount === 0
      places.push({ path, segment: parseInt(name), position, bytes, baseOffset, lastOffset, isEmpty })
      position += sizeBytes
    }
  }
  return places
}

/** The segment files of a partition's directory with their sizes, sorted. */
export async function filesIn(disk: MemoryStorage, directory: string): Promise<{ path: string; content: Buffer }[]> {
  const files: { path: string; content: Buffer }[] = []
  for (const { name, kind } of await disk.list(directory)) {
    if (kind !== 'file') continue
    const path = `${directory}/${name}`
    files.push({ path, content: await disk.readFile(path) })
  }
  return files
}
