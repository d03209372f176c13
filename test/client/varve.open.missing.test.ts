/** Files of a log that went away, came back, or grew while nobody had it open. */
import { expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { changeFile, DIRECTORY, namesIn, offsetsOf, openLog, rejection, segmentPath } from '../helpers/logs.ts'

const SEGMENT_RECORDS = 10
const RECORDS = 45
const range = (start: number, end: number) => Array.from({ length: end - start }, (_, i) => start + i)

/** A log closed in order: segments at 0, 10, 20, 30 and 40. */
async function closedLog(): Promise<MemoryStorage> {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 't', segmentBytes: 1000, valueCodec: 'bytes' })
  // 61 bytes of batch header, 7 of record
  for (let i = 0; i < RECORDS; i++) await log.append('t', { value: Buffer.alloc(32) })
  await log.close()
  return storage
}

/** Every offset that can be read, and those that are told to be unreadable. */
async function readAround(log: Varve): Promise<{ read: number[]; lost: [number, number][] }> {
  const read: number[] = []
  const lost: [number, number][] = []
  let from = log.offsets('t')[0].logStartOffset
  for (;;) {
    try {
      for await (const { offset } of log.read('t', { partition: 0, from })) read.push(offset)
      return { read, lost }
    } catch (error) {
      const { code, details } = error as { code: string; details: { offset: number; nextOffset: number } }
      expect(code).toBe('CORRUPT_MESSAGE')
      lost.push([details.offset, details.nextOffset])
      from = details.nextOffset
    }
  }
}

test.each([0, 20, 40])(
  'a segment that is missing stays part of the log, at every open, until it is put back (%d)',
  async (baseOffset) => {
    const storage = await closedLog()
    const end = Math.min(baseOffset + SEGMENT_RECORDS, RECORDS)
    const path = segmentPath('t', 0, baseOffset, '.log')
    await storage.rename(path, `${DIRECTORY}/kept`)
    let next = RECORDS
    for (let opens = 0; opens < 3; opens++) {
      const log = await openLog({ storage })
      expect(log.recovery.damage).toMatchObject([
        { path, reason: 'file is missing', offset: baseOffset, nextOffset: end },
      ])
      expect(log.offsets('t')[0].logStartOffset).toBe(0)
      const { read, lost } = await readAround(log)
      expect(lost).toEqual([[baseOffset, end]])
      expect(read).toEqual([...range(0, baseOffset), ...range(end, next)])
      expect((await log.append('t', { value: Buffer.alloc(1) })).offset).toBe(next++)
      await log.close()
      expect((await verifyDirectory(DIRECTORY, { storage })).ok).toBe(false)
    }
    await storage.rename(`${DIRECTORY}/kept`, path)
    const log = await openLog({ storage })
    expect(log.recovery.damage).toEqual([])
    expect(await offsetsOf(log, 't')).toEqual(range(0, next))
    await log.close()
    expect(await verifyDirectory(DIRECTORY, { storage })).toMatchObject({ ok: true, damage: [] })
  },
)

test('a partition whose directory is missing keeps its offsets, and has its records again when it is put back', async () => {
  const storage = await closedLog()
  await storage.rename(`${DIRECTORY}/t-0`, `${DIRECTORY}/kept`)
  const log = await openLog({ storage })
  expect(log.recovery.damage).toHaveLength(5)
  expect(log.offsets('t')[0]).toMatchObject({ logStartOffset: 0, logEndOffset: RECORDS })
  expect(await readAround(log)).toMatchObject({ read: [] })
  await log.close()
  for (const name of await namesIn(storage, `${DIRECTORY}/kept`)) {
    await storage.rename(`${DIRECTORY}/kept/${name}`, `${DIRECTORY}/t-0/${name}`)
  }
  const again = await openLog({ storage })
  expect(await offsetsOf(again, 't')).toEqual(range(0, RECORDS))
  await again.close()
})

test('a look-up by time that would need a missing segment says so', async () => {
  const storage = await closedLog()
  await storage.rename(segmentPath('t', 0, 20, '.log'), `${DIRECTORY}/kept`)
  const log = await openLog({ storage })
  const failure = await rejection(offsetsOf(log, 't', { from: { timestamp: 8e15 } }))
  expect(failure).toMatchObject({ code: 'CORRUPT_MESSAGE' })
  await log.close()
})

