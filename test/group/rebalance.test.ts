import { describe, expect, test } from 'vitest'
import { bytes, GroupDriver, protocols, REBALANCE_MS, SESSION_MS, stableGroup } from '../helpers/group-driver.ts'

describe('the first rebalance of a group', () => {
  test('waits for further members, a little longer with each of them', () => {
    const group = new GroupDriver()
    const first = group.join('a')
    group.pass(2_000)
    const second = group.join('b')
    group.pass(2_999)
    expect(group.joins.size).toBe(0)
    group.pass(1)
    expect(group.joins.get(first)).toMatchObject({ generation: 1, leader: 'a' })
    expect(group.joins.get(second)).toMatchObject({ generation: 1, leader: 'a' })
  })

  test('waits no longer than the rebalance timeout, however many come', () => {
    const group = new GroupDriver()
    const startMs = group.nowMs
    for (let at = 0; group.group.state !== 'CompletingRebalance'; at++) {
      group.join(`m${at}`, { rebalanceTimeoutMs: 7_000 })
      group.pass(2_000)
      if (group.nowMs > startMs + 20_000) throw new Error('it waits for ever')
    }
    expect(group.nowMs).toBe(startMs + 8_000)
  })

  test('waits not at all where there is no delay', () => {
    const group = new GroupDriver({ initialRebalanceDelayMs: 0 })
    expect(group.joins.get(group.join('a'))).toMatchObject({ error: null, generation: 1 })
  })

  test('does not wait for whoever has only been given an id, and waits for new ones after everybody has left', () => {
    const group = new GroupDriver()
    const join = group.join('a')
    group.join('b', { requiresKnownMemberId: true })
    group.pass(3_000)
    expect(group.joins.get(join)).toMatchObject({ generation: 1 })
    group.leave({ memberId: 'a' })
    const again = group.join('c')
    group.pass(2_999)
    expect(group.joins.has(again)).toBe(false)
    group.pass(1)
    // the empty group was a generation of its own
    expect(group.joins.get(again)).toMatchObject({ generation: 3 })
  })

  test('ends with the last member that leaves', () => {
    const group = new GroupDriver()
    const join = group.join('a')
    group.leave({ memberId: 'a' })
    expect(group.joins.get(join)?.error).toBe('UNKNOWN_MEMBER_ID')
    expect(group.group).toMatchObject({ state: 'Empty', generation: 1 })
  })
})

