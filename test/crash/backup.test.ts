/**
 * Backups of a log that is being written: each is what the log held at one moment, whole and durable, or is not there.
 *
 * `VARVE_SEED=<seed> npx vitest run test/crash/backup.test.ts` repeats a run; `BACKUPS` sets how many are taken.
 */
import { describe, expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { VarveError } from '../../src/errors.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { checkCopy, COPY, LoadedLog } from '../helpers/backup-load.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { contentOf, DIRECTORY, idle, namesIn, putFile, rejection } from '../helpers/logs.ts'
import { ObservedStorage } from '../helpers/observed-storage.ts'
import { powerCuts } from '../helpers/power-cuts.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const random = new SeededRandom()
const BACKUPS = Number(process.env['BACKUPS'] ?? 500)
const PER_RUN = 10

describe(`a backup (VARVE_SEED=${random.seed})`, () => {
  test('of a log under load is what the log held at one moment', { timeout: 300_000 }, async () => {
    for (let run = 0; run < BACKUPS / PER_RUN; run++) {
      const load = await LoadedLog.open(new MemoryStorage(), new SeededRandom(random.below(2 ** 32)))
      for (let i = 0; i < PER_RUN; i++) {
        await load.work(6)
        const before = load.moment()
        const [result] = await Promise.all([load.log.backup(COPY), load.work(12)])
        expect(result.damage).toEqual([])
        // the power goes at once: what is complete is durable
        const image = load.disk.crash()
        await checkCopy(image, result, before, load)
        await load.disk.removeDirectory(COPY)
      }
      await load.close()
    }
  })

  test('that a power cut ends at any operation is whole or not there', { timeout: 300_000 }, async () => {
    let states = 0
    const disk = new MemoryStorage()
    const storage = new ObservedStorage(disk, null)
    const load = await LoadedLog.open(disk, random, storage)
    await load.work(30)
    const moments: { what: string; disk: MemoryStorage }[] = []
    const before = load.moment()
    storage.observer = (call, path, when) => {
      if (path.startsWith(COPY)) moments.push({ what: `${when} ${call} ${path}`, disk: disk.clone() })
    }
    const result = await load.log.backup(COPY)
    storage.observer = null
    moments.push({ what: 'after it', disk: disk.clone() })
    for (const moment of moments) {
      for (const { name, options } of powerCuts(moment.disk, random, 3)) {
        states++
        const image = moment.disk.crash(options)
        const what = `${moment.what}, ${name}`
        const isThere = await checkAfterCut(image, what)
        if (isThere) await checkCopy(image, result, before, load)
        expect(isThere || moment.what !== 'after it', what).toBe(true)
      }
    }
    await load.close()
    expect(moments.length).toBeGreaterThan(100)
    console.log(`backup: ${states} states from VARVE_SEED=${random.seed}`)
  })

  for (const [code, sticky] of [
    ['EIO', false],
    ['EIO', true],
    ['ENOSPC', false],
    ['ENOSPC', true],
  ] as const) {
    const when = sticky ? 'from some call on' : 'once'
    test(`that meets ${code} ${when} fails, leaves nothing and does no harm`, { timeout: 300_000 }, async () => {
      const seed = random.below(2 ** 32)
      for (let index = 0, calls = 1; index <= calls; index++) {
        const disk = new MemoryStorage()
        const storage = new FaultyStorage(disk)
        const load = await LoadedLog.open(disk, new SeededRandom(seed), storage)
        await load.work(8)
        const start = storage.calls.length
        if (index === 0) {
          await load.log.backup(`${COPY}-healthy`)
          calls = storage.calls.length - start
          expect(calls).toBeGreaterThan(100)
        } else {
          storage.failAt({ call: start + index - 1, code, sticky })
          const failure = await load.log.backup(COPY).catch((error: unknown) => error)
          const call = storage.calls.find(({ fault }) => fault !== undefined)
          const what = `${code} at call ${index - 1} (${call?.kind} ${call?.path})`
          storage.clearFaults()
          // where it has its name, and the disk takes nothing more, it keeps that, and is whole
          const isNamed = sticky && storage.calls.some(({ to, fault }) => to === COPY && fault === undefined)
          if (failure instanceof Error) {
            expect(failure, what).toBeInstanceOf(VarveError)
            expect(failure, what).not.toMatchObject({ code: 'CLOSED' })
            // where the disk took it, nothing is left; what stays in spite of all is no log, and makes room for the next
            expect((await namesIn(disk, '/backups').catch((): string[] => [])).includes('copy'), what).toBe(isNamed)
          }
          const isWhole = failure instanceof Error && (await isCompleteWithoutName(disk))
          if (isNamed) {
            expect((await rejection(load.log.backup(COPY))).code, what).toBe('DIRECTORY_NOT_EMPTY')
          } else if (isWhole) {
            expect((await rejection(load.log.backup(COPY))).code, what).toBe('DIRECTORY_NOT_EMPTY')
            await disk.rename(`${COPY}.partial`, COPY)
          } else if (failure instanceof Error) await load.log.backup(COPY)
          expect((await verifyDirectory(COPY, { storage: disk })).damage, what).toEqual([])
          await load.work(4)
          await load.checkAll()
        }
        await load.close()
      }
    })
  }
})

/** What a stop just before the copy gets its name leaves. */
async function isCompleteWithoutName(disk: MemoryStorage): Promise<boolean> {
  const names = await namesIn(disk, `${COPY}.partial`).catch((): string[] => [])
  return names.includes('checkpoint-b') && !names.includes('.incomplete')
}

/** Whether the copy is there after a power cut; what is there of it is no log, and is taken away by the next backup. */
async function checkAfterCut(image: MemoryStorage, what: string): Promise<boolean> {
  const names = await namesIn(image, '/backups').catch((): string[] => [])
  if (names.includes('copy')) return true
  const partial = `${COPY}.partial`
  if (!names.includes('copy.partial')) return false
  const left = await namesIn(image, partial)
  if (await isCompleteWithoutName(image)) {
    expect((await verifyDirectory(partial, { storage: image })).damage, what).toEqual([])
    return false
  }
  if (left.every((name) => name === '.lock')) return false
  const open = Varve.open({ directory: partial, storage: image })
  expect((await rejection(open)).code, what).toBe('UNSUPPORTED_FORMAT')
  return false
}

describe('a backup', () => {
  test('goes nowhere where anything is, nor into the log itself', async () => {
    const disk = new MemoryStorage()
    const load = await LoadedLog.open(disk, random)
    await load.work(4)
    const before = await contentOf(disk, DIRECTORY)
    for (const place of [DIRECTORY, `${DIRECTORY}/`, `${DIRECTORY}/copy`, `/data/../data/events/x/y`])
      await expect(load.log.backup(place)).rejects.toThrow(RangeError)
    await expect(load.log.backup('')).rejects.toThrow(TypeError)
    await expect(load.log.backup(COPY, { progress: true } as object)).rejects.toThrow(TypeError)
    await putFile(disk, '/elsewhere/file', 'x')
    await expect(load.log.backup('/elsewhere')).rejects.toMatchObject({ code: 'DIRECTORY_NOT_EMPTY' })
    await expect(load.log.backup('/data')).rejects.toMatchObject({ code: 'DIRECTORY_NOT_EMPTY' })
    await expect(load.log.backup('/elsewhere/file')).rejects.toMatchObject({ code: 'NOT_A_DIRECTORY' })
    await putFile(disk, '/backups/copy.partial/mine', 'x')
    await expect(load.log.backup(COPY)).rejects.toMatchObject({ code: 'DIRECTORY_NOT_EMPTY' })
    expect(await contentOf(disk, '/backups')).toEqual(
      new Map([
        ['copy.partial/', ''],
        ['copy.partial/mine', '78'],
      ]),
    )
    await disk.makeDirectory('/empty')
    await load.log.backup('/empty/')
    expect(await namesIn(disk, '/empty')).toContain('checkpoint-a')
    expect(new Set((await contentOf(disk, DIRECTORY)).keys())).toEqual(new Set(before.keys()))
    await load.close()
  })

  test('that an earlier one was interrupted in takes away what that has left', async () => {
    const disk = new MemoryStorage()
    const load = await LoadedLog.open(disk, random)
    await putFile(disk, '/backups/copy.partial/.incomplete', '')
    await putFile(disk, '/backups/copy.partial/orders-0/00000000000000000000.log', 'half')
    await putFile(disk, '/backups/copy.partial/orders-9/00000000000000000000.log', 'half')
    expect((await verifyDirectory('/backups/copy.partial', { storage: disk })).ok).toBe(false)
    await load.log.backup(COPY)
    expect(await namesIn(disk, '/backups')).toEqual(['copy'])
    expect(await namesIn(disk, COPY)).not.toContain('orders-9')
    const report = await verifyDirectory(COPY, { storage: disk })
    expect([report.damage, report.warnings]).toEqual([[], []])
    await load.close()
  })

  test('of what is damaged has the same damage, and tells of it', async () => {
    const disk = new MemoryStorage()
    const load = await LoadedLog.open(disk, random)
    await load.work(60)
    await load.close()
    const path = `${DIRECTORY}/fast-0`
    const [first, second] = (await namesIn(disk, path)).filter((name) => name.endsWith('.log'))
    const file = await disk.openFile(`${path}/${first}`, 'write')
    // the first bytes of its records: a batch is no shorter
    file.write(Buffer.from('damage'), 61)
    await file.close()
    await disk.removeFile(`${path}/${second}`)
    const log = await Varve.open({ directory: DIRECTORY, storage: disk })
    const { damage } = await log.backup(COPY)
    expect(damage.map((one) => [one.path, one.reason])).toEqual([
      [`${COPY}/fast-0/${second}`, 'file is missing'],
      [`${COPY}/fast-0/${first}`, 'checksum'],
    ])
    expect(await disk.readFile(`${COPY}/fast-0/${first}`)).toEqual(await disk.readFile(`${path}/${first}`))
    expect((await verifyDirectory(COPY, { storage: disk })).damage).toEqual(damage)
    await log.close()
  })

  test('ends when the log is closed, and leaves nothing', async () => {
    for (let turns = 0; turns < 40; turns += 3) {
      const disk = new MemoryStorage()
      const load = await LoadedLog.open(disk, random)
      await load.work(10)
      let isDone = false
      const backup = load.log.backup(COPY).then(
        () => (isDone = true),
        (error: unknown) => error,
      )
      disk.syncDelay = () => idle(1)
      await idle(turns)
      await load.close()
      const outcome = await backup
      if (!isDone) expect(outcome).toMatchObject({ code: 'CLOSED' })
      expect(await namesIn(disk, '/backups').catch((): string[] => [])).toEqual(isDone ? ['copy'] : [])
      expect((await verifyDirectory(DIRECTORY, { storage: disk })).damage).toEqual([])
    }
  })

  test('is refused of a log that only reads, and of one that is closed', async () => {
    const disk = new MemoryStorage()
    const load = await LoadedLog.open(disk, random)
    const reader = await Varve.open({ directory: DIRECTORY, storage: disk, readOnly: true })
    await expect(reader.backup(COPY)).rejects.toMatchObject({ code: 'READ_ONLY' })
    await reader.close()
    await load.close()
    await expect(load.log.backup(COPY)).rejects.toMatchObject({ code: 'CLOSED' })
    expect(await namesIn(disk, '/')).toEqual(['data'])
  })

  test('holds the files that it copies, and lets them go: what was deleted meanwhile is gone afterwards', async () => {
    const disk = new MemoryStorage()
    const load = await LoadedLog.open(disk, random)
    await load.work(60)
    disk.syncDelay = (path) => (path.startsWith(COPY) ? idle(3) : undefined)
    const order: string[] = []
    const backup = load.log.backup(COPY).then(() => order.push('backup'))
    const partial = `${COPY}.partial`
    while (!(await namesIn(disk, partial).catch((): string[] => [])).includes('orders-0')) await idle(1)
    const { highWatermark } = load.log.offsets('fast')[0]
    await load.log.deleteRecords('fast', { partition: 0, beforeOffset: highWatermark })
    order.push('records deleted')
    const deleted = load.log.deleteTopic('settings')
    await backup
    await deleted
    // records need not wait, nor a topic whose files are copied already
    expect(order[0]).toBe('records deleted')
    expect(await namesIn(disk, DIRECTORY)).not.toContain('settings-0')
    const logs = (await namesIn(disk, `${DIRECTORY}/fast-0`)).filter((name) => name.endsWith('.log'))
    expect(logs).toHaveLength(1)
    const copied = (await namesIn(disk, `${COPY}/fast-0`)).filter((name) => name.endsWith('.log'))
    expect(copied.length).toBeGreaterThan(1)
    expect(await namesIn(disk, COPY)).toContain('settings-0')
    await load.close()
  })
})
