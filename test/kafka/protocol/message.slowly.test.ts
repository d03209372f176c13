/** Long messages are read and written as short ones are, but with rests in between. */
import { expect, test } from 'vitest'
import { FieldReader, FieldWriter } from '../../../src/codec/fields.ts'
import { apis } from '../../../src/kafka/apis.ts'
import { metadata } from '../../../src/kafka/apis/metadata.ts'
import { produce } from '../../../src/kafka/apis/produce.ts'
import { Pace } from '../../../src/kafka/pace.ts'
import {
  isLonger,
  readMessage,
  readMessageSlowly,
  writeMessage,
  writeMessageSlowly,
} from '../../../src/kafka/protocol/message.ts'
import { ZERO_UUID } from '../../../src/kafka/protocol/schema.ts'
import { clientBatch } from '../../helpers/client-batch.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { sampleRequest, type ApiWithRequest } from '../../helpers/kafka-samples.ts'
import { KafkaSession, versionsOf } from '../../helpers/kafka-session.ts'
import { SeededRandom } from '../../helpers/seeded-random.ts'

const names = { topics: ['t'], topicIds: [ZERO_UUID], groups: ['g'] }

/** A pace that rests at every step, and how often it has. */
function slowest(): { pace: Pace; rests: () => number } {
  let now = 0
  let count = 0
  const clock = new FakeClock()
  clock.monotonicMs = () => (now += 1_000)
  clock.deferWith = (callback) => {
    count++
    setImmediate(callback)
  }
  return { pace: new Pace(clock), rests: () => count }
}

test.for((apis as ApiWithRequest[]).map((api) => [api.name, api] as const))(
  '%s: every version is the same, slowly',
  async ([, api]) => {
    const random = new SeededRandom(api.key)
    const { pace } = slowest()
    for (const version of versionsOf(api)) {
      const readerOf = (bytes: Buffer) => {
        const reader = new FieldReader(bytes, 'a request')
        reader.take(8)
        reader.nullableString()
        reader.flexible = version >= api.flexibleSince
        reader.skipTags()
        return reader
      }
      for (let i = 0; i < 3; i++) {
        const bytes = sampleRequest(api, version, names, random)
        const request = readMessage(api.request, version, readerOf(bytes))
        const reader = readerOf(bytes)
        expect(await readMessageSlowly(api.request, version, reader, pace)).toEqual(request)
        expect(reader.remaining).toBe(0)
        const [writer, slow] = [new FieldWriter(), new FieldWriter()]
        slow.flexible = writer.flexible = reader.flexible
        writeMessage(api.request, version, request, writer)
        await writeMessageSlowly(api.request, version, request, slow, pace)
        expect(slow.finish().toString('hex')).toBe(writer.finish().toString('hex'))
      }
    }
  },
)

test('each item is a step, and a list that cannot be is refused as ever', async () => {
  const { pace, rests } = slowest()
  const topics = ['a', 'b', 'c'].map((name) => ({ name, topicId: ZERO_UUID }))
  const writer = new FieldWriter()
  const whole = { topics, allowAutoTopicCreation: true, includeClusterAuthorizedOperations: false }
  await writeMessageSlowly(metadata.request, 4, { ...whole, includeTopicAuthorizedOperations: false }, writer, pace)
  expect(rests()).toBe(3)
  const reader = () => new FieldReader(writer.finish(), 'a request')
  expect((await readMessageSlowly(metadata.request, 4, reader(), pace)).topics).toHaveLength(3)
  expect(rests()).toBe(6)
  const none = new FieldReader(new FieldWriter().int16(-1).int16(0).int32(0).int32(-1).finish(), 'a request')
  await expect(readMessageSlowly(produce.request, 3, none, pace)).rejects.toThrow(/a list is null that must not be/)
})

test('the items of all lists count, wherever they are', () => {
  const topics = [{ partitions: [1, 2] }, { partitions: [] }, { partitions: null }]
  expect([4, 5].map((most) => isLonger({ topics, name: 'a long text', bytes: Buffer.alloc(9) }, most))).toEqual([
    true,
    false,
  ])
})

test('requests that begin in several turns are done in the order in which they were sent', async () => {
  await using session = await KafkaSession.open()
  await session.log.createTopic({ name: 't', valueCodec: 'bytes' })
  const { client } = session
  // 3 MiB of small batches, then one batch at a time
  const many = Array.from({ length: 30_000 }, () => ({ index: 0, records: [clientBatch(['x'.repeat(20)])] }))
  const requests = [many, ...['a', 'b', 'c'].map((value) => [{ index: 0, records: [clientBatch([value])] }])]
  const answers = requests.map((partitionData) =>
    client.send(produce, 9, { acks: -1, topicData: [{ name: 't', topicId: ZERO_UUID, partitionData }] }),
  )
  const offsets = (await Promise.all(answers)).map(({ responses }) =>
    responses[0].partitionResponses.map(({ baseOffset }) => baseOffset),
  )
  expect(offsets[0]).toEqual(many.map((_, i) => i))
  expect(offsets.slice(1)).toEqual([[30_000], [30_001], [30_002]])
})
