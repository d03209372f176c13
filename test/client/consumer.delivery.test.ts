/** What a consumer hands out: every record, in order within a partition, whoever consumes and however fast. */
import { describe, expect, test } from 'vitest'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import {
  appendEach,
  consumerOf,
  fakeLog,
  gate,
  ordersLog,
  placeOf,
  take,
  until,
  committedBy,
  ORDERS,
} from '../helpers/consuming.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { batchesOf, idle, openLog, putFile, rejection, segmentPath } from '../helpers/logs.ts'
import { rawBatch } from '../helpers/raw-batch.ts'

const range = (end: number) => Array.from({ length: end }, (_, i) => i)

describe('run', () => {
  test('hands every record of a partition to the handler in order, never two of them at once', async () => {
    const log = await ordersLog(30, 3)
    const consumer = consumerOf(log)
    const seen = new Map<number, number[]>()
    const atWork = new Set<number>()
    let most = 0
    const run = consumer.run(
      async ({ partition, offset }) => {
        expect(atWork.has(partition)).toBe(false)
        atWork.add(partition)
        most = Math.max(most, atWork.size)
        await idle(1)
        atWork.delete(partition)
        seen.set(partition, [...(seen.get(partition) ?? []), offset])
      },
      { concurrency: 2 },
    )
    await until(() => [...seen.values()].flat().length === 90)
    await consumer.close()
    await run
    expect([...seen.values()]).toEqual([range(30), range(30), range(30)])
    expect(most).toBe(2)
    expect(await committedBy(log)).toEqual([30, 30, 30])
    await log.close()
  })

  test('waits for what an asynchronous handler returns, also where it is no promise of this realm', async () => {
    const log = await ordersLog(2)
    const consumer = consumerOf(log)
    const done: number[] = []
    class Query {
      constructor(readonly offset: number) {}

      // oxlint-disable-next-line unicorn/no-thenable -- what database clients return
      then(resolve: () => void): void {
        void idle(3).then(() => {
          done.push(this.offset)
          resolve()
        })
      }
    }
    const run = consumer.run(({ offset }) => new Query(offset))
    await until(() => done.length === 1)
    expect(done).toEqual([0])
    await until(() => done.length === 2)
    await consumer.close()
    await run
    await log.close()
  })

  test('one run after another goes on where the one before has stopped', async () => {
    const log = await ordersLog(10, 2)
    const consumer = consumerOf(log)
    const seen: string[] = []
    for (let run = 1; run <= 4; run++) {
      const stop = new AbortController()
      await consumer.run(
        (record) => {
          seen.push(placeOf(record))
          if (seen.length === run * 5) stop.abort()
        },
        { signal: stop.signal },
      )
      expect(seen).toHaveLength(run * 5)
    }
    expect(new Set(seen).size).toBe(20)
    expect(await committedBy(log)).toEqual([10, 10])
    await log.close()
  })
})

for (const how of ['run', 'for await'] as const) {
  test(`${how} lets the rest of the program have its turn every 10 ms, where records only take time`, async () => {
    const { log, clock } = await fakeLog(0)
    await log.appendBatch(
      ORDERS,
      range(100).map((value) => ({ value })),
    )
    const consumer = consumerOf(log)
    const perTurn = [0]
    clock.deferWith = (callback) => {
      perTurn.push(0)
      setImmediate(callback)
    }
    const compute = ({ offset }: ConsumerRecord) => {
      clock.advance(3)
      perTurn[perTurn.length - 1] += 1
      if (offset === 99) void consumer.close()
    }
    if (how === 'run') await consumer.run(compute)
    else for await (const record of consumer) compute(record)
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(4)
    await log.close()
  })
}

