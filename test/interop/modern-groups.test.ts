/** Groups of the newer protocol (KIP-848), where the server assigns: librdkafka and franz-go, whose members die and leave. */
import { expect, test } from 'vitest'
import { systemClock, type Clock } from '../../src/environment.ts'
import { listGroups } from '../../src/kafka/apis/list-groups.ts'
import { startKafka } from '../../src/kafka/start.ts'
import { KafkaTestClient } from '../helpers/kafka-client.ts'
import { killMembers } from './dying-members.ts'
import { findConfluent, findFranzGo, type Driver } from './driver.ts'

/** So much faster goes the server's time: a member's 45 s are over in 11, and the 5 s between heartbeats still fit. */
const PACE = 4
const clock: Clock = {
  ...systemClock,
  monotonicMs: () => systemClock.monotonicMs() * PACE,
  setTimer: (ms, callback) => systemClock.setTimer(ms / PACE, callback),
}
const TIMEOUT_MS = 240_000

/** The group must be one of the newer protocol at the end: franz-go would take the older one where it cannot have it. */
async function killModernMembers(driver: Driver, config: object): Promise<void> {
  await using kafka = await startKafka({ logOptions: { clock } })
  const servers = kafka.bootstrapServers.join()
  await killMembers(driver, kafka.log, { servers, config: { 'group.id': 'g', ...config } })
  await using client = await KafkaTestClient.connect(servers)
  const { groups } = await client.send(listGroups, 5, { statesFilter: [], typesFilter: [] })
  expect(groups).toEqual([expect.objectContaining({ groupId: 'g', groupType: 'consumer' })])
}

const clients: [driver: Driver, config: object][] = [
  [findConfluent(), { 'group.protocol': 'consumer' }],
  [findFranzGo(), { serverSide: true, balancer: 'sticky' }],
]
const installed = clients.filter(([driver]) => driver !== null)

// reason: a client that is not installed is said on the console
test.skipIf(installed.length === 0)(
  'groups that the server assigns to go on when members die and leave',
  async () => {
    // both at once: they wait most of their time
    await Promise.all(installed.map(([driver, config]) => killModernMembers(driver, config)))
  },
  TIMEOUT_MS,
)
