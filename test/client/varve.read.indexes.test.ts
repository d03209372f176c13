/** Index files are hints: whatever stands in them, every look-up finds what the log holds. */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { changeFile, DIRECTORY, namesIn, offsetsOf, openLog, putFile, recordsOf } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const range = (start: number, end: number) => Array.from({ length: Math.max(end - start, 0) }, (_, i) => start + i)
const PARTITION = `${DIRECTORY}/orders-0`

/** A log that was closed, its records' timestamps by offset, and its index files. */
async function closedLog(random: SeededRandom, timeOf: (i: number) => number) {
  const storage = new MemoryStorage()
  const log = await openLog({ storage, random })
  await log.createTopic({ name: 'orders', segmentBytes: 1500, indexIntervalBytes: random.pick([0, 100, 400]) })
  const times: number[] = []
  while (times.length < 90) {
    const batch = range(0, random.between(1, 4)).map(() => ({
      timestamp: timeOf(times.length),
      value: 'x'.repeat(random.below(60)),
    }))
    times.push(...batch.map(({ timestamp }) => timestamp))
    await log.appendBatch('orders', batch)
  }
  await log.close()
  const names = await namesIn(storage, PARTITION)
  return { storage, times, indexes: names.filter((name) => /\.(index|timeindex)$/.test(name)), names }
}

/** What is wrong with the look-ups of a log, as text. */
async function problemsOf(log: Varve, times: number[], random: SeededRandom): Promise<string[]> {
  const problems: string[] = []
  const end = times.length
  for (const from of [0, end - 1, ...range(0, 8).map(() => random.below(end))]) {
    const records = await recordsOf(log, 'orders', { from })
    const right =
      records.length === end - from &&
      records.every(({ offset, timestamp }, i) => offset === from + i && timestamp === times[offset])
    if (!right) problems.push(`from ${from}: ${records.map(({ offset }) => offset).join()}`)
  }
  for (const time of range(0, 8).map(() => random.pick(times) + random.between(-1, 1))) {
    const found = (await offsetsOf(log, 'orders', { from: { timestamp: time } }))[0]
    const wanted = times.findIndex((timestamp) => timestamp >= time)
    if ((found ?? -1) !== wanted) problems.push(`at time ${time}: ${found}, not ${wanted}`)
  }
  return problems
}

const bytesOf = (name: string) => (name.endsWith('.index') ? 8 : 12)

/** Ways to make an index file wrong. All but the first few keep it plausible: entries in order, within the log. */
const changes: [what: string, change: (content: Buffer, entryBytes: number, random: SeededRandom) => Buffer | null][] =
  [
    ['missing', () => null],
    ['empty', () => Buffer.alloc(0)],
    ['zeros', (content) => Buffer.alloc(content.length)],
    ['noise', (content, _, random) => Buffer.from(random.bytes(content.length))],
    ['cut anywhere', (content, _, random) => content.subarray(0, random.below(content.length + 1))],
    [
      'longer by noise',
      (content, entryBytes, random) => Buffer.concat([content, random.bytes(random.between(1, 3 * entryBytes))]),
    ],
    ['one bit flipped', (content, _, random) => flipped(content, random)],
    [
      'without its last entries',
      (content, entryBytes, random) => content.subarray(0, random.below(content.length / entryBytes + 1) * entryBytes),
    ],
    [
      'without an entry in the middle',
      (content, entryBytes, random) => without(content, entryBytes, random.below(content.length / entryBytes)),
    ],
    ['one field a little off', (content, entryBytes, random) => shifted(content, entryBytes, random)],
  ]

function flipped(content: Buffer, random: SeededRandom): Buffer {
  if (content.length > 0) content[random.below(content.length)] ^= 1 << random.below(8)
  return content
}

function without(content: Buffer, entryBytes: number, entry: number): Buffer {
  return Buffer.concat([content.subarray(0, entry * entryBytes), content.subarray((entry + 1) * entryBytes)])
}

/** Adds a little to the offset, position or time of one entry: such entries stay in order, and name no batch. */
function shifted(content: Buffer, entryBytes: number, random: SeededRandom): Buffer {
  if (content.length === 0) return content
  const entry = random.below(content.length / entryBytes) * entryBytes
  const field = random.pick(entryBytes === 8 ? [0, 4] : [4, 8])
  content.writeInt32BE(content.readInt32BE(entry + field) + random.pick([-5, -2, -1, 1, 2, 5]), entry + field)
  return content
}

const orders: [what: string, timeOf: (random: SeededRandom) => (i: number) => number][] = [
  ['in order', () => (i) => 1000 + i * 10],
  ['out of order', (random) => () => random.between(1000, 2000)],
]

