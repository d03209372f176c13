/**
 * Repairs of directories with random damage: what is whole and in its place is saved, nothing else is, and the damaged
 * directory stays as it is.
 *
 * `VARVE_SEED=<seed> npx vitest run test/crash/repair.test.ts` repeats a run; `REPAIRS` sets how many there are.
 */
import { describe, expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { readBatchHeader } from '../../src/codec/record-batch.ts'
import { VarveError } from '../../src/errors.ts'
import { repairDirectory, type RepairReport } from '../../src/inspect/repair-directory.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { COPY, GROUP, LoadedLog } from '../helpers/backup-load.ts'
import { batchesOfDirectory, DamagedDirectory } from '../helpers/damaged-directory.ts'
import { findLoss, readAll, SMALL, TOPIC, writeSome } from '../helpers/compacted-topic.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { changeFile, contentOf, DIRECTORY, namesIn, recordsOf, segmentPath } from '../helpers/logs.ts'
import { ObservedStorage } from '../helpers/observed-storage.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const random = new SeededRandom()
const REPAIRS = Number(process.env['REPAIRS'] ?? 600)
const PER_REFERENCE = 30

interface Reference {
  disk: MemoryStorage
  ends: Map<string, number>
  directories: string[]
}

/** A log after some work, closed or killed. */
async function makeReference(own: SeededRandom): Promise<Reference> {
  const disk = new MemoryStorage()
  const load = await LoadedLog.open(disk, own)
  await load.work(60)
  const ends = new Map<string, number>()
  for (const { name } of await load.log.listTopics())
    for (const { partition, logEndOffset } of load.log.offsets(name)) ends.set(`${name}-${partition}`, logEndOffset)
  let image = disk.clone()
  await load.close()
  if (own.chance(0.6)) image = disk.clone()
  const directories = (await namesIn(image, DIRECTORY)).filter(
    (name) => /-\d+$/.test(name) && !name.startsWith('__varve'),
  )
  return { disk: image, ends, directories }
}

function repair(disk: MemoryStorage, dryRun = false, directory = DIRECTORY, output = COPY): Promise<RepairReport> {
  return repairDirectory(directory, { output, dryRun, storage: disk, random: new SeededRandom(1) })
}

/** Of a batch, as hex. */
function lastOffsetOf(bytes: string): number {
  return readBatchHeader(Buffer.from(bytes, 'hex'), 0).lastOffset
}

/** Everything below the root. */
function everything(disk: MemoryStorage): Promise<Map<string, string>> {
  return contentOf(disk, '')
}

async function checkSaved(
  disk: MemoryStorage,
  damaged: DamagedDirectory,
  { directories, ends }: Reference,
  report: RepairReport,
  isVouched: boolean,
): Promise<void> {
  const { damage, warnings } = await verifyDirectory(COPY, { storage: disk })
  expect([damage, warnings]).toEqual([[], []])
  const there = await namesIn(disk, COPY)
  for (const directory of directories) {
    const { batches, strays } = damaged.expected(directory)
    const found = there.includes(directory)
      ? await batchesOfDirectory(disk, `${COPY}/${directory}`)
      : new Map<number, string>()
    const { logStartOffset } = report.partitions.find((one) => `${one.topic}-${one.partition}` === directory)!
    for (const [offset, bytes] of batches) {
      // what was deleted before may be in files that a stop has left
      if (lastOffsetOf(bytes) < logStartOffset) continue
      // a copy that has come before it may stand for it: it is the same batch
      expect(found.get(offset), `${directory} ${offset} is saved`).toBe(bytes)
    }
    for (const [offset, bytes] of found) {
      if (batches.get(offset) !== bytes)
        expect([...strays], `${directory} ${offset} is none of its batches`).toContain(bytes)
    }
  }
  const log = await Varve.open({ directory: COPY, storage: disk, random: new SeededRandom(2) })
  const { clean, scannedBytes, damage: none, unknownDirectories } = log.recovery
  expect([clean, scannedBytes, none, unknownDirectories]).toEqual([true, 0, [], []])
  for (const { name } of await log.listTopics()) {
    for (const { partition, logEndOffset } of log.offsets(name)) {
      const told = report.partitions.find((one) => one.topic === name && one.partition === partition)!
      expect(logEndOffset).toBe(told.logEndOffset)
      const end = ends.get(`${name}-${partition}`)
      if (isVouched && end !== undefined) expect(logEndOffset, `${name}-${partition}`).toBeGreaterThanOrEqual(end)
      const records = await recordsOf(log, name, { partition })
      // those before the log start are in its batches, too
      expect(records.length, `${name}-${partition}`).toBeLessThanOrEqual(told.records)
      if (told.logStartOffset === 0) expect(records.length, `${name}-${partition}`).toBe(told.records)
      const appended = await log.append(name, { partition, key: 'k', value: Buffer.from('more') }).catch(String)
      if (typeof appended === 'object') expect(appended.offset).toBe(logEndOffset)
    }
  }
  await log.close()
}

describe(`a repair (VARVE_SEED=${random.seed})`, () => {
  test('saves every batch that is whole and in its place, and nothing else', { timeout: 300_000 }, async () => {
    let reference!: Reference
    for (let i = 0; i < REPAIRS; i++) {
      if (i % PER_REFERENCE === 0) reference = await makeReference(new SeededRandom(random.below(2 ** 32)))
      const disk = reference.disk.clone()
      const damaged = await DamagedDirectory.read(disk)
      const isInternal = (directory: string) => directory.startsWith('__')
      for (let count = random.pick([1, 1, 2, 4]); count > 0; count--)
        damaged.damage(random, (directory) => !isInternal(directory))
      await damaged.write(disk)
      const before = await everything(disk)
      const { what } = damaged
      const [dry, report] = [await repair(disk, true), await repair(disk)]
      try {
        expect({ ...dry, ms: 0 }).toEqual({ ...report, ms: 0, output: null })
        await checkSaved(disk, damaged, reference, report, true)
        const after = await everything(disk)
        for (const [path, content] of before) expect(after.get(path), path).toBe(content)
      } catch (error) {
        throw new Error(`repair ${i} of ${what.join(', ')}: ${(error as Error).message}`, { cause: error })
      }
    }
  })

  test('needs neither checkpoint nor catalog: the directories tell', { timeout: 120_000 }, async () => {
    const own = new SeededRandom(random.below(2 ** 32))
    const disk = new MemoryStorage()
    const load = await LoadedLog.open(disk, own)
    await load.work(40)
    await load.commitAll()
    const committed = await load.log.lag(GROUP)
    await load.close()
    const checkpoints = ['checkpoint-a', 'checkpoint-b'].map((name) => `${DIRECTORY}/${name}`)
    const catalog = segmentPath('__varve_catalog', 0, 0, '.log')
    const flip = (image: MemoryStorage, path: string) => changeFile(image, path, (content) => void (content[90] ^= 1))
    const remove = (image: MemoryStorage, path: string) => image.removeFile(path)
    const directory = (image: MemoryStorage) => image.removeDirectory(`${DIRECTORY}/__varve_catalog-0`)
    const none = async () => {}
    for (const [i, spoil] of [
      none,
      (image: MemoryStorage) => flip(image, checkpoints[0]),
      (image: MemoryStorage) => flip(image, checkpoints[1]),
      async (image: MemoryStorage) => {
        for (const path of checkpoints) await flip(image, path)
      },
      async (image: MemoryStorage) => {
        for (const path of checkpoints) await remove(image, path)
      },
    ].entries()) {
      for (const [j, spoilCatalog] of [none, (image: MemoryStorage) => flip(image, catalog), directory].entries()) {
        const image = disk.clone()
        await spoil(image)
        await spoilCatalog(image)
        const what = `checkpoints ${i}, catalog ${j}`
        const report = await repair(image)
        expect(
          report.partitions.flatMap(({ lost }) => lost),
          what,
        ).toEqual([])
        const report2 = await verifyDirectory(COPY, { storage: image })
        expect([report2.damage, report2.warnings], what).toEqual([[], []])
        const log = await Varve.open({ directory: COPY, storage: image, random: new SeededRandom(2) })
        for (const name of (await namesIn(disk, DIRECTORY)).filter((one) => /-\d+$/.test(one))) {
          if (name === '__varve_catalog-0') continue
          const { logStartOffset } = report.partitions.find((one) => `${one.topic}-${one.partition}` === name)!
          const wanted = await batchesOfDirectory(disk, `${DIRECTORY}/${name}`)
          const found = await batchesOfDirectory(image, `${COPY}/${name}`)
          // a segment before the log start may have been there still
          for (const [offset, bytes] of wanted)
            if (lastOffsetOf(bytes) >= logStartOffset) expect(found.get(offset), `${what}, ${name}`).toBe(bytes)
          for (const [offset, bytes] of found) expect(wanted.get(offset), `${what}, ${name}`).toBe(bytes)
        }
        const names = (await log.listTopics()).map(({ name }) => name)
        expect(names, what).toEqual(expect.arrayContaining(['fast', 'orders', 'settings', 'windowed']))
        expect(log.offsets('orders'), what).toHaveLength(2)
        expect(report.guessedTopics.length > 0, what).toBe(j === 2 || report.guessedTopics.includes('orders'))
        const found = await log.lag(GROUP)
        const places = (lags: typeof found) => lags.map((one) => [one.topic, one.partition, one.committed])
        expect(places(found), what).toEqual(places(committed))
        await log.close()
        const again = await repair(image, false, COPY, '/again')
        expect(again.ok, what).toBe(true)
        for (const one of report.partitions) {
          const same = again.partitions.find(
            ({ topic, partition }) => topic === one.topic && partition === one.partition,
          )
          const { logStartOffset, batches, records } = one
          expect(same, what).toMatchObject({ logStartOffset, lost: [] })
          // the first one may have found a segment before the log's start that was to be deleted
          if (logStartOffset === 0) expect(same, what).toMatchObject({ batches, records })
        }
      }
    }
  })

  test(
    'of a log that was stopped within a compaction loses nothing and brings nothing back',
    { timeout: 120_000 },
    async () => {
      const disk = new MemoryStorage()
      const storage = new ObservedStorage(disk, null)
      const clock = new FakeClock()
      clock.deferWith = queueMicrotask
      const log = await Varve.open({ directory: DIRECTORY, storage, clock, compactionCheckMs: 2 ** 31 - 1 })
      await log.createTopic({ ...SMALL, segmentBytes: 400 })
      const written = await writeSome(log, random, 40)
      await log.compact(TOPIC)
      written.push(...(await writeSome(log, random, 40)))
      clock.advance(86_400_001)
      const images: { what: string; image: MemoryStorage }[] = []
      storage.observer = (call, path, when) => images.push({ what: `${when} ${call} ${path}`, image: disk.clone() })
      await log.compact(TOPIC)
      storage.observer = null
      expect(images.some(({ what }) => what.includes('after rename'))).toBe(true)
      for (const { what, image } of images) {
        const { ok, partitions } = await repair(image)
        expect([ok, partitions.flatMap(({ lost }) => lost)], what).toEqual([true, []])
        const repaired = await Varve.open({ directory: COPY, storage: image, random: new SeededRandom(2) })
        expect(findLoss(written, await readAll(repaired), { mayLoseTombstones: true }), what).toBe(null)
        await repaired.close()
      }
    },
  )

  test('takes no batch whose offset or epoch is wrong for one in its place, where the checkpoint tells', async () => {
    const disk = new MemoryStorage()
    const append = async (log: Varve, count: number) => {
      for (let i = 0; i < count; i++) await log.append('orders', { value: 'v'.repeat(60) })
    }
    const first = await Varve.open({ directory: DIRECTORY, storage: disk })
    await first.createTopic({ name: 'orders', segmentBytes: 560, valueCodec: 'string' })
    await append(first, 6)
    // killed: what follows is of another epoch
    const image = disk.clone()
    await first.close()
    const log = await Varve.open({ directory: DIRECTORY, storage: image })
    await append(log, 6)
    await log.close()
    const path = segmentPath('orders', 0, 0, '.log')
    const batches = await batchesOfDirectory(image, `${DIRECTORY}/orders-0`)
    const sizeBytes = batches.get(0)!.length / 2
    expect(batches.size).toBe(12)
    const saved = async (damage: (content: Buffer) => void) => {
      const own = image.clone()
      await changeFile(own, path, damage)
      await repair(own)
      return [...(await batchesOfDirectory(own, `${COPY}/orders-0`)).keys()]
    }
    const all = [...batches.keys()]
    const segments = (await namesIn(image, `${DIRECTORY}/orders-0`)).filter((name) => name.endsWith('.log'))
    const last = Number(segments[1].slice(0, 20)) - 1
    // the last one of the first segment stands for the one before it, which is gone
    const moved = await saved((content) => {
      content.fill(0, (last - 1) * sizeBytes, last * sizeBytes)
      content.writeBigInt64BE(BigInt(last - 1), last * sizeBytes)
    })
    expect(moved).toEqual(all.filter((offset) => offset !== last && offset !== last - 1))
    // the first one of an epoch carries the one before
    const second = segmentPath('orders', 0, Number(segments[1].slice(0, 20)), '.log')
    const own = image.clone()
    await changeFile(own, second, (content) => void content.writeInt32BE(0, (6 - last - 1) * sizeBytes + 12))
    await repair(own)
    expect([...(await batchesOfDirectory(own, `${COPY}/orders-0`)).keys()]).toEqual(
      all.filter((offset) => offset !== 6),
    )
  })

  for (const code of ['EIO', 'ENOSPC']) {
    test(`that meets ${code} at any call fails, and leaves nothing`, { timeout: 120_000 }, async () => {
      const disk = new MemoryStorage()
      const log = await Varve.open({ directory: DIRECTORY, storage: disk })
      await log.createTopic({ name: 'orders', partitions: 2, segmentBytes: 300, valueCodec: 'string' })
      for (let i = 0; i < 12; i++) await log.append('orders', { value: `order ${i} ${'.'.repeat(60)}` })
      await log.close()
      await changeFile(disk, segmentPath('orders', 0, 0, '.log'), (content) => void (content[80] ^= 1))
      const before = await everything(disk)
      for (let index = 0, calls = 1; index <= calls; index++) {
        const image = disk.clone()
        const storage = new FaultyStorage(image)
        if (index > 0) storage.failAt({ call: index - 1, code })
        const outcome = await repairDirectory(DIRECTORY, { output: COPY, storage }).catch((error: unknown) => error)
        if (index === 0) calls = storage.calls.length
        const call = storage.calls.find(({ fault }) => fault !== undefined)
        const what = `${code} at call ${index - 1} (${call?.kind} ${call?.path})`
        const after = await everything(image)
        for (const [path, content] of before) expect(after.get(path), what).toBe(content)
        if (outcome instanceof Error) {
          expect(outcome, what).toBeInstanceOf(VarveError)
          expect(await namesIn(image, '/backups').catch((): string[] => []), what).not.toContain('copy')
        } else {
          expect((await verifyDirectory(COPY, { storage: image })).damage, what).toEqual([])
        }
      }
    })
  }

  test('is refused where it cannot be, before anything is done', async () => {
    const disk = new MemoryStorage()
    const load = await LoadedLog.open(disk, random)
    await load.work(4)
    await load.close()
    await expect(repairDirectory(DIRECTORY, { storage: disk })).rejects.toThrow(TypeError)
    await expect(repairDirectory('', { output: COPY, storage: disk })).rejects.toThrow(TypeError)
    await expect(repair(disk, false, DIRECTORY, `${DIRECTORY}/inside`)).rejects.toThrow(RangeError)
    await expect(repair(disk, true, DIRECTORY, DIRECTORY)).rejects.toThrow(RangeError)
    await disk.makeDirectory('/full/of')
    await expect(repair(disk, true, DIRECTORY, '/full')).rejects.toMatchObject({ code: 'DIRECTORY_NOT_EMPTY' })
    await expect(repair(disk, false, '/full')).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' })
    expect(await namesIn(disk, '/')).toEqual(['data', 'full'])
  })
})
