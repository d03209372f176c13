/** Compaction as a program sees it: what stays, what goes, and when. */
import { describe, expect, test, vi } from 'vitest'
import type { Consumer } from '../../src/client/consumer.ts'
import type { Varve } from '../../src/client/varve.ts'
import type { DumpedBatch } from '../../src/inspect/dump-log.ts'
import { dumpFile } from '../../src/inspect/dump-file.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'
import { parseCheckpoint } from '../../src/storage/checkpoint.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { asWritten, findLoss, latestOf, readAll, SMALL, TOPIC, writeSome } from '../helpers/compacted-topic.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { GatedReads } from '../helpers/gated-reads.ts'
import {
  all,
  changeFile,
  DIRECTORY,
  idle,
  namesIn,
  offsetsOf,
  openLog,
  putFile,
  rejection,
  segmentPath,
} from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const DAY_MS = 86_400_000
const random = new SeededRandom()

/** So many records of one key each in the active segment's predecessors, then one that makes them sealed. */
async function appendSealed(log: Varve, records: { key: string | null; value: string | null }[]): Promise<void> {
  for (const record of records) await log.append(TOPIC, record)
  // larger than any segment: it gets one of its own
  for (let i = 0; i < 2; i++) await log.append(TOPIC, { key: 'sealing', value: incompressible() })
}

function incompressible(): string {
  return `x${Buffer.from(random.bytes(900)).toString('base64')}`
}

async function startOffsets(log: Varve): Promise<{ sizeBytes: number; segments: number }> {
  const { partitions } = await log.describeTopic(TOPIC)
  return partitions[0]
}

async function batchesOnDisk(storage: MemoryStorage): Promise<DumpedBatch[]> {
  const found: DumpedBatch[] = []
  for (const name of await namesIn(storage, `${DIRECTORY}/${TOPIC}-0`)) {
    if (!name.endsWith('.log')) continue
    for await (const entry of dumpFile(`${DIRECTORY}/${TOPIC}-0/${name}`, { storage, records: true })) {
      if (entry.kind === 'batch') found.push(entry)
    }
  }
  return found
}

