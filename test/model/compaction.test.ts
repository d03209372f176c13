/**
 * Compaction against a Map: random appends, tombstones, passing time, compactions and reopens, in every compression.
 *
 * `VARVE_SEED=<seed> npx vitest run test/model/compaction.test.ts` repeats a run that failed.
 */
import { expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { isCompressionAvailable } from '../../src/codec/compression.ts'
import { dumpFile } from '../../src/inspect/dump-file.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { latestOf, readAll, SMALL, TOPIC, writeSome, type Written } from '../helpers/compacted-topic.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { DIRECTORY, namesIn, openLog } from '../helpers/logs.ts'
import { drawCut } from '../helpers/power-cuts.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const random = new SeededRandom()
const RUNS = Number(process.env['MODEL_RUNS'] ?? 60)
const STEPS = 40
const RETENTION_MS = 10_000
const TYPES = (['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const).filter(isCompressionAvailable)

/** What is certain to be there, and what may be. */
class Model {
  written: Written[] = []
  /** By offset: when a compaction saw this tombstone first. */
  private readonly seen = new Map<number, number>()
  /** Offsets that are gone for good. */
  private readonly gone = new Set<number>()
  /** Everything before it was compacted. */
  cleanedOffset = 0

  /** All sealed segments were compacted. */
  compacted(activeBase: number, nowMs: number): void {
    const sealed = this.written.filter(({ offset }) => offset < activeBase)
    const latest = new Set(latestOf(sealed))
    for (const record of sealed) {
      if (!latest.has(record)) this.gone.add(record.offset)
      else if (record.value === null) {
        const seenMs = this.seen.get(record.offset)
        if (seenMs === undefined) this.seen.set(record.offset, nowMs)
        else if (nowMs >= seenMs + RETENTION_MS) this.gone.add(record.offset)
      }
    }
    this.cleanedOffset = Math.max(this.cleanedOffset, activeBase)
  }

  get left(): Written[] {
    return this.written.filter(({ offset }) => !this.gone.has(offset))
  }
}

class World {
  storage = new MemoryStorage()
  readonly clock = new FakeClock()
  readonly model = new Model()
  log!: Varve

  async open(): Promise<void> {
    const never = 2 ** 31 - 1
    this.log = await openLog({ storage: this.storage, clock: this.clock, random, compactionCheckMs: never })
    const damage = this.log.recovery.damage.filter(({ path }) => !/\/checkpoint-[ab]$/.test(path))
    expect(damage).toEqual([])
  }

  async append(): Promise<void> {
    const nowMs = this.clock.now()
    const keys = random.pick([1, 5, 50])
    await writeSome(this.log, random, random.between(1, 40), { nowMs, keys, into: this.model.written })
  }

  async compact(): Promise<void> {
    const [{ recordsAfter }] = await this.log.compact(TOPIC)
    const base = await this.activeBase()
    this.model.compacted(base, this.clock.now())
    expect(recordsAfter).toBe(this.model.left.filter(({ offset }) => offset < base).length)
    await this.check()
  }

  private async activeBase(): Promise<number> {
    const names = (await namesIn(this.storage, `${DIRECTORY}/${TOPIC}-0`)).filter((name) => name.endsWith('.log'))
    return Number(names.at(-1)!.slice(0, 20))
  }

  async reopen(): Promise<void> {
    const how = random.below(3)
    if (how === 0) await this.log.close()
    else this.storage = how === 1 ? this.storage.clone() : this.storage.crash(drawCut(this.storage, random))
    await this.open()
    await this.check()
  }

  async alter(): Promise<void> {
    await this.log.alterTopic(TOPIC, {
      compressionType: random.pick(TYPES),
      segmentBytes: random.pick([400, 700, 2000]),
    })
  }

  async pass(): Promise<void> {
    this.clock.advance(random.pick([1, RETENTION_MS - 1, RETENTION_MS]))
  }

  /** All that should be there is, and nothing else, from wherever one reads. */
  async check(): Promise<void> {
    const { left } = this.model
    expect(await readAll(this.log)).toEqual(left)
    const end = this.log.offsets(TOPIC)[0].logEndOffset
    const from = random.below(end + 1)
    const offsets: number[] = []
    for await (const { offset } of this.log.read(TOPIC, { from })) offsets.push(offset)
    expect(offsets).toEqual(left.map(({ offset }) => offset).filter((offset) => offset >= from))
    if (left.length === 0) return
    const { timestamp } = random.pick(left)
    for await (const { offset } of this.log.read(TOPIC, { from: { timestamp } })) {
      expect(offset).toBe(left.find((record) => record.timestamp >= timestamp)!.offset)
      break
    }
  }

  /** Every offset is some batch's, and what was not compacted yet stands in batches as it was appended. */
  async checkFiles(): Promise<void> {
    let expected = 0
    for (const name of await namesIn(this.storage, `${DIRECTORY}/${TOPIC}-0`)) {
      if (!name.endsWith('.log')) continue
      for await (const entry of dumpFile(`${DIRECTORY}/${TOPIC}-0/${name}`, { storage: this.storage })) {
        if (entry.kind !== 'batch') throw new Error(`damage in ${name}`)
        expect(entry.baseOffset).toBe(expected)
        expected = entry.lastOffset + 1
        if (entry.baseOffset >= this.model.cleanedOffset)
          expect(entry.count).toBe(entry.lastOffset - entry.baseOffset + 1)
      }
    }
    expect(expected).toBe(this.log.offsets(TOPIC)[0].logEndOffset)
    expect((await verifyDirectory(DIRECTORY, { storage: this.storage })).damage).toEqual([])
  }
}

test(`whatever is appended and compacted, the latest of each key is there (${TYPES.join()})`, async () => {
  for (let run = 0; run < RUNS; run++) {
    const { seed } = random
    const world = new World()
    try {
      await world.open()
      await world.log.createTopic({
        ...SMALL,
        compressionType: TYPES[run % TYPES.length],
        deleteRetentionMs: RETENTION_MS,
      })
      await world.append()
      for (let step = 0; step < STEPS; step++) {
        await world[
          random.pick(['append', 'append', 'append', 'compact', 'compact', 'reopen', 'alter', 'pass'] as const)
        ]()
      }
      await world.check()
      await world.checkFiles()
      await world.log.close()
      expect((await verifyDirectory(DIRECTORY, { storage: world.storage })).ok).toBe(true)
    } catch (error) {
      throw new Error(`run ${run}, VARVE_SEED=${seed}: ${(error as Error).message}`, { cause: error })
    }
  }
}, 120_000)
