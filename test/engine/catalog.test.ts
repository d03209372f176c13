/** What the catalog of topics takes for damage. */
import { expect, test, vi } from 'vitest'
import { Catalog } from '../../src/engine/catalog.ts'
import { openLog, rejection } from '../helpers/logs.ts'

/** A catalog that is replayed from a topic of which the first three records are gone. */
async function withoutItsStart() {
  const log = await openLog()
  await log.createTopic({ name: 't' })
  for (let i = 0; i < 5; i++) await log.append('t', { key: `topic-${i}`, value: { name: `t${i}` } })
  await log.deleteRecords('t', { partition: 0, beforeOffset: 3 })
  const { clock } = log['engine']
  const [partition] = log['engine'].topic('t').partitions
  return { partition, catalog: new Catalog(partition, clock) }
}

test('one that begins later than is known is damaged: which topics there were is not guessed', async () => {
  const { partition, catalog } = await withoutItsStart()
  const error = await rejection(catalog.load(0))
  expect(error).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { path: partition.log.directory, offset: 0 } })
  expect(error.message).toContain('the records from offset 0 to 2 are missing')
  expect(error.message).toContain('adoptTopic')
  expect(catalog.topics).toEqual([])
})

test('one that begins where it should is replayed', async () => {
  const { catalog } = await withoutItsStart()
  await catalog.load(3)
  expect(catalog.topics.map(({ name }) => name)).toEqual(['t3', 't4'])
})

test('a fault in the program is told as it is, and not as damage', async () => {
  const { partition, catalog } = await withoutItsStart()
  const fault = new TypeError('a fault in the program')
  vi.spyOn(partition, 'read').mockRejectedValue(fault)
  expect(await rejection(catalog.load(3))).toBe(fault)
})

test('a topic is found by its id, as long as it is there', async () => {
  const log = await openLog()
  const { topicId } = await log.createTopic({ name: 't' })
  const { catalog } = log['engine']
  expect(catalog.get(topicId)).toMatchObject({ name: 't', topicId })
  await log.deleteTopic('t')
  expect(catalog.get(topicId)).toBeUndefined()
  await log.close()
})