describe(`of a compacted topic (VARVE_SEED=${random.seed})`, () => {
  test('the latest record of each key stays as it was, offsets and all, and the active segment is not touched', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic(SMALL)
    const written = await writeSome(log, random, 120)
    const before = await startOffsets(log)
    const [result] = await log.compact(TOPIC)
    const found = await readAll(log)
    expect(findLoss(written, found)).toBe(null)
    expect(result).toMatchObject({ topic: TOPIC, partition: 0 })
    expect(result.bytesAfter).toBeLessThan(result.bytesBefore)
    expect(result.recordsBefore - result.recordsAfter).toBe(written.length - found.length)
    const after = await startOffsets(log)
    expect(before.sizeBytes - after.sizeBytes).toBe(result.bytesBefore - result.bytesAfter)
    expect(after.segments).toBeLessThan(before.segments)
    // of the sealed part nothing is left but the latest of each key there
    const names = (await namesIn(storage, `${DIRECTORY}/${TOPIC}-0`)).filter((name) => name.endsWith('.log'))
    const activeBase = Number(names.at(-1)!.slice(0, 20))
    const sealed = written.filter(({ offset }) => offset < activeBase)
    expect(found).toEqual([...latestOf(sealed), ...written.filter(({ offset }) => offset >= activeBase)])
    expect((await verifyDirectory(DIRECTORY, { storage })).damage).toEqual([])
    await log.close()
    const report = await verifyDirectory(DIRECTORY, { storage })
    expect(report.damage).toEqual([])
    expect(report.warnings).toEqual([])
  })

  test('compacting the same again changes nothing on the disk, once small segments have become one', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic(SMALL)
    await writeSome(log, random, 100)
    for (let i = 0; i < 3; i++) await log.compact(TOPIC)
    const before = await batchesOnDisk(storage)
    const [result] = await log.compact(TOPIC)
    expect(result.recordsAfter).toBe(result.recordsBefore)
    expect(await batchesOnDisk(storage)).toEqual(before)
    await log.close()
  })

  test('no offset is missing on the disk: a batch stands for those that went', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic(SMALL)
    for (let round = 0; round < 4; round++) {
      await writeSome(log, random, 60, { keys: 20 })
      await log.compact(TOPIC)
      let expected = 0
      for (const { baseOffset, lastOffset } of await batchesOnDisk(storage)) {
        expect(baseOffset).toBe(expected)
        expected = lastOffset + 1
      }
      expect(expected).toBe(log.offsets(TOPIC)[0].logEndOffset)
    }
    await log.close()
  })

  test('a record without a key is refused, with what to do, and nothing of its batch is written', async () => {
    const log = await openLog()
    await log.createTopic(SMALL)
    const error = await rejection(log.append(TOPIC, { value: 'a' }))
    expect(error.code).toBe('INVALID_RECORD')
    expect(error.message).toContain('needs a key')
    expect(error.message).toContain("set the topic's cleanupPolicy to 'delete'")
    const batch = log.appendBatch(TOPIC, [{ key: 'a', value: '1' }, { value: '2' }])
    expect((await rejection(batch)).code).toBe('INVALID_RECORD')
    expect(await readAll(log)).toEqual([])
    await log.close()
  })

  test('records without a key from before it was compacted are dropped', async () => {
    const log = await openLog()
    await log.createTopic({ ...SMALL, cleanupPolicy: 'delete' })
    await appendSealed(log, [
      { key: null, value: 'nobody' },
      { key: 'a', value: '1' },
    ])
    await log.alterTopic(TOPIC, { cleanupPolicy: 'compact' })
    await log.compact(TOPIC)
    const found = await readAll(log)
    expect(found.map(({ key }) => key)).toEqual(['a', 'sealing', 'sealing'])
    await log.close()
  })

  test('a topic that is not compacted is refused, and says how to make it one', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'plain' })
    const error = await rejection(log.compact('plain'))
    expect(error.code).toBe('INVALID_CONFIG')
    expect(error.message).toContain('alterTopic')
    expect(await log.compact()).toEqual([])
    expect((await rejection(log.compact('nothing'))).code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    await log.close()
    expect((await rejection(log.compact())).code).toBe('CLOSED')
  })

  test.each(['none', 'gzip', 'snappy', 'lz4'] as const)(
    'a tombstone stays for deleteRetentionMs (%s)',
    async (type) => {
      const clock = new FakeClock()
      const storage = new MemoryStorage()
      const log = await openLog({ storage, clock, compactionCheckMs: 2 ** 31 - 1 })
      await log.createTopic({ ...SMALL, deleteRetentionMs: 1000, compressionType: type })
      const { timestamp } = await log.append(TOPIC, { key: 'a', value: 'old' })
      await appendSealed(log, [
        { key: 'a', value: null },
        { key: 'b', value: 'stays' },
      ])
      const tombstones = async () => (await readAll(log)).filter(({ value }) => value === null)
      clock.advance(5000)
      await log.compact(TOPIC)
      expect(await tombstones()).toEqual([{ offset: 1, key: 'a', value: null, timestamp, headers: '{}' }])
      const horizons = (await batchesOnDisk(storage)).flatMap(({ deleteHorizon }) => deleteHorizon ?? [])
      expect(horizons).toEqual([clock.now() + 1000])
      // a horizon that was set stays as it is
      clock.advance(999)
      await log.compact(TOPIC)
      expect(await tombstones()).toHaveLength(1)
      clock.advance(1)
      await log.compact(TOPIC)
      expect(await tombstones()).toEqual([])
      const left = (await readAll(log)).map(({ key }) => key)
      expect(left).toEqual(['b', 'sealing', 'sealing'])
      await log.close()
    },
  )

  test('what is younger than minCompactionLagMs is left alone', async () => {
    const clock = new FakeClock()
    const log = await openLog({ clock, compactionCheckMs: 2 ** 31 - 1 })
    await log.createTopic({ ...SMALL, minCompactionLagMs: 10_000 })
    await appendSealed(log, [
      { key: 'a', value: '1' },
      { key: 'a', value: '2' },
    ])
    expect((await log.compact(TOPIC))[0].recordsBefore).toBe(0)
    clock.advance(9_999)
    expect((await log.compact(TOPIC))[0].recordsBefore).toBe(0)
    clock.advance(1)
    expect((await log.compact(TOPIC))[0].recordsBefore).toBeGreaterThan(0)
    expect((await readAll(log)).map(({ value }) => value!.slice(0, 1))).toEqual(['2', 'x', 'x'])
    await log.close()
  })

  test.each(['group', 'os'] as const)('it happens by itself when enough of a partition is new (%s)', async (flush) => {
    const clock = new FakeClock()
    const log = await openLog({ clock, compactionCheckMs: 15_000, flush })
    await log.createTopic({ ...SMALL, minCleanableDirtyRatio: 0.5 })
    await writeSome(log, random, 60)
    const before = await startOffsets(log)
    clock.advance(14_999)
    await idle(50)
    expect(await startOffsets(log)).toEqual(before)
    clock.advance(1)
    await vi.waitFor(async () => expect((await startOffsets(log)).segments).toBeLessThan(before.segments))
    await log.close()
  })

  test('it does not happen by itself below minCleanableDirtyRatio', async () => {
    const clock = new FakeClock()
    const log = await openLog({ clock, compactionCheckMs: 1000 })
    await log.createTopic({ ...SMALL, minCleanableDirtyRatio: 1 })
    await writeSome(log, random, 60, { keys: 60 })
    await log.compact(TOPIC)
    await writeSome(log, random, 30)
    const before = await startOffsets(log)
    clock.advance(1000)
    await idle(100)
    expect(await startOffsets(log)).toEqual(before)
    await log.close()
  })

  test("retention takes nothing under 'compact', and does its work under 'compact,delete'", async () => {
    const clock = new FakeClock()
    const log = await openLog({ clock, compactionCheckMs: 2 ** 31 - 1, retentionCheckMs: 2 ** 31 - 1 })
    await log.createTopic({ ...SMALL, retentionMs: 1000 })
    await writeSome(log, random, 80, { nowMs: clock.now() })
    await log.compact(TOPIC)
    clock.advance(20_000)
    await log.enforceRetention()
    expect(log.offsets(TOPIC)[0].logStartOffset).toBe(0)
    const [first] = (await offsetsOf(log, TOPIC)).slice(3)
    await log.deleteRecords(TOPIC, { partition: 0, beforeOffset: first })
    expect((await offsetsOf(log, TOPIC))[0]).toBe(first)
    await log.compact(TOPIC)
    expect((await offsetsOf(log, TOPIC))[0]).toBe(first)
    await log.alterTopic(TOPIC, { cleanupPolicy: 'compact,delete' })
    await log.enforceRetention()
    expect(log.offsets(TOPIC)[0].logStartOffset).toBeGreaterThan(first)
    expect((await startOffsets(log)).segments).toBe(1)
    await log.close()
  })

  test('memory for a part of the keys is enough: each time it goes as far as they fit in', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage, compactionBufferBytes: 65_536 })
    await log.createTopic({ ...SMALL, segmentBytes: 40_000 })
    const written = []
    for (let i = 0; i < 30; i++) written.push(...(await writeSome(log, random, 200, { keys: 4000 })))
    const sizes: number[] = []
    for (let i = 0; i < 8; i++) sizes.push((await log.compact(TOPIC))[0].recordsAfter)
    expect(findLoss(written, await readAll(log))).toBe(null)
    const sealed = written.slice(0, -1)
    expect(sizes.at(-1)).toBe(sizes.at(-2))
    expect((await readAll(log)).length).toBeLessThan(sealed.length)
    const found = await readAll(log)
    const active = Math.max(...(await namesIn(storage, `${DIRECTORY}/${TOPIC}-0`)).map((name) => parseInt(name) || 0))
    const below = written.filter(({ offset }) => offset < active)
    expect(found.filter(({ offset }) => offset < active)).toEqual(latestOf(below))
    await log.close()
  })

  test('a key that is longer than what its compressed segment takes stops nothing that comes after it', async () => {
    const log = await openLog({ compactionCheckMs: 2 ** 31 - 1 })
    await log.createTopic({ ...SMALL, compressionType: 'gzip' })
    const long = 'k'.repeat(100_000)
    await appendSealed(log, [
      { key: 'a', value: '1' },
      { key: long, value: 'old' },
      { key: long, value: 'new' },
      { key: 'a', value: '2' },
    ])
    for (let i = 0; i < 4; i++) await log.compact(TOPIC)
    expect((await readAll(log)).map(({ value }) => value!.slice(0, 3))).toEqual([
      'new',
      '2',
      expect.any(String),
      expect.any(String),
    ])
    await log.close()
  })
})

