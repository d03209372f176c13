/** Directories that no topic owns: reported, never touched, taken over by adoptTopic. */
import { describe, expect, test } from 'vitest'
import type { TopicConfig } from '../../src/engine/topic-config.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import {
  changeFile,
  contentOf,
  copyDirectory,
  DIRECTORY,
  namesIn,
  offsetsOf,
  openLog,
  putFile,
  recordsOf,
  rejection,
  segmentPath,
  valuesOf,
} from '../helpers/logs.ts'

const CATALOG = `${DIRECTORY}/__varve_catalog-0`

/** A log that was closed, with its catalog moved away. */
async function withoutCatalog(config: Partial<TopicConfig> = {}, names = ['orders']) {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  const ids = new Map<string, string>()
  for (const name of names) {
    ids.set(name, (await log.createTopic({ name, partitions: 3, segmentBytes: 400, ...config })).topicId)
    const records = Array.from({ length: 30 }, (_, i) => ({
      key: `k${i % 7}`,
      value: `${name} ${i}`,
      headers: { n: `${i}` },
      timestamp: i * 10,
    }))
    await Promise.all(records.map((record) => log.append(name, record)))
  }
  const before = new Map<string, string>()
  for (const name of names) before.set(name, await shownRecords(await recordsOf(log, name)))
  await log.close()
  await storage.rename(CATALOG, '/catalog-moved-away')
  await storage.syncDirectory(DIRECTORY)
  return { storage, ids, before }
}

async function shownRecords(records: Awaited<ReturnType<typeof recordsOf>>): Promise<string> {
  return JSON.stringify(records.map((r) => [r.partition, r.offset, r.timestamp, r.key, r.valueBytes, r.rawHeaders]))
}

describe('unknown directories', () => {
  test('are reported by open and by no call touched', async () => {
    const { storage, ids } = await withoutCatalog()
    await putFile(storage, `${DIRECTORY}/kafka.topic-17/00000000000000000170.log`, 'as Kafka left it')
    const strangers = async () => [...(await contentOf(storage))].filter(([path]) => /^(orders|kafka)/.test(path))
    const before = await strangers()
    const log = await openLog({ storage })
    expect(log.recovery.unknownDirectories).toEqual([
      { path: `${DIRECTORY}/kafka.topic-17`, topic: 'kafka.topic', partition: 17, topicId: null },
      ...[0, 1, 2].map((partition) => ({
        path: `${DIRECTORY}/orders-${partition}`,
        topic: 'orders',
        partition,
        topicId: ids.get('orders'),
      })),
    ])
    expect(await log.listTopics()).toEqual([])
    // a whole life beside them
    await log.createTopic({ name: 'other', partitions: 2, retentionMs: 1, segmentBytes: 100 })
    for (let i = 0; i < 10; i++) await log.append('other', { value: i, timestamp: i })
    await log.enforceRetention()
    await log.deleteTopic('other')
    await log.close()
    await (await openLog({ storage })).close()
    expect(await strangers()).toEqual(before)
  })

  test('are only what looks like a partition: other files and directories are none of the log', async () => {
    const storage = new MemoryStorage()
    await putFile(storage, `${DIRECTORY}/readme.txt`, 'hello')
    await putFile(storage, `${DIRECTORY}/photos-2024/a.jpg`, 'a')
    await putFile(storage, `${DIRECTORY}/lost+found/00000000000000000000.log`, 'a')
    await putFile(storage, `${DIRECTORY}/orders-00/00000000000000000000.log`, 'a')
    const before = await contentOf(storage)
    const log = await openLog({ storage })
    expect(log.recovery).toMatchObject({ clean: true, unknownDirectories: [] })
    await log.close()
    const after = await contentOf(storage)
    for (const [path, content] of before) expect([path, after.get(path)]).toEqual([path, content])
  })

  const strangers: [what: string, file: string, content: string][] = [
    ['records', '00000000000000000000.log', 'something'],
    ['files that are none of a log', 'notes.txt', 'mine'],
    ['an empty file that is none of a log', 'notes.txt', ''],
    ['a directory', 'sub/file', 'mine'],
  ]
  test.each(strangers)(
    'createTopic refuses a directory of that name that holds %s, and leaves it',
    async (_what, file, content) => {
      const storage = new MemoryStorage()
      const log = await openLog({ storage })
      await putFile(storage, `${DIRECTORY}/orders-1/${file}`, content)
      const before = await contentOf(storage, `${DIRECTORY}/orders-1`)
      const error = await rejection(log.createTopic({ name: 'orders', partitions: 2 }))
      expect(error).toMatchObject({
        code: 'TOPIC_ALREADY_EXISTS',
        details: { topic: 'orders', path: `${DIRECTORY}/orders-1` },
      })
      expect(error.message).toContain('adoptTopic')
      expect(await contentOf(storage, `${DIRECTORY}/orders-1`)).toEqual(before)
      expect(await log.listTopics()).toEqual([])

      await log.createTopic({ name: 'other', partitions: 1 })
      await putFile(storage, `${DIRECTORY}/other-1/${file}`, content)
      expect(await rejection(log.createPartitions('other', 2))).toMatchObject({ code: 'TOPIC_ALREADY_EXISTS' })
      expect(await contentOf(storage, `${DIRECTORY}/other-1`)).toEqual(before)
    },
  )

  test('createTopic takes the empty directories that an interrupted creation has left', async () => {
    for (let call = 0; ; call++) {
      const memory = new MemoryStorage()
      const storage = new FaultyStorage(memory)
      const log = await openLog({ storage })
      storage.failAt({ call: storage.calls.length + call, code: 'EIO', sticky: true })
      const done = await log.createTopic({ name: 'orders', partitions: 2 }).then(
        () => true,
        () => false,
      )
      for (const left of [memory.clone(), memory.crash(), memory.crash({ keepDirectoryOperation: () => true })]) {
        const again = await openLog({ storage: left })
        // a checkpoint that was being written may be torn: that is what the other one is for
        expect(again.recovery.damage.filter(({ path }) => !path.includes('/checkpoint-'))).toEqual([])
        if ((await again.listTopics()).length === 0) await again.createTopic({ name: 'orders', partitions: 2 })
        await again.append('orders', { value: 1, partition: 1 })
        await again.close()
        expect(await valuesOf(await openLog({ storage: left }), 'orders')).toEqual([1])
      }
      if (done) break
    }
  })
})

