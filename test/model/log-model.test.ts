/**
 * The public API against arrays: random calls, and after each of them what is read must be what the arrays hold.
 *
 * A failure prints a seed and a path; `MODEL_SEED=<seed> MODEL_PATH=<path> MODEL_REPLAY=<replayPath>
 * npx vitest run test/model` repeats it.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ReadOptions, ReadPosition } from '../../src/client/read-options.ts'
import { Varve } from '../../src/client/varve.ts'
import type { AppendResult } from '../../src/engine/append-chunk.ts'
import type { Flush } from '../../src/engine/flush.ts'
import type { HeaderValue, ProducerRecord } from '../../src/engine/record-encoding.ts'
import { VarveError } from '../../src/errors.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { asModelRecord, collect, collectBatches, ModelTopic, startAfterRetention } from '../helpers/log-model.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const DIRECTORY = '/data/events'
const CODECS = { events: 'bytes', orders: 'json', audit: 'msgpack' } as const
const NAMES = Object.keys(CODECS) as (keyof typeof CODECS)[]
type TopicName = (typeof NAMES)[number]

/** The log under test, and what it must hold. */
class World {
  readonly clock = new FakeClock()
  readonly random = new SeededRandom(1)
  readonly topics = new Map<TopicName, ModelTopic>()
  storage = new MemoryStorage()
  log!: Varve
  reader: { log: Varve; topics: Map<TopicName, { model: ModelTopic; partitions: number }> } | null = null

  async open(): Promise<void> {
    const { storage } = this
    // retention runs when it is called: one that ran by itself would race with the model
    const options = { directory: DIRECTORY, retentionCheckMs: 2 ** 31 - 1, random: this.random }
    this.log = await Varve.open({ ...options, storage, clock: this.clock })
  }

  /** What costs no reading, so that it opens no file. */
  verifyOffsets(): void {
    for (const [name, topic] of this.topics) {
      const found = this.log.offsets(name).map((p) => [p.logStartOffset, p.logEndOffset, p.highWatermark])
      expect(found).toEqual(topic.partitions.map(({ start, end }) => [start, end, end]))
    }
  }

  /** Everything that can be seen of every topic. */
  async verify(): Promise<void> {
    expect((await this.log.listTopics()).map(({ name }) => name)).toEqual([...this.topics.keys()].sort())
    this.verifyOffsets()
    for (const [name, topic] of this.topics) {
      for (const [partition, model] of topic.partitions.entries()) {
        const records = await collect(this.log.read(name, { partition, from: 'earliest' }))
        expect(records).toEqual(model.from(model.start))
        for (const timestamp of new Set(model.records.map((record) => record.timestamp))) {
          const { value } = await this.log.read(name, { partition, from: { timestamp } }).next()
          expect(value?.offset ?? model.end).toBe(model.offsetAt(timestamp))
        }
      }
    }
  }

  /** After a new open: what was there is there; offsets were at most skipped, and only after a kill. */
  async verifyReopened({ clean }: { clean: boolean }): Promise<void> {
    expect(this.log.recovery).toMatchObject({ clean, damage: [], unknownDirectories: [], cutBytes: 0 })
    for (const [name, topic] of this.topics) {
      const { partitions } = await this.log.describeTopic(name)
      expect(partitions).toHaveLength(topic.partitions.length)
      for (const [i, { logEndOffset, leaderEpoch }] of partitions.entries()) {
        const model = topic.partitions[i]
        expect(leaderEpoch).toBe(clean ? model.leaderEpoch : model.leaderEpoch + 1)
        if (clean) expect(logEndOffset).toBe(model.end)
        else expect(logEndOffset).toBeGreaterThanOrEqual(model.end)
        Object.assign(model, { end: logEndOffset, leaderEpoch })
      }
    }
    this.verifyOffsets()
  }
}

interface RecordInput {
  key: string | null
  size: number
  headers: [string, HeaderValue][]
  partition: number | null
  shiftMs: number | null
}