describe('while it goes on', () => {
  test('readers of every kind see each record that stays exactly once, in order', async () => {
    const storage = new MemoryStorage()
    const slow = new GatedReads(storage)
    slow.gate = () => (random.chance(0.3) ? idle(random.below(6)) : undefined)
    const log = await openLog({ storage: slow })
    // more segments than files are kept open, or few
    await log.createTopic({ ...SMALL, segmentBytes: random.pick([200, 200, 2000]) })
    const written = await writeSome(log, random, 400, { keys: 30 })
    let done = false
    const compacting = (async () => {
      while (!done) {
        await writeSome(log, random, 40, { keys: 30, into: written })
        await log.compact(TOPIC)
        await idle(2)
      }
    })()
    const controller = new AbortController()
    const followed: number[] = []
    const following = (async () => {
      for await (const { offset } of log.read(TOPIC, { follow: true, from: 'earliest', signal: controller.signal })) {
        followed.push(offset)
        if (offset % 50 === 0) await idle(1)
      }
    })().catch(() => {})
    const isIncreasing = (offsets: number[]) => offsets.every((offset, i) => i === 0 || offset > offsets[i - 1])
    for (let round = 0; round < 60; round++) {
      const end = log.offsets(TOPIC)[0].logEndOffset
      const before = written.filter(({ offset }) => offset < end)
      const found: ReturnType<typeof asWritten>[] = []
      if (round % 3 === 0) {
        for await (const record of log.read(TOPIC)) {
          found.push(asWritten(record))
          if (random.chance(0.05)) await idle(random.below(8))
        }
      } else if (round % 3 === 1) {
        for await (const batch of log.readBatches(TOPIC)) {
          for (const record of batch) found.push(asWritten(record))
          if (random.chance(0.2)) await idle(random.below(8))
        }
      } else {
        for await (const record of log.read(TOPIC, { order: 'time' })) {
          found.push(asWritten(record))
          if (random.chance(0.05)) await idle(random.below(8))
        }
      }
      expect(isIncreasing(found.map(({ offset }) => offset)), `seed ${random.seed}`).toBe(true)
      const known = new Map(written.map((record) => [record.offset, record]))
      for (const record of found) expect(record).toEqual(known.get(record.offset))
      // the latest of each key as of now, and nothing else, is certain to have been there all the while
      const seen = new Set(found.map(({ offset }) => offset))
      const latest = new Map(written.map((record) => [record.key, record.offset]))
      for (const { key, offset } of before) {
        if (latest.get(key) === offset) expect(seen.has(offset), `offset ${offset}, seed ${random.seed}`).toBe(true)
      }
      // a look-up finds the record, or the next one that is there
      const wanted = random.below(end)
      for await (const { offset } of log.read(TOPIC, { from: wanted })) {
        expect(offset).toBeGreaterThanOrEqual(wanted)
        break
      }
      const at = random.pick(before).timestamp
      let first = Infinity
      const visible = log.offsets(TOPIC)[0].highWatermark
      for await (const { offset } of log.read(TOPIC, { from: { timestamp: at } })) {
        first = offset
        break
      }
      // what is found may have been compacted since, but nothing that stays is passed over
      const newest = new Map(written.map((record) => [record.key, record.offset]))
      const certain = written.find(({ timestamp, key, offset }) => {
        return timestamp >= at && offset < visible && newest.get(key) === offset
      })
      expect(first, `seed ${random.seed}`).toBeLessThanOrEqual(certain?.offset ?? Infinity)
    }
    done = true
    await compacting
    await vi.waitFor(() => expect(followed.at(-1)).toBe(written.at(-1)!.offset))
    controller.abort()
    await following
    expect(isIncreasing(followed)).toBe(true)
    const latest = latestOf(written)
    expect(latest.filter(({ offset }) => !followed.includes(offset))).toEqual([])
    await log.close()
    expect((await verifyDirectory(DIRECTORY, { storage })).damage).toEqual([])
  }, 60_000)

  test.each(['offset', 'timestamp'])(
    'a look-up by %s whose segment is exchanged under it is begun again',
    async (by) => {
      const storage = new MemoryStorage()
      const slow = new GatedReads(storage)
      const log = await openLog({ storage: slow })
      await log.createTopic({ ...SMALL, segmentBytes: 300 })
      for (let i = 0; i < 60; i++) {
        const key = i % 5 === 0 ? `stays ${i}` : `goes ${i % 3}`
        await log.append(TOPIC, { key, value: 'x'.repeat(20), timestamp: 1000 + i })
      }
      await log.close()
      const again = await openLog({ storage: slow })
      const names = (await namesIn(storage, `${DIRECTORY}/${TOPIC}-0`)).filter((name) => name.endsWith('.log'))
      const path = `${DIRECTORY}/${TOPIC}-0/${names[6]}`
      const base = Number(names[6].slice(0, 20))
      const wanted = Math.ceil((base + 1) / 5) * 5
      // its indexes are loaded, for an exchange waits for that
      for await (const _ of again.read(TOPIC, { from: wanted })) break
      let goOn = () => {}
      slow.gate = (read, kind) => {
        if (read !== path || kind !== 'read') return undefined
        slow.gate = () => undefined
        return new Promise((resolve) => (goOn = resolve))
      }
      const reading = again.read(TOPIC, { from: by === 'offset' ? wanted : { timestamp: 1000 + wanted } }).next()
      await idle()
      await again.compact(TOPIC)
      goOn()
      const { value } = await reading
      expect(value?.offset).toBe(wanted)
      await again.close()
      expect(slow.openFiles).toBe(0)
    },
  )

  test('consumers of a group come and go undisturbed: every record that stays, once, in order', async () => {
    const slow = new GatedReads(new MemoryStorage())
    slow.gate = () => (random.chance(0.3) ? idle(random.below(6)) : undefined)
    const log = await openLog({ storage: slow })
    await log.createTopic({ ...SMALL, segmentBytes: random.pick([200, 700, 2000]) })
    const written = await writeSome(log, random, 200, { keys: 30 })
    const seen: number[] = []
    const members: { consumer: Consumer; run: Promise<void> }[] = []
    const join = () => {
      const consumer = log.consumer({ groupId: 'group', topics: [TOPIC], commitIntervalMs: random.below(3) })
      const run = consumer.run(async ({ offset }) => {
        seen.push(offset)
        if (random.chance(0.1)) await idle(random.below(4))
      })
      members.push({ consumer, run })
    }
    const leave = async ({ consumer, run }: (typeof members)[number]) =>
      void (await Promise.all([consumer.close(), run]))
    join()
    for (let round = 0; round < 30; round++) {
      await writeSome(log, random, 20, { keys: 30, into: written })
      await Promise.all([log.compact(TOPIC), idle(random.below(10))])
      if (random.chance(0.2)) join()
      if (random.chance(0.2) && members.length > 1) await leave(members.shift()!)
    }
    await vi.waitFor(() => expect(seen.at(-1)).toBe(written.at(-1)!.offset), { timeout: 20_000 })
    await Promise.all(members.map(leave))
    expect(
      seen.every((offset, i) => i === 0 || offset > seen[i - 1]),
      `seed ${random.seed}`,
    ).toBe(true)
    expect(latestOf(written).filter(({ offset }) => !seen.includes(offset))).toEqual([])
    expect((await log.lag('group'))[0].lag).toBe(0)
    await log.close()
  }, 60_000)

  test('a deleted topic is gone at once, and a close ends it with CLOSED', async () => {
    const storage = new MemoryStorage()
    const slow = new GatedReads(storage)
    const log = await openLog({ storage: slow })
    await log.createTopic(SMALL)
    await writeSome(log, random, 300)
    slow.gate = (_, kind) => (kind === 'read' ? idle(5) : undefined)
    const compacting = log.compact(TOPIC)
    await idle(1)
    await log.deleteTopic(TOPIC)
    expect(await compacting).toEqual([])
    expect((await namesIn(storage, DIRECTORY)).filter((name) => name.startsWith(TOPIC))).toEqual([])
    await log.createTopic(SMALL)
    const written = await writeSome(log, random, 300)
    const failed = rejection(log.compact(TOPIC))
    await idle(1)
    await log.close()
    expect((await failed).code).toBe('CLOSED')
    expect((await namesIn(storage, `${DIRECTORY}/${TOPIC}-0`)).filter((name) => /cleaned|swap/.test(name))).toEqual([])
    const again = await openLog({ storage })
    expect(again.recovery).toMatchObject({ clean: true, damage: [], scannedBytes: 0 })
    expect(findLoss(written, await readAll(again))).toBe(null)
    await again.close()
  })
})

