/** Damage in a log that was closed in order: found, named, left where it is; every other record stays readable. */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import {
  batchesOf,
  changeFile,
  contentOf,
  offsetsOf,
  openLog,
  recordsOf,
  rejection,
  segmentPath,
} from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const range = (start: number, end: number) => Array.from({ length: Math.max(end - start, 0) }, (_, i) => start + i)

interface Place {
  baseOffset: number
  lastOffset: number
  path: string
  position: number
  sizeBytes: number
}

/** Batches of one to three records in several segments, closed; and where each batch stands. */
async function closedLog(compressionType: 'none' | 'gzip' = 'none') {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 'orders', segmentBytes: 330, indexIntervalBytes: 90, compressionType })
  let next = 0
  for (const size of [1, 3, 1, 2, 1, 3, 2, 1, 1, 2]) {
    await log.appendBatch(
      'orders',
      range(next, next + size).map((value) => ({ value, timestamp: 1000 + value })),
    )
    next += size
  }
  const bases = (await storage.list('/data/events/orders-0')).flatMap(({ name }) =>
    name.endsWith('.log') ? [parseInt(name)] : [],
  )
  expect(bases.length).toBeGreaterThan(2)
  const places: Place[] = []
  for (const { baseOffset, lastOffset, bytes } of await batchesOf(log, 'orders')) {
    const path = segmentPath(
      'orders',
      0,
      bases.findLast((base) => base <= baseOffset)!,
      '.log',
    )
    const before = places.at(-1)
    const position = before?.path === path ? before.position + before.sizeBytes : 0
    places.push({ baseOffset, lastOffset, path, position, sizeBytes: bytes.length })
  }
  await log.close()
  return { storage, places, end: next }
}

/** Reads to the first failure. */
async function readUntilFailure(records: AsyncIterableIterator<ConsumerRecord>) {
  const offsets: number[] = []
  const error = await rejection(
    (async () => {
      for await (const record of records) offsets.push(record.offset)
    })(),
  )
  expect(await records.next()).toEqual({ value: undefined, done: true })
  return {
    offsets,
    error: error as Error & {
      code: string
      details: { path: string; position: number; offset: number; nextOffset: number }
    },
  }
}