test('bytes behind the end of a log that was closed in order are damage: nothing is cut, and appends go elsewhere', async () => {
  const storage = await closedLog()
  const path = segmentPath('t', 0, 40, '.log')
  await changeFile(storage, path, (content) =>
    Buffer.concat([content.subarray(0, 100), Buffer.of(7), content.subarray(100)]),
  )
  const log = await openLog({ storage })
  expect(log.recovery.damage).toMatchObject([{ path, reason: '1 bytes do not belong to it' }])
  const { offset } = await log.append('t', { value: Buffer.alloc(1) })
  expect(offset).toBe(RECORDS)
  expect((await readAround(log)).read).toContain(offset)
  expect(await storage.readFile(path)).toHaveLength(501)
  expect(await namesIn(storage, `${DIRECTORY}/t-0`)).toContain('00000000000000000045.log')
  await log.close()
})

test('a sealed segment that ends early is damage, also where the next one begins an epoch behind skipped offsets', async () => {
  const first = new MemoryStorage()
  const running = await openLog({ storage: first, flush: 'os' })
  await running.createTopic({ name: 't', segmentBytes: 1000, valueCodec: 'bytes' })
  for (let i = 0; i < 30; i++) await running.append('t', { value: Buffer.alloc(32) })
  const storage = first.clone()
  const recovered = await openLog({ storage, flush: 'os' })
  const { offset } = await recovered.append('t', { value: Buffer.alloc(32) })
  await recovered.close()
  for (const whole of [7, 0]) {
    await changeFile(storage, segmentPath('t', 0, 20, '.log'), (content) => content.subarray(0, whole * 100))
    const log = await openLog({ storage })
    const { read, lost } = await readAround(log)
    expect(lost).toEqual([[20 + whole, offset]])
    expect(read).toEqual([...range(0, 20 + whole), offset])
    await log.close()
  }
})

test('a sealed segment that ends early is damage, also in a compacted log, where offsets may be missing', async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 't', cleanupPolicy: 'compact', segmentBytes: 1000, valueCodec: 'bytes' })
  for (let i = 0; i < RECORDS; i++)
    await log.append('t', { key: `key ${i % 2 === 0 ? i : 'odd'}`, value: Buffer.alloc(32) })
  await log.compact('t')
  const all = await offsetsOf(log, 't')
  expect(all.length).toBeLessThan(RECORDS)
  await log.close()
  const [active, sealed] = (await namesIn(storage, `${DIRECTORY}/t-0`))
    .filter((name) => name.endsWith('.log'))
    .reverse()
  const path = `${DIRECTORY}/t-0/${sealed}`
  const content = await storage.readFile(path)
  await changeFile(storage, path, () => content.subarray(0, 12 + content.readInt32BE(8)))
  const again = await openLog({ storage })
  const { read, lost } = await readAround(again)
  const [start, end] = [parseInt(sealed), parseInt(active)]
  expect(lost).toEqual([[start + 1, end]])
  expect(read).toEqual(all.filter((offset) => offset <= start || offset >= end))
  await again.close()
})

test.each(['.index', '.timeindex', '.log'])(
  'a deletion of segments that was cut short at a %s file is completed by the next open',
  async (suffix) => {
    const disk = await closedLog()
    const storage = new FaultyStorage(disk)
    const log = await openLog({ storage })
    storage.failAt({ call: (kind, path) => kind === 'removeFile' && path.endsWith(suffix), code: 'EIO', sticky: true })
    await rejection(log.deleteRecords('t', { partition: 0, beforeOffset: 30 }))
    const killed = disk.clone()
    const again = await openLog({ storage: killed })
    expect(await offsetsOf(again, 't')).toEqual(range(30, RECORDS))
    await again.close()
    const names = await namesIn(killed, `${DIRECTORY}/t-0`)
    expect(names.filter((name) => /^\d/.test(name) && parseInt(name) < 30)).toEqual([])
    expect(await verifyDirectory(DIRECTORY, { storage: killed })).toMatchObject({ ok: true, damage: [], warnings: [] })
  },
)
