import { describe, expect, test } from 'vitest'
import { NEW_MEMBER_JOIN_TIMEOUT_MS } from '../../src/group/group.ts'
import { bytes, GroupDriver, protocols, REBALANCE_MS, SESSION_MS, stableGroup } from '../helpers/group-driver.ts'
import { newGroup } from '../../src/group/group-machine.ts'

describe('whoever is new', () => {
  test('is given an id, and joins under that', () => {
    const group = new GroupDriver()
    const first = group.join('a', { requiresKnownMemberId: true })
    expect(group.joins.get(first)).toMatchObject({ error: 'MEMBER_ID_REQUIRED', memberId: 'a', generation: -1 })
    expect(group.members).toEqual([])
    expect([...group.group.pendingMembers]).toEqual([['a', group.nowMs + SESSION_MS]])
    const second = group.rejoin('a', { requiresKnownMemberId: true })
    expect(group.group.pendingMembers.size).toBe(0)
    group.pass(3_000)
    expect(group.joins.get(second)).toMatchObject({ error: null, memberId: 'a', generation: 1, leader: 'a' })
  })

  test('joins at once by an old version, or as a static member', () => {
    const group = new GroupDriver()
    group.join('a')
    group.join('b', { instanceId: 'one', requiresKnownMemberId: true })
    expect(group.members).toEqual(['a', 'b'])
  })

  test('has the eldest id that nobody joined with forgotten, where there are a thousand already', () => {
    const group = new GroupDriver()
    for (let i = 0; i <= 1_000; i++) group.join(`member-${i}`, { requiresKnownMemberId: true })
    expect(group.group.pendingMembers.size).toBe(1_000)
    expect(group.joins.get(group.rejoin('member-0'))?.error).toBe('UNKNOWN_MEMBER_ID')
    group.rejoin('member-1000')
    expect(group.members).toEqual(['member-1000'])
  })

  test('does not bring more protocols than can be compared', () => {
    const names = Array.from({ length: 33 }, (_, i) => `protocol-${i}`)
    const group = new GroupDriver()
    expect(group.joins.get(group.join('a', { protocols: protocols(...names) }))?.error).toBe(
      'INCONSISTENT_GROUP_PROTOCOL',
    )
    group.join('b', { protocols: protocols(...names.slice(1)) })
    expect(group.members).toEqual(['b'])
  })

  test('is unknown under an id that was not given out', () => {
    const group = new GroupDriver()
    const join = group.rejoin('made-up')
    expect(group.joins.get(join)).toMatchObject({ error: 'UNKNOWN_MEMBER_ID', memberId: 'made-up' })
    const stable = stableGroup(['a'])
    expect(stable.joins.get(stable.rejoin('b', { instanceId: 'nobody' }))?.error).toBe('UNKNOWN_MEMBER_ID')
  })

  test('is not let in without a group id, nor with a session that is too short, too long or no number', () => {
    const nameless = new GroupDriver({}, newGroup(''))
    expect(nameless.joins.get(nameless.join('a'))?.error).toBe('INVALID_GROUP_ID')
    for (const [sessionTimeoutMs, error] of [
      [5_999, 'INVALID_SESSION_TIMEOUT'],
      [6_000, undefined],
      [1_800_000, undefined],
      [1_800_001, 'INVALID_SESSION_TIMEOUT'],
      [Number.NaN, 'INVALID_SESSION_TIMEOUT'],
    ] as const) {
      const group = new GroupDriver()
      expect(group.joins.get(group.join('a', { sessionTimeoutMs }))?.error).toBe(error)
    }
  })

  test('has a protocol that all the others have', () => {
    const inconsistent = [
      { protocolType: 'connect' },
      { protocolType: '' },
      { protocols: protocols('sticky') },
      { protocols: [] },
    ]
    for (const said of inconsistent) {
      const group = stableGroup(['a'])
      expect(group.joins.get(group.join('b', said))?.error).toBe('INCONSISTENT_GROUP_PROTOCOL')
      expect(group.group.state).toBe('Stable')
    }
    const group = stableGroup(['a'])
    const join = group.join('b', { protocols: protocols('sticky', 'range') })
    expect(group.joins.has(join)).toBe(false)
    expect(group.group.state).toBe('PreparingRebalance')
  })

  test('sets the type of a group that has become empty', () => {
    const group = stableGroup(['a'])
    group.leave({ memberId: 'a' })
    group.join('b', { protocolType: 'connect', protocols: protocols('compatible') })
    expect(group.group.protocolType).toBe('connect')
  })

  test('is told to look for the coordinator again when the group is deleted', () => {
    const group = new GroupDriver()
    group.delete()
    expect(group.joins.get(group.join('a'))?.error).toBe('COORDINATOR_NOT_AVAILABLE')
  })

  test('waits for five minutes in its first join, whatever its session timeout', () => {
    const group = stableGroup(['a'])
    group.rejoin('a', { rebalanceTimeoutMs: 1_000_000 })
    group.syncAll()
    const join = group.join('b', { rebalanceTimeoutMs: 1_000_000 })
    const startedMs = group.nowMs
    while (group.nowMs < startedMs + NEW_MEMBER_JOIN_TIMEOUT_MS - 5_000) {
      group.pass(5_000)
      expect(group.heartbeat('a')).toBe('REBALANCE_IN_PROGRESS')
    }
    expect(group.members).toEqual(['a', 'b'])
    group.pass(5_000)
    expect(group.joins.get(join)).toMatchObject({ error: 'UNKNOWN_MEMBER_ID', memberId: 'b' })
    expect(group.members).toEqual(['a'])
  })
})

