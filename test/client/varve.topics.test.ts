/** Topics through the public API: create, list, describe, alter, more partitions. */
import { describe, expect, test } from 'vitest'
import type { TopicDescription } from '../../src/client/topic-description.ts'
import type { Varve } from '../../src/client/varve.ts'
import { partitionForKey } from '../../src/codec/key-hash.ts'
import type { CreateTopicOptions } from '../../src/engine/topic-admin.ts'
import { topicDefaults, type TopicConfig } from '../../src/engine/topic-config.ts'
import { VarveError } from '../../src/errors.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import {
  batchesOf,
  contentOf,
  DIRECTORY,
  openLog,
  outcomesOf,
  recordsOf,
  rejection,
  valuesOf,
} from '../helpers/logs.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

describe('createTopic', () => {
  test('resolves with the topic as it is: its id, its partitions, and every setting in force', async () => {
    const log = await openLog()
    const created = await log.createTopic({ name: 'orders', partitions: 2, retentionMs: 1000 })
    expect(created).toEqual({
      name: 'orders',
      topicId: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/) as string,
      partitions: [0, 1].map((partition) => ({
        partition,
        directory: `${DIRECTORY}/orders-${partition}`,
        logStartOffset: 0,
        logEndOffset: 0,
        highWatermark: 0,
        durableOffset: 0,
        sizeBytes: 0,
        segments: 1,
        leaderEpoch: 0,
      })),
      config: { ...topicDefaults, retentionMs: 1000, flush: 'group' },
    })
    expect(await log.describeTopic('orders')).toEqual(created)
  })

  test('has one partition by default and can have 1,000', async () => {
    const log = await openLog()
    expect((await log.createTopic({ name: 'one' })).partitions).toHaveLength(1)
    expect((await log.createTopic({ name: 'many', partitions: 1000 })).partitions).toHaveLength(1000)
    await log.append('many', { value: 'last', partition: 999 })
    expect(await valuesOf(log, 'many')).toEqual(['last'])
  })

  test('gives every topic an id of its own', async () => {
    const log = await openLog()
    const ids = new Set<string>()
    for (let i = 0; i < 20; i++) ids.add((await log.createTopic({ name: `topic-${i}` })).topicId)
    expect(ids.size).toBe(20)
  })

  test('when it resolves the topic survives a power cut, and so does what is appended next', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    const created = await log.createTopic({ name: 'orders', partitions: 3, compressionType: 'gzip' })
    const afterCut = await openLog({ storage: storage.crash() })
    expect(comparable(await afterCut.describeTopic('orders'))).toEqual(comparable(created))
    expect(afterCut.recovery.damage).toEqual([])

    await log.append('orders', { value: 1, partition: 2 })
    expect(await valuesOf(await openLog({ storage: storage.crash() }), 'orders')).toEqual([1])
  })

  test('until it resolves nobody can append: what is acknowledged could go with the topic in a power cut', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const log = await openLog({ storage })
    storage.syncGate = new SyncGate()
    const creating = log.createTopic({ name: 'orders' })
    const outcomes: string[] = []
    for (let round = 0; storage.syncGate.paths.every((path) => !path.includes('catalog')); round++) {
      outcomes.push(...(await outcomesOf([log.append('orders', { value: 1 })])))
      storage.syncGate.release()
      await new Promise((resolve) => setImmediate(resolve))
    }
    outcomes.push(...(await outcomesOf([log.append('orders', { value: 1 })])))
    storage.syncGate.open()
    await creating
    expect(new Set(outcomes)).toEqual(new Set(['UNKNOWN_TOPIC_OR_PARTITION']))
    await log.append('orders', { value: 1 })
  })

  test('refuses a name that is taken, and changes nothing', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders', partitions: 2 })
    await log.append('orders', { value: 1 })
    const before = await contentOf(storage)
    const error = await rejection(log.createTopic({ name: 'orders', partitions: 5 }))
    expect(error).toMatchObject({ code: 'TOPIC_ALREADY_EXISTS', details: { topic: 'orders' } })
    expect(error.message).toContain("'orders'")
    expect(await contentOf(storage)).toEqual(before)
    expect((await log.describeTopic('orders')).partitions).toHaveLength(2)
  })

  test('called many times at once for one name, it succeeds once', async () => {
    const log = await openLog()
    const outcomes = await outcomesOf(Array.from({ length: 20 }, () => log.createTopic({ name: 'orders' })))
    expect(outcomes).toEqual(['done', ...Array.from({ length: 19 }, () => 'TOPIC_ALREADY_EXISTS')])
    expect(await log.listTopics()).toHaveLength(1)
  })

  test('says which option it does not know, and which one may have been meant', async () => {
    const log = await openLog()
    const wrong = { name: 'orders', retentionms: 5 } as unknown as CreateTopicOptions
    const error = await rejection(log.createTopic(wrong))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain("createTopic: unknown option 'retentionms' (did you mean 'retentionMs'?)")
    expect(error.message).toContain('known options: name, partitions, ')
  })

  const bad: [option: string, value: unknown, error: typeof TypeError | typeof RangeError][] = [
    ['partitions', 0, RangeError],
    ['partitions', -1, RangeError],
    ['partitions', 1.5, RangeError],
    ['partitions', 100_001, RangeError],
    ['partitions', '4', TypeError],
    ['partitions', NaN, TypeError],
    ['partitions', null, TypeError],
    ['segmentBytes', 13, RangeError],
    ['segmentBytes', 2 ** 31, RangeError],
    ['segmentMs', 0, RangeError],
    ['indexIntervalBytes', -1, RangeError],
    ['retentionMs', -2, RangeError],
    ['retentionMs', '7d', TypeError],
    ['retentionBytes', -2, RangeError],
    ['cleanupPolicy', 'compress', TypeError],
    ['deleteRetentionMs', -1, RangeError],
    ['minCompactionLagMs', -1, RangeError],
    ['minCleanableDirtyRatio', 1.5, RangeError],
    ['minCleanableDirtyRatio', '0.5', TypeError],
    ['maxMessageBytes', 255, RangeError],
    ['maxMessageBytes', 256 * 1024 * 1024 + 1, RangeError],
    ['compressionType', 'brotli', TypeError],
    ['messageTimestampType', 'AppendTime', TypeError],
    ['valueCodec', 'yaml', TypeError],
    ['valueCodec', { encode: () => Buffer.alloc(0) }, TypeError],
    ['partitioner', 'random', TypeError],
    ['partitioner', {}, TypeError],
    ['flush', 'always', TypeError],
    ['flush', {}, TypeError],
    ['flush', { ms: 0 }, RangeError],
    ['flush', { ms: '5' }, TypeError],
    ['flush', { ms: 10, records: 0 }, RangeError],
    ['flush', { ms: 10, byte: 5 }, TypeError],
  ]
  test.each(bad)('refuses %s: %s, naming the option', async (option, value, kind) => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    const before = await contentOf(storage)
    const error = await rejection(log.createTopic({ name: 'orders', [option]: value }))
    expect(error).toBeInstanceOf(kind)
    expect(error.message).toContain(option)
    expect(await contentOf(storage)).toEqual(before)
    expect(await log.listTopics()).toEqual([])
  })

  test('on a full disk it fails with DISK_FULL, leaves no topic, and succeeds once there is room', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const log = await openLog({ storage })
    await log.createTopic({ name: 'there' })
    storage.capacityBytes = storage.usedBytes
    expect(await rejection(log.createTopic({ name: 'orders', partitions: 3 }))).toMatchObject({ code: 'DISK_FULL' })
    expect((await log.listTopics()).map(({ name }) => name)).toEqual(['there'])
    storage.capacityBytes = Infinity
    await log.createTopic({ name: 'orders', partitions: 2 })
    await log.append('orders', { value: 1 })
    await log.close()
    const again = await openLog({ storage })
    expect((await again.describeTopic('orders')).partitions).toHaveLength(2)
    expect(again.recovery.unknownDirectories).toEqual([])
  })
})

