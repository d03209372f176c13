/** One consumer's place in its group, with a coordinator that only plays one. */
import { expect, test } from 'vitest'
import { consumerSettings } from '../../src/client/consumer-options.ts'
import { Membership, type Ownership } from '../../src/client/membership.ts'
import type { LogEngine } from '../../src/engine/log-engine.ts'
import { encodeAssignment, encodeSubscription } from '../../src/group/consumer-protocol.ts'
import type { GroupCoordinator } from '../../src/group/coordinator.ts'
import type { JoinResponse } from '../../src/group/group.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { idle } from '../helpers/logs.ts'

const MAX_POLL_INTERVAL_MS = 60_000

/** A leader of a group of two in which `claimed` says what the other one owns, and so does not give up at once. */
function leaderBeside(claimed: number[]) {
  const clock = new FakeClock()
  let joins = 0
  const settings = consumerSettings({ groupId: 'g', topics: ['t'], maxPollIntervalMs: MAX_POLL_INTERVAL_MS })
  const subscription = (partitions: number[]) => {
    const ownedPartitions = partitions.map((partition) => ({ topic: 't', partition }))
    return encodeSubscription({ topics: ['t'], ownedPartitions, generation: 0, rackId: null, userData: null })
  }
  const joined: JoinResponse = {
    error: null,
    memberId: 'me',
    generation: 1,
    protocolType: 'consumer',
    protocol: 'cooperative-sticky',
    leader: 'me',
    skipAssignment: false,
    members: [
      { memberId: 'me', instanceId: null, metadata: subscription([]) },
      { memberId: 'other', instanceId: null, metadata: subscription(claimed) },
    ],
  }
  const coordinator = {
    onRebalance: async () => () => {},
    join: async () => {
      joins++
      return joined
    },
    sync: async () => ({
      error: null,
      protocolType: 'consumer',
      protocol: 'cooperative-sticky',
      assignment: encodeAssignment({ partitions: [], userData: null }),
    }),
    heartbeat: async () => null,
    leave: async () => ({ error: null, members: [] }),
  }
  const ownership: Ownership = {
    owned: () => [],
    assign: async () => {},
    revoke: async () => {},
    lose: async () => {},
    mayJoin: () => true,
    fail: (error) => {
      throw error
    },
  }
  const topics = new Map([['t', { partitions: Array(4) }]])
  const engine = { clock, topics } as unknown as LogEngine
  const membership = new Membership(engine, coordinator as unknown as GroupCoordinator, settings, ownership)
  return { clock, membership, joins: () => joins }
}

test('a leader asks for another rebalance where what it withheld for one has found no owner', async () => {
  const { clock, membership, joins } = leaderBeside([0, 1, 2, 3])
  membership.start()
  await idle()
  expect(joins()).toBe(1)
  await clock.advanceSlowly(MAX_POLL_INTERVAL_MS - 5_000)
  await idle()
  expect(joins(), 'whoever gives partitions up has its time').toBe(1)
  await clock.advanceSlowly(10_000)
  await idle()
  expect(joins()).toBe(2)
  await membership.leave()
})

test('a leader that withheld nothing leaves the group in peace', async () => {
  const { clock, membership, joins } = leaderBeside([])
  membership.start()
  await idle()
  await clock.advanceSlowly(3 * MAX_POLL_INTERVAL_MS)
  await idle()
  expect(joins()).toBe(1)
  await membership.leave()
})
