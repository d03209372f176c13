/** confluent-kafka for Python, and with it librdkafka, on which most clients of other languages stand. */
import { describe, expect, test } from 'vitest'
import { compressionTypes } from '../../src/codec/compression.ts'
import { startKafka } from '../../src/kafka/start.ts'
import { killMembers } from './dying-members.ts'
import { drive, Driven, findConfluent } from './driver.ts'
import { killServer } from './killed-server.ts'
import { byPartition, embeddedRecords, SAMPLE_PARTITIONS, sampleRecords, storedCodecs, told } from './sample.ts'

const confluent = findConfluent()
/** What goes through: a GiB, which takes 15 s of two cores; VARVE_THROUGH_MIB takes less or more. */
const MEBIBYTES = Number(process.env['VARVE_THROUGH_MIB'] ?? 1024)
const TOPIC = { name: 't', partitions: SAMPLE_PARTITIONS }

// reason: without Python and its packages there is no client; findConfluent says so on the console
describe.skipIf(confluent === null)('confluent-kafka', () => {
  test.each(compressionTypes)('what it produces with codec %s, it and the log itself read back', async (codec) => {
    await using kafka = await startKafka({ topics: [TOPIC] })
    const servers = kafka.bootstrapServers.join()
    const records = sampleRecords()
    const config = { 'compression.type': codec, 'enable.idempotence': true }
    expect(await drive(confluent, { do: 'produce', servers, topic: 't', records, config })).toEqual({ left: 0 })
    expect((await embeddedRecords(kafka.log, 't')).map(told)).toEqual(byPartition(records))
    expect(await storedCodecs(kafka.log, 't')).toEqual([codec])
    const request = { do: 'consume', servers, topic: 't', count: records.length, config: { 'group.id': 'g' } }
    const read = await drive(confluent, request)
    expect(byPartition(read.records)).toEqual(byPartition(records))
    expect(read.committed).toEqual([0, 1, 2].map((partition) => [partition, records.length / 3]))
  })

  test('its administration works', async () => {
    await using kafka = await startKafka()
    const append = async () => {
      for (let i = 0; i < 10; i++)
        await kafka.log.append('t', { partition: 0, value: Buffer.from('x'), timestamp: 1_000 * (i + 1) })
    }
    const servers = kafka.bootstrapServers.join()
    const admin = async (...steps: unknown[][]) => {
      const driven = new Driven(confluent, { do: 'admin', servers, steps })
      await driven.finish()
      return driven.said.map(({ error, result }) => error ?? result)
    }
    expect(
      await admin(
        ['createTopics', ['t', 2, { 'retention.ms': '5000000' }], ['u', -1, {}]],
        ['createTopics', ['t', 2, {}]],
        ['createTopics', ['v', 0, {}]],
        ['createTopics', ['v', 1, { 'retention.ms': 'soon' }]],
        ['createPartitions', 't', 3],
        ['createPartitions', 't', 2],
        ['describeTopics', 't', 'u'],
        ['describeTopics', 'nowhere'],
        ['alterConfigs', 't', { 'cleanup.policy': 'compact', 'max.message.bytes': '2000000' }],
        ['describeConfigs', 't', 'cleanup.policy', 'max.message.bytes', 'retention.ms', 'compression.type'],
        ['alterConfigs', 't', { 'cleanup.policy': 'delete' }],
        ['describeCluster'],
      ),
    ).toEqual([
      null,
      'TOPIC_ALREADY_EXISTS',
      'INVALID_PARTITIONS',
      'INVALID_CONFIG',
      null,
      'INVALID_PARTITIONS',
      { t: [0, 1, 2], u: [0] },
      'UNKNOWN_TOPIC_OR_PART',
      null,
      {
        'cleanup.policy': 'compact',
        'max.message.bytes': '2000000',
        'retention.ms': '5000000',
        'compression.type': 'producer',
      },
      null,
      { nodes: [1], controller: 1 },
    ])
    await append()
    expect(
      await admin(
        ['listOffsets', 't', 0, 'earliest', 'latest', 'max', 4_500, 4_000, 10_001],
        ['deleteRecords', 't', 0, 6],
        ['deleteRecords', 't', 0, 60],
        ['listOffsets', 't', 0, 'earliest'],
        ['alterOffsets', 'g', 't', 0, 8],
        ['listGroupOffsets', 'g'],
        ['listGroups'],
        ['describeGroup', 'g'],
        ['deleteGroups', 'g'],
        ['deleteGroups', 'g'],
        ['listGroups'],
        ['deleteTopics', 't', 'u'],
        ['deleteTopics', 't'],
        ['listTopics'],
      ),
    ).toEqual([
      [0, 10, 9, 4, 3, -1],
      6,
      'OFFSET_OUT_OF_RANGE',
      [6],
      [[0, 8]],
      [['t', 0, 8]],
      [['g', 'EMPTY']],
      { state: 'EMPTY', assignor: '', members: 0 },
      null,
      'GROUP_ID_NOT_FOUND',
      [],
      null,
      'UNKNOWN_TOPIC_OR_PART',
      ['__consumer_offsets'],
    ])
  })

  test('a group by range, round-robin or cooperative-sticky goes on when members die and leave', async () => {
    await using kafka = await startKafka({ logOptions: { groups: { minSessionTimeoutMs: 1_000 } } })
    const servers = kafka.bootstrapServers.join()
    const times = { 'session.timeout.ms': 2_000, 'heartbeat.interval.ms': 200 }
    const assignors = ['range', 'roundrobin', 'cooperative-sticky']
    for (const assignor of assignors) {
      const config = { 'group.id': assignor, 'partition.assignment.strategy': assignor, ...times }
      await killMembers(confluent, kafka.log, { servers, config })
    }
  })

  test('an idempotent producer loses and doubles nothing while the server is killed and started again', async () => {
    await killServer(confluent, { 'enable.idempotence': true })
  })

  test(`${MEBIBYTES} MiB go through, in and out`, async () => {
    await using kafka = await startKafka({ topics: [{ name: 't', partitions: 4 }] })
    const servers = kafka.bootstrapServers.join()
    const went = await drive(confluent, { do: 'through', servers, topic: 't', megabytes: MEBIBYTES, config: {} })
    expect(went).toMatchObject({ left: 0, count: MEBIBYTES * 1024, seen: MEBIBYTES * 1024, same: true })
    const { produceSeconds, consumeSeconds } = went
    console.log(`${MEBIBYTES} MiB: ${produceSeconds.toFixed(1)} s in, ${consumeSeconds.toFixed(1)} s out`)
  })
})
