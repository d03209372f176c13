/** Opening when the checkpoint or the catalog is damaged, missing, or of a newer format. */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { crc32c } from '../../src/codec/checksum.ts'
import { CHECKPOINT_FILES } from '../../src/storage/checkpoint.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import {
  changeFile,
  contentOf,
  DIRECTORY,
  openLog,
  putFile,
  rejection,
  segmentPath,
  valuesOf,
} from '../helpers/logs.ts'

const PATHS = CHECKPOINT_FILES.map((name) => `${DIRECTORY}/${name}`)
const CATALOG = segmentPath('__varve_catalog', 0, 0, '.log')

/** A log that was closed in order: topic `orders` with the values 0 to 9 in several segments. */
async function closedLog(): Promise<MemoryStorage> {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 'orders', segmentBytes: 300 })
  for (let i = 0; i < 10; i++) await log.append('orders', { value: i })
  await log.close()
  return storage
}

async function epochOf(log: Varve): Promise<number> {
  return (await log.describeTopic('orders')).partitions[0].leaderEpoch
}

async function sequenceOf(storage: Storage, path: string): Promise<number> {
  return Number((await storage.readFile(path)).toString('latin1', 0, 60).split(' ')[2])
}

/** The two files, the one that counts first. */
async function newestFirst(storage: Storage): Promise<string[]> {
  const [a, b] = await Promise.all(PATHS.map((path) => sequenceOf(storage, path)))
  return a > b ? PATHS : PATHS.toReversed()
}

/** Gives a checkpoint file another format, with a checksum that is right. */
function setFormat(content: Buffer, format: string): Buffer {
  const end = content.indexOf('\n')
  const fields = content.toString('latin1', 0, end).split(' ')
  const line = (crc: string) => `varve-checkpoint ${format} ${fields[2]} ${crc}\n`
  const changed = Buffer.concat([Buffer.from(line('00000000')), content.subarray(end + 1)])
  changed.write(line(crc32c(changed, 0, changed.length).toString(16).padStart(8, '0')))
  return changed
}

describe('a newer format', () => {
  const cases = [0, 1].flatMap((which) => [false, true].map((readOnly) => [which, readOnly] as const))
  test.each(cases)(
    'in file %i: UNSUPPORTED_FORMAT, and not a byte is changed (readOnly: %s)',
    async (which, readOnly) => {
      const storage = await closedLog()
      await changeFile(storage, PATHS[which], (content) => setFormat(content, '2'))
      const before = await contentOf(storage)
      const error = await rejection(openLog({ storage, readOnly }))
      expect(error).toMatchObject({ code: 'UNSUPPORTED_FORMAT', details: { path: PATHS[which] } })
      expect(error.message).toContain('has format 2; this version of Varve reads format 1')
      expect(error.message).toContain('use the version that wrote it, or a newer one')
      expect(await contentOf(storage)).toEqual(before)
    },
  )

  test('that is nothing but a damaged digit is damage', async () => {
    const storage = await closedLog()
    await changeFile(storage, PATHS[0], (content) => void content.write('2', 'varve-checkpoint '.length))
    const log = await openLog({ storage })
    expect(log.recovery.damage.map(({ path }) => path)).toEqual([PATHS[0]])
  })
})