/** Everything that must hold when `place` is damaged; whatever is wrong comes back as text. */
async function problemsWith(log: Varve, place: Place, end: number): Promise<string[]> {
  const problems: string[] = []
  const check = (what: string, found: unknown, wanted: unknown) => {
    if (JSON.stringify(found) !== JSON.stringify(wanted))
      problems.push(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`)
  }
  const { baseOffset, lastOffset, path } = place
  const { offsets, error } = await readUntilFailure(log.read('orders'))
  check('records before the damage', offsets, range(0, baseOffset))
  check('code', error.code, 'CORRUPT_MESSAGE')
  const { details } = error
  check('place', [details.path, details.offset, details.nextOffset], [path, baseOffset, lastOffset + 1])
  // a wrong base offset shows where the next batch does not follow
  if (details.position < place.position || details.position > place.position + place.sizeBytes)
    problems.push(`position ${details.position}`)
  for (const part of [
    path,
    `byte ${details.position}`,
    `offsets ${baseOffset} to ${lastOffset}`,
    `read on from ${lastOffset + 1}`,
  ]) {
    if (!error.message.includes(part)) problems.push(`message: ${error.message}`)
  }
  check('records after it', await offsetsOf(log, 'orders', { from: details.nextOffset }), range(lastOffset + 1, end))
  check('the last record', await offsetsOf(log, 'orders', { from: end - 1 }), lastOffset === end - 1 ? [] : [end - 1])
  return problems
}

test.each(['none', 'gzip'] as const)(
  'one flipped bit in any byte: reading ends with its place and where to go on; all other records are read (%s)',
  { timeout: 240_000 },
  async (compressionType) => {
    const random = new SeededRandom()
    const { storage, places, end } = await closedLog(compressionType)
    const problems: string[] = []
    for (const place of places) {
      for (let byte = 0; byte < place.sizeBytes; byte++) {
        const damaged = storage.clone()
        const bit = random.below(8)
        await changeFile(damaged, place.path, (content) => void (content[place.position + byte] ^= 1 << bit))
        const before = await contentOf(damaged, '/data/events/orders-0')
        const log = await openLog({ storage: damaged })
        // the last batch of all: nobody can read beyond it
        const isLast = place.lastOffset === end - 1
        const finding = isLast ? lastProblems(log, place) : problemsWith(log, place, end)
        const found = await finding.catch((error: Error) => [error.message])
        problems.push(...found.map((problem) => `batch ${place.baseOffset} byte ${byte} bit ${bit}: ${problem}`))
        await log.close()
        const after = await contentOf(damaged, '/data/events/orders-0')
        for (const [file, content] of before)
          if (file.endsWith('.log') && after.get(file) !== content) problems.push(`${file} was changed`)
      }
    }
    expect({ seed: random.seed, problems }).toEqual({ seed: random.seed, problems: [] })
  },
)

test(
  'the same holds where both checkpoints are lost, and nothing vouches for the log but itself',
  { timeout: 240_000 },
  async () => {
    const random = new SeededRandom()
    const { storage, places, end } = await closedLog()
    for (const name of ['checkpoint-a', 'checkpoint-b']) await storage.removeFile(`/data/events/${name}`)
    const problems: string[] = []
    for (const place of places.slice(0, -1)) {
      for (let byte = 0; byte < place.sizeBytes; byte++) {
        const damaged = storage.clone()
        const bit = random.below(8)
        await changeFile(damaged, place.path, (content) => void (content[place.position + byte] ^= 1 << bit))
        const before = await damaged.readFile(place.path)
        const log = await openLog({ storage: damaged })
        const found = await problemsWith(log, place, end).catch((error: Error) => [error.message])
        if (!log.recovery.damage.some((one) => one.path === place.path)) found.push('not reported')
        problems.push(...found.map((problem) => `batch ${place.baseOffset} byte ${byte} bit ${bit}: ${problem}`))
        const after = await damaged.readFile(place.path)
        if (!after.equals(before))
          problems.push(`batch ${place.baseOffset} byte ${byte} bit ${bit}: ${place.path} was changed`)
      }
    }
    expect({ seed: random.seed, problems }).toEqual({ seed: random.seed, problems: [] })
  },
)

async function lastProblems(log: Varve, place: Place): Promise<string[]> {
  const { offsets, error } = await readUntilFailure(log.read('orders'))
  const wanted = JSON.stringify([range(0, place.baseOffset), 'CORRUPT_MESSAGE', place.baseOffset, place.lastOffset + 1])
  const found = JSON.stringify([offsets, error.code, error.details.offset, error.details.nextOffset])
  return found === wanted ? [] : [`${found}, not ${wanted}`]
}

describe('larger damage', () => {
  const damages: [what: string, change: (content: Buffer, place: Place) => Buffer | void][] = [
    ['zeros', (content, { position, sizeBytes }) => void content.fill(0, position, position + sizeBytes)],
    ['ones', (content, { position, sizeBytes }) => void content.fill(0xff, position, position + sizeBytes)],
    [
      'half a batch of zeros',
      (content, { position, sizeBytes }) => void content.fill(0, position + (sizeBytes >> 1), position + sizeBytes),
    ],
    [
      'another batch of the log',
      (content, { position, sizeBytes }) => void content.copy(content, position, 0, sizeBytes),
    ],
  ]
  test.each(damages)('%s over one batch in the middle', async (_what, change) => {
    const { storage, places, end } = await closedLog()
    const place = places[2]
    await changeFile(storage, place.path, (content) => change(content, place))
    const log = await openLog({ storage })
    const { offsets, error } = await readUntilFailure(log.read('orders'))
    expect(offsets).toEqual(range(0, offsets.length))
    expect(error).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { path: place.path } })
    const rest = await offsetsOf(log, 'orders', { from: error.details.nextOffset })
    expect([...offsets, ...range(error.details.offset, error.details.nextOffset), ...rest]).toEqual(range(0, end))
  })

  test('a segment that is missing: its offsets are named by open and by reading, the others are read', async () => {
    const { storage, places, end } = await closedLog()
    const bases = [...new Set(places.map(({ path }) => path))]
    const lost = places.filter(({ path }) => path === bases[1])
    await storage.removeFile(bases[1])
    const log = await openLog({ storage })
    const [first, last] = [lost[0].baseOffset, lost.at(-1)!.lastOffset + 1]
    expect(log.recovery.damage).toEqual([
      { path: bases[1], position: 0, reason: 'file is missing', offset: first, nextOffset: last },
    ])
    const { offsets, error } = await readUntilFailure(log.read('orders'))
    expect(offsets).toEqual(range(0, first))
    expect(error).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { offset: first, nextOffset: last } })
    expect(await offsetsOf(log, 'orders', { from: last })).toEqual(range(last, end))
    expect(await log.append('orders', { value: 'new' })).toMatchObject({ offset: end })
  })

  test('a last segment that is too short: what is left is read, what was lost is named, appends go on behind it', async () => {
    const { storage, places, end } = await closedLog()
    const last = places.at(-1)!
    await changeFile(storage, last.path, (content) => content.subarray(0, last.position + 20))
    const log = await openLog({ storage })
    expect(log.recovery.damage).toMatchObject([{ path: last.path, reason: 'file is too short', nextOffset: end }])
    const { offsets, error } = await readUntilFailure(log.read('orders'))
    expect(offsets).toEqual(range(0, last.baseOffset))
    expect(error).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { offset: last.baseOffset, nextOffset: end } })
    expect(await log.append('orders', { value: 'new' })).toMatchObject({ offset: end })
    expect(await offsetsOf(log, 'orders', { from: end })).toEqual([end])
    await log.close()
    const again = await openLog({ storage })
    expect(await offsetsOf(again, 'orders', { from: end })).toEqual([end])
  })
})

describe('with damage in one place', () => {
  async function damagedAt(index: number) {
    const closed = await closedLog()
    const place = closed.places[index]
    await changeFile(closed.storage, place.path, (content) => void (content[place.position + 70] ^= 4))
    return { ...closed, place, log: await openLog({ storage: closed.storage }) }
  }

  test('readBatches ends with the same error, and goes on behind it', async () => {
    const { log, places, place, end } = await damagedAt(3)
    const bases: number[] = []
    const error = await rejection(
      (async () => {
        for await (const { baseOffset } of log.readBatches('orders')) bases.push(baseOffset)
      })(),
    )
    expect(bases).toEqual(places.slice(0, 3).map(({ baseOffset }) => baseOffset))
    const nextOffset = place.lastOffset + 1
    expect(error).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { position: place.position, nextOffset } })
    const rest = await batchesOf(log, 'orders', { from: nextOffset })
    expect(rest.flatMap((batch) => [...batch].map(({ offset }) => offset))).toEqual(range(nextOffset, end))
  })

  test('readers of other partitions and topics are not concerned', async () => {
    const { log } = await damagedAt(3)
    await log.createPartitions('orders', 2)
    await log.append('orders', { value: 'fine', partition: 1 })
    expect(await offsetsOf(log, 'orders', { partition: 1 })).toEqual([0])
    expect(await rejection(recordsOf(log, 'orders', { order: 'time' }))).toMatchObject({ code: 'CORRUPT_MESSAGE' })
  })

  test('appending goes on, and a reader that follows behind it as well', async () => {
    const { log, place, end } = await damagedAt(9)
    expect(place.lastOffset).toBe(end - 1)
    const following = log.read('orders', { from: end, follow: true })
    const next = following.next()
    expect(await log.append('orders', { value: 'new' })).toMatchObject({ offset: end })
    expect((await next).value).toMatchObject({ offset: end })
    expect(await rejection(recordsOf(log, 'orders'))).toMatchObject({
      code: 'CORRUPT_MESSAGE',
      details: { nextOffset: end },
    })
  })

  test('a look-up by time names the damage where it might pass over the record that was asked for', async () => {
    for (const header of [true, false]) {
      const { storage, places } = await closedLog()
      const place = places[1]
      // the length, so that the batches behind it are not found by their headers; or a byte of a record
      await changeFile(storage, place.path, (content) => void (content[place.position + (header ? 9 : 70)] ^= 4))
      const log = await openLog({ storage })
      expect(await offsetsOf(log, 'orders', { from: { timestamp: 1000 } }).catch(() => [0])).toEqual([0])
      for (const offset of range(1, places[3].lastOffset + 1)) {
        const outcome = await recordsOf(log, 'orders', { from: { timestamp: 1000 + offset } }).then(
          ([first]) => first.offset,
          (error: { code: string }) => error.code,
        )
        const isAfter = offset > place.lastOffset
        expect(isAfter && outcome === offset ? 'CORRUPT_MESSAGE' : outcome).toBe('CORRUPT_MESSAGE')
      }
      const last = places.at(-1)!.lastOffset
      expect((await recordsOf(log, 'orders', { from: { timestamp: 1000 + last } }))[0].offset).toBe(last)
    }
  })

  test('a read that the disk refuses is an error of its own, and the next reader tries again', async () => {
    const { storage: memory, end } = await closedLog()
    const storage = new FaultyStorage(memory)
    const log = await openLog({ storage })
    storage.failAt({ call: (kind, path) => kind === 'read' && path.endsWith('.log'), code: 'EIO' })
    const error = await rejection(recordsOf(log, 'orders'))
    expect(error).toMatchObject({
      code: 'KAFKA_STORAGE_ERROR',
      details: { path: expect.stringContaining('.log') as unknown },
    })
    expect(error.message).toContain('EIO')
    expect(await offsetsOf(log, 'orders')).toEqual(range(0, end))
  })
})
