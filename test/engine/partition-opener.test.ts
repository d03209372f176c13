/** How a reader beside the writer looks again at a partition that is compacted, damaged or deleted meanwhile. */
import { expect, test } from 'vitest'
import { LogEngine } from '../../src/engine/log-engine.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { SMALL, TOPIC, writeSome } from '../helpers/compacted-topic.ts'
import { GatedReads } from '../helpers/gated-reads.ts'
import { DIRECTORY, openLog, rejection, segmentPath } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

test('what a compaction changes while a reader looks is looked at again: names and content belong together', async () => {
  const random = new SeededRandom(1)
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic(SMALL)
  await writeSome(log, random, 40)
  // with it comes a checkpoint: the reader looks at nothing more than the last segment, which is not compacted
  await log.createTopic({ name: 'other' })
  const slow = new GatedReads(storage)
  const reader = await LogEngine.open({ directory: DIRECTORY, storage: slow, readOnly: true })
  const [partition] = reader.topics.get(TOPIC)!.partitions
  expect(partition.log.exchange.exchanges).toBe(0)
  let compaction: Promise<unknown> | undefined
  slow.gate = (path) => (path.endsWith('.log') ? (compaction ??= log.compact(TOPIC)).then(() => {}) : undefined)
  await reader.refresh([partition])
  expect(compaction).toBeDefined()
  const { log: found } = partition
  expect(found.logEndOffset).toBe(log.offsets(TOPIC)[0].logEndOffset)
  expect(found.exchange.exchanges).toBeGreaterThan(0)
  await reader.close()
  await log.close()
})

test('a topic whose files are damaged is not taken for a deleted one, as long as they hold anything', async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 't', segmentBytes: 200, valueCodec: 'bytes' })
  for (let i = 0; i < 6; i++) await log.append('t', { value: Buffer.alloc(100) })
  const reader = await LogEngine.open({ directory: DIRECTORY, storage, readOnly: true })
  const { partitions } = reader.topics.get('t')!
  await storage.removeFile(`${DIRECTORY}/t-0/partition.metadata`)
  await storage.removeFile(segmentPath('t', 0, 0, '.log'))
  await reader.refresh(partitions)
  await expect(partitions[0].read(0, 1, 6)).rejects.toMatchObject({ code: 'CORRUPT_MESSAGE' })
  await storage.removeDirectory(`${DIRECTORY}/t-0`)
  expect(await rejection(reader.refresh(partitions))).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  await reader.close()
})
