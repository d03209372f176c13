/** What was committed by hand does not come again, and nothing that is committed by itself takes it back. */
import { expect, test } from 'vitest'
import type { Consumer } from '../../src/client/consumer.ts'
import { committedBy, consumerOf, ORDERS, ordersLog } from '../helpers/consuming.ts'
import { rejection } from '../helpers/logs.ts'

const at = (offset: number) => ({ topic: ORDERS, partition: 0, offset })

/** Consumes record by record, each with a loop of its own. */
async function oneByOne(consumer: Consumer, count: number, commit: boolean): Promise<number[]> {
  const offsets: number[] = []
  while (offsets.length < count) {
    for await (const record of consumer) {
      offsets.push(record.offset)
      if (commit) await consumer.commit(record)
      break
    }
    if (!commit) await consumer.commit(at(offsets.at(-1)! + 1))
  }
  return offsets
}

test.each([true, false])('the next loop goes on behind what was committed, within the loop: %s', async (commit) => {
  const log = await ordersLog(5)
  const consumer = consumerOf(log)
  expect(await oneByOne(consumer, 5, commit)).toEqual([0, 1, 2, 3, 4])
  await log.close()
})

test('so does the next batch', async () => {
  const log = await ordersLog(5)
  const consumer = consumerOf(log)
  const offsets: number[] = []
  while (offsets.length < 3) {
    for await (const batch of consumer.batches()) {
      offsets.push(batch.baseOffset)
      await consumer.commit(batch)
      break
    }
    await log.append(ORDERS, { value: 'more' })
  }
  expect(new Set(offsets).size).toBe(3)
  await log.close()
})

test('what was not given out is given out, wherever a commit was ahead; and a seek counts for more', async () => {
  const log = await ordersLog(5)
  const consumer = consumerOf(log)
  expect(await oneByOne(consumer, 1, false)).toEqual([0])
  await consumer.commit(at(4))
  expect(await oneByOne(consumer, 1, true)).toEqual([1])
  await consumer.seek(at(0), 0)
  await consumer.commit(at(3))
  expect(await oneByOne(consumer, 2, true)).toEqual([0, 1])
  await log.close()
})

test('autoCommit does not take back what was committed ahead of it', async () => {
  const log = await ordersLog(5)
  const consumer = consumerOf(log, { autoCommit: true })
  for await (const record of consumer) {
    await consumer.commit(record)
    if (record.offset === 2) break
  }
  await consumer.close()
  expect(await committedBy(log)).toEqual([3])
  await log.close()
})

test('a handler that commits and fails after it has had its record', async () => {
  const log = await ordersLog(5)
  const consumer = consumerOf(log)
  const seen: number[] = []
  const error = await rejection(
    consumer.run(async (record) => {
      seen.push(record.offset)
      await consumer.commit(record)
      if (record.offset === 2) throw new Error('too late')
    }),
  )
  expect(error).toMatchObject({ code: 'HANDLER_FAILED', message: expect.stringMatching(/and so is this record$/) })
  expect(await committedBy(log)).toEqual([3])
  await consumer.run((record) => {
    seen.push(record.offset)
    if (record.offset === 4) void consumer.close()
  })
  expect(seen).toEqual([0, 1, 2, 3, 4])
  await log.close()
})

test('a record that a handler fails at can be passed over', async () => {
  const log = await ordersLog(5)
  const consumer = consumerOf(log)
  const seen: number[] = []
  const run = () =>
    consumer.run((record) => {
      if (record.offset === 1) throw new Error('never')
      seen.push(record.offset)
      if (record.offset === 4) void consumer.close()
    })
  expect(await rejection(run())).toMatchObject({ details: { offset: 1 } })
  await consumer.commit(at(2))
  await run()
  expect(seen).toEqual([0, 2, 3, 4])
  await log.close()
})