describe('listTopics and describeTopic', () => {
  test('list all topics by name, without the internal ones', async () => {
    const log = await openLog()
    for (const name of ['b', 'a.x', 'B', 'a', '0']) await log.createTopic({ name })
    expect((await log.listTopics()).map(({ name }) => name)).toEqual(['0', 'B', 'a', 'a.x', 'b'])
    for (const topic of await log.listTopics()) expect(await log.describeTopic(topic.name)).toEqual(topic)
  })

  test('describe sizes, segments and offsets as they are now', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', segmentBytes: 500, valueCodec: 'bytes' })
    for (let i = 0; i < 10; i++) await log.append('orders', { value: Buffer.alloc(100) })
    const [partition] = (await log.describeTopic('orders')).partitions
    const bytes = (await batchesOf(log, 'orders')).reduce((sum, batch) => sum + batch.bytes.length, 0)
    expect(partition).toMatchObject({ logEndOffset: 10, highWatermark: 10, durableOffset: 10, sizeBytes: bytes })
    expect(partition.segments).toBe(Math.ceil(10 / Math.floor(500 / (bytes / 10))))
    expect(log.offsets('orders')).toEqual([
      { partition: 0, logStartOffset: 0, logEndOffset: 10, highWatermark: 10, durableOffset: 10 },
    ])
  })

  test('a topic that is not there is named in the error of every call that takes one', async () => {
    const log = await openLog()
    const calls: (() => unknown)[] = [
      () => log.describeTopic('none'),
      () => log.alterTopic('none', { retentionMs: 1 }),
      () => log.createPartitions('none', 2),
      () => log.deleteTopic('none'),
      () => log.deleteRecords('none', { partition: 0, beforeOffset: 0 }),
      () => log.append('none', { value: 1 }),
      () => log.appendBatch('none', [{ value: 1 }]),
      () => log.offsets('none'),
      () => log.read('none'),
      () => log.readBatches('none'),
    ]
    for (const call of calls) {
      const error = await rejection((async () => call())())
      expect(error).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', details: { topic: 'none' } })
      expect(error.message).toContain("there is no topic 'none'")
      expect(error.message).toContain('createTopic')
    }
  })
})

