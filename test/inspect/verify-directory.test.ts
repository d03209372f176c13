import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { findBatchFault, readBatchHeader } from '../../src/codec/record-batch.ts'
import { verifyDirectory, type VerifyReport } from '../../src/inspect/verify-directory.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { Storage, StorageFile } from '../../src/storage/storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const DIRECTORY = '/log'
const GOLDEN = fileURLToPath(new URL('../golden/kafka', import.meta.url))
const random = new SeededRandom()
console.log(`verify-directory.test.ts: ${random.toString()}`)

/** A log that was closed in order and has been through everything that a log goes through. */
let reference: MemoryStorage
/** All its files. */
let files: string[]

function open(storage: MemoryStorage, clock = new FakeClock()): Promise<Varve> {
  return Varve.open({ directory: DIRECTORY, storage, clock, random })
}

function verify(storage: Storage, directory = DIRECTORY): Promise<VerifyReport> {
  return verifyDirectory(directory, { storage })
}

/** Appends records of several sizes, of which some are older than the one before. */
async function append(log: Varve, topic: string, count: number, clock: FakeClock): Promise<void> {
  for (let i = 0; i < count; i++) {
    clock.advance(10)
    const timestamp = clock.now() - (i % 3 === 2 ? 35 : 0)
    const record = { key: `key-${i}`, value: 'v'.repeat(random.between(1, 60)), timestamp }
    if (i % 4 === 0) await log.appendBatch(topic, [record, { ...record, timestamp: timestamp + 1 }])
    else await log.append(topic, record)
  }
}

