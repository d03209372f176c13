import { describe, expect, test } from 'vitest'
import { GroupDriver, protocols, SESSION_MS, stableGroup } from '../helpers/group-driver.ts'
import { newGroup } from '../../src/group/group-machine.ts'

describe('a heartbeat', () => {
  test('keeps a member in, in every state', () => {
    const group = stableGroup(['a', 'b'])
    group.pass(SESSION_MS - 1)
    for (const member of ['a', 'b']) expect(group.heartbeat(member)).toBe(null)
    group.rejoin('b', { protocols: protocols('range', 'new') })
    group.pass(SESSION_MS - 1)
    expect(group.heartbeat('a')).toBe('REBALANCE_IN_PROGRESS')
    group.pass(SESSION_MS - 1)
    group.rejoin('a')
    group.pass(SESSION_MS - 1)
    for (const member of ['a', 'b']) expect(group.heartbeat(member)).toBe(null)
    group.pass(SESSION_MS - 1)
    expect(group.members).toEqual(['a', 'b'])
  })

  test('is refused with the reason', () => {
    const group = stableGroup(['a'])
    expect(group.heartbeat('b')).toBe('UNKNOWN_MEMBER_ID')
    expect(group.heartbeat('a', { instanceId: 'one' })).toBe('UNKNOWN_MEMBER_ID')
    expect(group.heartbeat('a', { generation: 0 })).toBe('ILLEGAL_GENERATION')
    expect(group.heartbeat('a', { generation: 2 })).toBe('ILLEGAL_GENERATION')
    group.leave({ memberId: 'a' })
    expect(group.heartbeat('a')).toBe('UNKNOWN_MEMBER_ID')
    group.delete()
    expect(group.heartbeat('a')).toBe('COORDINATOR_NOT_AVAILABLE')
    expect(new GroupDriver({}, newGroup('')).heartbeat('a')).toBe('INVALID_GROUP_ID')
  })
})

describe('a commit', () => {
  test('is free to anybody while the group is empty, and to members only when it is not', () => {
    const outside = { generation: -1 }
    const group = new GroupDriver()
    expect(group.commit('', outside)).toBe(null)
    expect(new GroupDriver({}, newGroup('')).commit('', outside)).toBe(null)
    group.join('a')
    expect(group.commit('', outside)).toBe('UNKNOWN_MEMBER_ID')
    expect(group.commit('a', outside)).toBe('ILLEGAL_GENERATION')
    group.leave({ memberId: 'a' })
    expect(group.commit('', outside)).toBe(null)
  })

  test('of a member counts in its generation, until the next one starts', () => {
    const group = stableGroup(['a', 'b'])
    expect(group.commit('a')).toBe(null)
    group.rejoin('b', { protocols: protocols('range', 'new') })
    expect(group.group.state).toBe('PreparingRebalance')
    expect(group.commit('a')).toBe(null)
    group.rejoin('a')
    expect(group.group.state).toBe('CompletingRebalance')
    expect(group.commit('a', { generation: 1 })).toBe('ILLEGAL_GENERATION')
    expect(group.commit('a')).toBe('REBALANCE_IN_PROGRESS')
    group.syncAll()
    expect(group.commit('a', { generation: 1 })).toBe('ILLEGAL_GENERATION')
    expect(group.commit('a')).toBe(null)
  })

  test('of a member that is one no longer is refused', () => {
    const group = stableGroup(['a', 'b'])
    group.pass(5_000)
    group.heartbeat('b')
    group.pass(5_000)
    expect(group.commit('a')).toBe('UNKNOWN_MEMBER_ID')
    group.leave({ memberId: 'b' })
    expect(group.group.state).toBe('Empty')
    expect(group.commit('b')).toBe('UNKNOWN_MEMBER_ID')
    group.delete()
    expect(group.commit('', { generation: -1 })).toBe('COORDINATOR_NOT_AVAILABLE')
  })

  test('keeps a member in', () => {
    const group = stableGroup(['a'])
    for (let at = 0; at < 3; at++) {
      group.pass(SESSION_MS - 1)
      expect(group.commit('a')).toBe(null)
    }
    expect(group.members).toEqual(['a'])
  })
})