const recordInput: fc.Arbitrary<RecordInput> = fc.record({
  key: fc.option(fc.constantFrom('a', 'b', 'c', 'd', '', 'é'), { freq: 3 }),
  size: fc.oneof(fc.constant(0), fc.nat(300), fc.constant(-1)),
  headers: fc.array(fc.tuple(fc.constantFrom('x', 'y'), fc.constantFrom<HeaderValue>('1', '', null)), { maxLength: 2 }),
  partition: fc.option(fc.nat(7), { freq: 3 }),
  shiftMs: fc.option(fc.integer({ min: -3000, max: 3000 }), { freq: 2 }),
})

function producerRecord(world: World, name: TopicName, topic: ModelTopic, input: RecordInput): ProducerRecord {
  const { key, size, headers, partition, shiftMs } = input
  const record: ProducerRecord = { key, headers, value: size < 0 ? null : valueOf(name, size) }
  if (partition !== null) record.partition = partition % topic.partitions.length
  if (shiftMs !== null) record.timestamp = world.clock.now() + shiftMs
  return record
}

function valueOf(name: TopicName, size: number): unknown {
  if (CODECS[name] === 'bytes') return Buffer.alloc(size, size)
  return { size, text: 'v'.repeat(size), nested: [size, null] }
}

/** Notes what an append has answered, after checking that it is what it must be. */
function note(
  world: World,
  topic: ModelTopic,
  record: ProducerRecord,
  { partition, offset, timestamp }: AppendResult,
): void {
  const model = topic.partitions[partition]
  expect(offset).toBe(model.end)
  expect(timestamp).toBe(topic.appendTime ? world.clock.now() : (record.timestamp ?? world.clock.now()))
  const key = record.key as string | null
  if (record.partition !== undefined) expect(partition).toBe(record.partition)
  else if (key !== null) {
    expect(partition).toBe(topic.placeOfKey.get(key) ?? partition)
    topic.placeOfKey.set(key, partition)
  }
  const headers = record.headers as [string, HeaderValue][]
  model.records.push({ partition, offset, timestamp, key, value: record.value, headers })
  model.end = offset + 1
}

function step<T>(name: string, input: fc.Arbitrary<T>, run: (world: World, input: T) => Promise<void>) {
  return input.map((value) => ({
    check: () => true,
    toString: () => `${name}(${fc.stringify(value)})`,
    run: async (_: object, world: World) => {
      await run(world, value)
      world.verifyOffsets()
    },
  }))
}

/** A step on a topic that is there; else it creates the topic. */
function onTopic<T>(
  name: string,
  input: fc.Arbitrary<T>,
  run: (world: World, name: TopicName, topic: ModelTopic, input: T) => Promise<void>,
) {
  return step(name, fc.tuple(fc.constantFrom(...NAMES), input), async (world, [topicName, value]) => {
    const topic = world.topics.get(topicName)
    if (topic === undefined) await create(world, topicName, 2)
    else await run(world, topicName, topic, value)
  })
}

async function create(world: World, name: TopicName, partitions: number): Promise<void> {
  const messageTimestampType = name === 'audit' ? 'LogAppendTime' : 'CreateTime'
  const sizes = { segmentBytes: 900, indexIntervalBytes: 100 }
  await world.log.createTopic({ name, partitions, valueCodec: CODECS[name], messageTimestampType, ...sizes })
  const topic = new ModelTopic(partitions)
  topic.appendTime = name === 'audit'
  world.topics.set(name, topic)
}

const flushModes = fc.constantFrom<Flush>('each', 'group', 'os', { ms: 10 }, { ms: 50, bytes: 500, records: 3 })

const append = onTopic('append', recordInput, async (world, name, topic, input) => {
  const record = producerRecord(world, name, topic, input)
  note(world, topic, record, await world.log.append(name, record))
})

const appendTogether = onTopic(
  'append together',
  fc.array(recordInput, { maxLength: 6 }),
  async (world, name, topic, inputs) => {
    const records = inputs.map((input) => producerRecord(world, name, topic, input))
    const results = await Promise.all(records.map((record) => world.log.append(name, record)))
    for (const [i, result] of results.entries()) note(world, topic, records[i], result)
  },
)

