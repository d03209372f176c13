/**
 * What is small is tried whole: a tail of three batches cut at every byte, and every choice of its sectors. What is left is
 * always exactly the batches before the first one that is not whole, however few of them had been synced.
 */
import { afterAll, expect, test } from 'vitest'
import { readBatchHeader } from '../../src/codec/record-batch.ts'
import { acknowledgesDurably as isDurable, type Flush } from '../../src/engine/flush.ts'
import type { CrashOptions, PendingWrite } from '../../src/storage/memory-crash.ts'
import type { ByteRange } from '../../src/storage/memory-file.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { DIRECTORY, must, openOn, recoveredFrom } from '../helpers/crash-oracle.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { pendingOn } from '../helpers/disk-profiles.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const TOPIC = 't'
const RECORDS_PER_BATCH = 3
const MOST_SECTORS = 12
const FLUSHES: Flush[] = ['os', { ms: 1000 }, 'group', 'each']

interface Tail {
  disk: MemoryStorage
  /** Everything from the first record on, of which those of the last three batches are not synced. */
  values: Buffer[]
  /** Where the three batches stand; in the order of their offsets. */
  batches: { path: string; start: number; end: number; bytes: Buffer }[]
  /** Of them, those that were acknowledged as durable: none. */
  synced: number
}

