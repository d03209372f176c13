/** How readers wait at the end of a partition, and how a cursor goes through it. */
import { expect, test } from 'vitest'
import { VarveError } from '../../src/errors.ts'
import { PartitionCursor } from '../../src/engine/partition-cursor.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { openLog, rejection, segmentPath } from '../helpers/logs.ts'

async function partitionOf(storage = new MemoryStorage()) {
  const log = await openLog({ storage })
  await log.createTopic({ name: 't' })
  const [partition] = log['engine'].topic('t').partitions
  return { log, partition }
}

test('who waits for records that are there, or at a partition that is closed, is woken at once', async () => {
  const { log, partition } = await partitionOf()
  let woken = 0
  partition.onRecords(0, () => woken++)
  expect(woken).toBe(0)
  await log.append('t', { value: 1 })
  expect(woken).toBe(1)
  partition.onRecords(0, () => woken++)
  expect(woken).toBe(2)
  partition.onRecords(1, () => woken++)
  expect(woken).toBe(2)
  await partition.close(new VarveError('CLOSED', 'it is closed'))
  expect(woken).toBe(3)
  partition.onRecords(1, () => woken++)
  expect(woken).toBe(4)
})

test('who has taken the wait back is not woken', async () => {
  const { log, partition } = await partitionOf()
  partition.onRecords(0, () => expect.unreachable('it was taken back'))()
  await log.append('t', { value: 1 })
})

test('a cursor that has met damage says so for ever, and never skips it', async () => {
  const storage = new MemoryStorage()
  const { log, partition } = await partitionOf(storage)
  for (let i = 0; i < 3; i++) await log.append('t', { value: i })
  const file = await storage.openFile(segmentPath('t', 0, 0, '.log'), 'write')
  file.write(Buffer.from('?'), (await file.size()) - 1)
  const cursor = new PartitionCursor(partition, 0, 3)
  const offsets: number[] = []
  const goOn = async () => {
    while (await cursor.fill())
      for (let batch = cursor.take(); batch !== null; batch = cursor.take()) offsets.push(batch.baseOffset)
  }
  const damage = await rejection(goOn())
  expect(damage).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { offset: 2, nextOffset: 3 } })
  expect(await rejection(goOn())).toBe(damage)
  expect(offsets).toEqual([0, 1])
})
