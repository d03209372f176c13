/** Readers while the log changes under them: rolls, retention, deleteRecords. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { nodeStorage } from '../../src/storage/node-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { GatedReads } from '../helpers/gated-reads.ts'
import { idle, namesIn, openLog, outcomesOf, recordsOf, rejection, segmentPath } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const range = (start: number, end: number) => Array.from({ length: Math.max(end - start, 0) }, (_, i) => start + i)

/** 100 records of 1 KiB, four to a segment. */
async function hundred(storage: Storage, directory?: string): Promise<Varve> {
  const log = await openLog({ storage, ...(directory === undefined ? {} : { directory }) })
  await log.createTopic({ name: 'orders', segmentBytes: 4800, valueCodec: 'bytes' })
  for (const i of range(0, 100)) await log.append('orders', { value: Buffer.alloc(1024, i) })
  return log
}

const isOwn = (record: { offset: number; valueBytes: Buffer | null }) =>
  record.valueBytes!.every((byte) => byte === record.offset)

test('a reader that retention overtakes is told, with the range that is left', async () => {
  const log = await hundred(new MemoryStorage())
  for (const order of ['partition', 'time'] as const) {
    const start = log.offsets('orders')[0].logStartOffset
    const reader = log.read('orders', { order })
    expect((await reader.next()).value).toMatchObject({ offset: start })
    await log.deleteRecords('orders', { partition: 0, beforeOffset: start + 40 })
    const seen: number[] = []
    const error = await rejection(
      (async () => {
        for await (const { offset } of reader) seen.push(offset)
      })(),
    )
    expect(error).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE', details: { topic: 'orders', partition: 0 } })
    expect(error.message).toContain(`it holds offsets ${start + 40} to 100`)
    // what had been read already comes, in order, and nothing else
    expect(seen).toEqual(range(start + 1, start + 1 + seen.length))
    expect(seen.length).toBeLessThan(39)
  }
})

test.each(['partition', 'time'] as const)(
  'or goes on at the start or the end that is left, if it said so (%s)',
  async (order) => {
    for (const onOutOfRange of ['earliest', 'latest'] as const) {
      const log = await hundred(new MemoryStorage())
      const reader = log.read('orders', { order, onOutOfRange })
      await reader.next()
      await log.deleteRecords('orders', { partition: 0, beforeOffset: 70 })
      const offsets: number[] = []
      for await (const record of reader) {
        expect(isOwn(record)).toBe(true)
        offsets.push(record.offset)
      }
      const expected = onOutOfRange === 'earliest' ? range(70, 100) : []
      expect(offsets.filter((offset) => offset >= 70)).toEqual(expected)
      expect(offsets.filter((offset) => offset < 70)).toEqual(range(1, 1 + offsets.length - expected.length))
    }
  },
)

test('a reader that follows and was overtaken while it waited goes on, or is told', async () => {
  const log = await hundred(new MemoryStorage())
  const told = log.read('orders', { from: 100, follow: true })
  const goesOn = log.read('orders', { from: 100, follow: true, onOutOfRange: 'earliest' })
  // both have read what is there, and are not asked for more until it is gone
  const steps = [told.next(), goesOn.next()]
  await log.append('orders', { value: Buffer.alloc(1024, 100) })
  expect((await Promise.all(steps)).map(({ value }) => (value as { offset: number }).offset)).toEqual([100, 100])
  for (const i of range(101, 110)) await log.append('orders', { value: Buffer.alloc(1024, i) })
  await log.deleteRecords('orders', { partition: 0, beforeOffset: 108 })
  expect(await rejection(told.next())).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
  expect((await goesOn.next()).value).toMatchObject({ offset: 108 })
})

