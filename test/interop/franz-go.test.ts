/** franz-go, the client of Go that speaks the newest version of each API. */
import { describe, test } from 'vitest'
import { compressionTypes } from '../../src/codec/compression.ts'
import { startKafka } from '../../src/kafka/start.ts'
import { administer } from './administration.ts'
import { killMembers } from './dying-members.ts'
import { findFranzGo } from './driver.ts'
import { killServer } from './killed-server.ts'
import { goRound } from './round-trip.ts'

const franzGo = findFranzGo()

// reason: without Go there is no client; findFranzGo says so on the console
describe.skipIf(franzGo === null)('franz-go', () => {
  test.each(compressionTypes)(
    'what it produces with codec %s, it and the log itself read back',
    async (compression) => {
      await goRound(franzGo, compression, { compression })
    },
  )

  test('its administration works: topics, configurations, partitions, records, groups, offsets by time', async () => {
    // it gives the end of the partition
    await administer(franzGo, 10)
  })

  test('a group by range, round-robin, sticky or cooperative-sticky goes on when members die and leave', async () => {
    await using kafka = await startKafka({ logOptions: { groups: { minSessionTimeoutMs: 1_000 } } })
    const servers = kafka.bootstrapServers.join()
    for (const balancer of ['range', 'roundrobin', 'sticky', 'cooperative-sticky']) {
      const times = { 'session.timeout.ms': 2_000, 'heartbeat.interval.ms': 200 }
      await killMembers(franzGo, kafka.log, { servers, config: { 'group.id': balancer, balancer, ...times } })
    }
  })

  test('an idempotent producer and a group go on while the server is killed and started again', async () => {
    await killServer(franzGo, {}, { 'group.id': 'g' })
  })
})
