/** Produce and what a broker knows of producers. */
import { describeProducers } from '../../../src/kafka/apis/describe-producers.ts'
import { initProducerId } from '../../../src/kafka/apis/init-producer-id.ts'
import { listOffsets } from '../../../src/kafka/apis/list-offsets.ts'
import { produce } from '../../../src/kafka/apis/produce.ts'
import { clientBatch } from '../../helpers/client-batch.ts'
import { rawBatch, rawRecord, resealed } from '../../helpers/raw-batch.ts'
import type { Scenario, World } from './world.ts'

/** An id that no topic has. */
export const NO_TOPIC = 'AAAAAAAAAAAAAAAAAAAAAQ'

export function produceTo(name: string, records: Uint8Array | null, more: { index?: number; topicId?: string } = {}) {
  const { index = 0, topicId } = more
  return [{ name, topicId, partitionData: [{ index, records: records === null ? null : [records] }] }]
}

async function put(world: World, question: string, name: string, records: Uint8Array | null, version = 12) {
  return world.ask(question, produce, version, { acks: -1, timeoutMs: 10_000, topicData: produceTo(name, records) })
}

/** A batch with bytes changed; the checksum is made right again unless told otherwise. */
function changed(change: (batch: Buffer) => void, reseal = true): Buffer {
  const batch = clientBatch(['a', 'b', 'c'])
  change(batch)
  return reseal ? resealed(batch) : batch
}

async function endOf(world: World, name: string): Promise<void> {
  await world.ask('end', listOffsets, 7, { topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: -1 }] }] })
}

const notBatches: Scenario = {
  name: 'Produce, what is not a batch',
  async run(world) {
    const bad: [string, Uint8Array | null][] = [
      ['nothing', Buffer.alloc(0)],
      ['10 bytes', clientBatch(['a']).subarray(0, 10)],
      ['a header only', clientBatch(['a']).subarray(0, 61)],
      ['cut by a byte', clientBatch(['a']).subarray(0, -1)],
      ['a byte more', Buffer.concat([clientBatch(['a']), Buffer.alloc(1)])],
      ['two batches', Buffer.concat([clientBatch(['a']), clientBatch(['b'])])],
      ['wrong checksum', changed((batch) => batch.writeUInt32BE(1, 17), false)],
      ['magic 1', changed((batch) => batch.writeInt8(1, 16), false)],
      ['magic 3', changed((batch) => batch.writeInt8(3, 16), false)],
      ['magic -1', changed((batch) => batch.writeInt8(-1, 16), false)],
      ['length 0', changed((batch) => batch.writeInt32BE(0, 8))],
      ['length -1', changed((batch) => batch.writeInt32BE(-1, 8))],
      ['length 48', changed((batch) => batch.writeInt32BE(48, 8))],
      ['too great a length', changed((batch) => batch.writeInt32BE(0x7fffffff, 8))],
      ['count too great', changed((batch) => batch.writeInt32BE(4, 57))],
      ['count too small', changed((batch) => batch.writeInt32BE(2, 57))],
      ['count 0', changed((batch) => batch.writeInt32BE(0, 57))],
      ['count -1', changed((batch) => batch.writeInt32BE(-1, 57))],
      ['last offset too great', changed((batch) => batch.writeInt32BE(3, 23))],
      ['both too great', changed((batch) => (batch.writeInt32BE(3, 23), batch.writeInt32BE(4, 57)))],
      ['both too small', changed((batch) => (batch.writeInt32BE(1, 23), batch.writeInt32BE(2, 57)))],
      ['codec 5', changed((batch) => batch.writeInt16BE(5, 21))],
      ['said to be gzip', changed((batch) => batch.writeInt16BE(1, 21))],
      ['said to be snappy', changed((batch) => batch.writeInt16BE(2, 21))],
      ['said to be lz4', changed((batch) => batch.writeInt16BE(3, 21))],
      ['said to be zstd', changed((batch) => batch.writeInt16BE(4, 21))],
      ['control', changed((batch) => batch.writeInt16BE(0x20, 21))],
      ['transactional', changed((batch) => batch.writeInt16BE(0x10, 21))],
      ['unknown attribute', changed((batch) => batch.writeInt16BE(0x80, 21))],
      [
        'offset deltas repeated',
        rawBatch(Buffer.concat([rawRecord([0], 0, 0, -1, 1, 'a', 0), rawRecord([0], 0, 0, -1, 1, 'a', 0)]), {
          recordCount: 2,
        }),
      ],
      ['record too long', rawBatch(Buffer.concat([Buffer.from([40]), rawRecord([0], 0, 0, -1, 1, 'a', 0)]))],
      ['record cut', rawBatch(rawRecord([0], 0, 0, -1, 100, 'a', 0))],
      ['negative header count', rawBatch(rawRecord([0], 0, 0, -1, 1, 'a', -1))],
      ['bytes after the record', rawBatch(Buffer.concat([rawRecord([0], 0, 0, -1, 1, 'a', 0), Buffer.from('xx')]))],
    ]
    // each in a partition of its own: what one server takes must not shift what comes after
    await world.createTopic('p-bad', bad.length)
    for (const [index, [question, bytes]] of bad.entries())
      await world.ask(question, produce, 12, {
        acks: -1,
        timeoutMs: 10_000,
        topicData: produceTo('p-bad', bytes, { index }),
      })
  },
}

