import { expect, test } from 'vitest'
import { restoreGroup, snapshotOf } from '../../src/group/snapshot.ts'
import { bytes, GroupDriver, LIMITS, SESSION_MS, stableGroup } from '../helpers/group-driver.ts'

test('a group goes on after a restart where it was', () => {
  const { group: before } = stableGroup(['a', 'b:one'])
  const group = new GroupDriver(LIMITS, restoreGroup('group', snapshotOf(before), 7_000_000))
  group.nowMs = 7_000_000
  expect(group.group).toMatchObject({ state: 'Stable', generation: 1, protocol: 'range', leader: 'a' })
  expect(snapshotOf(group.group)).toEqual(snapshotOf(before))
  expect(group.heartbeat('a')).toBe(null)
  expect(group.commit('b', { instanceId: 'one' })).toBe(null)
  expect(group.syncs.get(group.sync('b'))).toMatchObject({ error: null, assignment: bytes('b') })
  expect(group.joins.get(group.rejoin('b', { instanceId: 'one' }))).toMatchObject({ error: null, generation: 1 })
})

test('sessions start anew with a restart', () => {
  const group = new GroupDriver(LIMITS, restoreGroup('group', snapshotOf(stableGroup(['a']).group), 7_000_000))
  group.nowMs = 7_000_000
  group.pass(SESSION_MS - 1)
  expect(group.members).toEqual(['a'])
  group.pass(1)
  expect(group.members).toEqual([])
})

test('an empty group keeps its generation over a restart', () => {
  const group = stableGroup(['a'])
  group.leave({ memberId: 'a' })
  const restored = restoreGroup('group', group.stores[0], 0)
  expect(restored).toMatchObject({
    state: 'Empty',
    generation: 2,
    protocolType: 'consumer',
    protocol: null,
    leader: null,
  })
})

test('what is kept of a member is its subscription to the protocol that was chosen', () => {
  const group = stableGroup(['a:one'])
  expect(snapshotOf(group.group).members).toEqual([
    {
      memberId: 'a',
      instanceId: 'one',
      clientId: 'client',
      clientHost: '/127.0.0.1',
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: 60_000,
      subscription: bytes('range'),
      assignment: bytes('a'),
    },
  ])
})