describe('a full group', () => {
  test('lets nobody in, with or without an id, but whoever belongs to it', () => {
    const group = stableGroup(['a', 'b:one'], { maxSize: 2 })
    expect(group.joins.get(group.join('c'))).toMatchObject({ error: 'GROUP_MAX_SIZE_REACHED', memberId: '' })
    const asked = group.join('c', { requiresKnownMemberId: true })
    expect(group.joins.get(asked)?.error).toBe('GROUP_MAX_SIZE_REACHED')
    group.join('d', { instanceId: 'one' })
    group.stored()
    expect(group.members).toEqual(['a', 'd'])
    const [a, d] = [group.rejoin('a'), group.rejoin('d', { instanceId: 'one' })]
    expect(group.joins.get(a)?.error).toBe(null)
    expect(group.joins.get(d)?.error).toBe(null)
  })

  test('takes back an id that it gave out before it was full, and waits for it no longer', () => {
    const group = new GroupDriver({ maxSize: 2 })
    group.join('a')
    group.join('b', { requiresKnownMemberId: true })
    group.join('c')
    const late = group.rejoin('b')
    expect(group.joins.get(late)).toMatchObject({ error: 'GROUP_MAX_SIZE_REACHED', memberId: '' })
    expect(group.group.pendingMembers.size).toBe(0)
    expect(group.members).toEqual(['a', 'c'])
  })
})

describe('whoever joins again', () => {
  test('is told the current generation while the leader assigns, if it says nothing new', () => {
    const group = stableGroup(['a', 'b'])
    group.rejoin('a')
    group.rejoin('b')
    const [leader, follower] = [group.rejoin('a'), group.rejoin('b')]
    expect(group.joins.get(leader)).toMatchObject({ error: null, generation: 2, leader: 'a' })
    expect(group.joins.get(leader)?.members.map(({ memberId }) => memberId)).toEqual(['a', 'b'])
    expect(group.joins.get(follower)).toMatchObject({ error: null, generation: 2, leader: 'a', members: [] })
    expect(group.group.state).toBe('CompletingRebalance')
  })

  test('starts a rebalance by saying something new', () => {
    for (const said of [protocols('range', 'sticky'), [{ name: 'range', metadata: bytes('other topics') }]]) {
      const assigning = stableGroup(['a', 'b'])
      assigning.rejoin('a')
      assigning.rejoin('b')
      assigning.rejoin('b', { protocols: said })
      expect(assigning.group.state).toBe('PreparingRebalance')
      const stable = stableGroup(['a', 'b'])
      stable.rejoin('b', { protocols: said })
      expect(stable.group.state).toBe('PreparingRebalance')
    }
  })

  test('starts a rebalance of a stable group as the leader, and as a follower does not', () => {
    const group = stableGroup(['a', 'b'])
    const follower = group.rejoin('b')
    expect(group.joins.get(follower)).toMatchObject({ error: null, generation: 1, leader: 'a', members: [] })
    expect(group.group.state).toBe('Stable')
    group.rejoin('a')
    expect(group.group.state).toBe('PreparingRebalance')
  })

  test('takes the place of its own earlier call, which is answered', () => {
    const group = stableGroup(['a', 'b'])
    const first = group.rejoin('a')
    const second = group.rejoin('a')
    expect(group.joins.get(first)).toMatchObject({ error: 'REBALANCE_IN_PROGRESS' })
    group.rejoin('b')
    expect(group.joins.get(second)).toMatchObject({ error: null, generation: 2 })
  })

  test('gives up its sync that waits', () => {
    const group = stableGroup(['a', 'b'])
    group.rejoin('a')
    group.rejoin('b')
    const sync = group.sync('b')
    const join = group.rejoin('b')
    expect(group.syncs.get(sync)?.error).toBe('REBALANCE_IN_PROGRESS')
    expect(group.joins.get(join)).toMatchObject({ error: null, generation: 2 })
  })
})

