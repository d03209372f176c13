import { beforeAll, describe, expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { verifyDirectory, type VerifyReport } from '../../src/engine/verify-directory.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const DIRECTORY = '/log'
const random = new SeededRandom()
console.log(`verify-directory: ${random}`)

/** A log that was closed in order, with everything that a log can have in it. */
let reference: MemoryStorage
let files: string[]

function open(storage: MemoryStorage, clock = new FakeClock()): Promise<Varve> {
  return Varve.open({ directory: DIRECTORY, storage, clock, random })
}

function verify(storage: MemoryStorage, directory = DIRECTORY): Promise<VerifyReport> {
  return verifyDirectory(directory, { storage })
}

/** Records of several sizes, of which some are older than the one before. */
async function append(log: Varve, topic: string, count: number, clock: FakeClock): Promise<void> {
  for (let i = 0; i < count; i++) {
    clock.advance(10)
    const timestamp = clock.now() - (i % 3 === 2 ? 35 : 0)
    const record = { key: `key-${i}`, value: 'v'.repeat(random.between(1, 90)), timestamp }
    if (i % 4 === 0) await log.appendBatch(topic, [record, { ...record, timestamp: timestamp + 1 }])
    else await log.append(topic, record)
  }
}

async function makeReference(): Promise<MemoryStorage> {
  const clock = new FakeClock()
  let storage = new MemoryStorage()
  let log = await open(storage, clock)
  await log.createTopic({ name: 'orders', partitions: 2, segmentBytes: 1500, indexIntervalBytes: 200 })
  await log.createTopic({ name: 'gone' })
  await log.append('gone', { value: 'x' })
  await append(log, 'orders', 30, clock)
  // offsets were reserved: after a stop without close they are skipped
  await log.createTopic({ name: 'windowed', indexIntervalBytes: 200, flush: { ms: 1000 } })
  await append(log, 'windowed', 10, clock)
  storage = storage.clone()
  await log.close()
  log = await open(storage, clock)
  expect(log.recovery.clean).toBe(false)
  await log.deleteTopic('gone')
  await append(log, 'windowed', 10, clock)
  await append(log, 'orders', 30, clock)
  await log.createTopic({ name: 'empty' })
  await log.deleteRecords('orders', { partition: 0, beforeOffset: 10 })
  await log.close()
  // segments that are closed and go on
  log = await open(storage, clock)
  await append(log, 'orders', 5, clock)
  await log.close()
  return storage
}

async function listFiles(storage: MemoryStorage, directory = DIRECTORY): Promise<string[]> {
  const found: string[] = []
  for (const { name, kind } of await storage.list(directory)) {
    const path = `${directory}/${name}`
    if (kind === 'directory') found.push(...(await listFiles(storage, path)))
    else found.push(path)
  }
  return found
}

async function replace(storage: MemoryStorage, path: string, content: Uint8Array): Promise<void> {
  await storage.removeFile(path).catch(() => {})
  const file = await storage.openFile(path, 'create')
  file.write(content, 0)
  await file.sync()
  await file.close()
}

/** Changes one bit while `action` runs. */
async function withFlip(storage: MemoryStorage, path: string, bit: number, action: () => Promise<void>): Promise<void> {
  const file = await storage.openFile(path, 'write')
  const byte = Buffer.alloc(1)
  const position = bit >> 3
  const flip = async () => {
    await file.read(byte, position)
    byte[0] ^= 1 << (bit & 7)
    file.write(byte, position)
    await file.sync()
  }
  await flip()
  await action()
  await flip()
  await file.close()
}

/** The bits of `path`, among `bits`, that can change without being found. */
async function unfoundFlips(storage: MemoryStorage, path: string, bits: Iterable<number>): Promise<string[]> {
  const unfound: string[] = []
  for (const bit of bits) {
    await withFlip(storage, path, bit, async () => {
      const { ok, damage } = await verify(storage)
      if (ok || !damage.some((one) => one.path === path)) unfound.push(`${path} byte ${bit >> 3} bit ${bit & 7} ${JSON.stringify(damage)}`)
    })
  }
  return unfound
}

function* allBits(sizeBytes: number): Iterable<number> {
  for (let bit = 0; bit < sizeBytes * 8; bit++) yield bit
}

beforeAll(async () => {
  reference = await makeReference()
  files = await listFiles(reference)
})

test('a log that was closed in order passes, whatever it has been through', async () => {
  const report = await verify(reference)
  expect(report.damage).toEqual([])
  expect(report.warnings).toEqual([])
  console.log(report)
})

describe('a changed bit is found and its file is named', () => {
  test.each(['partition.metadata', '.index', '.timeindex'])('anywhere in any %s', async (suffix) => {
    for (const path of files.filter((name) => name.endsWith(suffix))) {
      const { length } = await reference.readFile(path)
      expect(await unfoundFlips(reference, path, allBits(length))).toEqual([])
    }
  })
  test('logs', async () => {
    for (const path of files.filter((name) => name.endsWith('.log'))) {
      const { length } = await reference.readFile(path)
      console.log(path, length)
      expect(await unfoundFlips(reference, path, allBits(length))).toEqual([])
    }
  })
  test('chk', async () => {
    for (const path of files.filter((name) => name.includes('checkpoint'))) {
      const { length } = await reference.readFile(path)
      console.log(path, length)
      expect(await unfoundFlips(reference, path, allBits(Math.min(200,length)))).toEqual([])
    }
  })
})