describe('a rebalance', () => {
  test('ends as soon as all members have joined again, and the leader stays', () => {
    const group = stableGroup(['a', 'b', 'c'])
    const joins = ['c', 'a', 'b'].map((member) => group.rejoin(member, { protocols: protocols('range', 'x') }))
    const answers = joins.map((join) => group.joins.get(join))
    expect(answers.map((answer) => answer?.leader)).toEqual(['a', 'a', 'a'])
    expect(answers.map((answer) => answer?.generation)).toEqual([2, 2, 2])
    expect(answers.map((answer) => answer?.members.length)).toEqual([0, 3, 0])
    expect(answers[1]?.members[1]).toEqual({ memberId: 'b', instanceId: null, metadata: bytes('range') })
  })

  test('waits for whoever has been given an id, until that ends', () => {
    const group = stableGroup(['a'])
    group.join('b', { requiresKnownMemberId: true })
    const join = group.rejoin('a')
    expect(group.joins.has(join)).toBe(false)
    group.passToDeadline()
    expect(group.joins.get(join)).toMatchObject({ error: null, generation: 2 })
  })

  test('waits no longer than the most patient member does; then dynamic members go and static ones stay', () => {
    const group = stableGroup(['a', 'b:one', 'c'])
    const session = { sessionTimeoutMs: 1_000_000, rebalanceTimeoutMs: 90_000 }
    group.rejoin('b', { instanceId: 'one', protocols: protocols('range', 'x'), ...session })
    group.rejoin('a', session)
    group.rejoin('c', session)
    group.syncAll()
    const join = group.rejoin('c', { protocols: protocols('range', 'y') })
    group.pass(89_999)
    expect(group.joins.has(join)).toBe(false)
    group.pass(1)
    expect(group.joins.get(join)).toMatchObject({ error: null, generation: 3, leader: 'c' })
    expect(group.members).toEqual(['b', 'c'])
    expect(group.heartbeat('a')).toBe('UNKNOWN_MEMBER_ID')
    // the static one that was away is expected to sync as the others are
    expect(group.joins.get(group.rejoin('b', { instanceId: 'one', protocols: protocols('range', 'x') }))).toMatchObject(
      {
        error: null,
        generation: 3,
        leader: 'c',
      },
    )
  })

  test('goes on if there are static members only and all of them are away', () => {
    const session = { sessionTimeoutMs: 1_000_000 }
    const group = new GroupDriver()
    group.join('a', { instanceId: 'one', ...session })
    group.join('b')
    group.pass(3_000)
    group.syncAll()
    group.leave({ memberId: 'b' })
    expect(group.group.stateDeadlineMs).toBe(group.nowMs + REBALANCE_MS)
    group.pass(REBALANCE_MS)
    expect(group.group).toMatchObject({ state: 'PreparingRebalance', generation: 1 })
    expect(group.group.stateDeadlineMs).toBe(group.nowMs + REBALANCE_MS)
    const join = group.rejoin('a', { instanceId: 'one', ...session })
    expect(group.joins.get(join)).toMatchObject({ error: null, generation: 2, leader: 'a' })
  })

  test('starts everybody’s session anew', () => {
    const group = stableGroup(['a', 'b'])
    group.pass(5_000)
    group.rejoin('a')
    group.rejoin('b')
    for (const { sessionDeadlineMs } of group.group.members.values())
      expect(sessionDeadlineMs).toBe(group.nowMs + SESSION_MS)
  })

  test('ends in time with members that name no time at all', () => {
    const group = new GroupDriver({ initialRebalanceDelayMs: 0 })
    group.join('a', { rebalanceTimeoutMs: 0, instanceId: 'one' })
    group.syncAll()
    group.join('b', { rebalanceTimeoutMs: 0 })
    group.pass(1)
    expect(group.group).toMatchObject({ state: 'CompletingRebalance', leader: 'b' })
  })
})

describe('the vote', () => {
  const vote = (...members: string[][]) => {
    const group = new GroupDriver()
    for (const [at, names] of members.entries()) group.join(`m${at}`, { protocols: protocols(...names) })
    group.pass(3_000)
    return group.group.protocol
  }

  test('goes to what most members put first', () => {
    expect(vote(['range', 'sticky'], ['sticky', 'range'], ['sticky', 'range'])).toBe('sticky')
  })

  test('is among what all members have', () => {
    expect(vote(['x', 'range'], ['x', 'range'], ['range', 'y'])).toBe('range')
    expect(vote(['x', 'sticky', 'range'], ['range', 'sticky'])).toBe('sticky')
  })
})

test('a group that becomes empty is stored with its generation, again and again until that succeeds', () => {
  const group = stableGroup(['a'])
  group.leave({ memberId: 'a' })
  expect(group.stores).toMatchObject([
    { generation: 2, protocolType: 'consumer', protocol: null, leader: null, members: [] },
  ])
  group.stored('DISK_FULL')
  expect(group.stores).toEqual([])
  group.passToDeadline()
  expect(group.stores).toMatchObject([{ generation: 2, members: [] }])
  group.stored()
  expect(group.group).toMatchObject({ state: 'Empty', storing: [], stateDeadlineMs: Infinity })
})

test('a store of an empty group that fails after somebody has joined is forgotten', () => {
  const group = stableGroup(['a'])
  group.leave({ memberId: 'a' })
  group.join('b')
  const deadlineMs = group.group.stateDeadlineMs
  group.stored('DISK_FULL')
  expect(group.group).toMatchObject({ state: 'PreparingRebalance', stateDeadlineMs: deadlineMs })
})