describe('adoptTopic', () => {
  test('after the catalog was moved away brings every record back, byte for byte, under its old id', async () => {
    const names = ['orders', 'payments', 'a.b-c']
    const { storage, ids, before } = await withoutCatalog({}, names)
    const log = await openLog({ storage })
    for (const name of names) {
      const adopted = await log.adoptTopic({ name, valueCodec: 'msgpack', partitioner: 'murmur3' })
      expect(adopted).toMatchObject({ name, topicId: ids.get(name) })
      expect(adopted.partitions).toHaveLength(3)
      expect(await shownRecords(await recordsOf(log, name))).toBe(before.get(name))
      expect(await valuesOf(log, name)).toEqual((await recordsOf(log, name)).map((record) => record.value as unknown))
    }
    await log.close()
    const again = await openLog({ storage })
    expect(again.recovery).toMatchObject({ clean: true, damage: [], unknownDirectories: [] })
    for (const name of names) expect(await shownRecords(await recordsOf(again, name))).toBe(before.get(name))
  })

  test('goes on where the records end: appends, keys and look-ups work', async () => {
    const { storage } = await withoutCatalog()
    const log = await openLog({ storage })
    await log.adoptTopic({ name: 'orders', valueCodec: 'msgpack', partitioner: 'murmur3' })
    const ends = log.offsets('orders').map(({ logEndOffset }) => logEndOffset)
    const old = (await recordsOf(log, 'orders')).find(({ key }) => key === 'k3')!
    const { partition, offset } = await log.append('orders', { key: 'k3', value: 'new' })
    expect([partition, offset]).toEqual([old.partition, ends[old.partition]])
    const late = await recordsOf(log, 'orders', { from: { timestamp: 285 } })
    expect(late.map(({ value }) => value as string).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['new', 'orders 29'])
  })

  test('is durable when it resolves', async () => {
    const { storage, before } = await withoutCatalog()
    const log = await openLog({ storage })
    await log.adoptTopic({ name: 'orders', valueCodec: 'msgpack' })
    await log.append('orders', { value: 'new', partition: 0 })
    const again = await openLog({ storage: storage.crash() })
    expect(await valuesOf(again, 'orders')).toContain('new')
    const old = (await recordsOf(again, 'orders')).filter((record) => record.value !== 'new')
    expect(await shownRecords(old)).toBe(before.get('orders'))
  })

  test('stopped at any call, it can be done again, and no record is lost', async () => {
    for (let call = 0; ; call++) {
      const { storage: memory, before } = await withoutCatalog()
      const storage = new FaultyStorage(memory)
      const log = await openLog({ storage })
      storage.failAt({ call: storage.calls.length + call, code: 'EIO', sticky: true })
      const done = await log.adoptTopic({ name: 'orders', valueCodec: 'msgpack' }).then(
        () => true,
        () => false,
      )
      for (const left of [memory.clone(), memory.crash()]) {
        const again = await openLog({ storage: left })
        if ((await again.listTopics()).length === 0) await again.adoptTopic({ name: 'orders', valueCodec: 'msgpack' })
        expect(await shownRecords(await recordsOf(again, 'orders'))).toBe(before.get('orders'))
      }
      if (done) break
    }
  })

  test('unless told otherwise values stay bytes, because only their writer knows more, and keys go by murmur2', async () => {
    const { storage } = await withoutCatalog({ valueCodec: 'string' })
    const log = await openLog({ storage })
    const { config } = await log.adoptTopic({ name: 'orders' })
    expect(config).toMatchObject({ valueCodec: 'bytes', partitioner: 'murmur2' })
    const [first] = await valuesOf(log, 'orders', { partition: 0 })
    expect((first as Buffer).toString()).toMatch(/^orders \d+$/)
  })

  test('takes over topics whose directories have other names, by the name that the report gives', async () => {
    const { storage, before } = await withoutCatalog({}, ['Orders', 'orders', 'CON'])
    const log = await openLog({ storage })
    const bases = new Set(log.recovery.unknownDirectories.map(({ topic }) => topic))
    expect(bases.size).toBe(3)
    const [device] = [...bases].filter((base) => base.startsWith('~'))
    const [second] = [...bases].filter((base) => base.startsWith('orders~'))
    await log.adoptTopic({ name: 'Orders', valueCodec: 'msgpack' })
    await log.adoptTopic({ name: 'orders', directory: second, valueCodec: 'msgpack' })
    await log.adoptTopic({ name: 'CON', directory: device, valueCodec: 'msgpack' })
    await log.close()
    const again = await openLog({ storage })
    expect(again.recovery.unknownDirectories).toEqual([])
    for (const name of before.keys()) expect(await shownRecords(await recordsOf(again, name))).toBe(before.get(name))
  })

  test('refuses a gap in the partition numbers, naming the directory that is missing', async () => {
    const { storage } = await withoutCatalog()
    await storage.rename(`${DIRECTORY}/orders-1`, '/orders-1')
    const log = await openLog({ storage })
    const before = await contentOf(storage)
    const error = await rejection(log.adoptTopic({ name: 'orders' }))
    expect(error).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', details: { path: `${DIRECTORY}/orders-1` } })
    expect(error.message).toContain(`there is no partition directory '${DIRECTORY}/orders-1'`)
    expect(await contentOf(storage)).toEqual(before)
    await storage.rename('/orders-1', `${DIRECTORY}/orders-1`)
    expect((await log.adoptTopic({ name: 'orders' })).partitions).toHaveLength(3)
  })

  test('refuses what is not there, what has an owner, and a name that is taken', async () => {
    const { storage } = await withoutCatalog()
    const log = await openLog({ storage })
    expect(await rejection(log.adoptTopic({ name: 'none' }))).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
    await log.adoptTopic({ name: 'orders', valueCodec: 'msgpack' })
    const offsets = await offsetsOf(log, 'orders')
    for (const options of [
      { name: 'orders' },
      { name: 'mine', directory: 'orders' },
      { name: 'mine', directory: '__varve_catalog' },
    ]) {
      expect(await rejection(log.adoptTopic(options))).toMatchObject({ code: 'TOPIC_ALREADY_EXISTS' })
    }
    for (const options of [
      {},
      { name: 'x', partitions: 3 },
      { name: 'x', dir: 'y' },
      { name: 'x', directory: 5 },
      null,
    ]) {
      expect(await rejection(log.adoptTopic(options as { name: string }))).toBeInstanceOf(TypeError)
    }
    expect(await offsetsOf(log, 'orders')).toEqual(offsets)
  })

  test('of a copy of a topic makes a topic of its own, and leaves the original alone', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    const { topicId } = await log.createTopic({ name: 'orders' })
    await log.append('orders', { value: 'original' })
    await copyDirectory(storage, `${DIRECTORY}/orders-0`, `${DIRECTORY}/copy-0`)
    const copy = await log.adoptTopic({ name: 'copy', valueCodec: 'msgpack' })
    expect(copy.topicId).not.toBe(topicId)
    await log.append('orders', { value: 'more' })
    await log.append('copy', { value: 'other' })
    await log.close()
    const again = await openLog({ storage })
    expect(again.recovery).toMatchObject({ clean: true, unknownDirectories: [], damage: [] })
    expect(await valuesOf(again, 'orders')).toEqual(['original', 'more'])
    expect(await valuesOf(again, 'copy')).toEqual(['original', 'other'])
  })

  test('of a deleted topic that was put back from a copy keeps it: no later open takes it for one to delete', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders' })
    await log.append('orders', { value: 'kept' })
    await copyDirectory(storage, `${DIRECTORY}/orders-0`, '/copy')
    await log.deleteTopic('orders')
    await copyDirectory(storage, '/copy', `${DIRECTORY}/orders-0`)
    await log.adoptTopic({ name: 'orders', valueCodec: 'msgpack' })
    await log.close()
    for (let round = 0; round < 2; round++) {
      const again = await openLog({ storage })
      expect(await valuesOf(again, 'orders')).toEqual(['kept'])
      await again.close()
    }
  })

  const places: [where: string, at: (content: Buffer) => number, lost: number][] = [
    ['the first batch of a segment', () => 70, 0],
    ['the last batch of a segment', (content) => content.length - 1, 3],
  ]
  test.each(places)('leaves damage in %s where it is: every other record can be read', async (_where, at, lost) => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders', segmentBytes: 300 })
    for (let i = 0; i < 12; i++) await log.append('orders', { value: `v${i}` })
    expect((await log.describeTopic('orders')).partitions[0].segments).toBe(3)
    await log.close()
    await storage.rename(CATALOG, '/catalog-moved-away')
    const path = segmentPath('orders', 0, 0, '.log')
    await changeFile(storage, path, (content) => void (content[at(content)] ^= 1))
    const damaged = await storage.readFile(path)

    const again = await openLog({ storage })
    await again.adoptTopic({ name: 'orders', valueCodec: 'msgpack' })
    expect(await storage.readFile(path)).toEqual(damaged)
    const error = await rejection(recordsOf(again, 'orders', { from: lost }))
    expect(error).toMatchObject({ code: 'CORRUPT_MESSAGE', details: { path, offset: lost, nextOffset: lost + 1 } })
    const before = Array.from({ length: lost }, (_, i) => i)
    const found: number[] = []
    await rejection(
      (async () => {
        for await (const { offset } of again.read('orders')) found.push(offset)
      })(),
    )
    expect(found).toEqual(before)
    const after = Array.from({ length: 11 - lost }, (_, i) => lost + 1 + i)
    expect(await offsetsOf(again, 'orders', { from: lost + 1 })).toEqual(after)
    expect(await again.append('orders', { value: 'new' })).toMatchObject({ offset: 12 })
  })

  test('binds each directory to the id of the topic, as Kafka does', async () => {
    const { storage } = await withoutCatalog()
    for (let partition = 0; partition < 3; partition++) {
      await storage.removeFile(`${DIRECTORY}/orders-${partition}/partition.metadata`)
    }
    const log = await openLog({ storage })
    const { topicId } = await log.adoptTopic({ name: 'orders' })
    for (let partition = 0; partition < 3; partition++) {
      expect(await metadataOf(storage, `${DIRECTORY}/orders-${partition}`)).toBe(`version: 0\ntopic_id: ${topicId}`)
      expect(await namesIn(storage, `${DIRECTORY}/orders-${partition}`)).not.toContain('partition.metadata.tmp')
    }
  })
})

async function metadataOf(storage: Storage, directory: string): Promise<string> {
  return (await storage.readFile(`${directory}/partition.metadata`)).toString()
}