describe('leaving', () => {
  test('starts a rebalance of those who stay', () => {
    const group = stableGroup(['a', 'b'])
    expect(group.leave({ memberId: 'a' })).toEqual({
      error: null,
      members: [{ memberId: 'a', instanceId: null, error: null }],
    })
    const join = group.rejoin('b')
    expect(group.joins.get(join)).toMatchObject({ error: null, generation: 2, leader: 'b' })
  })

  test('goes for many at once, by id or by instance id, and says for each what came of it', () => {
    const group = stableGroup(['a', 'b:one', 'c:two', 'd'])
    const left = group.leave(
      { memberId: 'a' },
      { instanceId: 'one' },
      { memberId: 'd', instanceId: 'two' },
      { memberId: 'stranger' },
      { instanceId: 'stranger' },
      { memberId: 'c' },
      { memberId: 'a' },
      {},
    )
    expect(left.members.map(({ error }) => error)).toEqual([
      null,
      null,
      'FENCED_INSTANCE_ID',
      'UNKNOWN_MEMBER_ID',
      'UNKNOWN_MEMBER_ID',
      null,
      'UNKNOWN_MEMBER_ID',
      'UNKNOWN_MEMBER_ID',
    ])
    expect(group.members).toEqual(['d'])
  })

  test('takes back an id that was only given out, which may be all that a rebalance waits for', () => {
    const group = stableGroup(['a'])
    group.join('b', { requiresKnownMemberId: true })
    const join = group.rejoin('a')
    expect(group.leave({ memberId: 'b' }).members[0].error).toBe(null)
    expect(group.joins.get(join)).toMatchObject({ error: null, generation: 2 })
    expect(group.joins.get(group.rejoin('b'))?.error).toBe('UNKNOWN_MEMBER_ID')
  })

  test('answers the calls of whoever leaves', () => {
    const group = stableGroup(['a', 'b'])
    const join = group.rejoin('a')
    group.leave({ memberId: 'a' })
    expect(group.joins.get(join)?.error).toBe('UNKNOWN_MEMBER_ID')
    group.rejoin('b')
    const sync = group.sync('b')
    group.leave({ memberId: 'b' })
    expect(group.syncs.get(sync)?.error).toBe('UNKNOWN_MEMBER_ID')
    expect(group.group).toMatchObject({ state: 'Empty', generation: 3 })
  })

  test('changes nothing where nobody left', () => {
    const group = stableGroup(['a'])
    const before = group.group
    group.leave({ memberId: 'b' })
    expect(group.group).toEqual(before)
  })

  test('is refused without a group id, and by a group that is deleted', () => {
    const nameless = new GroupDriver({}, newGroup(''))
    expect(nameless.leave({ memberId: 'a' })).toEqual({ error: 'INVALID_GROUP_ID', members: [] })
    const group = new GroupDriver()
    group.delete()
    expect(group.leave({ memberId: 'a' })).toEqual({ error: 'COORDINATOR_NOT_AVAILABLE', members: [] })
  })
})

test('only an empty group is deleted, and only once', () => {
  const group = stableGroup(['a'])
  expect(group.delete()).toBe('NON_EMPTY_GROUP')
  group.rejoin('a')
  expect(group.delete()).toBe('NON_EMPTY_GROUP')
  group.leave({ memberId: 'a' })
  expect(group.delete()).toBe(null)
  expect(group.group.state).toBe('Dead')
  expect(group.delete()).toBe('GROUP_ID_NOT_FOUND')
  group.stored('DISK_FULL')
  expect(group.group).toMatchObject({ state: 'Dead', stateDeadlineMs: Infinity })
})
