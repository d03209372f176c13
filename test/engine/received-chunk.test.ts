/** Batches that a client made, in the same write loop as records of this process. */
import { describe, expect, test } from 'vitest'
import { checkReceivedBatch } from '../../src/codec/received-batch.ts'
import type { Flush } from '../../src/engine/flush.ts'
import type { VarveOptions } from '../../src/engine/open-options.ts'
import type { TopicConfig } from '../../src/engine/topic-config.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { systemError } from '../../src/storage/system-error.ts'
import { clientBatch, withoutPlace } from '../helpers/client-batch.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { idle, namesIn, openLog, outcomesOf, rejection, segmentPath, valuesOf } from '../helpers/logs.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

const TOPIC = 't'

async function opened(config: Partial<TopicConfig> = {}, options: Partial<VarveOptions> = {}) {
  const storage = new FaultyStorage(new MemoryStorage())
  const clock = new FakeClock()
  const log = await openLog({ storage, clock, ...options })
  await log.createTopic({ name: TOPIC, valueCodec: 'string', ...config })
  const topic = log['engine'].topic(TOPIC)
  const send = (batch: Buffer) =>
    topic.appendReceived(topic.partition(0), batch, checkReceivedBatch(batch, 1_000_000, true))
  return { storage, clock, log, topic, send }
}

test.each(['each', 'group', 'os', { ms: 5 }] satisfies Flush[])(
  'records and batches of clients keep the order of the calls under %o',
  async (flush) => {
    const { log, send } = await opened({ flush })
    const answers = [
      send(clientBatch(['a', 'b'])).then(({ baseOffset }) => baseOffset),
      log.append(TOPIC, { value: 'c' }).then(({ offset }) => offset),
      send(clientBatch(['d'])).then(({ baseOffset }) => baseOffset),
      send(clientBatch(['e', 'f', 'g'])).then(({ baseOffset }) => baseOffset),
      log.appendBatch(TOPIC, [{ value: 'h' }, { value: 'i' }]).then(([{ offset }]) => offset),
    ]
    expect(await Promise.all(answers)).toEqual([0, 2, 3, 4, 7])
    expect(await valuesOf(log, TOPIC)).toEqual('abcdefghi'.split(''))
    await log.close()
  },
)

test('segments roll between batches of clients, which stay as they are, and all is found again', async () => {
  const { storage, clock, log, send } = await opened({ segmentBytes: 400 })
  const sent = Array.from({ length: 12 }, (_, i) => clientBatch([`${i}`.padEnd(60, 'x')]))
  const answers = await Promise.all(sent.map((batch) => send(Buffer.from(batch))))
  expect(answers.map(({ baseOffset }) => baseOffset)).toEqual(sent.map((_, i) => i))
  const segments = (await namesIn(storage, '/data/events/t-0')).filter((name) => name.endsWith('.log')).sort()
  expect(segments.length).toBeGreaterThan(3)
  const files = await Promise.all(segments.map((name) => storage.readFile(`/data/events/t-0/${name}`)))
  for (const file of files) expect(file.length).toBeLessThanOrEqual(400)
  const stored = Buffer.concat(files)
  const size = sent[0].length
  const batches = sent.map((_, i) => stored.subarray(i * size, (i + 1) * size))
  expect(batches.map(withoutPlace)).toEqual(sent.map(withoutPlace))
  await log.close()
  const again = await openLog({ storage, clock })
  expect(await valuesOf(again, TOPIC)).toEqual(sent.map((_, i) => `${i}`.padEnd(60, 'x')))
  await again.close()
})

test('a batch larger than a segment gets one of its own', async () => {
  const { storage, log, send } = await opened({ segmentBytes: 200 })
  await send(clientBatch(['a']))
  await send(clientBatch(['x'.repeat(500)]))
  await send(clientBatch(['b']))
  expect((await storage.readFile(segmentPath(TOPIC, 0, 1, '.log'))).length).toBeGreaterThan(500)
  expect((await valuesOf(log, TOPIC)).length).toBe(3)
  await log.close()
})