const appendBatch = onTopic(
  'appendBatch',
  fc.array(recordInput, { maxLength: 8 }),
  async (world, name, topic, inputs) => {
    const records = inputs.map((input) => producerRecord(world, name, topic, input))
    const results = await world.log.appendBatch(name, records)
    expect(results).toHaveLength(records.length)
    for (const [i, result] of results.entries()) note(world, topic, records[i], result)
  },
)

const expectOffset = onTopic(
  'expectedOffset',
  fc.tuple(fc.nat(7), fc.constantFrom(0, 0, 1, -1)),
  async (world, name, topic, [at, wrong]) => {
    const partition = at % topic.partitions.length
    const { end } = topic.partitions[partition]
    const record = { key: 'k', value: valueOf(name, 1), headers: [], partition }
    const appending = world.log.append(name, record, { expectedOffset: Math.max(end + wrong, 0) })
    if (Math.max(end + wrong, 0) === end) note(world, topic, record, await appending)
    else await expect(appending).rejects.toMatchObject({ code: 'UNEXPECTED_OFFSET', details: { offset: end } })
  },
)

const place = fc.oneof(
  fc.constantFrom<'earliest' | 'latest'>('earliest', 'latest'),
  fc.record({ offset: fc.double({ min: -0.2, max: 1.2, noNaN: true }) }),
  fc.record({ shiftMs: fc.integer({ min: -20_000, max: 4000 }) }),
)

const readFrom = onTopic(
  'read',
  fc.tuple(fc.nat(7), place, fc.boolean()),
  async (world, name, topic, [at, where, byBatch]) => {
    const partition = at % topic.partitions.length
    const model = topic.partitions[partition]
    let from: ReadPosition
    let start: number
    if (where === 'earliest') [from, start] = [where, model.start]
    else if (where === 'latest') [from, start] = [where, model.end]
    else if ('offset' in where) {
      from = start = Math.max(0, Math.floor(model.start + where.offset * (model.end - model.start + 2)))
    } else {
      const timestamp = world.clock.now() + where.shiftMs
      ;[from, start] = [{ timestamp }, model.offsetAt(timestamp)]
    }
    if (start < model.start || start > model.end) {
      await expect(collect(world.log.read(name, { partition, from }))).rejects.toMatchObject({
        code: 'OFFSET_OUT_OF_RANGE',
      })
      const onOutOfRange = byBatch ? 'earliest' : 'latest'
      const records = await collect(world.log.read(name, { partition, from, onOutOfRange }))
      expect(records).toEqual(byBatch ? model.from(model.start) : [])
    } else if (byBatch) expect(await collectBatches(world.log, name, partition, start)).toEqual(model.from(start))
    else expect(await collect(world.log.read(name, { partition, from }))).toEqual(model.from(start))
  },
)

const readAll = onTopic(
  'read all',
  fc.tuple(fc.constantFrom<'partition' | 'time'>('partition', 'time'), fc.option(fc.nat(20_000))),
  async (world, name, topic, [order, agoMs]) => {
    const timestamp = world.clock.now() - (agoMs ?? 0)
    const options: ReadOptions = agoMs === null ? { order } : { order, from: { timestamp } }
    const startOf = (partition: ModelTopic['partitions'][number]) =>
      agoMs === null ? partition.start : partition.offsetAt(timestamp)
    const found = await collect(world.log.read(name, options))
    if (order === 'time') return expect(found).toEqual(topic.inTimeOrder(startOf))
    const each = topic.partitions.map((_, index) => found.filter(({ partition }) => partition === index))
    expect(each).toEqual(topic.partitions.map((partition) => partition.from(startOf(partition))))
    return undefined
  },
)