test('no two states of the segments that a checkpoint has told of have the same number of exchanges', async () => {
  for (let nth = 0; nth < 8; nth++) {
    const disk = new MemoryStorage()
    const storage = new FaultyStorage(disk)
    const log = await openLog({ storage, compactionCheckMs: 2 ** 31 - 1 })
    await log.createTopic(SMALL)
    await writeSome(log, random, 80)
    const [partition] = log['engine'].topics.get(TOPIC)!.partitions
    const end = partition.log.active.baseOffset
    const images: MemoryStorage[] = []
    const isStored = (kind: string, path: string) => {
      if (kind !== 'sync' || !path.includes('checkpoint')) return false
      images.push(disk.clone())
      return true
    }
    let mayFail = true
    const call = (kind: string, path: string) => isStored(kind, path) && images.length === nth + 1 && mayFail
    storage.failAt({ call, code: 'EIO', sticky: true })
    await log.compact(TOPIC).catch(() => {})
    mayFail = false
    await writeSome(log, random, 20)
    await log.compact(TOPIC)
    await log.close()
    const told = new Map<number, string>()
    for (const image of images) {
      for (const path of [`${DIRECTORY}/checkpoint-a`, `${DIRECTORY}/checkpoint-b`]) {
        const { partitions } = parseCheckpoint(await image.readFile(path), path)!.checkpoint
        const topicKey = Object.keys(partitions).find((key) => !key.startsWith('__'))
        const { exchanges = 0, segments } = partitions[topicKey!] ?? { segments: [] }
        // a checkpoint from before all was written
        if ((segments.at(-1)?.[0] ?? 0) < end) continue
        const state = JSON.stringify(segments.filter(([baseOffset]) => baseOffset < end))
        expect(told.get(exchanges) ?? state, `failure ${nth}`).toBe(state)
        told.set(exchanges, state)
      }
    }
    expect(told.size).toBeGreaterThan(1)
  }
})

