/** Committed offsets outlive the catalog: `__consumer_offsets` is taken over like any topic, with the partitions there are. */
import { expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { offsetsPartitionFor } from '../../src/group/offsets-partition.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { appendEach, committedBy, consumerOf, fakeLog, GROUP, ORDERS, ordersLog, take } from '../helpers/consuming.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { DIRECTORY, offsetsOf, openLog, rejection } from '../helpers/logs.ts'

const OFFSETS = '__consumer_offsets'
const OTHER = 'shipping'
const PARTITIONS = [GROUP, OTHER].map((group) => offsetsPartitionFor(group)).sort((a, b) => a - b)

const topic = { name: ORDERS, valueCodec: 'msgpack', partitioner: 'murmur3' } as const

async function commit(log: Varve, offset: number, groupId = GROUP, partition = 0): Promise<void> {
  await log.resetOffsets(groupId, { offsets: [{ topic: ORDERS, partition, offset }], dryRun: false })
}

async function loseCatalog(storage: MemoryStorage): Promise<void> {
  await storage.rename(`${DIRECTORY}/__varve_catalog-0`, '/catalog-moved-away')
  await storage.syncDirectory(DIRECTORY)
}

/** A closed log whose catalog is gone; two groups have committed in it, each in a partition of its own. */
async function withoutCatalog(): Promise<MemoryStorage> {
  const storage = new MemoryStorage()
  const log = await ordersLog(6, 1, { storage })
  await commit(log, 3)
  await commit(log, 5, OTHER)
  await log.close()
  await loseCatalog(storage)
  return storage
}

const ways: [string, (log: Varve) => Promise<unknown>][] = [
  ['the topic first', async (log) => [await log.adoptTopic(topic), await log.adoptTopic({ name: OFFSETS })]],
  ['the offsets first', async (log) => [await log.adoptTopic({ name: OFFSETS }), await log.adoptTopic(topic)]],
]

test.each(ways)('after a lost catalog groups go on where they were, %s', async (_, adopt) => {
  const storage = await withoutCatalog()
  const log = await openLog({ storage })
  await adopt(log)
  expect(await committedBy(log)).toEqual([3])
  expect(await take(consumerOf(log), 3)).toEqual(['0/3', '0/4', '0/5'])
  expect(await committedBy(log, OTHER)).toEqual([5])
  await log.close()
  const again = await openLog({ storage: storage.crash() })
  expect(again.recovery).toMatchObject({ clean: true, damage: [], unknownDirectories: [] })
  expect(await committedBy(again, OTHER)).toEqual([5])
  await commit(again, 6, 'a third one')
  expect(await committedBy(again, 'a third one')).toEqual([6])
})

test('what is adopted is set up as the log sets up its own, with the partitions there are', async () => {
  const log = await openLog({ storage: await withoutCatalog() })
  const { partitions, config } = await log.adoptTopic({ name: OFFSETS })
  expect(partitions.map(({ partition }) => partition)).toEqual(PARTITIONS)
  expect(config).toMatchObject({ cleanupPolicy: 'compact', segmentBytes: 16 * 1024 * 1024, valueCodec: 'bytes' })
  expect(await log.listTopics()).toEqual([])
})

test('a group that was refused before, and one that began anew meanwhile, have their offsets', async () => {
  const log = await openLog({ storage: await withoutCatalog() })
  await log.adoptTopic(topic)
  await commit(log, 1, 'a third one')
  expect(await rejection(commit(log, 1))).toMatchObject({
    code: 'TOPIC_ALREADY_EXISTS',
    message: expect.stringContaining('take them over with adoptTopic'),
  })
  await log.adoptTopic({ name: OFFSETS })
  expect([await committedBy(log), await committedBy(log, 'a third one')]).toEqual([[3], [1]])
  expect(await rejection(log.adoptTopic({ name: OFFSETS }))).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
})

test('offsets that were compacted are found again, and are compacted on', async () => {
  const storage = new MemoryStorage()
  const { clock, log } = await fakeLog(6, 2, { storage })
  const seal = async (target: Varve) => {
    clock.advance(8 * 24 * 60 * 60_000)
    await commit(target, 4)
    await target.compact(OFFSETS)
  }
  await commit(log, 2, GROUP, 1)
  for (const offset of [1, 2, 3]) await commit(log, offset)
  await seal(log)
  await seal(log)
  expect(await offsetsOf(log, OFFSETS)).toEqual([0, 4, 5])
  await log.close()
  await loseCatalog(storage)
  const again = await openLog({ storage, clock: new FakeClock() })
  await again.adoptTopic({ name: OFFSETS })
  await again.adoptTopic(topic)
  await seal(again)
  expect(await committedBy(again)).toEqual([4, 2])
  await again.close()
  const third = await openLog({ storage })
  expect(third.recovery).toMatchObject({ damage: [], partitions: [] })
  expect(await committedBy(third)).toEqual([4, 2])
})

test('stopped at any call, it can be done again, and nothing that was committed is lost', async () => {
  for (let call = 0; ; call++) {
    const memory = await withoutCatalog()
    const storage = new FaultyStorage(memory)
    const log = await openLog({ storage })
    storage.failAt({ call: storage.calls.length + call, code: 'EIO', sticky: true })
    const done = await log.adoptTopic({ name: OFFSETS }).then(
      () => true,
      () => false,
    )
    for (const left of [memory.clone(), memory.crash()]) {
      const again = await openLog({ storage: left })
      if (again.recovery.unknownDirectories.some((one) => one.topic === OFFSETS))
        await again.adoptTopic({ name: OFFSETS })
      await again.adoptTopic(topic)
      expect([await committedBy(again), await committedBy(again, OTHER)]).toEqual([[3], [5]])
    }
    if (done) break
  }
})

test('a topic that is created anew begins without offsets, adopted ones too', async () => {
  const log = await openLog({ storage: await withoutCatalog() })
  await log.adoptTopic({ name: OFFSETS })
  await log.adoptTopic(topic)
  await log.deleteTopic(ORDERS)
  await log.createTopic({ name: ORDERS })
  await appendEach(log, 1)
  expect(await committedBy(log)).toEqual([])
})

test('only its name is given, and the catalog is not adopted', async () => {
  const log = await openLog()
  const withMore = { name: OFFSETS, cleanupPolicy: 'delete' } as const
  expect(await rejection(log.adoptTopic(withMore))).toMatchObject({
    name: 'TypeError',
    message: expect.stringContaining("takes no 'cleanupPolicy'"),
  })
  expect(await rejection(log.adoptTopic({ name: '__varve_catalog' }))).toMatchObject({
    code: 'INVALID_TOPIC_EXCEPTION',
  })
  expect(await rejection(log.adoptTopic({ name: OFFSETS }))).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  await log.close()
})