describe('a damaged checkpoint', () => {
  const damages: [what: string, change: (content: Buffer) => Buffer | void][] = [
    ['a flipped bit in the JSON', (content) => void (content[200] ^= 1)],
    ['a flipped bit in the padding', (content) => void (content[content.length - 1] ^= 1)],
    ['zeros', (content) => void content.fill(0)],
    ['cut short', (content) => content.subarray(0, 100)],
    ['empty', () => Buffer.alloc(0)],
    ['bytes after it', (content) => Buffer.concat([content, Buffer.from('x')])],
  ]
  for (const which of ['newer', 'older'] as const) {
    test.each(damages)(
      `(the ${which} of the two: %s) is reported, raises the epoch and loses nothing`,
      async (_, change) => {
        const storage = await closedLog()
        const path = (await newestFirst(storage))[which === 'newer' ? 0 : 1]
        await changeFile(storage, path, change)
        const log = await openLog({ storage })
        expect(log.recovery).toMatchObject({ clean: false, cutBytes: 0 })
        expect(log.recovery.damage).toEqual([
          { path, position: 0, reason: 'checkpoint is damaged or missing', offset: 0, nextOffset: 0 },
        ])
        expect(await epochOf(log)).toBe(1)
        expect(await valuesOf(log, 'orders')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        await log.append('orders', { value: 'next' })
        await log.close()
        const again = await openLog({ storage })
        expect(again.recovery).toMatchObject({ clean: true, damage: [] })
        expect(await valuesOf(again, 'orders')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 'next'])
      },
    )
  }

  test('both damaged: all is read and found, and both are reported', async () => {
    const storage = await closedLog()
    for (const path of PATHS) await changeFile(storage, path, (content) => void (content[30] ^= 1))
    const log = await openLog({ storage })
    expect(log.recovery.clean).toBe(false)
    expect(log.recovery.damage.map(({ path }) => path)).toEqual(PATHS)
    expect(log.recovery.scannedBytes).toBeGreaterThan(0)
    expect(await valuesOf(log, 'orders')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(await epochOf(log)).toBe(1)
    await log.close()
    expect((await openLog({ storage })).recovery).toMatchObject({ clean: true, damage: [] })
  })

  test('both missing: reported, all is read and found, and appends go on', async () => {
    const storage = await closedLog()
    for (const path of PATHS) await storage.removeFile(path)
    const log = await openLog({ storage })
    expect(log.recovery.clean).toBe(false)
    expect(log.recovery.damage).toMatchObject([{ path: PATHS[0], reason: 'checkpoint is damaged or missing' }])
    expect(await valuesOf(log, 'orders')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(await epochOf(log)).toBe(1)
    await log.append('orders', { value: 'next' })
    expect(await valuesOf(await openLog({ storage: storage.crash() }), 'orders')).toHaveLength(11)
  })

  test.each([1, 2])('%i damaged: a reader beside sees everything and changes nothing', async (count) => {
    const storage = await closedLog()
    for (const path of PATHS.slice(0, count)) await changeFile(storage, path, (content) => void content.fill(0))
    const before = await contentOf(storage)
    const log = await openLog({ storage, readOnly: true })
    expect(log.recovery.damage.map(({ path }) => path)).toEqual(PATHS.slice(0, count))
    expect(await valuesOf(log, 'orders')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    await log.close()
    expect(await contentOf(storage)).toEqual(before)
  })
})

describe('a damaged catalog', () => {
  const damages: [what: string, change: (content: Buffer) => Buffer | void][] = [
    ['a flipped bit', (content) => void (content[content.length - 5] ^= 1)],
    ['cut short', (content) => content.subarray(0, content.length - 10)],
    ['empty', () => Buffer.alloc(0)],
  ]
  const cases = damages.flatMap((damage) => [false, true].map((readOnly) => [damage[0], readOnly, damage[1]] as const))
  test.each(cases)('(%s) is refused with advice, and nothing is lost (readOnly: %s)', async (_, readOnly, change) => {
    const storage = await closedLog()
    const whole = await storage.readFile(CATALOG)
    await changeFile(storage, CATALOG, change)
    const before = await contentOf(storage)
    for (let i = 0; i < 2; i++) {
      const error = await rejection(openLog({ storage, readOnly }))
      expect(error).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { path: CATALOG } })
      expect(error.message).toContain('the catalog of topics is damaged, and guessing would lose topics')
      expect(error.message).toContain(`restore '${DIRECTORY}/__varve_catalog-0' from a copy, or move it away`)
      expect(error.message).toContain('adoptTopic')
    }
    expect(await contentOf(storage)).toEqual(before)

    await changeFile(storage, CATALOG, () => whole)
    const restored = await openLog({ storage })
    expect(await valuesOf(restored, 'orders')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test.each([false, true])(
    'whose log file is gone is refused, not taken for an empty one (readOnly: %s)',
    async (readOnly) => {
      const storage = await closedLog()
      const whole = await storage.readFile(CATALOG)
      await storage.removeFile(CATALOG)
      for (let i = 0; i < 2; i++) {
        const error = await rejection(openLog({ storage, readOnly }))
        expect(error).toMatchObject({ code: 'CORRUPT_MESSAGE' })
        expect(error.message).toContain('the catalog of topics is damaged, and guessing would lose topics')
      }
      await putFile(storage, CATALOG, whole)
      const restored = await openLog({ storage })
      expect(await valuesOf(restored, 'orders')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    },
  )

  test('moved away as advised, its topics are taken over with all their records', async () => {
    const storage = await closedLog()
    await changeFile(storage, CATALOG, () => Buffer.alloc(0))
    await rejection(openLog({ storage }))
    await storage.makeDirectory('/elsewhere')
    await storage.rename(`${DIRECTORY}/__varve_catalog-0`, '/elsewhere/__varve_catalog-0')
    const log = await openLog({ storage })
    expect(log.recovery.unknownDirectories).toMatchObject([{ topic: 'orders', partition: 0 }])
    expect(log.recovery.damage).toEqual([
      { path: `${DIRECTORY}/__varve_catalog-0`, position: 0, reason: 'is missing', offset: 0, nextOffset: 1 },
    ])
    await log.adoptTopic({ name: 'orders', valueCodec: 'msgpack' })
    await log.close()
    const again = await openLog({ storage })
    expect(again.recovery).toMatchObject({ clean: true, damage: [] })
    expect(await valuesOf(again, 'orders')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})
