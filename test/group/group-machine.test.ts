import { expect, test } from 'vitest'
import { newGroup, snapshotOf, step } from '../../src/group/group-machine.ts'
import type { Group, GroupEvent } from '../../src/group/group.ts'
import { GroupDriver, LIMITS, stableGroup } from '../helpers/group-driver.ts'

test('a group that nobody has joined is empty', () => {
  expect(newGroup('group')).toMatchObject({ state: 'Empty', generation: 0, protocolType: null, leader: null })
  expect(snapshotOf(newGroup('group')).members).toEqual([])
})

test('a step leaves the group that it is given as it is', () => {
  const group = stableGroup(['a', 'b:one'])
  const events: GroupEvent[] = [
    { type: 'tick' },
    { type: 'stalled', ms: 5 },
    { type: 'heartbeat', request: 1, claim: { memberId: 'a', instanceId: null, generation: 1 } },
    { type: 'leave', request: 2, members: [{ memberId: 'a', instanceId: null }] },
  ]
  for (const event of events) {
    const before = frozen(group.group)
    const text = textOf(before)
    const { group: after } = step(before, event, group.nowMs + 20_000, LIMITS)
    expect(textOf(before)).toBe(text)
    expect(textOf(after)).not.toBe(text)
  }
})

test('a thousand members join, sync and rebalance', () => {
  const group = new GroupDriver({ maxSize: 1_000 })
  for (let at = 0; at < 1_000; at++) group.join(`member-${at}`, { requiresKnownMemberId: true })
  for (let at = 0; at < 1_000; at++) group.rejoin(`member-${at}`)
  while (group.group.state === 'PreparingRebalance') group.passToDeadline()
  group.syncAll()
  for (const memberId of group.members) group.rejoin(memberId)
  group.syncAll()
  expect(group.group).toMatchObject({ state: 'Stable', generation: 2 })
  expect([...group.syncs.values()].filter(({ error }) => error === null).length).toBe(2_000)
})

function frozen(group: Group): Group {
  for (const member of group.members.values()) Object.freeze(member)
  return Object.freeze(group)
}

function textOf({ members, pendingMembers, ...rest }: Group): string {
  return JSON.stringify([rest, [...members], [...pendingMembers]])
}