describe('a static member that comes back without its id', () => {
  test('keeps its assignment under a new id with no rebalance, once that is stored', () => {
    const group = stableGroup(['a', 'b:one'])
    const join = group.join('c', { instanceId: 'one' })
    expect(group.joins.has(join)).toBe(false)
    expect(group.stores[0].members.map(({ memberId }) => memberId)).toEqual(['a', 'c'])
    expect(group.stores[0].members[1].assignment).toEqual(bytes('b'))
    group.stored()
    expect(group.group.state).toBe('Stable')
    const told = { error: null, memberId: 'c', generation: 1, leader: 'a', skipAssignment: false, members: [] }
    expect(group.joins.get(join)).toMatchObject(told)
    expect(group.syncs.get(group.sync('c', { instanceId: 'one' }))).toMatchObject({
      error: null,
      assignment: bytes('b'),
    })
  })

  test('leads on, and is told to leave the assignment as it is if it can be told', () => {
    const group = stableGroup(['a:one', 'b'])
    const join = group.join('c', { instanceId: 'one' })
    group.stored()
    expect(group.joins.get(join)).toMatchObject({ leader: 'c', skipAssignment: true })
    expect(group.joins.get(join)?.members.map(({ memberId }) => memberId)).toEqual(['c', 'b'])
    const old = group.join('d', { instanceId: 'one', supportsSkippingAssignment: false })
    group.stored()
    expect(group.joins.get(old)).toMatchObject({ memberId: 'd', leader: 'c', skipAssignment: false, members: [] })
    expect(group.group.leader).toBe('d')
  })

  test('fences the old one, in all that it asks', () => {
    const group = stableGroup(['a', 'b:one'])
    group.join('c', { instanceId: 'one' })
    group.stored()
    const old = { instanceId: 'one' }
    expect(group.heartbeat('b', old)).toBe('FENCED_INSTANCE_ID')
    expect(group.commit('b', old)).toBe('FENCED_INSTANCE_ID')
    expect(group.syncs.get(group.sync('b', old))?.error).toBe('FENCED_INSTANCE_ID')
    expect(group.joins.get(group.rejoin('b', old))?.error).toBe('FENCED_INSTANCE_ID')
    expect(group.leave({ memberId: 'b', instanceId: 'one' }).members[0].error).toBe('FENCED_INSTANCE_ID')
    expect(group.heartbeat('b')).toBe('UNKNOWN_MEMBER_ID')
    expect(group.heartbeat('c', old)).toBe(null)
  })

  test('fences calls of the old one that wait', () => {
    const group = stableGroup(['a', 'b:one'])
    group.rejoin('a')
    const join = group.rejoin('b', { instanceId: 'one' })
    const sync = group.sync('b', { instanceId: 'one' })
    expect(group.joins.get(join)?.error).toBe(null)
    group.join('c', { instanceId: 'one' })
    expect(group.syncs.get(sync)?.error).toBe('FENCED_INSTANCE_ID')
    const waiting = group.join('d', { instanceId: 'one' })
    expect(group.joins.has(waiting)).toBe(false)
    group.join('e', { instanceId: 'one' })
    expect(group.joins.get(waiting)).toMatchObject({ error: 'FENCED_INSTANCE_ID', memberId: 'd' })
  })

  test('is put back if that cannot be stored', () => {
    const group = stableGroup(['a:one', 'b'])
    const join = group.join('c', { instanceId: 'one' })
    group.stored('KAFKA_STORAGE_ERROR')
    expect(group.joins.get(join)).toMatchObject({ error: 'KAFKA_STORAGE_ERROR' })
    expect(group.members).toEqual(['a', 'b'])
    expect(group.group).toMatchObject({ state: 'Stable', leader: 'a', generation: 1 })
    expect(group.heartbeat('a', { instanceId: 'one' })).toBe(null)
    expect(group.heartbeat('c', { instanceId: 'one' })).toBe('FENCED_INSTANCE_ID')
  })

  test('makes the group start again if a later snapshot with it may be durable', () => {
    const group = stableGroup(['a:one', 'b:two'])
    const [c, d] = [group.join('c', { instanceId: 'one' }), group.join('d', { instanceId: 'two' })]
    group.stored('KAFKA_STORAGE_ERROR')
    expect(group.joins.get(c)?.error).toBe('KAFKA_STORAGE_ERROR')
    expect(group.group.state).toBe('PreparingRebalance')
    group.stored()
    expect(group.joins.has(d)).toBe(false)
    group.rejoin('a', { instanceId: 'one' })
    expect(group.joins.get(d)).toMatchObject({ error: null, generation: 2 })
  })

  test('many at a time come back without a rebalance', () => {
    const group = stableGroup(['a:one', 'b:two'])
    const [c, d] = [group.join('c', { instanceId: 'one' }), group.join('d', { instanceId: 'two' })]
    group.stored()
    group.stored()
    expect(group.joins.get(c)).toMatchObject({ error: null, memberId: 'c', skipAssignment: true })
    expect(group.joins.get(d)).toMatchObject({ error: null, memberId: 'd', leader: 'c' })
    expect(group.group).toMatchObject({ state: 'Stable', generation: 1 })
  })

  test('starts a rebalance if another protocol is chosen with it', () => {
    const group = new GroupDriver()
    group.join('a', { instanceId: 'one', protocols: protocols('range', 'sticky') })
    group.pass(3_000)
    group.syncAll()
    const join = group.join('b', { instanceId: 'one', protocols: protocols('sticky', 'range') })
    expect(group.joins.get(join)).toMatchObject({ error: null, generation: 2, protocol: 'sticky' })
    expect(group.stores).toEqual([])
  })

  test('starts a rebalance while the leader assigns, since that one knows of the old id', () => {
    const group = stableGroup(['a', 'b:one'])
    group.rejoin('a')
    group.rejoin('b', { instanceId: 'one' })
    const join = group.join('c', { instanceId: 'one' })
    expect(group.group.state).toBe('PreparingRebalance')
    group.rejoin('a')
    expect(group.joins.get(join)).toMatchObject({ error: null, memberId: 'c', generation: 3 })
  })

  test('takes part in a rebalance that is on', () => {
    const group = stableGroup(['a', 'b:one'])
    group.rejoin('a')
    const join = group.join('c', { instanceId: 'one' })
    expect(group.joins.get(join)).toMatchObject({ error: null, memberId: 'c', generation: 2 })
  })

  test('takes part in a rebalance that starts while it is being stored', () => {
    const group = stableGroup(['a', 'b:one'])
    const join = group.join('c', { instanceId: 'one' })
    group.rejoin('a')
    expect(group.joins.get(join)).toMatchObject({ error: null, memberId: 'c', generation: 2 })
    group.stored()
    expect(group.group.state).toBe('CompletingRebalance')
  })

  test('takes part in no more than its timeouts allow', () => {
    const group = stableGroup(['a', 'b:one'])
    group.join('c', { instanceId: 'one', sessionTimeoutMs: 7_000, rebalanceTimeoutMs: 2 * REBALANCE_MS })
    group.stored()
    expect(group.group.members.get('c')).toMatchObject({ sessionDeadlineMs: group.nowMs + 7_000 })
    group.rejoin('a')
    expect(group.group.stateDeadlineMs).toBe(group.nowMs + 2 * REBALANCE_MS)
  })
})
