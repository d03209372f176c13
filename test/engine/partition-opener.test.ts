/** How a reader beside the writer looks again at a partition while that is compacted. */
import { expect, test } from 'vitest'
import { LogEngine } from '../../src/engine/log-engine.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { SMALL, TOPIC, writeSome } from '../helpers/compacted-topic.ts'
import { GatedReads } from '../helpers/gated-reads.ts'
import { DIRECTORY, openLog } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

test('what a compaction changes while a reader looks is looked at again: names and content belong together', async () => {
  const random = new SeededRandom(1)
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic(SMALL)
  const written = await writeSome(log, random, 40)
  const slow = new GatedReads(storage)
  const reader = await LogEngine.open({ directory: DIRECTORY, storage: slow, readOnly: true })
  const [partition] = reader.topics.get(TOPIC)!.partitions
  expect(partition.log.exchange.exchanges).toBe(0)
  await writeSome(log, random, 40, { into: written })
  let compaction: Promise<unknown> | undefined
  // the file in which the reader goes on is open when the others change
  slow.gate = (path) => (path.endsWith('.log') ? (compaction ??= log.compact(TOPIC)).then(() => {}) : undefined)
  await reader.refresh([partition])
  expect(compaction).toBeDefined()
  const { log: found } = partition
  expect(found.logEndOffset).toBe(log.offsets(TOPIC)[0].logEndOffset)
  expect(found.exchange.exchanges).toBeGreaterThan(0)
  await reader.close()
  await log.close()
})