const readMap = onTopic(
  'read a map',
  fc.array(fc.nat(100), { minLength: 1, maxLength: 3 }),
  async (world, name, topic, shares) => {
    const from: { [partition: number]: number } = {}
    for (const [i, share] of shares.slice(0, topic.partitions.length).entries()) {
      const { start, end } = topic.partitions[i]
      from[i] = start + Math.floor(((end - start) * share) / 100)
    }
    const found = await collect(world.log.read(name, { from }))
    for (const [i, start] of Object.entries(from)) {
      expect(found.filter(({ partition }) => partition === Number(i))).toEqual(topic.partitions[Number(i)].from(start))
    }
    expect(new Set(found.map(({ partition }) => String(partition)))).toEqual(
      new Set(
        Object.entries(from)
          .filter(([i, start]) => topic.partitions[Number(i)].from(start).length > 0)
          .map(([i]) => i),
      ),
    )
  },
)

const follow = onTopic(
  'follow',
  fc.tuple(fc.nat(7), fc.integer({ min: 1, max: 3 })),
  async (world, name, topic, [at, count]) => {
    const partition = at % topic.partitions.length
    const model = topic.partitions[partition]
    const records = world.log.read(name, { partition, from: 'latest', follow: true })
    for (let i = 0; i < count; i++) {
      const next = records.next()
      // the reader is waiting at the end before the append comes
      await new Promise((resolve) => setImmediate(resolve))
      const record = { key: null, value: valueOf(name, i), headers: [], partition }
      note(world, topic, record, await world.log.append(name, record))
      const { value } = await next
      expect(asModelRecord(value)).toEqual(model.records.at(-1))
    }
    await records.return!()
    expect(world.clock.holdCount).toBe(0)
  },
)

const deleteRecords = onTopic(
  'deleteRecords',
  fc.tuple(fc.nat(7), fc.integer({ min: 0, max: 110 })),
  async (world, name, topic, [at, share]) => {
    const partition = at % topic.partitions.length
    const model = topic.partitions[partition]
    const beforeOffset = Math.floor((model.end * share) / 100)
    const deleting = world.log.deleteRecords(name, { partition, beforeOffset })
    if (beforeOffset > model.end) return expect(deleting).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
    model.start = Math.max(model.start, beforeOffset)
    expect(await deleting).toEqual({ logStartOffset: model.start })
    return undefined
  },
)

const retention = onTopic(
  'retention',
  fc.tuple(fc.constantFrom(-1, 0, 1000, 5000), fc.constantFrom(-1, 0, 800, 2500)),
  async (world, name, topic, [retentionMs, retentionBytes]) => {
    await world.log.alterTopic(name, { retentionMs, retentionBytes })
    Object.assign(topic, { retentionMs, retentionBytes })
    const starts = new Map<ModelTopic['partitions'][number], number>()
    for (const [other, model] of world.topics) {
      for (const { partition, directory } of (await world.log.describeTopic(other)).partitions) {
        const one = model.partitions[partition]
        starts.set(one, await startAfterRetention(world.storage, directory, one, model, world.clock.now()))
      }
    }
    await world.log.enforceRetention()
    for (const [model, start] of starts) model.start = start
  },
)

const alter = onTopic(
  'alterTopic',
  fc.record({
    flush: flushModes,
    segmentBytes: fc.integer({ min: 200, max: 1500 }),
    segmentMs: fc.constantFrom(500, 100_000),
    indexIntervalBytes: fc.constantFrom(0, 100, 4096),
    compressionType: fc.constantFrom<'none' | 'gzip'>('none', 'gzip'),
  }),
  async (world, name, _, changes) => {
    expect((await world.log.alterTopic(name, changes)).config).toMatchObject(changes)
  },
)

const addPartitions = onTopic('createPartitions', fc.integer({ min: 1, max: 4 }), async (world, name, topic, count) => {
  const before = topic.partitions.length
  if (count <= before)
    return expect(world.log.createPartitions(name, count)).rejects.toMatchObject({ code: 'INVALID_PARTITIONS' })
  await world.log.createPartitions(name, count)
  topic.partitions.push(...new ModelTopic(count - before).partitions)
  topic.placeOfKey.clear()
  return undefined
})

const createTopic = step(
  'createTopic',
  fc.tuple(fc.constantFrom(...NAMES), fc.integer({ min: 1, max: 3 })),
  async (world, [name, count]) => {
    if (world.topics.has(name))
      await expect(create(world, name, count)).rejects.toMatchObject({ code: 'TOPIC_ALREADY_EXISTS' })
    else await create(world, name, count)
  },
)