describe('alterTopic', () => {
  test('changes what is named, leaves the rest, and both survive a power cut and a new open', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ name: 'orders', retentionMs: 1000, segmentBytes: 5000 })
    const altered = await log.alterTopic('orders', { retentionMs: 2000, compressionType: 'gzip', flush: { ms: 5 } })
    const wanted = {
      ...topicDefaults,
      retentionMs: 2000,
      segmentBytes: 5000,
      compressionType: 'gzip',
      flush: { ms: 5 },
    }
    expect(altered.config).toEqual(wanted)
    expect((await (await openLog({ storage: storage.crash() })).describeTopic('orders')).config).toEqual(wanted)
    await log.close()
    expect((await (await openLog({ storage })).describeTopic('orders')).config).toEqual(wanted)
  })

  test('holds for appends that come after it', async () => {
    const log = await openLog({ clock: new FakeClock(5_000) })
    await log.createTopic({ name: 'orders' })
    const big = 'x'.repeat(2000)
    await log.append('orders', { value: big, timestamp: 1 })
    await log.alterTopic('orders', { compressionType: 'gzip' })
    await log.append('orders', { value: big, timestamp: 2 })
    await log.alterTopic('orders', { messageTimestampType: 'LogAppendTime', maxMessageBytes: 1000, segmentBytes: 1000 })
    expect(await rejection(log.append('orders', { value: big }))).toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
    await log.append('orders', { value: 'small', timestamp: 3 })
    const batches = await batchesOf(log, 'orders')
    expect(batches.map((batch) => batch.compressionType)).toEqual(['none', 'gzip', 'gzip'])
    expect(batches.map((batch) => batch.maxTimestamp)).toEqual([1, 2, 5_000])
    expect((await log.describeTopic('orders')).partitions[0].segments).toBe(2)
  })

  test('changes the flush mode in force: from the sync on close to one before each acknowledgement', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage, flush: 'os' })
    await log.createTopic({ name: 'orders' })
    await log.append('orders', { value: 'a' })
    expect(log.offsets('orders')[0]).toMatchObject({ highWatermark: 1, durableOffset: 0 })
    await log.alterTopic('orders', { flush: 'group' })
    expect(log.offsets('orders')[0].durableOffset).toBe(1)
    await log.append('orders', { value: 'b' })
    expect(log.offsets('orders')[0].durableOffset).toBe(2)
    expect(await valuesOf(await openLog({ storage: storage.crash() }), 'orders')).toEqual(['a', 'b'])
  })

  test('while appends are in flight, every result has the timestamp that is read', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders' })
    const results: ReturnType<Varve['append']>[] = []
    for (let i = 0; i < 20; i++) {
      for (let k = 0; k < 5; k++) results.push(log.append('orders', { value: i, timestamp: i * 5 + k }))
      const altering = log.alterTopic('orders', { messageTimestampType: i % 2 === 0 ? 'LogAppendTime' : 'CreateTime' })
      for (let k = 0; k < 20; k++) {
        results.push(log.append('orders', { value: i, timestamp: k }))
        if (k % 4 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await altering
    }
    const appended = await Promise.all(results)
    const records = await recordsOf(log, 'orders')
    for (const { offset, timestamp } of appended)
      expect([offset, timestamp]).toEqual([offset, records[offset].timestamp])
    expect(new Set(appended.map(({ timestamp }) => timestamp > 1e6)).size).toBe(2)
  })

  test('never changes the partitioner: another one would break the order of each key', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', partitions: 4 })
    for (const partitioner of ['murmur2', 'murmur3', () => 0] as const) {
      const error = await rejection(log.alterTopic('orders', { partitioner }))
      expect(error).toBeInstanceOf(TypeError)
      expect(error.message).toContain("'partitioner' is fixed")
    }
    expect((await log.describeTopic('orders')).config.partitioner).toBe('murmur3')
  })

  test('takes an option that is undefined for one that is absent', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', retentionMs: 5000 })
    await log.alterTopic('orders', { retentionMs: undefined, segmentBytes: 2000 })
    expect((await log.describeTopic('orders')).config).toMatchObject({ retentionMs: 5000, segmentBytes: 2000 })
  })

  test('refuses unknown options and wrong values, and changes nothing', async () => {
    const log = await openLog()
    const created = await log.createTopic({ name: 'orders' })
    for (const changes of [{ retention: 5 }, { name: 'x' }, { partitions: 5 }, { retentionMs: '5' }, null, [], 'x']) {
      expect(await rejection(log.alterTopic('orders', changes as Partial<TopicConfig>))).toBeInstanceOf(TypeError)
    }
    expect(await rejection(log.alterTopic('orders', { retentionMs: -5 }))).toBeInstanceOf(RangeError)
    expect(await log.describeTopic('orders')).toEqual(created)
  })
})

