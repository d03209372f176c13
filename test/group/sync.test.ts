import { describe, expect, test } from 'vitest'
import { bytes, GroupDriver, protocols, REBALANCE_MS, stableGroup } from '../helpers/group-driver.ts'
import { newGroup } from '../../src/group/group-machine.ts'

/** A group of these members that has a generation and no assignment yet. */
function assigning(...names: string[]): GroupDriver {
  const group = new GroupDriver()
  for (const name of names) group.join(name)
  group.pass(3_000)
  return group
}

describe('a sync', () => {
  test('waits for the leader’s assignment to be durable', () => {
    const group = assigning('a', 'b')
    const follower = group.sync('b')
    const leader = group.sync('a')
    expect(group.stores).toMatchObject([{ generation: 1, protocol: 'range', leader: 'a' }])
    expect(group.syncs.size).toBe(0)
    group.stored()
    const answer = { error: null, protocolType: 'consumer', protocol: 'range' }
    expect(group.syncs.get(leader)).toEqual({ ...answer, assignment: bytes('a') })
    expect(group.syncs.get(follower)).toEqual({ ...answer, assignment: bytes('b') })
    expect(group.group.state).toBe('Stable')
  })

  test('is answered with nothing to a member that the leader left out', () => {
    const group = assigning('a', 'b')
    group.sync('a', { assignments: new Map([['stranger', bytes('x')]]) })
    const left = group.sync('b')
    group.stored()
    expect(group.syncs.get(left)).toMatchObject({ error: null, assignment: bytes('') })
    expect(group.members).toEqual(['a', 'b'])
  })

  test('is answered at once in a stable group', () => {
    const group = stableGroup(['a', 'b'])
    expect(group.syncs.get(group.sync('b'))).toMatchObject({ error: null, assignment: bytes('b') })
  })

  test('of a follower brings no assignment', () => {
    const group = assigning('a', 'b')
    group.sync('b', { assignments: new Map([['b', bytes('everything')]]) })
    expect(group.stores).toEqual([])
  })

  test('is refused with the reason', () => {
    const group = assigning('a', 'b')
    const error = (member: string, more: object) => group.syncs.get(group.sync(member, more))?.error
    expect(error('c', {})).toBe('UNKNOWN_MEMBER_ID')
    expect(error('b', { generation: 0 })).toBe('ILLEGAL_GENERATION')
    expect(error('b', { generation: 2 })).toBe('ILLEGAL_GENERATION')
    expect(error('b', { protocol: 'sticky' })).toBe('INCONSISTENT_GROUP_PROTOCOL')
    expect(error('b', { protocolType: 'connect' })).toBe('INCONSISTENT_GROUP_PROTOCOL')
    expect(error('b', { instanceId: 'one' })).toBe('UNKNOWN_MEMBER_ID')
    expect(error('b', { protocol: 'range', protocolType: 'consumer' })).toBe(undefined)
    group.rejoin('a', { protocols: protocols('range', 'new') })
    expect(error('b', {})).toBe('REBALANCE_IN_PROGRESS')
    const nameless = new GroupDriver({}, newGroup(''))
    expect(nameless.syncs.get(nameless.sync('a'))?.error).toBe('INVALID_GROUP_ID')
    const dead = new GroupDriver()
    dead.delete()
    expect(dead.syncs.get(dead.sync('a'))?.error).toBe('COORDINATOR_NOT_AVAILABLE')
  })

  test('takes the place of an earlier one of the same member, and what the leader said first counts', () => {
    const group = assigning('a')
    const first = group.sync('a')
    const second = group.sync('a', { assignments: new Map([['a', bytes('other')]]) })
    expect(group.syncs.get(first)?.error).toBe('REBALANCE_IN_PROGRESS')
    expect(group.stores.length).toBe(1)
    group.stored()
    expect(group.syncs.get(second)).toMatchObject({ error: null, assignment: bytes('a') })
  })

  test('that waits hears of a rebalance', () => {
    const group = assigning('a', 'b')
    const sync = group.sync('b')
    group.join('c')
    expect(group.syncs.get(sync)?.error).toBe('REBALANCE_IN_PROGRESS')
  })

  test('that waits is never taken for silence', () => {
    const group = assigning('a', 'b')
    const sync = group.sync('b')
    for (let at = 0; at < 5; at++) {
      group.pass(9_000)
      group.heartbeat('a')
    }
    group.sync('a')
    group.stored()
    expect(group.syncs.get(sync)).toMatchObject({ error: null, assignment: bytes('b') })
  })

  test('has to come within the rebalance timeout, or the member goes', () => {
    const group = assigning('a', 'b')
    const leader = group.sync('a')
    group.stored()
    expect(group.syncs.get(leader)?.error).toBe(null)
    const deadlineMs = group.group.stateDeadlineMs
    expect(deadlineMs).toBe(group.nowMs + REBALANCE_MS)
    while (group.nowMs + 5_000 < deadlineMs) {
      group.pass(5_000)
      for (const member of ['a', 'b']) expect(group.heartbeat(member)).toBe(null)
    }
    group.pass(5_000)
    expect(group.members).toEqual(['a'])
    expect(group.group.state).toBe('PreparingRebalance')
  })

  test('of a leader that never comes makes the others start again', () => {
    const group = assigning('a', 'b')
    const sync = group.sync('b')
    while (group.group.state === 'CompletingRebalance') {
      group.pass(5_000)
      group.heartbeat('a')
    }
    expect(group.syncs.get(sync)?.error).toBe('REBALANCE_IN_PROGRESS')
    expect(group.members).toEqual(['b'])
    expect(group.joins.get(group.rejoin('b'))).toMatchObject({ error: null, generation: 2, leader: 'b' })
  })

  test('of everybody ends the wait for laggards', () => {
    const group = assigning('a', 'b')
    group.sync('a')
    group.stored()
    group.sync('b')
    expect(group.group.stateDeadlineMs).toBe(Infinity)
  })
})

describe('a store that fails', () => {
  test('fails all syncs that wait, and starts a rebalance', () => {
    const group = assigning('a', 'b')
    const syncs = [group.sync('b'), group.sync('a')]
    group.stored('DISK_FULL')
    for (const sync of syncs) expect(group.syncs.get(sync)).toMatchObject({ error: 'DISK_FULL', assignment: bytes('') })
    expect(group.group).toMatchObject({ state: 'PreparingRebalance', generation: 1, storing: [] })
    group.rejoin('a')
    group.rejoin('b')
    group.syncAll()
    expect(group.group).toMatchObject({ state: 'Stable', generation: 2 })
  })

  test('does nothing to a later generation, and neither does one that succeeds', () => {
    for (const error of ['DISK_FULL', null] as const) {
      const group = assigning('a')
      group.sync('a')
      group.join('b')
      group.rejoin('a')
      const syncs = [group.sync('a'), group.sync('b')]
      group.stored(error)
      expect(group.syncs.size).toBe(1)
      expect(group.group).toMatchObject({ state: 'CompletingRebalance', generation: 2 })
      group.stored()
      expect(syncs.map((sync) => group.syncs.get(sync)?.error)).toEqual([null, null])
    }
  })
})
