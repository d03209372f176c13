/** What can be done to a log, each step with what it must do to the arrays. */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { ReadOptions, ReadPosition } from '../../src/client/read-options.ts'
import { Varve } from '../../src/client/varve.ts'
import type { Flush } from '../../src/engine/flush.ts'
import { VarveError } from '../../src/errors.ts'
import { asModelRecord, collect, collectBatches, ModelTopic, startAfterRetention } from '../helpers/log-model.ts'
import {
  create,
  DIRECTORY,
  NAMES,
  note,
  onTopic,
  producerRecord,
  recordInput,
  step,
  valueOf,
} from '../helpers/log-world.ts'

const flushModes = fc.constantFrom<Flush>('each', 'group', 'os', { ms: 10 }, { ms: 50, bytes: 500, records: 3 })

export const append = onTopic('append', recordInput, async (world, name, topic, input) => {
  const record = producerRecord(world, name, topic, input)
  note(world, topic, record, await world.log.append(name, record))
})

export const appendTogether = onTopic(
  'append together',
  fc.array(recordInput, { maxLength: 6 }),
  async (world, name, topic, inputs) => {
    const records = inputs.map((input) => producerRecord(world, name, topic, input))
    const results = await Promise.all(records.map((record) => world.log.append(name, record)))
    for (const [i, result] of results.entries()) note(world, topic, records[i], result)
  },
)

export const appendBatch = onTopic(
  'appendBatch',
  fc.array(recordInput, { maxLength: 8 }),
  async (world, name, topic, inputs) => {
    const records = inputs.map((input) => producerRecord(world, name, topic, input))
    const results = await world.log.appendBatch(name, records)
    expect(results).toHaveLength(records.length)
    for (const [i, result] of results.entries()) note(world, topic, records[i], result)
  },
)

export const expectOffset = onTopic(
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

export const readFrom = onTopic(
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

export const readAll = onTopic(
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

export const readMap = onTopic(
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

export const follow = onTopic(
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

export const deleteRecords = onTopic(
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

export const retention = onTopic(
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

export const alter = onTopic(
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

export const addPartitions = onTopic(
  'createPartitions',
  fc.integer({ min: 1, max: 4 }),
  async (world, name, topic, count) => {
    const before = topic.partitions.length
    if (count <= before)
      return expect(world.log.createPartitions(name, count)).rejects.toMatchObject({ code: 'INVALID_PARTITIONS' })
    await world.log.createPartitions(name, count)
    topic.partitions.push(...new ModelTopic(count - before).partitions)
    topic.placeOfKey.clear()
    return undefined
  },
)

export const createTopic = step(
  'createTopic',
  fc.tuple(fc.constantFrom(...NAMES), fc.integer({ min: 1, max: 3 })),
  async (world, [name, count]) => {
    if (world.topics.has(name))
      await expect(create(world, name, count)).rejects.toMatchObject({ code: 'TOPIC_ALREADY_EXISTS' })
    else await create(world, name, count)
  },
)

export const deleteTopic = onTopic('deleteTopic', fc.constant(null), async (world, name) => {
  await world.log.deleteTopic(name)
  world.topics.delete(name)
  await expect(world.log.append(name, { value: Buffer.alloc(0) })).rejects.toMatchObject({
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
  })
  expect((await world.storage.list(DIRECTORY)).filter((entry) => entry.name.startsWith(name))).toEqual([])
})

// not after every step: reading opens files and so repairs what an open has left to be repaired
export const verify = step('verify', fc.constant(null), (world) => world.verify())

export const flush = step('flush', fc.constant(null), async (world) => {
  await world.log.flush()
  for (const name of world.topics.keys()) {
    for (const { durableOffset, logEndOffset } of world.log.offsets(name)) expect(durableOffset).toBe(logEndOffset)
  }
})

export const passTime = step('pass time', fc.integer({ min: 1, max: 4000 }), async (world, ms) => {
  await world.clock.advanceSlowly(ms)
})

export const closeAndReopen = step('close and reopen', fc.constant(null), async (world) => {
  const { log } = world
  await log.close()
  await expect(log.flush()).rejects.toMatchObject({ code: 'CLOSED' })
  await world.open()
  await world.verifyReopened({ clean: true })
})

export const killAndReopen = step('kill and reopen', fc.constant(null), async (world) => {
  world.storage = world.storage.clone()
  world.reader = null
  await world.open()
  await world.verifyReopened({ clean: false })
})

export const readBeside = step('read beside the writer', fc.boolean(), async (world, anew) => {
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