async function makeReference(): Promise<MemoryStorage> {
  const clock = new FakeClock()
  let storage = new MemoryStorage()
  let log = await open(storage, clock)
  await log.createTopic({ name: 'orders', partitions: 2, segmentBytes: 2000, indexIntervalBytes: 200 })
  await log.createTopic({ name: 'gone' })
  await log.append('gone', { value: 'x' })
  await append(log, 'orders', 40, clock)
  await log.createTopic({ name: 'windowed', indexIntervalBytes: 200, flush: { ms: 1000 } })
  await append(log, 'windowed', 10, clock)
  // killed: the offsets that were reserved are skipped, and a new epoch begins
  storage = storage.clone()
  await log.close()
  log = await open(storage, clock)
  expect(log.recovery.clean).toBe(false)
  await log.deleteTopic('gone')
  await append(log, 'windowed', 10, clock)
  await append(log, 'orders', 40, clock)
  await log.createTopic({ name: 'empty' })
  await log.deleteRecords('orders', { partition: 0, beforeOffset: 3 })
  await log.deleteRecords('windowed', { partition: 0, beforeOffset: log.offsets('windowed')[0].logEndOffset - 3 })
  await log.close()
  // segments that were closed go on
  log = await open(storage, clock)
  await append(log, 'orders', 8, clock)
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

function filesNamed(suffix: string): string[] {
  return files.filter((path) => path.endsWith(suffix))
}

async function replace(storage: MemoryStorage, path: string, content: Uint8Array): Promise<void> {
  await storage.removeFile(path).catch(() => {})
  const file = await storage.openFile(path, 'create')
  file.write(content, 0)
  await file.close()
}

async function flip(storage: MemoryStorage, path: string, bit: number): Promise<void> {
  const file = await storage.openFile(path, 'write')
  const byte = Buffer.alloc(1)
  await file.read(byte, bit >> 3)
  byte[0] ^= 1 << (bit & 7)
  file.write(byte, bit >> 3)
  await file.sync()
  await file.close()
}

/** Changes single bits of a file, one after another; lists those whose change was not found in that file. */
async function unfound(path: string, bits: Iterable<number>): Promise<string[]> {
  const missed: string[] = []
  for (const bit of bits) {
    await flip(reference, path, bit)
    const { ok, damage } = await verify(reference)
    await flip(reference, path, bit)
    if (ok || !damage.some((one) => one.path === path)) missed.push(`${path}: byte ${bit >> 3}, bit ${bit & 7}`)
  }
  return missed
}

function bitsFrom(startByte: number, endByte: number): number[] {
  return Array.from({ length: (endByte - startByte) * 8 }, (_, i) => startByte * 8 + i)
}

/** Where the batches of a `.log` start. */
function batchPositions(log: Buffer): number[] {
  const positions: number[] = []
  for (let at = 0; at < log.length; at += readBatchHeader(log, at).sizeBytes) {
    expect(findBatchFault(log, at, log.length)).toBeNull()
    positions.push(at)
  }
  return positions
}

/** The first segment of orders-0 and its batches. */
async function firstSegment(storage: MemoryStorage) {
  const path = `${DIRECTORY}/orders-0/00000000000000000000.log`
  const content = await storage.readFile(path)
  const positions = batchPositions(content)
  return { path, content, positions, headers: positions.map((at) => readBatchHeader(content, at)) }
}

beforeAll(async () => {
  reference = await makeReference()
  files = await listFiles(reference)
})

describe('a log that was closed in order passes', () => {
  test('whatever it has been through', async () => {
    const { ok, damage, warnings } = await verify(reference)
    expect({ damage, warnings }).toEqual({ damage: [], warnings: [] })
    expect(ok).toBe(true)
  })

  test('and is described as the log describes itself', async () => {
    const storage = reference.clone()
    const { partitions, checkedBytes } = await verify(storage)
    const log = await open(storage)
    const described = (await log.listTopics()).flatMap(({ name, partitions: own }) =>
      own.map(({ partition, segments, sizeBytes, logStartOffset, logEndOffset }) => {
        return { topic: name, partition, segments, sizeBytes, logStartOffset, logEndOffset }
      }),
    )
    const own = partitions.filter(({ topic }) => topic !== '__varve_catalog')
    expect(own.map(({ batches: _, records: __, ...rest }) => rest)).toEqual(described)
    let records = 0
    for await (const batch of log.readBatches('orders', { partition: 1, from: 0 })) records += batch.recordCount
    expect(own.find(({ topic, partition }) => topic === 'orders' && partition === 1)?.records).toBe(records)
    await log.close()
    let total = 0
    for (const path of files) total += (await reference.readFile(path)).length
    expect(checkedBytes).toBe(total)
  })

  test('after a power cut at the very end', async () => {
    const { damage, warnings } = await verify(reference.crash())
    expect({ damage, warnings }).toEqual({ damage: [], warnings: [] })
  })

  test('after the index interval was changed, to less and to more', async () => {
    const storage = reference.clone()
    const clock = new FakeClock()
    const log = await open(storage, clock)
    for (const indexIntervalBytes of [50, 1000, 0, 300]) {
      await log.alterTopic('orders', { indexIntervalBytes })
      await append(log, 'orders', 20, clock)
    }
    await log.close()
    expect((await verify(storage)).damage).toEqual([])
  })

  test('after reopening without a change, any number of times', async () => {
    const storage = reference.clone()
    for (let i = 0; i < 3; i++) await (await open(storage)).close()
    expect((await verify(storage)).damage).toEqual([])
  })
})

describe('a changed bit is found, and its file named', { timeout: 180_000 }, () => {
  test.each(['partition.metadata', '.index', '.timeindex'])('any bit of every %s', async (suffix) => {
    for (const path of filesNamed(suffix)) {
      expect(await unfound(path, bitsFrom(0, (await reference.readFile(path)).length))).toEqual([])
    }
  })

  test('in every byte of both checkpoints, and any bit of their first lines', async () => {
    for (const path of filesNamed('-a').concat(filesNamed('-b'))) {
      const { length } = await reference.readFile(path)
      const sampled = Array.from({ length }, (_, byte) => byte * 8 + random.below(8))
      expect(await unfound(path, [...bitsFrom(0, 40), ...sampled])).toEqual([])
    }
  })

  test('any bit of some batch headers of every log', async () => {
    for (const path of filesNamed('.log')) {
      const positions = batchPositions(await reference.readFile(path))
      const chosen = new Set(positions.length === 0 ? [] : [positions[0], random.pick(positions)])
      // what lies outside the checksum, the length and the checksum itself
      const bits = [...chosen].flatMap((position) => bitsFrom(position, position + 21))
      expect(await unfound(path, bits)).toEqual([])
    }
  })

  test('any bit of the place, the length and the epoch of every batch', async () => {
    for (const path of filesNamed('-0/00000000000000000000.log')) {
      const positions = batchPositions(await reference.readFile(path))
      for (const at of positions) expect(await unfound(path, bitsFrom(at + 4, at + 16))).toEqual([])
    }
  })

  test('anywhere in a log', async () => {
    for (const path of filesNamed('.log')) {
      const bits = (await reference.readFile(path)).length * 8
      const sampled = Array.from({ length: bits === 0 ? 0 : 200 }, () => random.below(bits))
      expect(await unfound(path, sampled)).toEqual([])
    }
  })
})

describe('a file that is not what it should be is found', () => {
  async function damageOf(change: (storage: MemoryStorage) => Promise<void>): Promise<VerifyReport['damage']> {
    const storage = reference.clone()
    await change(storage)
    return (await verify(storage)).damage
  }

  test('cut short anywhere', async () => {
    for (const path of files) {
      const content = await reference.readFile(path)
      const { length } = content
      const lengths = [0, 1, length >> 1, length - 12, length - 8, length - 1, random.below(length + 1)]
      for (const cut of lengths.filter((size) => size >= 0 && size < length)) {
        const damage = await damageOf((storage) => replace(storage, path, content.subarray(0, cut)))
        expect(damage, `${path} cut to ${cut} bytes`).toContainEqual(expect.objectContaining({ path }))
      }
    }
  })

  test('cut short between two batches', async () => {
    for (const path of filesNamed('.log')) {
      const content = await reference.readFile(path)
      for (const at of batchPositions(content)) {
        const damage = await damageOf((storage) => replace(storage, path, content.subarray(0, at)))
        expect(damage, `${path} cut to ${at} bytes`).toContainEqual(expect.objectContaining({ path, position: at }))
      }
    }
  })

  test('longer than it was', async () => {
    for (const path of files.filter((name) => !name.endsWith('partition.metadata'))) {
      const content = await reference.readFile(path)
      for (const extra of [Buffer.alloc(1), Buffer.alloc(24), content.subarray(0, 24)]) {
        if (extra.length === 0) continue
        const damage = await damageOf((storage) => replace(storage, path, Buffer.concat([content, extra])))
        expect(damage, `${path} with ${extra.length} bytes more`).toContainEqual(expect.objectContaining({ path }))
      }
    }
  })

  test('missing', async () => {
    for (const path of files) {
      const damage = await damageOf((storage) => storage.removeFile(path))
      expect(damage).toContainEqual(expect.objectContaining({ path, position: 0, reason: 'file is missing' }))
    }
  })

  test('missing, with a directory in its place', async () => {
    for (const path of files) {
      const damage = await damageOf(async (storage) => {
        await storage.removeFile(path)
        await storage.makeDirectory(path)
      })
      expect(damage).toContainEqual(expect.objectContaining({ path, reason: 'file is missing' }))
    }
  })

  test('missing with its whole directory', async () => {
    for (const { name, kind } of await reference.list(DIRECTORY)) {
      const path = `${DIRECTORY}/${name}`
      if (kind === 'file') continue
      const damage = await damageOf((storage) => storage.removeDirectory(path))
      expect(damage).toContainEqual(expect.objectContaining({ path, reason: 'directory is missing' }))
      const replaced = await damageOf(async (storage) => {
        await storage.removeDirectory(path)
        await replace(storage, path, Buffer.from('a file'))
      })
      expect(replaced).toEqual(damage)
    }
  })

  test('in the place of another', async () => {
    for (const suffix of ['.log', '.index', '.timeindex', 'partition.metadata', '-a', '-b']) {
      const alike = suffix.startsWith('-') ? filesNamed('-a').concat(filesNamed('-b')) : filesNamed(suffix)
      for (const path of alike) {
        const other = random.pick(alike.filter((candidate) => candidate !== path))
        const [mine, others] = [await reference.readFile(path), await reference.readFile(other)]
        if (mine.equals(others)) continue
        const swapped = await damageOf(async (storage) => {
          await replace(storage, path, others)
          await replace(storage, other, mine)
        })
        for (const wrong of [path, other]) expect(swapped).toContainEqual(expect.objectContaining({ path: wrong }))
        const copied = await damageOf((storage) => replace(storage, path, others))
        expect(copied).toContainEqual(expect.objectContaining({ path }))
      }
    }
  })

  test('there although the log does not know it', async () => {
    const storage = reference.clone()
    const { path: from, content } = await firstSegment(storage)
    const path = from.replace('00000.log', '99999.log')
    await replace(storage, path, content)
    await replace(storage, path.replace('.log', '.index'), content)
    await storage.removeFile(path.replace('.log', '.index'))
    await replace(storage, path.replace('99999.log', '88888.index'), content)
    const { damage, warnings } = await verify(storage)
    expect(damage).toEqual([expect.objectContaining({ path, reason: 'file is not part of the log' })])
    expect(warnings).toEqual([{ path: path.replace('99999.log', '88888.index'), reason: 'belongs to no segment' }])
  })

  test('from another time than the rest', async () => {
    const storage = reference.clone()
    const log = await open(storage)
    await log.createTopic({ name: 'newer' })
    await log.append('newer', { value: 'x' })
    await log.close()
    const path = filesNamed('.log').find((name) => name.includes('catalog'))!
    await replace(storage, path, await reference.readFile(path))
    const { damage } = await verify(storage)
    expect(damage).toEqual([expect.objectContaining({ path, reason: 'file is too short' })])
    await storage.removeDirectory(`${DIRECTORY}/newer-0`)
    const { damage: both } = await verify(storage)
    expect(both).toContainEqual(expect.objectContaining({ path: DIRECTORY, offset: 0, nextOffset: 1 }))
  })
})

describe('damage is named exactly, and the check goes on after it', () => {
  test('a batch in the middle of a segment: its place and its offsets', async () => {
    const storage = reference.clone()
    const before = await verify(storage)
    const { path, positions, headers } = await firstSegment(storage)
    await flip(storage, path, (positions[4] + 65) * 8)
    const after = await verify(storage)
    const [position, offset, nextOffset] = [positions[4], headers[4].baseOffset, headers[5].baseOffset]
    expect(after.damage).toEqual([{ path, position, reason: 'checksum', offset, nextOffset }])
    const lost = { batches: 1, records: headers[4].recordCount }
    expect(after.partitions).toEqual(
      before.partitions.map((partition) => {
        if (partition.topic !== 'orders' || partition.partition !== 0) return partition
        const { batches, records } = partition
        return { ...partition, batches: batches - lost.batches, records: records - lost.records }
      }),
    )
  })

  test('a batch whose length is damaged', async () => {
    const storage = reference.clone()
    const { path, positions, headers } = await firstSegment(storage)
    for (const bit of [8 * 8 + 1, 11 * 8, 11 * 8 + 5]) {
      await flip(storage, path, positions[4] * 8 + bit)
      const { damage } = await verify(storage)
      await flip(storage, path, positions[4] * 8 + bit)
      const [position, offset, nextOffset] = [positions[4], headers[4].baseOffset, headers[5].baseOffset]
      expect(damage).toEqual([{ path, position, reason: expect.any(String), offset, nextOffset }])
    }
  })

  test('a batch whose offset or epoch is damaged is the one that is named, not those after it', async () => {
    const storage = reference.clone()
    const { path, positions, headers } = await firstSegment(storage)
    for (const index of [0, 1, 5, positions.length - 1]) {
      const position = positions[index]
      const { baseOffset: offset, lastOffset } = headers[index]
      for (const bit of [...bitsFrom(0, 8), ...bitsFrom(12, 16)]) {
        await flip(storage, path, position * 8 + bit)
        const { damage } = await verify(storage)
        await flip(storage, path, position * 8 + bit)
        expect(damage).toEqual([{ path, position, reason: expect.any(String), offset, nextOffset: lastOffset + 1 }])
      }
    }
  })

  test('several places in several files', async () => {
    const storage = reference.clone()
    const { path, positions } = await firstSegment(storage)
    for (const index of [1, 3, 5, positions.length - 1]) await flip(storage, path, positions[index] * 8 + 520)
    const other = path.replace('orders-0', 'orders-1')
    await flip(storage, other, 520)
    const { damage } = await verify(storage)
    const places = damage.map((one) => [one.path, one.position])
    const last = positions.at(-1)
    expect(places).toEqual([
      [path, positions[1]],
      [path, positions[3]],
      [path, positions[5]],
      [path, last],
      [other, 0],
    ])
  })

  test('a hole of zeros', async () => {
    const storage = reference.clone()
    const { path, content, positions, headers } = await firstSegment(storage)
    const start = positions[3] + 10
    const holed = Buffer.from(content).fill(0, start, positions[6] + 20)
    await replace(storage, path, holed)
    const { damage } = await verify(storage)
    const [offset, nextOffset] = [headers[3].baseOffset, headers[7].baseOffset]
    expect(damage).toEqual([{ path, position: positions[3], reason: expect.any(String), offset, nextOffset }])
  })

  test('batches that were cut out', async () => {
    const storage = reference.clone()
    const { path, content, positions, headers } = await firstSegment(storage)
    await replace(storage, path, Buffer.concat([content.subarray(0, positions[3]), content.subarray(positions[5])]))
    const { damage } = await verify(storage)
    expect(damage[0]).toMatchObject({
      path,
      position: positions[3],
      offset: headers[3].baseOffset,
      nextOffset: headers[5].baseOffset,
    })
  })

  test('a batch that stands inside the value of a damaged one is not taken for the next', async () => {
    const storage = new MemoryStorage()
    const log = await open(storage)
    await log.createTopic({ name: 'a', valueCodec: 'bytes' })
    await log.append('a', { value: Buffer.from('first') })
    await log.append('a', { value: Buffer.from('a batch of its own, at offset 1') })
    await log.close()
    const path = `${DIRECTORY}/a-0/00000000000000000000.log`
    const inner = await storage.readFile(path)
    const again = await open(storage)
    await again.append('a', { value: Buffer.concat([Buffer.alloc(9), inner.subarray(batchPositions(inner)[1])]) })
    await again.append('a', { value: Buffer.from('last') })
    await again.close()
    const outer = await storage.readFile(path)
    const [, , position] = batchPositions(outer)
    // in the wrapping record, before the wrapped batch
    await replace(storage, path, Buffer.from(outer).fill(1, position + 70, position + 72))
    // an offset that fits would make the wrapped batch a candidate
    const wrapped = outer.indexOf(inner.subarray(batchPositions(inner)[1] + 12), position) - 12
    const moved = Buffer.from(await storage.readFile(path))
    moved.writeBigInt64BE(3n, wrapped)
    await replace(storage, path, moved)
    const { damage } = await verify(storage)
    expect(damage).toEqual([{ path, position, reason: 'checksum', offset: 2, nextOffset: 3 }])
  })

  test('a missing segment: the offsets that are gone', async () => {
    const storage = reference.clone()
    const { path, headers } = await firstSegment(storage)
    await storage.removeFile(path)
    const { damage } = await verify(storage)
    const nextOffset = headers.at(-1)!.lastOffset + 1
    expect(damage).toEqual([{ path, position: 0, reason: 'file is missing', offset: 0, nextOffset }])
  })
})

describe('beside a live writer', () => {
  test.each(['each', 'group', 'os', { ms: 50 }] as const)('what is under way is no damage, flush %o', async (flush) => {
    const storage = new MemoryStorage()
    const clock = new FakeClock()
    const log = await open(storage, clock)
    await log.createTopic({ name: 'a', partitions: 2, segmentBytes: 1200, indexIntervalBytes: 100, flush })
    let isWriting = true
    const writing = (async () => {
      for (let i = 0; i < 150; i++) {
        clock.advance(random.below(30))
        const calls = Array.from({ length: random.between(1, 5) }, (_, n) =>
          log.append('a', { key: `${n}`, value: 'x'.repeat(random.below(200)) }),
        )
        await Promise.all(calls)
        if (i % 10 === 9)
          await log
            .deleteRecords('a', { partition: i % 20 === 9 ? 0 : 1, beforeOffset: Math.floor(i / 2) })
            .catch(() => {})
        if (i % 4 === 1) await log.createTopic({ name: 'passing', partitions: 3 })
        if (i % 4 === 3) await log.deleteTopic('passing')
        if (random.chance(0.1)) await log.flush()
      }
    })().finally(() => {
      isWriting = false
    })
    let count = 0
    for (; isWriting; count++) {
      const { damage, warnings } = await verify(interleaved(storage))
      expect(damage).toEqual([])
      expect(warnings[0]?.reason).toContain('the log is open')
    }
    await writing
    expect(count).toBeGreaterThan(0)
    await log.close()
    const { damage, warnings } = await verify(storage)
    expect({ damage, warnings }).toEqual({ damage: [], warnings: [] })
  })

  test('a log that is opened, written and closed again meanwhile is no damage', async () => {
    const storage = reference.clone()
    let rounds = 30
    const working = (async () => {
      const clock = new FakeClock()
      for (; rounds > 0; rounds--) {
        const log = await open(storage, clock)
        await append(log, 'orders', 3, clock)
        await log.createTopic({ name: `topic-${rounds}` })
        await log.close()
      }
    })()
    while (rounds > 0) expect((await verify(interleaved(storage))).damage).toEqual([])
    await working
  })

  test.each(['checkpoint-a', 'checkpoint-b'])(
    '%s, half written at the moment it is read, is no damage',
    async (name) => {
      const storage = reference.clone()
      const log = await open(storage)
      let reads = 0
      const halfWritten = new Proxy(storage, {
        get(target, key) {
          if (key !== 'readFile') return (Reflect.get(target, key) as () => unknown).bind(target)
          return async (path: string) => {
            const content = await target.readFile(path)
            return path.endsWith(name) && reads++ === 0 ? content.fill('x', content.length >> 1) : content
          }
        },
      })
      expect((await verify(halfWritten)).damage).toEqual([])
      expect(reads).toBeGreaterThan(1)
      await log.close()
    },
  )

  test('damage before the durable position is found', async () => {
    const storage = reference.clone()
    const log = await open(storage)
    await append(log, 'orders', 3, new FakeClock())
    const { path, positions } = await firstSegment(storage)
    await flip(storage, path, positions[2] * 8 + 520)
    const { damage } = await verify(storage)
    expect(damage).toEqual([expect.objectContaining({ path, position: positions[2] })])
    await log.close()
  })

  test('writes nothing, and takes no lock', async () => {
    const before = await Promise.all(files.map((path) => reference.readFile(path)))
    const report = await verify(readOnly(reference))
    expect(report.ok).toBe(true)
    expect(await listFiles(reference)).toEqual(files)
    expect(await Promise.all(files.map((path) => reference.readFile(path)))).toEqual(before)
  })
})

describe('after a stop that was none', () => {
  test('a process that was killed leaves no damage', async () => {
    const storage = reference.clone()
    const log = await open(storage)
    await append(log, 'orders', 10, new FakeClock())
    await append(log, 'windowed', 3, new FakeClock())
    const { damage, warnings } = await verify(storage.clone())
    expect(damage).toEqual([])
    expect(warnings).toEqual([{ path: DIRECTORY, reason: expect.stringContaining('not closed in order') }])
    await log.close()
  })

  test('a torn tail is no damage, and the next open cuts it', async () => {
    const storage = reference.clone()
    const log = await open(storage)
    await append(log, 'windowed', 3, new FakeClock())
    const killed = storage.clone()
    await log.close()
    const path = `${DIRECTORY}/windowed-0/00000000000000000000.log`
    const content = await killed.readFile(path)
    await replace(killed, path, content.subarray(0, content.length - 5))
    const torn = await verify(killed)
    expect(torn.damage).toEqual([])
    expect(torn.warnings).toContainEqual({ path, reason: expect.stringContaining('torn tail') })
    await (await open(killed)).close()
    const { damage, warnings } = await verify(killed)
    expect(damage).toEqual([])
    expect(warnings).toEqual([
      { path: expect.stringContaining('/recovery/'), reason: expect.stringContaining('cut off') },
    ])
  })

  test('index files that lag behind the log, or one behind the other, are whole after the next open and close', async () => {
    const directory = `${DIRECTORY}/windowed-0/00000000000000000000`
    for (const [entries, timeEntries] of [
      [0, 0],
      [1, 3],
      [4, 1],
      [4, 2],
      [3, 3],
      [2, 0],
      [0, 2],
      [99, 1],
      [99, 2],
      [99, 0],
    ]) {
      const storage = reference.clone()
      const log = await open(storage)
      // older than what is there: the greatest timestamp stands far from the end
      await append(log, 'windowed', 12, new FakeClock())
      const killed = storage.clone()
      await log.close()
      const index = await storage.readFile(`${directory}.index`)
      const timeIndex = await storage.readFile(`${directory}.timeindex`)
      await replace(killed, `${directory}.index`, index.subarray(0, entries * 8))
      await replace(killed, `${directory}.timeindex`, timeIndex.subarray(0, timeEntries * 12))
      await (await open(killed)).close()
      expect((await verify(killed)).damage, `${entries} entries, ${timeEntries} of time`).toEqual([])
      for (const [suffix, content] of [
        ['.index', index],
        ['.timeindex', timeIndex],
      ] as const) {
        const whole = await killed.readFile(directory + suffix)
        expect(whole.equals(content), `${suffix} from ${entries}, ${timeEntries} entries`).toBe(true)
      }
    }
  })

  test('a power cut leaves no damage, wherever it comes', async () => {
    for (let round = 0; round < 25; round++) {
      const storage = reference.clone()
      const log = await open(storage)
      const work = append(log, 'orders', 20, new FakeClock()).then(() => append(log, 'windowed', 20, new FakeClock()))
      for (let step = random.below(60); step > 0; step--) await new Promise((resolve) => setImmediate(resolve))
      const cut = storage.crash()
      await work
      await log.close()
      expect((await verify(cut)).damage).toEqual([])
      const again = await open(cut)
      expect((await verify(cut)).damage).toEqual([])
      await again.close()
      const { damage, warnings } = await verify(cut)
      expect(damage).toEqual([])
      expect(warnings.filter(({ path }) => !path.includes('/recovery/'))).toEqual([])
    }
  })
})

describe('what the root has lost does not stop the check', () => {
  test('without its catalog the partitions are held against the checkpoint', async () => {
    const storage = reference.clone()
    await storage.removeDirectory(`${DIRECTORY}/__varve_catalog-0`)
    const { path, positions, headers } = await firstSegment(storage)
    // outside the checksum
    await flip(storage, path, positions[2] * 8 + 40)
    const { damage, partitions } = await verify(storage)
    expect(damage.map((one) => one.path).sort()).toEqual([`${DIRECTORY}/__varve_catalog-0`, path])
    expect(damage).toContainEqual(expect.objectContaining({ position: positions[2], offset: headers[2].baseOffset }))
    expect(partitions.map(({ topic, partition }) => `${topic}-${partition}`)).toEqual([
      'empty-0',
      'orders-0',
      'orders-1',
      'windowed-0',
    ])
  })

  test('without its checkpoints the logs are held against themselves', async () => {
    const storage = reference.clone()
    for (const name of ['checkpoint-a', 'checkpoint-b']) await storage.removeFile(`${DIRECTORY}/${name}`)
    const { path, positions } = await firstSegment(storage)
    await flip(storage, path, positions[2] * 8 + 520)
    const { damage, partitions } = await verify(storage)
    expect(damage.map((one) => one.path)).toEqual([`${DIRECTORY}/checkpoint-a`, `${DIRECTORY}/checkpoint-b`, path])
    expect(partitions).toHaveLength(5)
  })

  test('strange files and directories are named, and nothing else', async () => {
    const storage = reference.clone()
    await replace(storage, `${DIRECTORY}/notes.txt`, Buffer.from('x'))
    await replace(storage, `${DIRECTORY}/orders-0/notes.txt`, Buffer.from('x'))
    await storage.makeDirectory(`${DIRECTORY}/lost+found`)
    await storage.makeDirectory(`${DIRECTORY}/other-3`)
    await storage.makeDirectory(`${DIRECTORY}/copy-0`)
    for (const name of await storage.list(`${DIRECTORY}/orders-1`)) {
      await replace(
        storage,
        `${DIRECTORY}/copy-0/${name.name}`,
        await storage.readFile(`${DIRECTORY}/orders-1/${name.name}`),
      )
    }
    const { ok, warnings } = await verify(storage)
    expect(ok).toBe(true)
    expect(warnings.sort((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
      { path: `${DIRECTORY}/copy-0`, reason: 'belongs to no topic: adoptTopic takes it over' },
      { path: `${DIRECTORY}/lost+found`, reason: 'unknown directory' },
      { path: `${DIRECTORY}/notes.txt`, reason: 'unknown file' },
      { path: `${DIRECTORY}/orders-0/notes.txt`, reason: 'unknown file' },
      { path: `${DIRECTORY}/other-3`, reason: 'unknown directory' },
    ])
  })
})

describe('one partition alone', () => {
  test('is held against what stands beside it', async () => {
    const storage = reference.clone()
    const path = `${DIRECTORY}/orders-0`
    const report = await verify(storage, `${path}/`)
    expect(report).toMatchObject({ directory: path, ok: true, warnings: [] })
    expect(report.partitions).toEqual(
      (await verify(storage)).partitions.filter(({ topic, partition }) => topic === 'orders' && partition === 0),
    )
    const { path: log, positions } = await firstSegment(storage)
    await flip(storage, log, positions[2] * 8 + 40)
    expect((await verify(storage, path)).damage).toEqual([
      expect.objectContaining({ path: log, position: positions[2] }),
    ])
  })

  test('is held against itself where nothing stands beside it', async () => {
    const storage = new MemoryStorage()
    await storage.makeDirectory('/elsewhere/orders-0')
    for (const { name } of await reference.list(`${DIRECTORY}/orders-0`)) {
      await replace(storage, `/elsewhere/orders-0/${name}`, await reference.readFile(`${DIRECTORY}/orders-0/${name}`))
    }
    const { ok, warnings, partitions } = await verify(storage, '/elsewhere/orders-0')
    expect({ ok, warnings }).toEqual({ ok: true, warnings: [] })
    expect(partitions).toEqual([expect.objectContaining({ topic: 'orders', partition: 0 })])
    const path = '/elsewhere/orders-0/00000000000000000000.log'
    const content = await storage.readFile(path)
    await flip(storage, path, batchPositions(content)[2] * 8 + 520)
    expect((await verify(storage, '/elsewhere/orders-0')).damage).toHaveLength(1)
  })
})

describe('a directory that Kafka wrote', () => {
  let kafka: MemoryStorage
  let kafkaFiles: string[]
  const root = '/kafka'

  beforeAll(async () => {
    kafka = new MemoryStorage()
    for (const entry of readdirSync(GOLDEN, { withFileTypes: true }).filter((found) => found.isDirectory())) {
      await kafka.makeDirectory(`${root}/${entry.name}`)
      for (const name of readdirSync(`${GOLDEN}/${entry.name}`)) {
        await replace(kafka, `${root}/${entry.name}/${name}`, readFileSync(`${GOLDEN}/${entry.name}/${name}`))
      }
    }
    await replace(kafka, `${root}/.kafka_cleanshutdown`, Buffer.from('{"version":0,"brokerEpoch":7}'))
    await replace(kafka, `${root}/meta.properties`, Buffer.from('version=1\n'))
    await replace(kafka, `${root}/log-start-offset-checkpoint`, Buffer.from('0\n1\nshapes 0 7\n'))
    await replace(kafka, `${root}/recovery-point-offset-checkpoint`, Buffer.from('0\n0\n'))
    kafkaFiles = await listFiles(kafka, root)
  })

  test('passes, gaps, producer snapshots, transactions and all', async () => {
    const { damage, warnings, partitions } = await verify(kafka, root)
    expect({ damage, warnings }).toEqual({ damage: [], warnings: [] })
    expect(partitions.find(({ topic }) => topic === 'shapes')?.logStartOffset).toBe(7)
    expect(partitions.length).toBeGreaterThan(8)
  })

  test('and with the zeros that Kafka leaves in index files after a crash', async () => {
    const storage = kafka.clone()
    for (const path of kafkaFiles.filter((name) => /\.(time)?index$/.test(name))) {
      await replace(storage, path, Buffer.concat([await storage.readFile(path), Buffer.alloc(24 * 100)]))
    }
    expect((await verify(storage, root)).damage).toEqual([])
    await storage.removeFile(`${root}/.kafka_cleanshutdown`)
    expect((await verify(storage, root)).damage).toEqual([])
  })

  test('a bit changed under a checksum is found, in batches and in producer snapshots', async () => {
    for (const path of kafkaFiles.filter((name) => /\.(log|snapshot)$/.test(name))) {
      const content = await kafka.readFile(path)
      const covered: [number, number][] = path.endsWith('.log')
        ? batchPositions(content).map((at) => [at + 16, at + readBatchHeader(content, at).sizeBytes])
        : [[0, content.length]]
      for (let i = 0; i < 8 && covered.length > 0; i++) {
        const [start, end] = random.pick(covered)
        const bit = random.between(start * 8, end * 8 - 1)
        await flip(kafka, path, bit)
        const { damage } = await verify(kafka, root)
        await flip(kafka, path, bit)
        expect(damage, `${path} bit ${bit}`).toContainEqual(expect.objectContaining({ path }))
      }
    }
  })

  test('an index entry that is wrong is found', async () => {
    for (const path of kafkaFiles.filter((name) => /\.(time)?index$/.test(name))) {
      const { length } = await kafka.readFile(path)
      // which offset it is, of a batch or of several batches that came at once, Kafka leaves open
      const [entryBytes, certain] = path.endsWith('.timeindex')
        ? [12, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]
        : [8, [0, 1, 4, 5, 6, 7]]
      for (let i = 0; i < 6 && length > 0; i++) {
        const byte = random.below(length / entryBytes) * entryBytes + random.pick(certain)
        const bit = byte * 8 + random.below(8)
        await flip(kafka, path, bit)
        const { damage } = await verify(kafka, root)
        await flip(kafka, path, bit)
        expect(damage, `${path} bit ${bit}`).toContainEqual(expect.objectContaining({ path }))
      }
    }
  })

  test('a list of offsets or of epochs that cannot be read is found', async () => {
    const lists = kafkaFiles.filter((name) => /(leader-epoch|offset)-checkpoint$/.test(name))
    expect(lists.length).toBeGreaterThan(3)
    for (const path of lists) {
      const storage = kafka.clone()
      await replace(storage, path, (await kafka.readFile(path)).subarray(1))
      expect((await verify(storage, root)).damage).toEqual([expect.objectContaining({ path })])
    }
  })

  test('a batch of another leader epoch than the list says is found', async () => {
    const storage = kafka.clone()
    const path = `${root}/shapes-0/00000000000000000000.log`
    const position = batchPositions(await storage.readFile(path))[3]
    await flip(storage, path, (position + 14) * 8)
    expect((await verify(storage, root)).damage).toEqual([expect.objectContaining({ path, position })])
  })

  test('a batch that overlaps the one before it is found', async () => {
    const storage = kafka.clone()
    const path = `${root}/shapes-0/00000000000000000000.log`
    const [, , position] = batchPositions(await storage.readFile(path))
    await flip(storage, path, position * 8 + 30)
    expect((await verify(storage, root)).damage).toEqual([expect.objectContaining({ path, position })])
  })

  test('a torn tail after a crash is no damage', async () => {
    const storage = kafka.clone()
    const path = `${root}/shapes-0/00000000000000000146.log`
    const content = await storage.readFile(path)
    await replace(storage, path, content.subarray(0, content.length - 3))
    expect((await verify(storage, root)).ok).toBe(false)
    await storage.removeFile(`${root}/.kafka_cleanshutdown`)
    expect((await verify(storage, root)).damage).toEqual([])
  })

  test('passes after it was adopted, although its indexes may be sparser than ours', async () => {
    const storage = kafka.clone()
    for (const path of kafkaFiles.filter((name) => name.endsWith('.index'))) {
      await replace(storage, path, (await storage.readFile(path)).subarray(8))
    }
    const log = await Varve.open({ directory: root, storage, clock: new FakeClock() })
    for (const name of ['shapes', 'times', 'before1970', 'append-time']) {
      await log.adoptTopic({ name, indexIntervalBytes: 100 })
    }
    await log.close()
    expect((await verify(storage, root)).damage).toEqual([])
  })

  test('passes after it was adopted', async () => {
    const storage = kafka.clone()
    const log = await Varve.open({ directory: root, storage, clock: new FakeClock() })
    for (const name of ['shapes', 'times', 'compacted', 'replica']) await log.adoptTopic({ name })
    await log.append('shapes', { value: Buffer.from('x') })
    await log.close()
    const { damage, warnings } = await verify(storage, root)
    expect(damage).toEqual([])
    expect(warnings.filter(({ reason }) => !reason.includes('belongs to no topic'))).toEqual([])
  })
})

describe('calls', () => {
  test('progress counts up to the bytes that were checked', async () => {
    const seen: { path: string; bytesDone: number; bytesTotal: number }[] = []
    const { checkedBytes } = await verifyDirectory(DIRECTORY, {
      storage: reference,
      onProgress: (progress) => seen.push(progress),
    })
    expect(seen.at(-1)).toMatchObject({ bytesDone: checkedBytes, bytesTotal: checkedBytes })
    for (const [i, { bytesDone, bytesTotal }] of seen.entries()) {
      expect(bytesDone).toBeGreaterThanOrEqual(i === 0 ? 0 : seen[i - 1].bytesDone)
      expect(bytesDone).toBeLessThanOrEqual(bytesTotal)
    }
    expect(new Set(seen.map(({ path }) => path))).toEqual(new Set(files))
  })

  test('a directory without a log is an error, not a log without damage', async () => {
    const storage = new MemoryStorage()
    await storage.makeDirectory('/empty')
    await expect(verify(storage, '/empty')).rejects.toMatchObject({ name: 'VarveError', code: 'UNSUPPORTED_FORMAT' })
    await expect(verify(storage, '/nothing')).rejects.toMatchObject({
      name: 'VarveError',
      details: { path: '/nothing' },
    })
    await replace(storage, '/file', Buffer.from('x'))
    await expect(verify(storage, '/file')).rejects.toMatchObject({ code: 'NOT_A_DIRECTORY' })
  })

  test('mistakes in the options throw at once', async () => {
    await expect(verifyDirectory('', {})).rejects.toThrow(TypeError)
    await expect(verifyDirectory('x', { progress: true } as object)).rejects.toThrow("unknown option 'progress'")
    await expect(verifyDirectory('x', { storage: {} as Storage })).rejects.toThrow(TypeError)
  })
})

/** A storage whose reads let others run in between, now and then. */
function interleaved(storage: Storage): Storage {
  const pause = async () => {
    if (random.chance(0.1)) await new Promise((resolve) => setImmediate(resolve))
  }
  const paused = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(_, key) {
        const value: unknown = Reflect.get(target, key)
        if (typeof value !== 'function') return value
        return async (...parameters: unknown[]) => {
          await pause()
          const result: unknown = await Reflect.apply(value, target, parameters)
          return key === 'openFile' ? paused(result as object) : result
        }
      },
    })
  return paused(storage)
}

