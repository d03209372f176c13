/** One consumer and its group: what it is given, what it commits, and what it says when something is wrong. */
import { expect, test } from 'vitest'
import { idle, openLog, rejection } from '../helpers/logs.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'

async function logWith(count: number, partitions = 1, options = {}) {
  const log = await openLog(options)
  await log.createTopic({ name: 'orders', partitions })
  for (let i = 0; i < count; i++) await log.append('orders', { value: i, partition: i % partitions })
  return log
}

test('a new group sees all of history, and goes on where it committed', async () => {
  const storage = new MemoryStorage()
  const log = await logWith(10, 2, { storage })
  const consumer = log.consumer({ groupId: 'billing', topics: ['orders'] })
  const seen: unknown[] = []
  for await (const record of consumer) {
    seen.push(record.value)
    await consumer.commit(record)
    if (seen.length === 6) break
  }
  await consumer.close()
  await log.close()

  const again = await openLog({ storage })
  const next = again.consumer({ groupId: 'billing', topics: ['orders'] })
  for await (const record of next) {
    seen.push(record.value)
    if (seen.length === 10) break
  }
  expect(new Set(seen)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
  await again.close()
})

test('run commits after the handler, and two consumers share the partitions', async () => {
  const log = await logWith(100, 4)
  const seen: string[][] = [[], []]
  const consumers = [0, 1].map(() => log.consumer({ groupId: 'billing', topics: ['orders'] }))
  const runs = consumers.map((consumer, i) =>
    consumer.run((record: ConsumerRecord) => void seen[i].push(`${record.partition}/${record.offset}`)),
  )
  while (seen.flat().length < 100) await idle()
  await idle(50)
  for (let i = 0; i < 100; i++) await log.append('orders', { value: i, partition: i % 4 })
  while (seen.flat().length < 200) await idle()
  expect(new Set(seen.flat()).size).toBe(200)
  expect(consumers.map((consumer) => consumer.assignment().length)).toEqual([2, 2])
  await log.close()
  await Promise.all(runs)
})

test('a handler that throws ends the run at its record', async () => {
  const log = await logWith(5)
  const consumer = log.consumer({ groupId: 'billing', topics: ['orders'] })
  const error = await rejection(
    consumer.run((record) => {
      if (record.offset === 3) throw new Error('no money')
    }),
  )
  expect(error).toMatchObject({ code: 'HANDLER_FAILED', details: { topic: 'orders', partition: 0, offset: 3 } })
  const seen: number[] = []
  const run = consumer.run((record) => void seen.push(record.offset))
  while (seen.length < 2) await idle()
  await consumer.close()
  await run
  expect(seen).toEqual([3, 4])
  await log.close()
})