describe.each(orders)('timestamps %s:', (_order, timeOf) => {
  test.each(changes)(
    'index files %s never lead to a wrong record, nor keep anybody from appending',
    async (_what, change) => {
      const random = new SeededRandom()
      const { storage: original, times, indexes } = await closedLog(random, timeOf(random))
      const problems: string[] = []
      for (let round = 0; round < 25; round++) {
        const storage = original.clone()
        for (const name of indexes) {
          if (random.chance(0.5)) continue
          const changed = change(await storage.readFile(`${PARTITION}/${name}`), bytesOf(name), random)
          if (changed === null) await storage.removeFile(`${PARTITION}/${name}`)
          else await putFile(storage, `${PARTITION}/${name}`, changed)
        }
        const log = await openLog({ storage })
        if (!log.recovery.clean || log.recovery.damage.length > 0) problems.push(`round ${round}: opened as damaged`)
        problems.push(...(await problemsOf(log, times, random)).map((problem) => `round ${round}: ${problem}`))
        // and going on: the same index files get entries, in order with those that are there
        const more = [...times]
        for (let i = 0; i < 40; i++) {
          more.push(2000 + i)
          await log.append('orders', { timestamp: 2000 + i, value: 'x'.repeat(60) })
        }
        problems.push(
          ...(await problemsOf(log, more, random)).map((problem) => `round ${round}, with more: ${problem}`),
        )
        await log.close()
        const again = await openLog({ storage })
        problems.push(...(await problemsOf(again, more, random)).map((problem) => `round ${round}, again: ${problem}`))
      }
      expect({ seed: random.seed, problems }).toEqual({ seed: random.seed, problems: [] })
    },
  )

  test('however many readers find them wrong at once, while appends go on', async () => {
    const random = new SeededRandom()
    const { storage: original, times, indexes } = await closedLog(random, timeOf(random))
    const problems: string[] = []
    for (let round = 0; round < 40; round++) {
      const storage = original.clone()
      for (const name of indexes) {
        await changeFile(storage, `${PARTITION}/${name}`, (content) => shifted(content, bytesOf(name), random))
      }
      const log = await openLog({ storage })
      const readers = range(0, 6).map(async () => {
        for (const found of await problemsOf(log, times, random)) if (!found.startsWith('from')) problems.push(found)
      })
      const appends = range(0, 60).map(async (i) => {
        for (let turn = 0; turn < i % 7; turn++) await new Promise((resolve) => setImmediate(resolve))
        await log.append('orders', { timestamp: 5000 + i, value: 'x'.repeat(200) })
      })
      const outcomes = await Promise.allSettled([...readers, ...appends])
      for (const outcome of outcomes) if (outcome.status === 'rejected') problems.push(String(outcome.reason))
      const offsets = await offsetsOf(log, 'orders')
      if (offsets.length !== times.length + 60) problems.push(`round ${round}: ${offsets.length} records`)
      await log.close().catch((error: Error) => problems.push(error.message))
    }
    expect({ seed: random.seed, problems }).toEqual({ seed: random.seed, problems: [] })
  })

  test('after a kill, too: they lag behind the log, and may be wrong on top of it', async () => {
    const random = new SeededRandom()
    const problems: string[] = []
    for (let round = 0; round < 25; round++) {
      const storage = new MemoryStorage()
      const log = await openLog({ storage, random, flush: 'os' })
      await log.createTopic({ name: 'orders', segmentBytes: 1500, indexIntervalBytes: 100 })
      const time = timeOf(random)
      const times: number[] = []
      while (times.length < 60) {
        times.push(time(times.length))
        await log.append('orders', { timestamp: times.at(-1), value: 'x'.repeat(60) })
      }
      const killed = storage.clone()
      for (const name of await namesIn(killed, PARTITION)) {
        if (!/\.(index|timeindex)$/.test(name) || random.chance(0.5)) continue
        const [, change] = random.pick(changes.slice(1))
        await changeFile(killed, `${PARTITION}/${name}`, (content) => change(content, bytesOf(name), random)!)
      }
      const again = await openLog({ storage: killed })
      problems.push(...(await problemsOf(again, times, random)).map((problem) => `round ${round}: ${problem}`))
    }
    expect({ seed: random.seed, problems }).toEqual({ seed: random.seed, problems: [] })
  })
})

test('wrong times in an index never make retention delete what is young', async () => {
  const random = new SeededRandom()
  const { storage: original, times, indexes, names } = await closedLog(random, (i) => 1000 + i * 10)
  const bases = names.flatMap((name) => (name.endsWith('.log') ? [parseInt(name)] : []))
  const problems: string[] = []
  for (let round = 0; round < 60; round++) {
    const storage = original.clone()
    for (const name of indexes.filter((index) => index.endsWith('.timeindex'))) {
      const [, change] = random.pick(
        changes.filter(([what]) => what !== 'without its last entries' && what !== 'cut anywhere'),
      )
      const changed = change(await storage.readFile(`${PARTITION}/${name}`), 12, random)
      if (changed === null) await storage.removeFile(`${PARTITION}/${name}`)
      else await putFile(storage, `${PARTITION}/${name}`, changed)
    }
    const now = 1000 + 10 * random.between(10, 100)
    const log = await openLog({ storage, clock: new FakeClock(now) })
    await log.alterTopic('orders', { retentionMs: 100 })
    await log.enforceRetention()
    const { logStartOffset } = log.offsets('orders')[0]
    const wanted = bases.findLast((base, i) => i === 0 || now - times[base - 1] > 100)
    if (logStartOffset > wanted!) problems.push(`round ${round}: start ${logStartOffset}, not ${wanted}`)
    await log.close()
  }
  expect({ seed: random.seed, problems }).toEqual({ seed: random.seed, problems: [] })
})
