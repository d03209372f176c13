/** confluent-kafka for Python, and with it librdkafka, on which most clients of other languages stand. */
import { describe, expect, test } from 'vitest'
import { compressionTypes } from '../../src/codec/compression.ts'
import { startKafka } from '../../src/kafka/start.ts'
import { administer } from './administration.ts'
import { killMembers } from './dying-members.ts'
import { drive, findConfluent } from './driver.ts'
import { killServer } from './killed-server.ts'
import { goRound } from './round-trip.ts'

const confluent = findConfluent()
/** What goes through: a GiB, which takes 15 s of two cores; VARVE_THROUGH_MIB takes less or more. */
const MEBIBYTES = Number(process.env['VARVE_THROUGH_MIB'] ?? 1024)

// reason: without Python and its packages there is no client; findConfluent says so on the console
describe.skipIf(confluent === null)('confluent-kafka', () => {
  test.each(compressionTypes)('what it produces with codec %s, it and the log itself read back', async (codec) => {
    await goRound(confluent, codec, { 'compression.type': codec, 'enable.idempotence': true })
  })

  test('its administration works: topics, configurations, partitions, records, groups, offsets by time', async () => {
    await administer(confluent)
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

  test('an idempotent producer and a group go on while the server is killed and started again', async () => {
    const member = { 'group.id': 'g', 'reconnect.backoff.ms': 20, 'reconnect.backoff.max.ms': 100 }
    await killServer(confluent, { 'enable.idempotence': true }, member)
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