test('a segment that is deleted while it is being read is read to the end of that read, and goes then', async () => {
  const storage = new GatedReads(new MemoryStorage())
  const log = await hundred(storage)
  const oldest = segmentPath('orders', 0, 0, '.log')
  let release!: () => void
  const held = new Promise<void>((resolve) => (release = resolve))
  storage.gate = (path, kind) => (path === oldest && kind === 'read' ? held : undefined)
  const reader = log.read('orders')
  const next = reader.next()
  await idle()
  await log.deleteRecords('orders', { partition: 0, beforeOffset: 50 })
  expect(await namesIn(storage, oldest.slice(0, oldest.lastIndexOf('/')))).toContain('00000000000000000000.log')
  release()
  const [outcome] = await outcomesOf([next])
  expect(['done', 'OFFSET_OUT_OF_RANGE']).toContain(outcome)
  await idle()
  expect(await namesIn(storage, oldest.slice(0, oldest.lastIndexOf('/')))).not.toContain('00000000000000000000.log')
  expect((await recordsOf(log, 'orders')).map(({ offset }) => offset)).toEqual(range(50, 100))
})

const storages: [
  what: string,
  make: () => Promise<{ storage: Storage; directory: string; remove: () => Promise<void> }>,
][] = [
  ['memory', async () => ({ storage: new MemoryStorage(), directory: '/events', remove: async () => {} })],
  [
    'a real disk',
    async () => {
      const directory = await mkdtemp(join(tmpdir(), 'varve-read-'))
      return { storage: nodeStorage(), directory, remove: () => rm(directory, { recursive: true }) }
    },
  ],
]

test.each(storages)(
  'readers, appends and retention at once: every record that is read is itself, in order (%s)',
  async (_what, make) => {
    const { storage, directory, remove } = await make()
    const random = new SeededRandom()
    const log = await hundred(storage, directory)
    let appending = true
    const appends = (async () => {
      for (const i of range(100, 250)) {
        await log.append('orders', { value: Buffer.alloc(1024, i) })
        if (random.chance(0.1))
          await log.deleteRecords('orders', { partition: 0, beforeOffset: random.between(i - 60, i - 5) })
      }
      appending = false
    })()
    const problems: string[] = []
    const reading = Array.from({ length: 8 }, async (_, reader) => {
      while (appending) {
        const onOutOfRange = reader % 2 === 0 ? 'earliest' : 'error'
        let last = -1
        try {
          for await (const { offset, valueBytes } of log.read('orders', { onOutOfRange })) {
            if (offset <= last || valueBytes![0] !== offset % 256 || valueBytes![1023] !== offset % 256)
              problems.push(`${offset}`)
            last = offset
          }
        } catch (error) {
          if ((error as { code: string }).code !== 'OFFSET_OUT_OF_RANGE' || reader % 2 === 0)
            problems.push(String(error))
        }
        await idle(1)
      }
    })
    await Promise.all([appends, ...reading])
    expect({ seed: random.seed, problems }).toEqual({ seed: random.seed, problems: [] })
    const [{ logStartOffset }] = log.offsets('orders')
    const left = await recordsOf(log, 'orders')
    expect(left.map(({ offset }) => offset)).toEqual(range(logStartOffset, 250))
    await log.close()
    const names = directory.startsWith('/tmp') ? await readdir(`${directory}/orders-0`) : []
    expect(names.filter((name) => name.endsWith('.log')).length).toBeLessThan(40)
    await remove()
  },
)

test('a reader crosses segments that are rolled while it reads', async () => {
  const log = await openLog()
  await log.createTopic({ name: 'orders', segmentBytes: 1000, valueCodec: 'bytes' })
  const reader = log.read('orders', { follow: true })
  for (const i of range(0, 60)) {
    const append = log.append('orders', { value: Buffer.alloc(300, i) })
    const { value } = (await reader.next()) as IteratorYieldResult<{ offset: number; valueBytes: Buffer }>
    expect([value.offset, isOwn(value)]).toEqual([i, true])
    await append
  }
  expect((await log.describeTopic('orders')).partitions[0].segments).toBeGreaterThan(15)
})
