import { describe, expect, test } from 'vitest'
import { nextDeadlineMs } from '../../src/group/expiry.ts'
import { bytes, GroupDriver, protocols, REBALANCE_MS, SESSION_MS, stableGroup } from '../helpers/group-driver.ts'

test('the next deadline is the earliest of sessions, ids given out and the state', () => {
  const group = new GroupDriver()
  expect(nextDeadlineMs(group.group)).toBe(Infinity)
  group.join('a', { requiresKnownMemberId: true, sessionTimeoutMs: 20_000 })
  expect(nextDeadlineMs(group.group)).toBe(group.nowMs + 20_000)
  group.join('b')
  expect(nextDeadlineMs(group.group)).toBe(group.nowMs + 3_000)
  group.pass(3_000)
  expect(nextDeadlineMs(group.group)).toBe(group.nowMs + SESSION_MS)
})

test('a tick before its time does nothing', () => {
  const group = stableGroup(['a'])
  const before = group.group
  group.pass(SESSION_MS - 1)
  expect(group.group).toEqual(before)
})

describe('a session that ends', () => {
  test('removes the member, and starts a rebalance of the others', () => {
    const group = stableGroup(['a', 'b'])
    group.pass(5_000)
    group.heartbeat('b')
    group.pass(SESSION_MS - 5_000)
    expect(group.members).toEqual(['b'])
    expect(group.group.state).toBe('PreparingRebalance')
    expect(group.joins.get(group.rejoin('b'))).toMatchObject({ generation: 2, leader: 'b' })
  })

  test('removes static members as well', () => {
    const group = stableGroup(['a:one'])
    group.pass(SESSION_MS)
    expect(group.group).toMatchObject({ state: 'Empty', generation: 2 })
  })

  test('ends what a rebalance waits for', () => {
    const group = stableGroup(['a', 'b'])
    const join = group.rejoin('a')
    group.pass(SESSION_MS)
    expect(group.joins.get(join)).toMatchObject({ error: null, generation: 2 })
    expect(group.members).toEqual(['a'])
  })

  test('is none while a member waits for others to join again', () => {
    const group = stableGroup(['a', 'b'])
    const join = group.rejoin('a', { protocols: protocols('range', 'new') })
    for (let at = 0; at < 5; at++) {
      group.pass(9_000)
      expect(group.heartbeat('b')).toBe('REBALANCE_IN_PROGRESS')
    }
    expect(group.joins.has(join)).toBe(false)
    group.rejoin('b')
    expect(group.joins.get(join)).toMatchObject({ error: null, generation: 2 })
  })
})

test('an id that was given out is forgotten with the session of whoever asked', () => {
  const group = new GroupDriver()
  group.join('a', { requiresKnownMemberId: true })
  group.pass(SESSION_MS - 1)
  expect(group.group.pendingMembers.has('a')).toBe(true)
  group.pass(1)
  expect(group.joins.get(group.rejoin('a'))?.error).toBe('UNKNOWN_MEMBER_ID')
})

test('everything that is due happens at once, however late', () => {
  const group = stableGroup(['a', 'b:one'])
  group.join('c', { requiresKnownMemberId: true })
  group.rejoin('a')
  group.pass(10_000_000)
  expect(group.group).toMatchObject({ state: 'CompletingRebalance', generation: 2 })
  expect(group.members).toEqual(['a'])
  expect(nextDeadlineMs(group.group)).toBeGreaterThan(group.nowMs)
})

describe('a process that stood still', () => {
  test('gives everybody as much longer', () => {
    const group = stableGroup(['a'])
    group.join('b', { requiresKnownMemberId: true })
    group.nowMs += 1_000_000
    group.run({ type: 'stalled', ms: 1_000_000 })
    group.pass(SESSION_MS - 1)
    expect(group.members).toEqual(['a'])
    expect(group.group.pendingMembers.size).toBe(1)
    group.pass(1)
    expect(group.members).toEqual([])
    expect(group.group.pendingMembers.size).toBe(0)
  })

  test('goes on with a rebalance where it was', () => {
    const group = new GroupDriver()
    const join = group.join('a')
    group.pass(1_000)
    group.nowMs += 500_000
    group.run({ type: 'stalled', ms: 500_000 })
    group.pass(1_999)
    expect(group.joins.has(join)).toBe(false)
    group.pass(1)
    expect(group.joins.get(join)?.error).toBe(null)
    expect(group.group.stateDeadlineMs).toBe(group.nowMs + REBALANCE_MS)
  })
})

describe('whoever gives up waiting', () => {
  test('gets no answer, and stays until its session ends', () => {
    const group = stableGroup(['a', 'b'])
    const join = group.rejoin('a')
    group.abandon(join)
    group.rejoin('b')
    expect(group.group.state).toBe('PreparingRebalance')
    group.pass(SESSION_MS)
    expect(group.joins.has(join)).toBe(false)
    expect(group.members).toEqual(['b'])
    expect(group.group).toMatchObject({ state: 'CompletingRebalance', generation: 2 })
  })

  test('in its first join does not wait for five minutes either', () => {
    const group = stableGroup(['a'])
    group.abandon(group.join('b'))
    group.pass(SESSION_MS - 1)
    group.heartbeat('a')
    group.pass(1)
    expect(group.members).toEqual(['a'])
  })

  test('has brought its assignment, and is given its own when it asks again', () => {
    const group = new GroupDriver()
    group.join('a')
    group.pass(3_000)
    const sync = group.sync('a')
    group.abandon(sync)
    group.stored()
    expect(group.syncs.has(sync)).toBe(false)
    expect(group.group.state).toBe('Stable')
    expect(group.syncs.get(group.sync('a'))).toMatchObject({ error: null, assignment: bytes('a') })
  })

  test('as a static member that comes back has still come back', () => {
    const group = stableGroup(['a:one'])
    const join = group.join('b', { instanceId: 'one' })
    group.abandon(join)
    group.stored()
    expect(group.joins.has(join)).toBe(false)
    expect(group.members).toEqual(['b'])
    group.pass(SESSION_MS)
    expect(group.members).toEqual([])
  })

  test('may have been answered already', () => {
    const group = stableGroup(['a'])
    const before = group.group
    group.abandon(1)
    expect(group.group).toBe(before)
  })
})