/** A log with a durable batch and three more that are only in the page cache. */
async function makeTail(
  flush: Flush,
  valueBytes: number,
  config: { segmentBytes?: number; compressionType?: 'gzip' } = {},
): Promise<Tail> {
  const disk = new MemoryStorage()
  const random = new SeededRandom(valueBytes)
  const log = await openOn(disk, random, 0, new FakeClock())
  await log.createTopic({ name: TOPIC, flush, valueCodec: 'bytes', ...config })
  const values: Buffer[] = []
  const next = () => {
    const records = Array.from({ length: RECORDS_PER_BATCH }, () => ({ value: Buffer.from(random.bytes(valueBytes)) }))
    values.push(...records.map(({ value }) => value))
    return records
  }
  await log.appendBatch(TOPIC, next())
  await log.flush()
  const synced = values.length
  // what waits for the disk from here on waits for ever
  disk.syncDelay = (path) => (path.includes(TOPIC) ? new Promise(() => {}) : undefined)
  for (let i = 0; i < 3; i++) {
    const call = log.appendBatch(TOPIC, next())
    if (isDurable(flush)) call.catch(() => {})
    else await call
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { disk, values, batches: await unsyncedBatches(disk, synced), synced }
}

async function unsyncedBatches(disk: MemoryStorage, from: number): Promise<Tail['batches']> {
  const directory = `${DIRECTORY}/${TOPIC}-0`
  const found: Tail['batches'] = []
  for (const { name } of await disk.list(directory)) {
    if (!name.endsWith('.log')) continue
    const path = `${directory}/${name}`
    const content = await disk.readFile(path)
    for (let start = 0; start < content.length;) {
      const header = readBatchHeader(content, start)
      const end = start + header.sizeBytes
      if (header.baseOffset >= from) found.push({ path, start, end, bytes: content.subarray(start, end) })
      start = end
    }
  }
  return found
}

/** How many of the batches are whole on a disk, up to the first one that is not. */
async function wholeOn(image: MemoryStorage, { batches }: Tail): Promise<number> {
  const isWhole = await Promise.all(
    batches.map(async ({ path, start, end, bytes }) => {
      const content = await image.readFile(path).catch(() => Buffer.alloc(0))
      return content.subarray(start, end).equals(bytes)
    }),
  )
  const first = isWhole.indexOf(false)
  return first < 0 ? batches.length : first
}

let states = 0
afterAll(() => console.log(`tails: ${states} states`))

async function check(tail: Tail, options: CrashOptions, what: string): Promise<void> {
  states += 1
  const image = tail.disk.crash(options)
  const whole = await wholeOn(image, tail)
  const log = await openOn(image, new SeededRandom(1), 0)
  const { recovery, topics } = await recoveredFrom(log)
  must(recovery.damage.length === 0, () => `${what}: no damage, found ${JSON.stringify(recovery.damage)}`)
  const records = topics.get(TOPIC)!.partitions[0]
  const wanted = tail.synced + whole * RECORDS_PER_BATCH
  must(records.length === wanted, () => `${what}: ${wanted} records, found ${records.length}`)
  for (const [i, { offset, valueBytes }] of records.entries()) {
    must(offset === i && valueBytes!.equals(tail.values[i]), () => `${what}: record ${i} is as it was appended`)
  }
}

const names: CrashOptions = { keepDirectoryOperation: () => true, keepTruncate: () => true }
const GROWN = [
  { size: 'kept', fill: 'zeros' },
  { size: 'written', fill: 'zeros' },
  { size: 'written', fill: 'garbage' },
] as const

const SHAPES = [
  ['', {}],
  [' of compressed batches', { compressionType: 'gzip' }],
  [' over two segments', { segmentBytes: 600 }],
] as const

for (const [shape, config] of SHAPES) {
  test(`a tail of three batches${shape} that is cut at any byte keeps exactly the batches that are whole`, async () => {
    for (const flush of FLUSHES) {
      const tail = await makeTail(flush, 20, config)
      const isLog = ({ path }: PendingWrite) => path.endsWith('.log')
      const written = pendingOn(tail.disk).writes.filter(isLog)
      const length = written.reduce((sum, write) => sum + write.length, 0)
      // where an acknowledgement waits for a sync that never ends, only the first of them is written
      expect(tail.batches).toHaveLength(isDurable(flush) ? 1 : 3)
      expect(length).toBeGreaterThan(100)
      for (let kept = 0; kept <= length; kept++) {
        for (const grown of GROWN) {
          let left = kept
          const choose = (write: PendingWrite) => {
            if (!isLog(write)) return write.length
            const part = Math.min(left, write.length)
            left -= part
            return part
          }
          await check(tail, { ...names, ...grown, choose }, `${kept} of ${length} bytes, ${JSON.stringify(grown)}`)
        }
      }
    }
  })
}

for (const [sectorBytes, valueBytes] of [
  [512, 600],
  [4096, 5000],
]) {
  test(`any choice of ${MOST_SECTORS} sectors of ${sectorBytes} bytes leaves exactly the batches before a cut one`, async () => {
    const tail = await makeTail('os', valueBytes)
    expect(tail.batches).toHaveLength(3)
    const { writes } = pendingOn(tail.disk)
    const sectors = new Set(writes.filter(({ path }) => path.endsWith('.log')).flatMap((one) => sectorsOf(one)))
    expect(sectors.size).toBe(MOST_SECTORS)
    const numbers = new Map([...sectors].map((sector, i) => [sector, i]))
    for (let chosen = 0; chosen < 2 ** MOST_SECTORS; chosen++) {
      const choose = (write: PendingWrite): ByteRange[] | number => {
        if (!write.path.endsWith('.log')) return write.length
        const end = write.position + write.length
        return sectorsOf(write)
          .filter((sector) => chosen & (1 << numbers.get(sector)!))
          .map((sector) => [
            Math.max(sector * sectorBytes, write.position) - write.position,
            Math.min((sector + 1) * sectorBytes, end) - write.position,
          ])
      }
      for (const grown of GROWN.slice(1)) {
        await check(tail, { ...names, ...grown, choose }, `sectors ${chosen.toString(2)}, ${JSON.stringify(grown)}`)
      }
    }
  })

  function sectorsOf({ position, length }: PendingWrite): number[] {
    const first = Math.floor(position / sectorBytes)
    const last = Math.floor((position + length - 1) / sectorBytes)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  }
}