const deleteTopic = onTopic('deleteTopic', fc.constant(null), async (world, name) => {
  await world.log.deleteTopic(name)
  world.topics.delete(name)
  await expect(world.log.append(name, { value: Buffer.alloc(0) })).rejects.toMatchObject({
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
  })
  expect((await world.storage.list(DIRECTORY)).filter((entry) => entry.name.startsWith(name))).toEqual([])
})

// not after every step: reading opens files and so repairs what an open has left to be repaired
const verify = step('verify', fc.constant(null), (world) => world.verify())

const flush = step('flush', fc.constant(null), async (world) => {
  await world.log.flush()
  for (const name of world.topics.keys()) {
    for (const { durableOffset, logEndOffset } of world.log.offsets(name)) expect(durableOffset).toBe(logEndOffset)
  }
})

const passTime = step('pass time', fc.integer({ min: 1, max: 4000 }), async (world, ms) => {
  await world.clock.advanceSlowly(ms)
})

const closeAndReopen = step('close and reopen', fc.constant(null), async (world) => {
  const { log } = world
  await log.close()
  await expect(log.flush()).rejects.toMatchObject({ code: 'CLOSED' })
  await world.open()
  await world.verifyReopened({ clean: true })
})

const killAndReopen = step('kill and reopen', fc.constant(null), async (world) => {
  world.storage = world.storage.clone()
  world.reader = null
  await world.open()
  await world.verifyReopened({ clean: false })
})

const readBeside = step('read beside the writer', fc.boolean(), async (world, anew) => {
  if (world.reader === null || anew) {
    await world.reader?.log.close()
    const log = await Varve.open({ directory: DIRECTORY, storage: world.storage, clock: world.clock, readOnly: true })
    const topics = [...world.topics].map(
      ([name, model]) => [name, { model, partitions: model.partitions.length }] as const,
    )
    world.reader = { log, topics: new Map(topics) }
    await expect(log.append('events', { value: null })).rejects.toThrow(VarveError)
  }
  const { log, topics } = world.reader
  for (const [name, { model, partitions }] of topics) {
    // of what came and went since it was opened it knows nothing
    if (world.topics.get(name) !== model) continue
    for (let partition = 0; partition < partitions; partition++) {
      const records = await collect(log.read(name, { partition, from: 'earliest' }))
      expect(records).toEqual(model.partitions[partition].from(0))
    }
  }
})

test('whatever is called in whatever order, the log holds what the arrays hold', { timeout: 120_000 }, async () => {
  const appends = [append, append, append, appendTogether, appendTogether, appendBatch, appendBatch, expectOffset]
  const reads = [verify, verify, readFrom, readFrom, readAll, readMap, follow, readBeside]
  const changes = [
    deleteRecords,
    retention,
    alter,
    alter,
    addPartitions,
    createTopic,
    deleteTopic,
    flush,
    passTime,
    passTime,
  ]
  const reopens = [closeAndReopen, closeAndReopen, killAndReopen, killAndReopen]
  const commands = fc.commands([...appends, ...reads, ...changes, ...reopens], {
    size: 'max',
    maxCommands: 60,
    replayPath: process.env['MODEL_REPLAY'],
  })
  const seed = process.env['MODEL_SEED'] === undefined ? undefined : Number(process.env['MODEL_SEED'])
  const path = process.env['MODEL_PATH']
  await fc.assert(
    fc.asyncProperty(commands, async (steps) => {
      const world = new World()
      await world.open()
      await create(world, 'events', 2)
      await fc.asyncModelRun(() => ({ model: {}, real: world }), steps)
      await world.reader?.log.close()
      await world.log.close()
      await world.open()
      await world.verifyReopened({ clean: true })
      await world.verify()
      await world.log.close()
    }),
    { numRuns: Number(process.env['MODEL_RUNS'] ?? 150), seed, path, endOnFailure: path !== undefined },
  )
})