describe('for await', () => {
  test('waits at the end and wakes with what is appended, without looking for it in between', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const log = await ordersLog(0, 3, { storage })
    const consumer = consumerOf(log)
    const seen: string[] = []
    const loop = (async () => {
      for await (const record of consumer) seen.push(placeOf(record))
    })()
    await until(() => consumer.assignment().length === 3)
    await idle(20)
    const { read } = storage.counts
    await idle(200)
    expect(storage.counts.read).toBe(read)
    for (const partition of [2, 0, 2]) {
      await log.append(ORDERS, { value: 1, partition })
      await idle()
    }
    expect(seen).toEqual(['2/0', '0/0', '2/1'])
    await consumer.close()
    await loop
    await log.close()
  })

  test('several topics are consumed, those without records too', async () => {
    const log = await ordersLog(2, 2)
    await log.createTopic({ name: 'refunds', partitions: 2 })
    await log.append('refunds', { value: 1, partition: 1 })
    const consumer = consumerOf(log, { topics: ['refunds', ORDERS] })
    const seen: string[] = []
    for await (const { topic, partition, offset } of consumer) {
      seen.push(`${topic} ${partition}/${offset}`)
      if (seen.length === 5) break
    }
    expect(seen.sort()).toEqual(['orders 0/0', 'orders 0/1', 'orders 1/0', 'orders 1/1', 'refunds 1/0'])
    await log.close()
  })

  test('partitions have their turns: one with much to read does not keep the others waiting', async () => {
    const log = await ordersLog(0, 2)
    await log.appendBatch(
      ORDERS,
      range(20_000).map((value) => ({ value, partition: 0 })),
    )
    await log.append(ORDERS, { value: 1, partition: 1 })
    const consumer = consumerOf(log)
    let before = 0
    for await (const { partition } of consumer) {
      if (partition === 1) break
      before++
    }
    expect(before).toBeLessThan(10_000)
    await log.close()
  })

  test('calls of next that do not wait for each other are served in order, and return ends those that wait', async () => {
    const log = await ordersLog(3)
    const consumer = consumerOf(log)
    const records = consumer[Symbol.asyncIterator]()
    const results = await Promise.all([records.next(), records.next(), records.next()])
    expect(results.map(({ value }) => value!.offset)).toEqual([0, 1, 2])
    const waiting = [records.next(), records.next()]
    await idle(20)
    await records.return!()
    expect(await Promise.all(waiting)).toEqual([
      { value: undefined, done: true },
      { value: undefined, done: true },
    ])
    await appendEach(log, 2)
    // what came when nobody wanted it any more comes again
    expect(await take(consumer, 2)).toEqual(['0/3', '0/4'])
    await log.close()
  })

  test('they are served in order also where some of them have to wait for the turn of others to be over', async () => {
    const { clock, log } = await fakeLog(0)
    await log.appendBatch(
      ORDERS,
      range(100).map((value) => ({ value, partition: 0 })),
    )
    const records = consumerOf(log)[Symbol.asyncIterator]()
    await records.next()
    const calls: Promise<IteratorResult<ConsumerRecord>>[] = []
    for (let i = 0; i < 99; i++) {
      if (i % 20 === 10) clock.advance(20)
      calls.push(records.next())
    }
    const offsets = (await Promise.all(calls)).map(({ value }) => (value as ConsumerRecord).offset)
    expect([0, ...offsets]).toEqual(range(100))
    await records.return!()
    await log.close()
  })

  test('what the loop was at when it was left comes again, and not what came before', async () => {
    const log = await ordersLog(6)
    const consumer = consumerOf(log)
    expect(await take(consumer, 3)).toEqual(['0/0', '0/1', '0/2'])
    expect(await take(consumer, 2)).toEqual(['0/2', '0/3'])
    const error = await rejection(
      (async () => {
        for await (const { offset } of consumer) if (offset === 4) throw new Error('enough')
      })(),
    )
    expect(error.message).toBe('enough')
    expect(await take(consumer, 2)).toEqual(['0/4', '0/5'])
    await log.close()
  })
})

test('however many handlers wait for records, the program is not warned of a leak', async () => {
  const warnings: Error[] = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on('warning', note)
  const log = await ordersLog(1)
  const consumer = consumerOf(log)
  const run = consumer.run(() => {}, { concurrency: 40 })
  await until(() => consumer.health().lastCommitTimestamp !== null)
  await idle(20)
  await log.close()
  await run
  process.off('warning', note)
  expect(warnings).toEqual([])
})