describe('under a window', () => {
  test('a batch of a client is acknowledged when it is written, and counts against the window', async () => {
    const { storage, log, send } = await opened({ flush: { ms: 1_000, records: 4 } })
    await send(clientBatch(['reserves']))
    await log.flush()
    const gate = new SyncGate()
    storage.syncGate = { pass: (path: string) => (path.endsWith('.log') ? gate.pass(path) : undefined) } as SyncGate
    await send(clientBatch(['a', 'b', 'c']))
    expect(log.offsets(TOPIC)[0]).toMatchObject({ highWatermark: 4, durableOffset: 1 })
    // half of the window is used: a sync is under way, and the next batch would exceed it
    let isTaken = false
    const next = send(clientBatch(['d', 'e'])).then(() => (isTaken = true))
    await gate.arrived()
    await idle()
    expect(isTaken).toBe(false)
    gate.open()
    await next
    expect(await valuesOf(log, TOPIC)).toEqual(['reserves', 'a', 'b', 'c', 'd', 'e'])
    await log.close()
  })
})

test('a batch that finds the disk full is refused as a whole, and the next one gets its offset', async () => {
  const { storage, log, send } = await opened()
  await send(clientBatch(['a']))
  storage.failAt({ call: (kind, path) => kind === 'write' && path.endsWith('.log'), code: 'ENOSPC' })
  expect(await rejection(send(clientBatch(['b', 'c'])))).toMatchObject({ code: 'DISK_FULL' })
  expect(await send(clientBatch(['d']))).toEqual({ baseOffset: 1, appendTime: -1 })
  expect(await valuesOf(log, TOPIC)).toEqual(['a', 'd'])
  await log.close()
})

test('batches of clients wait for room in turn with what this process appends', async () => {
  const { log, send } = await opened({}, { maxPendingBytes: 100 })
  const values = Array.from({ length: 20 }, (_, i) => String(i).padEnd(90, 'x'))
  const answers = values.map((value, i) => (i % 2 === 0 ? send(clientBatch([value])) : log.append(TOPIC, { value })))
  await Promise.all(answers)
  expect(await valuesOf(log, TOPIC)).toEqual(values)
  await log.close()
})

test('a closed log takes no batch', async () => {
  const { log, send } = await opened()
  const answers = [send(clientBatch(['a'])), send(clientBatch(['b']))]
  const closed = log.close()
  expect(await outcomesOf(answers)).toEqual(['done', 'done'])
  await closed
  expect(await rejection(send(clientBatch(['c'])))).toMatchObject({ code: 'CLOSED' })
})

test('under LogAppendTime a batch gets the time of the write', async () => {
  const { clock, log, send } = await opened({ messageTimestampType: 'LogAppendTime' })
  const { appendTime } = await send(clientBatch(['a', 'b']))
  expect(appendTime).toBe(clock.now())
  await log.close()
})

test('a batch that is sent again while the sync of the first one fails is not acknowledged either', async () => {
  const storage = new MemoryStorage()
  const { log, send } = await opened({}, { storage })
  const numbered = (baseSequence: number) => clientBatch(['x'], { producerId: 7, producerEpoch: 0, baseSequence })
  await send(numbered(0))
  const gate = new SyncGate()
  storage.failedSync = 'dropped'
  storage.syncDelay = (path) => gate.pass(path)
  const first = rejection(send(numbered(1)))
  await gate.arrived()
  const again = rejection(send(numbered(1)))
  gate.fail(systemError('EIO', 'fdatasync', '/data/events/t-0'))
  expect(await first).toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
  expect(await again).toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
  gate.open()
  await log.close().catch(() => {})
  const after = await openLog({ storage: storage.crash() })
  expect(await valuesOf(after, TOPIC)).toEqual(['x'])
  await after.close()
})