describe('createPartitions', () => {
  test('adds partitions, durably, and leaves the records where they are', async () => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    const { topicId } = await log.createTopic({ name: 'orders', partitions: 2, segmentBytes: 1000 })
    for (let i = 0; i < 10; i++) await log.append('orders', { key: `k${i}`, value: i })
    const before = await recordsOf(log, 'orders')
    const grown = await log.createPartitions('orders', 5)
    expect(grown).toMatchObject({ topicId, config: { segmentBytes: 1000 } })
    expect(grown.partitions.map(({ partition }) => partition)).toEqual([0, 1, 2, 3, 4])
    expect((await recordsOf(log, 'orders')).map(({ partition, offset }) => [partition, offset])).toEqual(
      before.map(({ partition, offset }) => [partition, offset]),
    )
    await log.append('orders', { value: 'new', partition: 4 })
    const afterCut = await openLog({ storage: storage.crash() })
    expect((await afterCut.describeTopic('orders')).partitions).toHaveLength(5)
    expect(await valuesOf(afterCut, 'orders', { partition: 4 })).toEqual(['new'])
  })

  test('spreads keys over all partitions from then on', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', partitions: 2 })
    await log.createPartitions('orders', 16)
    for (let i = 0; i < 40; i++) {
      const { partition } = await log.append('orders', { key: `k${i}`, value: i })
      expect(partition).toBe(partitionForKey('murmur3', Buffer.from(`k${i}`), 16))
    }
  })

  test('never takes partitions away', async () => {
    const log = await openLog()
    await log.createTopic({ name: 'orders', partitions: 3 })
    for (const partitions of [1, 2, 3]) {
      const error = await rejection(log.createPartitions('orders', partitions))
      expect(error).toMatchObject({ code: 'INVALID_PARTITIONS', details: { topic: 'orders' } })
      expect(error.message).toContain('has 3 partitions and can only get more')
    }
    await log.createTopic({ name: 'single' })
    const error = await rejection(log.createPartitions('single', 1))
    expect(error.message).toContain('has 1 partition and can only get more')
    for (const partitions of [0, -1, 2.5, 100_001, Infinity]) {
      const error = await rejection(log.createPartitions('orders', partitions))
      expect(error).toBeInstanceOf(RangeError)
      expect(error.message).toMatch(/^createPartitions: the number of partitions must be an integer.*, not /)
    }
    for (const [shown, partitions] of [
      ["'8'", '8'],
      ['8n', 8n],
      ['undefined', undefined],
      ['NaN', NaN],
    ] as const) {
      const error = await rejection(log.createPartitions('orders', partitions as number))
      expect(error).toBeInstanceOf(TypeError)
      expect(error.message).toBe(`createPartitions: the number of partitions must be an integer, not ${shown}`)
    }
    expect((await log.describeTopic('orders')).partitions).toHaveLength(3)
  })

  test('interrupted at any call, it leaves the topic with the old number or the new one, and every record', async () => {
    const outcomes = new Set<number>()
    for (let call = 0; ; call++) {
      const memory = new MemoryStorage()
      const storage = new FaultyStorage(memory)
      const log = await openLog({ storage })
      await log.createTopic({ name: 'orders', partitions: 2 })
      await log.append('orders', { value: 'kept', partition: 1 })
      storage.failAt({ call: storage.calls.length + call, code: 'EIO', sticky: true })
      const done = await log.createPartitions('orders', 4).then(
        () => true,
        () => false,
      )
      for (const left of [memory.clone(), memory.crash()]) {
        const again = await openLog({ storage: left })
        const { partitions } = await again.describeTopic('orders')
        outcomes.add(partitions.length)
        expect(await valuesOf(again, 'orders')).toEqual(['kept'])
        if (partitions.length === 2) await again.createPartitions('orders', 4)
        await again.append('orders', { value: 'new', partition: 3 })
        await again.close()
        expect(await valuesOf(await openLog({ storage: left }), 'orders')).toEqual(['kept', 'new'])
      }
      if (done) break
    }
    expect(outcomes).toEqual(new Set([2, 4]))
  })
})

