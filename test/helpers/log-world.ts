import fc from 'fast-check'
import { expect } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import type { AppendResult } from '../../src/engine/append-chunk.ts'
import type { HeaderValue, ProducerRecord } from '../../src/engine/record-encoding.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from './fake-clock.ts'
import { collect, ModelTopic } from './log-model.ts'
import { SeededRandom } from './seeded-random.ts'

export const DIRECTORY = '/data/events'
export const CODECS = { events: 'bytes', orders: 'json', audit: 'msgpack' } as const
export const NAMES = Object.keys(CODECS) as (keyof typeof CODECS)[]
export type TopicName = (typeof NAMES)[number]

/** The log under test, and what it must hold. */
export class World {
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

export const recordInput: fc.Arbitrary<RecordInput> = fc.record({
  key: fc.option(fc.constantFrom('a', 'b', 'c', 'd', '', 'é'), { freq: 3 }),
  size: fc.oneof(fc.constant(0), fc.nat(300), fc.constant(-1)),
  headers: fc.array(fc.tuple(fc.constantFrom('x', 'y'), fc.constantFrom<HeaderValue>('1', '', null)), { maxLength: 2 }),
  partition: fc.option(fc.nat(7), { freq: 3 }),
  shiftMs: fc.option(fc.integer({ min: -3000, max: 3000 }), { freq: 2 }),
})

export function producerRecord(world: World, name: TopicName, topic: ModelTopic, input: RecordInput): ProducerRecord {
  const { key, size, headers, partition, shiftMs } = input
  const record: ProducerRecord = { key, headers, value: size < 0 ? null : valueOf(name, size) }
  if (partition !== null) record.partition = partition % topic.partitions.length
  if (shiftMs !== null) record.timestamp = world.clock.now() + shiftMs
  return record
}

export function valueOf(name: TopicName, size: number): unknown {
  if (CODECS[name] === 'bytes') return Buffer.alloc(size, size)
  return { size, text: 'v'.repeat(size), nested: [size, null] }
}

/** Notes what an append has answered, after checking that it is what it must be. */
export function note(
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

export function step<T>(name: string, input: fc.Arbitrary<T>, run: (world: World, input: T) => Promise<void>) {
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
export function onTopic<T>(
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

export async function create(world: World, name: TopicName, partitions: number): Promise<void> {
  const messageTimestampType = name === 'audit' ? 'LogAppendTime' : 'CreateTime'
  const sizes = { segmentBytes: 900, indexIntervalBytes: 100 }
  await world.log.createTopic({ name, partitions, valueCodec: CODECS[name], messageTimestampType, ...sizes })
  const topic = new ModelTopic(partitions)
  topic.appendTime = name === 'audit'
  world.topics.set(name, topic)
}
