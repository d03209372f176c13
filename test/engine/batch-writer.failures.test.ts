/** What a writer does when it is closed, when the disk fails at a bad moment, and when the program has a fault. */
import { expect, test } from 'vitest'
import { VarveError } from '../../src/errors.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { idle, openLog, outcomesOf, rejection, valuesOf } from '../helpers/logs.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

const TOPIC = 't'

async function openWindowed() {
  const storage = new FaultyStorage(new MemoryStorage())
  const clock = new FakeClock()
  const log = await openLog({ storage, clock, flush: { ms: 10 } })
  await log.createTopic({ name: TOPIC, valueCodec: 'string' })
  await log.append(TOPIC, { value: 'first' })
  await log.flush()
  return { storage, clock, log }
}

test('one that is closed refuses everything with what closed it', async () => {
  const log = await openLog()
  await log.createTopic({ name: TOPIC })
  const { writer } = log['engine'].topic(TOPIC).partitions[0]
  const closed = new VarveError('CLOSED', 'it is closed')
  await writer.close(closed)
  expect(await rejection(writer.flush())).toBe(closed)
  expect(await rejection(writer.append(null, Buffer.from('x'), [], 0, null))).toBe(closed)
  expect(() => writer.beginBatch(null)).toThrow(closed)
})

test.each([new TypeError('a fault in the program'), new VarveError('INVALID_RECORD', 'a fault that has a code')])(
  'a fault while records are made visible stops the partition and no other, and is told: %s',
  async (fault) => {
    const log = await openLog()
    await log.createTopic({ name: TOPIC })
    await log.createTopic({ name: 'other' })
    const [partition] = log['engine'].topic(TOPIC).partitions
    partition.onRecords(0, () => {
      throw fault
    })
    const [first, second] = [log.append(TOPIC, { value: 1 }), log.append(TOPIC, { value: 2 })]
    expect(await rejection(first)).toMatchObject({ code: 'KAFKA_STORAGE_ERROR', cause: fault })
    expect(await rejection(second)).toBe(await rejection(first))
    expect(await rejection(log.append(TOPIC, { value: 3 }))).toBe(await rejection(first))
    expect(await outcomesOf([log.append('other', { value: 1 })])).toEqual(['done'])
  },
)

test('a record whose write outlasts the window is refused when the sync that it waits for fails', async () => {
  const { storage, clock, log } = await openWindowed()
  await log.append(TOPIC, { value: 'second' })
  storage.failAt({ call: (kind, path) => kind === 'sync' && path.endsWith('.log'), code: 'EIO', sticky: true })
  // the clock jumps between the look at the window and the acknowledgement, as when a write blocks
  const monotonicMs = clock.monotonicMs.bind(clock)
  let looks = 0
  clock.monotonicMs = () => monotonicMs() + (looks++ < 2 ? 0 : 20)
  expect(await rejection(log.append(TOPIC, { value: 'third' }))).toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
  expect(await valuesOf(log, TOPIC)).toEqual(['first', 'second'])
})

test('a topic is deleted all the same when a sync that is under way fails', async () => {
  const { storage, clock, log } = await openWindowed()
  const gate = new SyncGate()
  storage.syncGate = { pass: (path: string) => (path.includes(`/${TOPIC}-`) ? gate.pass(path) : undefined) } as SyncGate
  await log.append(TOPIC, { value: 'second' })
  clock.advance(5)
  await gate.arrived()
  const deleted = log.deleteTopic(TOPIC)
  await idle()
  gate.fail(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }))
  await deleted
  expect(await log.listTopics()).toEqual([])
  await log.close()
})
