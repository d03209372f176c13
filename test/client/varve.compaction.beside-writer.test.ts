/** A read-only log, in what stands for another process, beside a writer that compacts. */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import {
  asWritten,
  findLoss,
  latestOf,
  readAll,
  SMALL,
  TOPIC,
  writeSome,
  type Written,
} from '../helpers/compacted-topic.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { GatedReads } from '../helpers/gated-reads.ts'
import { contentOf, DIRECTORY, idle, openLog } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const random = new SeededRandom()

/** Appends and compacts until it is told to stop. */
async function write(log: Varve, written: Written[], isDone: () => boolean): Promise<void> {
  while (!isDone()) {
    await writeSome(log, random, 30, { keys: 25, into: written })
    await log.compact(TOPIC)
    await idle(random.between(30, 150))
  }
}

function isIncreasing(found: readonly { offset: number }[]): boolean {
  return found.every(({ offset }, i) => i === 0 || offset > found[i - 1].offset)
}

describe(`a reader beside a writer that compacts (VARVE_SEED=${random.seed})`, () => {
  test('sees every record that stays, once and in order, as it was written, and no damage', async () => {
    const disk = new MemoryStorage()
    const log = await openLog({ storage: disk })
    await log.createTopic({ ...SMALL, segmentBytes: 1000 })
    const written = await writeSome(log, random, 300, { keys: 25 })
    let done = false
    const writing = write(log, written, () => done)
    const slow = new GatedReads(disk)
    slow.gate = () => (random.chance(0.2) ? idle(random.below(12)) : undefined)
    for (let round = 0; round < 60; round++) {
      const reader = await openLog({ storage: slow, readOnly: true })
      const what = `round ${round}, seed ${random.seed}`
      expect(reader.recovery.damage, what).toEqual([])
      for (let again = 0; again < 2; again++) {
        const before = written.slice()
        const found: Written[] = []
        for await (const record of reader.read(TOPIC)) {
          found.push(asWritten(record))
          if (random.chance(0.05)) await idle(random.below(20))
        }
        expect(isIncreasing(found), what).toBe(true)
        const known = new Map(written.map((record) => [record.offset, record]))
        // the appends of this moment may not be known here yet
        for (const record of found) if (known.has(record.offset)) expect(record, what).toEqual(known.get(record.offset))
        const seen = new Set(found.map(({ offset }) => offset))
        const latest = new Map(written.map((record) => [record.key, record.offset]))
        for (const { key, offset } of before)
          if (latest.get(key) === offset) expect(seen.has(offset), `offset ${offset}, ${what}`).toBe(true)
        const { timestamp: at } = random.pick(before)
        let first = Infinity
        for await (const { offset } of reader.read(TOPIC, { from: { timestamp: at } })) {
          first = offset
          break
        }
        const newest = new Map(written.map((record) => [record.key, record.offset]))
        const certain = before.find((record) => record.timestamp >= at && newest.get(record.key) === record.offset)
        expect(first, what).toBeLessThanOrEqual(certain?.offset ?? Infinity)
      }
      await reader.close()
      expect((await verifyDirectory(DIRECTORY, { storage: slow })).damage, what).toEqual([])
    }
    done = true
    await writing
    await log.close()
    expect(slow.openFiles).toBe(0)
  }, 120_000)

  test('goes on following, for as long as it likes', async () => {
    const disk = new MemoryStorage()
    const log = await openLog({ storage: disk })
    await log.createTopic({ ...SMALL, segmentBytes: 1000 })
    const written = await writeSome(log, random, 100, { keys: 25 })
    const clock = new FakeClock()
    const reader = await openLog({ storage: disk, readOnly: true, clock })
    const controller = new AbortController()
    const followed: Written[] = []
    const following = (async () => {
      for await (const record of reader.read(TOPIC, { follow: true, from: 'earliest', signal: controller.signal })) {
        followed.push(asWritten(record))
        if (random.chance(0.1)) await idle(random.below(10))
      }
    })().catch((error: unknown) => error)
    for (let round = 0; round < 40; round++) {
      await writeSome(log, random, 20, { keys: 25, into: written })
      await log.compact(TOPIC)
      clock.advance(50)
      await idle(random.below(30))
    }
    for (let i = 0; i < 100 && followed.at(-1)?.offset !== written.at(-1)!.offset; i++) {
      clock.advance(50)
      await idle(20)
    }
    controller.abort()
    expect(((await following) as Error).name).toBe('AbortError')
    expect(isIncreasing(followed)).toBe(true)
    const there = new Set(followed.map(({ offset }) => offset))
    expect(latestOf(written).filter(({ offset }) => !there.has(offset))).toEqual([])
    await reader.close()
    await log.close()
  }, 60_000)

  test('reads what a compaction that was interrupted at any moment has left, and changes nothing', async () => {
    const disk = new MemoryStorage()
    const storage = new FaultyStorage(disk)
    const log = await openLog({ storage })
    await log.createTopic(SMALL)
    const written = await writeSome(log, random, 80)
    await log.compact(TOPIC)
    await writeSome(log, random, 40, { into: written })
    const start = storage.calls.length
    const before = disk.clone()
    await log.compact(TOPIC)
    const calls = storage.calls.length - start
    await log.close()
    for (let index = 0; index < calls; index++) {
      const killed = new FaultyStorage(before.clone())
      const again = await openLog({ storage: killed })
      const first = killed.calls.length
      killed.failAt({ call: first + index, code: 'EIO', sticky: true })
      await again.compact(TOPIC).catch(() => {})
      const left = (killed.inner as MemoryStorage).clone()
      const content = await contentOf(left)
      const reader = await openLog({ storage: left, readOnly: true })
      expect(reader.recovery.damage, `call ${index}`).toEqual([])
      expect(findLoss(written, await readAll(reader)), `call ${index}`).toBe(null)
      await reader.close()
      expect((await verifyDirectory(DIRECTORY, { storage: left })).damage, `call ${index}`).toEqual([])
      expect(await contentOf(left)).toEqual(content)
      killed.clearFaults()
      await again.close()
    }
  }, 60_000)
})