const places: Scenario = {
  name: 'Produce, where to',
  async run(world) {
    const topicId = await world.createTopic('p-where', 2)
    const batch = clientBatch(['a', 'b'])
    const send = (question: string, version: number, topicData: ReturnType<typeof produceTo>, acks = -1) =>
      world.ask(question, produce, version, { acks, timeoutMs: 1000, topicData })
    for (const version of [3, 5, 8, 9, 10, 11, 12])
      await send(`version ${version}`, version, produceTo('p-where', batch))
    await send('version 13', 13, produceTo('', batch, { topicId }))
    await send('unknown id', 13, produceTo('', batch, { topicId: NO_TOPIC }))
    await send('no id', 13, produceTo('', batch))
    await send('unknown topic', 12, produceTo('p-none', batch))
    await send('empty name', 12, produceTo('', batch))
    await send('name that may not be', 12, produceTo('a b', batch))
    await send('unknown partition', 12, produceTo('p-where', batch, { index: 2 }))
    await send('partition -1', 12, produceTo('p-where', batch, { index: -1 }))
    await send('the internal topic', 12, produceTo('__consumer_offsets', batch))
    await send('no topic', 12, [])
    await send('acks 2', 12, produceTo('p-where', batch), 2)
    await send('acks 1', 12, produceTo('p-where', batch), 1)
    await send('base offset 77', 12, produceTo('p-where', clientBatch(['a'], { baseOffset: 77 }), { index: 1 }))
    await send('leader epoch 9', 12, produceTo('p-where', clientBatch(['a'], { leaderEpoch: 9 })))
    const both = [...produceTo('p-where', batch), ...produceTo('p-none', batch)]
    await send('one that is there, one that is not', 12, both)
    const twice = [
      { name: 'p-where', topicId: undefined, partitionData: [0, 0].map((index) => ({ index, records: [batch] })) },
    ]
    await send('a partition twice', 12, twice)
    await world.ask('transactional id', produce, 12, {
      transactionalId: 't',
      acks: -1,
      timeoutMs: 1000,
      topicData: produceTo('p-where', batch),
    })
    await endOf(world, 'p-where')
  },
}

const configured: Scenario = {
  name: 'Produce, by the topic',
  async run(world) {
    await world.createTopic('p-small', 1, { 'max.message.bytes': '300' })
    await put(world, 'batch of 300 bytes', 'p-small', sized(300))
    await put(world, 'batch of 301 bytes', 'p-small', sized(301))
    await world.createTopic('p-compacted', 1, { 'cleanup.policy': 'compact' })
    await put(world, 'without keys', 'p-compacted', clientBatch(['a', 'b', 'c'], {}, ['k', null, null]))
    await put(world, 'with keys', 'p-compacted', clientBatch(['a', 'b']))
    await world.createTopic('p-append', 1, { 'message.timestamp.type': 'LogAppendTime' })
    await put(world, 'append time', 'p-append', clientBatch(['a']))
    await world.createTopic('p-time')
    await world.createTopic('p-ahead')
    await put(world, 'a day ahead', 'p-ahead', clientBatch(['a'], { baseTimestamp: Date.now() + 86_400_000 }))
    await put(world, 'no timestamp', 'p-time', clientBatch(['a'], { baseTimestamp: -1 }))
    await put(world, 'timestamp -2', 'p-time', clientBatch(['a'], { baseTimestamp: -2 }))
    await world.createTopic('p-client')
    await put(world, 'append time by the client', 'p-client', clientBatch(['a'], { attributes: 8 }))
    await put(world, 'wrong greatest timestamp', 'p-time', clientBatch(['a'], { maxTimestamp: 9_000 }))
    await endOf(world, 'p-time')
    await put(world, 'zstd in version 6', 'p-time', clientBatch(['a'], { compression: 'zstd' }), 6)
    for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] as const)
      await put(world, compression, 'p-time', clientBatch(['a', 'b'], { compression }))
  },
}