test('whatever the disk says in the middle of a change reaches the caller as a VarveError that names the topic', async () => {
  const changes: [string, (log: Varve) => Promise<unknown>][] = [
    ['create', (log) => log.createTopic({ name: 'other', partitions: 2 })],
    ['alter', (log) => log.alterTopic('orders', { retentionMs: 5 })],
    ['add partitions to', (log) => log.createPartitions('orders', 3)],
    ['delete', (log) => log.deleteTopic('orders')],
  ]
  for (const [_what, change] of changes) {
    for (let call = 0, isDone = false; !isDone; call++) {
      const storage = new FaultyStorage(new MemoryStorage())
      const log = await openLog({ storage })
      await log.createTopic({ name: 'orders', partitions: 2 })
      storage.failAt({ call: storage.calls.length + call, code: 'EIO' })
      const error: unknown = await change(log).then(
        () => null,
        (reason: unknown) => reason,
      )
      isDone = error === null && storage.calls.every(({ fault }) => fault === undefined)
      expect(error === null || (error instanceof VarveError && error.message.includes('EIO'))).toBe(true)
    }
  }
})

/** Without what an unclean stop changes by right. */
function comparable({ partitions, ...topic }: TopicDescription) {
  return { ...topic, partitions: partitions.map((partition) => ({ ...partition, leaderEpoch: -1 })) }
}