describe('batches', () => {
  test('are handed out whole, and what is processed of them is committed as a whole', async () => {
    const log = await openLog()
    await log.createTopic({ name: ORDERS })
    for (const size of [3, 2, 4])
      await log.appendBatch(
        ORDERS,
        range(size).map((value) => ({ value })),
      )
    const consumer = consumerOf(log)
    const sizes: number[] = []
    for await (const batch of consumer.batches()) {
      sizes.push(batch.records().length)
      if (sizes.length === 2) break
      await consumer.commit(batch)
    }
    expect(sizes).toEqual([3, 2])
    expect(await committedBy(log)).toEqual([3])
    const again: number[] = []
    for await (const batch of consumer.batches()) {
      again.push(batch.baseOffset)
      if (again.length === 2) break
    }
    expect(again).toEqual([3, 5])
    await log.close()
  })

  test('where the group has committed the middle of one, the records before it are left out', async () => {
    const log = await openLog()
    await log.createTopic({ name: ORDERS })
    await log.appendBatch(
      ORDERS,
      range(5).map((value) => ({ value })),
    )
    const first = consumerOf(log)
    for await (const record of first) {
      await first.commit(record)
      if (record.offset === 2) break
    }
    await first.close()
    const second = consumerOf(log)
    for await (const batch of second.batches()) {
      expect(batch.records().map(({ offset }) => offset)).toEqual([3, 4])
      break
    }
    await log.close()
  })
})

/** A log in which batches have offsets at their end that no record has, and there are control batches. */
async function logWithGaps() {
  const storage = new MemoryStorage()
  const one = await openLog({ storage, directory: '/data/other' })
  await one.createTopic({ name: ORDERS })
  await one.append(ORDERS, { value: 0 })
  const [{ bytes }] = await batchesOf(one, ORDERS)
  const body = Buffer.from(bytes.subarray(61))
  await one.close()
  const batches = [
    rawBatch(body, { baseOffset: 0, lastOffsetDelta: 4 }),
    // transactional and control: an abort marker
    rawBatch(controlRecord(), { baseOffset: 5, attributes: 0x30 }),
    rawBatch(body, { baseOffset: 6 }),
    rawBatch(controlRecord(), { baseOffset: 7, attributes: 0x30 }),
  ]
  await putFile(storage, segmentPath(ORDERS, 0, 0, '.log'), Buffer.concat(batches))
  const log = await openLog({ storage })
  await log.adoptTopic({ name: ORDERS, valueCodec: 'msgpack' })
  return log
}

function controlRecord(): Buffer {
  // length, attributes, timestamp delta, offset delta, key (version, type), value (version, coordinator epoch), headers
  return Buffer.from([0x20, 0, 0, 0, 8, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0])
}

describe('offsets that no record has', () => {
  for (const how of ['run', 'for await', 'batches'] as const) {
    test(`are passed over by ${how}, and committed`, async () => {
      const log = await logWithGaps()
      const end = log.offsets(ORDERS)[0].highWatermark
      expect(end).toBe(8)
      const consumer = consumerOf(log, { autoCommit: how !== 'run' })
      const seen: number[] = []
      const note = ({ offset }: ConsumerRecord) => void seen.push(offset)
      const consuming = (async () => {
        if (how === 'run') return consumer.run(note)
        if (how === 'for await') for await (const record of consumer) note(record)
        else for await (const batch of consumer.batches()) for (const record of batch) note(record)
      })()
      await until(async () => (await committedBy(log))[0] === end)
      expect(seen).toEqual([0, 6])
      await consumer.close()
      await consuming
      await log.close()
    })
  }
})

test('what may be read ahead is shared by the partitions: reads shrink', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await ordersLog(0, 16, { storage })
  for (const partition of range(16)) {
    await log.appendBatch(
      ORDERS,
      range(1_200).map(() => ({ value: 'x'.repeat(200), partition })),
    )
  }
  const sizes = async (maxPrefetchBytes: number) => {
    const consumer = consumerOf(log, { groupId: `group of ${maxPrefetchBytes}`, maxPrefetchBytes })
    const from = storage.calls.length
    const reached = gate()
    let seen = 0
    const run = consumer.run(() => void (++seen === 19_200 && reached.open()))
    await reached.promise
    await consumer.close()
    await run
    // the first read of a partition looks its place up, too
    const reads = storage.calls.slice(from).filter(({ kind, position }) => kind === 'read' && position! >= 65_536)
    return Math.max(...reads.map(({ length }) => length!))
  }
  const large = await sizes(32 * 1024 * 1024)
  const small = await sizes(256 * 1024)
  // one batch is read however large it is
  expect(small).toBeLessThanOrEqual(20 * 1024)
  expect(large).toBeGreaterThan(2 * small)
  await log.close()
})