/** A storage that fails the test when anything but a read is asked of it. */
function readOnly(storage: Storage): Storage {
  const refuse = (call: string) => () => {
    throw new Error(`${call} was called`)
  }
  const asReadOnly = (file: StorageFile) =>
    new Proxy(file, {
      get(target, key) {
        if (['write', 'truncate', 'sync'].includes(String(key))) return refuse(String(key))
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value
      },
    })
  return new Proxy(storage, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key)
      if (key === 'openFile') {
        return async (path: string, mode: 'read') =>
          mode === 'read' ? asReadOnly(await target.openFile(path, mode)) : refuse('open for writing')()
      }
      if (key === 'readFile' || key === 'list') return (value as () => unknown).bind(target)
      return refuse(String(key))
    },
  })
}

describe('after a power cut that took records and left the segments begun behind them', () => {
  /** Two records that are durable, and then names of segments without their data, of which the last ones go on. */
  async function cut(): Promise<MemoryStorage> {
    const storage = new MemoryStorage()
    const log = await open(storage)
    await log.createTopic({ name: 'orders', flush: 'os', segmentBytes: 300 })
    const value = 'v'.repeat(60)
    for (let i = 0; i < 2; i++) await log.append('orders', { value })
    await log.flush()
    for (let i = 0; i < 7; i++) await log.append('orders', { value })
    return storage.crash({ keepDirectoryOperation: () => true })
  }

  test('offsets that were skipped are not missing', async () => {
    const storage = await cut()
    const segments = (await storage.list(`${DIRECTORY}/orders-0`)).filter(({ name }) => name.endsWith('.log'))
    expect(segments.length).toBeGreaterThan(2)
    for (let stop = 0; stop < 3; stop++) {
      const log = await open(storage)
      await log.append('orders', { value: 'more' })
      expect((await verify(storage)).damage).toEqual([])
      await log.close()
      expect((await verify(storage)).damage).toEqual([])
    }
  })

  test('records that are lost afterwards are missing all the same', async () => {
    const storage = await cut()
    const log = await open(storage)
    for (let i = 0; i < 6; i++) await log.append('orders', { value: 'v'.repeat(60) })
    await log.close()
    const first = `${DIRECTORY}/orders-0/${'0'.repeat(20)}.log`
    const content = await storage.readFile(first)
    await replace(storage, first, content.subarray(0, batchPositions(content)[1]))
    const { damage } = await verify(storage)
    expect(damage.map(({ path, reason }) => [path, reason])).toContainEqual([first, 'file is too short'])
  })
})