/** A batch of so many bytes. */
function sized(bytes: number): Buffer {
  const small = clientBatch(['x'.repeat(100)])
  const batch = clientBatch(['x'.repeat(100 + bytes - small.length)])
  if (batch.length !== bytes) throw new Error(`${batch.length} bytes`)
  return batch
}

/** A broker fetches its first ids when it is first asked for one. */
async function newProducer(world: World): Promise<number> {
  for (;;) {
    const asked = { transactionalId: null, transactionTimeoutMs: 1_000 }
    const { errorCode, producerId } = await world.quietly(initProducerId, 4, asked)
    if (errorCode === 0) return producerId
  }
}

const sequences: Scenario = {
  name: 'Produce, sequences',
  async run(world) {
    await world.createTopic('p-seq', 2)
    const producerId = await newProducer(world)
    const send = (question: string, baseSequence: number, count = 1, producerEpoch = 0, id = producerId) =>
      put(
        world,
        question,
        'p-seq',
        clientBatch(
          Array.from({ length: count }, () => 'v'),
          { producerId: id, producerEpoch, baseSequence, baseTimestamp: Date.now() },
        ),
      )
    await send('first is 5', 5)
    await send('0', 0)
    await send('0 again', 0)
    await send('gap', 9)
    await send('1 to 3', 1, 3)
    await send('1 to 3 again', 1, 3)
    await send('2 to 3', 2, 2)
    for (let sequence = 4; sequence < 9; sequence++) await send(`${sequence}`, sequence)
    await send('5 again, four later', 5)
    await send('0 again, long ago', 0)
    await send('sequence -1', -1)
    await send('sequence -2', -2)
    await send('epoch 1 from 9', 9, 1, 1)
    await send('epoch 1 from 0', 0, 1, 1)
    await send('epoch 0 after it', 9)
    await send('epoch -1', 1, 1, -1)
    await send('producer without sequence', -1, 1, 1)
    await send('unknown producer from 0', 0, 1, 0, 123_456)
    await send('unknown producer from 7', 7, 1, 0, 123_457)
    await send('producer -2', 0, 1, 0, -2)
    await put(world, 'sequence without producer', 'p-seq', clientBatch(['a'], { baseSequence: 3 }))
    await endOf(world, 'p-seq')
    const topics = [
      { name: 'p-seq', partitionIndexes: [0, 1, 2] },
      { name: 'p-none', partitionIndexes: [0] },
    ]
    const { topics: known } = await world.quietly(describeProducers, 0, { topics })
    for (const { partitions } of known)
      for (const one of partitions) one.activeProducers.sort((a, b) => a.producerId - b.producerId)
    world.note('producers', known)
  },
}

const wrapping: Scenario = {
  name: 'Produce, sequences at their end',
  async run(world) {
    await world.createTopic('p-wrap')
    const producerId = await newProducer(world)
    const send = (question: string, baseSequence: number, count: number) =>
      put(
        world,
        question,
        'p-wrap',
        clientBatch(
          Array.from({ length: count }, () => 'v'),
          { producerId, producerEpoch: 0, baseSequence },
        ),
      )
    await send('over the end', 0x7fffffff - 1, 3)
    await send('after it', 1, 1)
    await send('over the end again', 0x7fffffff - 1, 3)
  },
}

const ids: Scenario = {
  name: 'InitProducerId',
  async run(world) {
    const ask = (question: string, version: number, values: object) =>
      world.ask(question, initProducerId, version, { transactionTimeoutMs: 60_000, ...values })
    for (const version of [0, 1, 2, 3, 4, 5]) await ask(`version ${version}`, version, { transactionalId: null })
    await ask('timeout 0', 4, { transactionalId: null, transactionTimeoutMs: 0 })
    await ask('timeout beyond bounds', 4, { transactionalId: null, transactionTimeoutMs: 0x7fffffff })
    await ask('empty transactional id', 4, { transactionalId: '' })
    await ask('producer 5, epoch 3', 4, { transactionalId: null, producerId: 5, producerEpoch: 3 })
    await ask('producer 5 without epoch', 4, { transactionalId: null, producerId: 5 })
    await ask('epoch without producer', 4, { transactionalId: null, producerEpoch: 5 })
  },
}

export const produceScenarios = [notBatches, places, configured, sequences, wrapping, ids]
