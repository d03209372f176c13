/** Internal topics, whose partitions are made on first use. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { OFFSETS_TOPIC } from '../../src/engine/internal-topics.ts'
import { TopicAdmin } from '../../src/engine/topic-admin.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { openLog, rejection } from '../helpers/logs.ts'

test('a partition that is not there yet is named, beside those that are', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await openLog({ storage })
  const admin = new TopicAdmin(log['engine'])
  const spec = { name: OFFSETS_TOPIC, partitions: 50 }
  storage.failAt({ call: (kind, path) => kind === 'makeDirectory' && path.includes(OFFSETS_TOPIC), code: 'ENOSPC' })
  expect(await rejection(admin.internalPartition(spec, 7))).toMatchObject({ code: 'DISK_FULL' })
  const topic = log['engine'].topic(OFFSETS_TOPIC)
  expect(() => topic.partition(7)).toThrow('has partitions none so far, not 7')
  const partition = await admin.internalPartition(spec, 7)
  await admin.internalPartition(spec, 3)
  expect(topic.partition(7)).toBe(partition)
  // and who asks again gets the one that is there
  expect(await admin.internalPartition(spec, 7)).toBe(partition)
  expect(() => topic.partition(5)).toThrow('has partitions 3, 7, not 5')
  await log.createTopic({ name: 't', partitions: 2 })
  expect(() => log['engine'].topic('t').partition(2)).toThrow('has partitions 0 to 1, not 2')
})

test('a configuration that is unset has its default again, in the same change as others are set', async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 't', segmentBytes: 5_000, retentionMs: 7 })
  const { segmentBytes: byDefault } = (await log.createTopic({ name: 'other' })).config
  await new TopicAdmin(log['engine']).alter('t', { retentionMs: 8 }, ['segmentBytes'])
  const changed = { segmentBytes: byDefault, retentionMs: 8 }
  expect((await log.describeTopic('t')).config).toMatchObject(changed)
  await log.close()
  const again = await openLog({ storage })
  expect((await again.describeTopic('t')).config).toMatchObject(changed)
  await again.close()
})

test('a deletion that means one topic leaves another one alone that has got its name', async () => {
  const log = await openLog({ storage: new MemoryStorage() })
  const { topicId } = await log.createTopic({ name: 't' })
  const gone = log.deleteTopic('t')
  const made = log.createTopic({ name: 't' })
  const late = log.deleteTopic('t', { topicId })
  expect(await rejection(late)).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  await gone
  expect((await log.listTopics()).map((topic) => topic.topicId)).toEqual([(await made).topicId])
  await log.deleteTopic('t', { topicId: (await made).topicId })
  expect(await log.listTopics()).toEqual([])
  await log.close()
})
