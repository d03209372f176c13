/** The iterations that `read` and `readBatches` give: their steps, asked for in any way. */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { GatedReads } from '../helpers/gated-reads.ts'
import { changeFile, openLog, rejection, segmentPath } from '../helpers/logs.ts'

const DONE = { value: undefined, done: true }
const READERS = {
  read: (log: Varve) => log.read('orders') as AsyncIterableIterator<{ offset: number }>,
  "order 'time'": (log: Varve) => log.read('orders', { order: 'time' }) as AsyncIterableIterator<{ offset: number }>,
  async *readBatches(log: Varve): AsyncGenerator<{ offset: number }> {
    for await (const batch of log.readBatches('orders')) yield { offset: batch.baseOffset }
  },
}

async function withRecords(count: number, storage = new FaultyStorage(new MemoryStorage())) {
  const log = await openLog({ storage })
  await log.createTopic({ name: 'orders', segmentBytes: 20_000 })
  for (let i = 0; i < count; i++) await log.append('orders', { value: 'x'.repeat(500) })
  return { log, storage }
}

describe.each(Object.entries(READERS))('%s', (_name, open) => {
  test('gives its items in order, however many steps are asked for at once', async () => {
    const { log } = await withRecords(300)
    const reader = open(log)
    const steps = Array.from({ length: 310 }, () => reader.next())
    const offsets = (await Promise.all(steps)).map((step) => (step.done === true ? 'done' : step.value.offset))
    expect(offsets).toEqual([...Array.from({ length: 300 }, (_, i) => i), ...Array.from({ length: 10 }, () => 'done')])
  })

  test('gives the same to each of two that are open', async () => {
    const { log } = await withRecords(100)
    const [a, b] = [open(log), open(log)]
    for (let i = 0; i < 100; i++) {
      const [one, other] = await Promise.all([a.next(), b.next()])
      expect([one.value?.offset, other.value?.offset]).toEqual([i, i])
    }
    expect([await a.next(), await b.next()]).toEqual([DONE, DONE])
  })

  test('stays ended once it has ended: by the end, by a break', async () => {
    const { log } = await withRecords(5)
    const reader = open(log)
    for await (const _ of reader);
    await log.append('orders', { value: 'more' })
    expect(await reader.next()).toEqual(DONE)
    const broken = open(log)
    for await (const _ of broken) break
    expect(await broken.next()).toEqual(DONE)
    expect(await broken.return!()).toEqual(DONE)
  })

  test('stays ended after a failure: steps asked for meanwhile are done, not records from behind it', async () => {
    const { log, storage } = await withRecords(300)
    const reader = open(log)
    await reader.next()
    storage.failAt({ call: (kind) => kind === 'read', code: 'EIO', sticky: true })
    const steps = await Promise.allSettled(Array.from({ length: 400 }, () => reader.next()))
    storage.clearFaults()
    const failed = steps.findIndex(({ status }) => status === 'rejected')
    expect(failed).toBeGreaterThan(0)
    expect(steps[failed]).toMatchObject({ reason: { code: 'KAFKA_STORAGE_ERROR' } })
    const after = steps.slice(failed + 1).map((step) => (step as PromiseFulfilledResult<unknown>).value)
    expect(after).toEqual(after.map(() => DONE))
    expect(await reader.next()).toEqual(DONE)
    // another reader is not concerned
    let count = 0
    for await (const _ of open(log)) count++
    expect(count).toBe(300)
  })
})

test('a batch of malformed records ends the reading with INVALID_RECORD, naming it', async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 'orders', valueCodec: 'bytes' })
  await log.append('orders', { value: Buffer.from('good') })
  await log.append('orders', { value: Buffer.from('bad') })
  await log.close()
  const { crc32c } = await import('../../src/codec/checksum.ts')
  await changeFile(storage, segmentPath('orders', 0, 0, '.log'), (content) => {
    const start = 12 + content.readInt32BE(8)
    // a producer that wrote nonsense under a valid checksum
    content[start + 61] = 0x7e
    content.writeUInt32BE(crc32c(content, start + 21, content.length), start + 17)
  })
  const again = await openLog({ storage })
  const reader = again.read('orders')
  expect(((await reader.next()).value as ConsumerRecord).offset).toBe(0)
  const error = await rejection(reader.next())
  expect(error).toMatchObject({ code: 'INVALID_RECORD', details: { topic: 'orders', partition: 0, offset: 1 } })
  expect(await reader.next()).toEqual(DONE)
})

test('reading leaves no file open but those of the segments in use, and closing none', async () => {
  const storage = new GatedReads(new MemoryStorage())
  const log = await openLog({ storage })
  await log.createTopic({ name: 'orders', segmentBytes: 20_000 })
  await Promise.all(Array.from({ length: 4000 }, () => log.append('orders', { value: 'x'.repeat(500) })))
  const { segments } = (await log.describeTopic('orders')).partitions[0]
  expect(segments).toBeGreaterThan(90)
  const before = storage.openFiles
  for (let i = 0; i < 20; i++) {
    for await (const { offset } of log.read('orders')) if (offset > i * 200) break
  }
  for await (const _ of log.read('orders'));
  expect(storage.openFiles - before).toBeLessThanOrEqual(64)
  await log.close()
  expect(storage.openFiles).toBe(0)
})
