/** Which partitions are compacted, in which order, and what becomes of failures. */
import { expect, test } from 'vitest'
import { Cleaner } from '../../src/engine/cleaner.ts'
import { FileHolds } from '../../src/engine/file-holds.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { SMALL, writeSome } from '../helpers/compacted-topic.ts'
import { FaultyStorage, type CallKind } from '../helpers/faulty-storage.ts'
import { openLog, rejection } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const random = new SeededRandom(7)

/** Compacted topics of one partition, each with so many records, and a cleaner that only the test calls. */
async function cleanerOver(topics: { [name: string]: number }, config: { minCompactionLagMs?: number } = {}) {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await openLog({ storage, compactionCheckMs: 2 ** 31 - 1 })
  const { clock, checkpointer, topics: byName } = log['engine']
  for (const [name, records] of Object.entries(topics)) {
    await log.createTopic({ ...SMALL, ...config, name, minCleanableDirtyRatio: 0 })
    await writeSome(log, random, records, { topic: name })
  }
  const cleaner = new Cleaner({ clock, store: () => checkpointer.store(), holds: new FileHolds(), bufferBytes: 65_536 })
  const compacted = () => [
    ...new Set(storage.calls.filter(({ path }) => path.endsWith('.log.cleaned')).map(({ path }) => path.split('/')[3])),
  ]
  const logRead = (topic: string) => (kind: CallKind, path: string) =>
    kind === 'read' && path.includes(`/${topic}-0/`) && path.endsWith('.log')
  return {
    storage,
    log,
    cleaner,
    compacted,
    logRead,
    all: [...byName.values()],
    partition: byName.get('a')!.partitions[0],
  }
}

test('the dirtiest partition comes first', async () => {
  const { log, cleaner, compacted, all, storage } = await cleanerOver({ a: 60, b: 60 })
  await log.compact('a')
  await writeSome(log, random, 20, { topic: 'a' })
  storage.calls.length = 0
  await cleaner.compactDirty(all)
  expect(compacted()).toEqual(['b-0', 'a-0'])
})

test('a partition whose work was ended for good is left alone by whoever asks', async () => {
  const { cleaner, compacted, all, partition } = await cleanerOver({ a: 60, b: 60 })
  await cleaner.cancel([partition])
  expect((await cleaner.compact(all)).map(({ topic }) => topic)).toEqual(['b'])
  await cleaner.compactDirty(all)
  expect(compacted()).toEqual(['b-0'])
})

test('one that cannot be looked into keeps no other from its turn, and is told', async () => {
  const { storage, cleaner, compacted, all, logRead } = await cleanerOver({ a: 60, b: 60 }, { minCompactionLagMs: 1 })
  storage.failAt({ call: logRead('a'), code: 'EIO', sticky: true })
  expect(await rejection(cleaner.compactDirty(all))).toMatchObject({ code: 'EIO' })
  expect(compacted()).toEqual(['b-0'])
})

test.each(['compact', 'compactDirty'] as const)(
  'what fails in a partition that is given up meanwhile is nobody else to know (%s)',
  async (call) => {
    const { storage, cleaner, all, logRead, partition } = await cleanerOver({ a: 60, b: 60 }, { minCompactionLagMs: 1 })
    const isRead = logRead('a')
    const givenUp = (kind: CallKind, path: string) => {
      if (isRead(kind, path)) void cleaner.cancel([partition])
      return isRead(kind, path)
    }
    storage.failAt({ call: givenUp, code: 'EIO', sticky: true })
    await cleaner[call](all)
    expect(storage.calls.some(({ fault }) => fault === 'EIO')).toBe(true)
  },
)