describe('damage', () => {
  async function compactedLog() {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ ...SMALL, segmentBytes: 3000 })
    await writeSome(log, random, 200, { keys: 120 })
    await log.compact(TOPIC)
    await writeSome(log, random, 100, { keys: 120 })
    await log.compact(TOPIC)
    const left = await readAll(log)
    await log.close()
    return { storage, left }
  }

  test('a bit that flips anywhere in a compacted segment is found by who reads it, and by verify', async () => {
    const { storage, left } = await compactedLog()
    const path = segmentPath(TOPIC, 0, 0, '.log')
    const { length } = await storage.readFile(path)
    for (let i = 0; i < 300; i++) {
      const disk = storage.clone()
      const bit = random.below(length * 8)
      await changeFile(disk, path, (content) => void (content[bit >> 3] ^= 1 << (bit & 7)))
      const log = await openLog({ storage: disk })
      const found: unknown[] = []
      const outcome = await (async () => {
        for await (const record of log.read(TOPIC)) found.push(asWritten(record))
      })().catch((error: unknown) => error)
      await log.close()
      const what = `bit ${bit} of ${length * 8}, seed ${random.seed}`
      expect(outcome, what).toMatchObject({ code: 'CORRUPT_MESSAGE' })
      expect(found, what).toEqual(left.slice(0, found.length))
      expect((await verifyDirectory(DIRECTORY, { storage: disk })).ok, what).toBe(false)
    }
  }, 60_000)

  test('of the indexes is mended from the log, as of any other segment', async () => {
    const { storage, left } = await compactedLog()
    for (const name of await namesIn(storage, `${DIRECTORY}/${TOPIC}-0`)) {
      const path = `${DIRECTORY}/${TOPIC}-0/${name}`
      if (name.endsWith('index')) await changeFile(storage, path, (content) => content.fill(0x55))
    }
    // an unclean stop, after which indexes are not trusted, and are written anew by the close
    const killed = storage.clone()
    const log = await openLog({ storage: killed })
    for (const { offset, timestamp } of left) {
      for await (const record of log.read(TOPIC, { from: offset })) {
        expect(record.offset).toBe(offset)
        break
      }
      for await (const record of log.read(TOPIC, { from: { timestamp } })) {
        expect(record.offset).toBe(left.find((one) => one.timestamp >= timestamp)!.offset)
        break
      }
    }
    await log.close()
  })

  test.each(['missing', 'cut short'])(
    'of the new segment before the old ones are gone (%s): they stay',
    async (how) => {
      const disk = new MemoryStorage()
      const storage = new FaultyStorage(disk)
      const log = await openLog({ storage })
      await log.createTopic(SMALL)
      await writeSome(log, random, 80)
      const swap = segmentPath(TOPIC, 0, 0, '.log') + '.swap'
      storage.failAt({ call: (kind, path) => kind === 'rename' && path.endsWith('.swap'), code: 'EIO', sticky: true })
      await rejection(log.compact(TOPIC))
      const killed = disk.clone()
      storage.clearFaults()
      await log.close()
      const content = await killed.readFile(swap)
      await killed.removeFile(swap)
      if (how === 'cut short') await putFile(killed, swap, content.subarray(0, -1))
      const logs = async () =>
        (await namesIn(killed, `${DIRECTORY}/${TOPIC}-0`)).filter((name) => name.endsWith('.log'))
      const before = await logs()
      const reopened = await openLog({ storage: killed })
      expect(await logs()).toEqual(before)
      expect(reopened.recovery.damage).toMatchObject([{ path: swap, offset: 0 }])
      expect((await rejection(readAll(reopened))).code).toBe('CORRUPT_MESSAGE')
      await reopened.close()
      await (await openLog({ storage: killed })).close()
      expect(await logs()).toEqual(before)
    },
  )

  test('a batch that is missing is damage, wherever it was', async () => {
    const { storage } = await compactedLog()
    const path = segmentPath(TOPIC, 0, 0, '.log')
    const batches: DumpedBatch[] = []
    for await (const entry of dumpFile(path, { storage })) if (entry.kind === 'batch') batches.push(entry)
    expect(batches.length).toBeGreaterThan(3)
    for (const { position, sizeBytes, count } of batches) {
      const disk = storage.clone()
      await changeFile(disk, path, (content) =>
        Buffer.concat([content.subarray(0, position), content.subarray(position + sizeBytes)]),
      )
      const log = await openLog({ storage: disk })
      const error = await rejection(all(log.read(TOPIC)))
      expect(error.code, `batch of ${count} at ${position}`).toBe('CORRUPT_MESSAGE')
      await log.close()
    }
  })

  test('ends a compaction, stays where it is, and is told as a warning by the one in the background', async () => {
    const { storage } = await compactedLog()
    const path = segmentPath(TOPIC, 0, 0, '.log')
    await changeFile(storage, path, (content) => void (content[content.length - 20] ^= 4))
    const damaged = await storage.readFile(path)
    const clock = new FakeClock()
    const log = await openLog({ storage, clock, compactionCheckMs: 1000 })
    expect(await rejection(log.compact(TOPIC))).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { path } })
    const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    await log.alterTopic(TOPIC, { minCleanableDirtyRatio: 0 })
    await writeSome(log, random, 60)
    clock.advance(1000)
    await vi.waitFor(() => expect(warnings).toHaveBeenCalled())
    expect(warnings.mock.calls[0][0]).toMatchObject({ code: 'CORRUPT_MESSAGE' })
    warnings.mockRestore()
    expect((await storage.readFile(path)).equals(damaged)).toBe(true)
    expect((await namesIn(storage, `${DIRECTORY}/${TOPIC}-0`)).filter((name) => /cleaned|swap/.test(name))).toEqual([])
    await log.close()
  })

  test('a full disk ends a compaction, leaves nothing of it, and the next one goes through', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const log = await openLog({ storage })
    await log.createTopic(SMALL)
    const written = await writeSome(log, random, 200, { keys: 100 })
    storage.capacityBytes = storage.usedBytes
    expect((await rejection(log.compact(TOPIC))).code).toBe('DISK_FULL')
    expect((await namesIn(storage, `${DIRECTORY}/${TOPIC}-0`)).filter((name) => /cleaned|swap/.test(name))).toEqual([])
    expect(await readAll(log)).toEqual(written)
    storage.capacityBytes = Infinity
    await log.compact(TOPIC)
    expect(findLoss(written, await readAll(log))).toBe(null)
    await log.close()
  })
})

test('the time of a tombstone is counted from the compaction that first saw it', async () => {
  const clock = new FakeClock()
  const log = await openLog({ clock, compactionCheckMs: 2 ** 31 - 1 })
  await log.createTopic(SMALL)
  await log.append(TOPIC, { key: 'a', value: null, timestamp: clock.now() - 30 * DAY_MS })
  await appendSealed(log, [{ key: 'b', value: 'b' }])
  await log.compact(TOPIC)
  await log.compact(TOPIC)
  expect((await readAll(log)).map(({ key }) => key)).toContain('a')
  clock.advance(DAY_MS)
  await log.compact(TOPIC)
  expect((await readAll(log)).map(({ key }) => key)).not.toContain('a')
  await log.close()
})
