/** What is hard to bring about from outside of a group; see also test/model/modern-group.test.ts. */
import { expect, test } from 'vitest'
import type { HeartbeatRequest } from '../../../src/group/modern/modern-group.ts'
import { ModernGroup } from '../../../src/group/modern/modern-machine.ts'

/** A group on one topic, whose members say what a test wants them to. */
function groupOn(partitions: number) {
  const group = new ModernGroup('g')
  const topics = { find: () => ({ topicId: 't', partitions }), names: () => ['orders'], nameOf: () => 'orders' }
  const nothing = { rebalanceTimeoutMs: null, topics: null, pattern: null, assignor: null, owned: null, rackId: null }
  const who = { instanceId: null, clientId: 'test', clientHost: '/127.0.0.1', requiresMemberId: true }
  const say = (memberId: string, epoch: number, said: Partial<HeartbeatRequest> = {}) =>
    group.heartbeat({ ...nothing, ...who, memberId, epoch, ...said }, 0, topics, { maxSize: 100 })
  const join = (memberId: string, instanceId: string | null = null) =>
    say(memberId, 0, { instanceId, rebalanceTimeoutMs: 1, topics: ['orders'], owned: new Set() })
  return { group, say, join, stateOf: (memberId: string) => group.members.get(memberId)!.current }
}

test('a static member that goes for a while has given up what it was to give up', () => {
  const { say, join } = groupOn(2)
  join('a', 'one')
  join('b')
  expect([...say('a', 2, { instanceId: 'one' }).assigned!]).toEqual(['t/0'])
  expect(say('b', 3).assigned).toBe(null)
  say('a', -2, { instanceId: 'one' })
  expect([...say('b', 3).assigned!]).toEqual(['t/1'])
  expect([...join('a2', 'one').assigned!]).toEqual(['t/0'])
})

test('a static member that comes back gets what it waited for before it went', () => {
  const { say, join, stateOf } = groupOn(6)
  join('a')
  join('b')
  const give = (memberId: string, epoch: number, count: number) => {
    say(memberId, epoch)
    const { assigned } = stateOf(memberId)
    expect(assigned.size).toBe(count)
    say(memberId, epoch, { owned: assigned })
  }
  give('a', 2, 3)
  say('b', 3)
  join('c', 'one')
  expect(stateOf('c')).toMatchObject({ state: 'unreleased', epoch: 4 })
  give('a', 3, 2)
  expect(say('c', 4, { instanceId: 'one' }).assigned!.size).toBe(1)
  expect(stateOf('c')).toMatchObject({ state: 'unreleased', previousEpoch: 4 })
  say('c', -2, { instanceId: 'one' })
  expect(join('c2', 'one')).toMatchObject({ epoch: 4 })
  give('b', 3, 2)
  expect(say('c2', 4, { instanceId: 'one' }).assigned!.size).toBe(2)
})
