import { abandon, stalled, tick } from './expiry.ts'
import type { Group, GroupEffect, GroupEvent, GroupLimits } from './group.ts'
import { join } from './join.ts'
import { commit, heartbeat, leave, remove } from './membership.ts'
import { PersistentMap } from './persistent-map.ts'
import { stored, sync } from './sync.ts'
import { Transition } from './transition.ts'

export { nextDeadlineMs } from './expiry.ts'
export { restoreGroup, snapshotOf } from './snapshot.ts'

/** A group that nobody has joined yet. */
export function newGroup(groupId: string): Group {
  return {
    groupId,
    state: 'Empty',
    generation: 0,
    protocolType: null,
    protocol: null,
    leader: null,
    members: PersistentMap.of<string, never>([]),
    pendingMembers: new Map(),
    stateDeadlineMs: Infinity,
    delayUntilMs: null,
    storing: [],
  }
}

/**
 * Kafka's classic group coordinator, as a function: what a group becomes by an event, and what is to be done about it.
 * The group that is given stays as it is.
 *
 * Every request is answered by one effect, at once or later, unless it is abandoned.
 */
export function step(
  group: Group,
  event: GroupEvent,
  nowMs: number,
  limits: GroupLimits,
): { group: Group; effects: GroupEffect[] } {
  const transition = new Transition(group, nowMs, limits)
  apply(transition, event)
  return { group: transition.group, effects: transition.effects }
}

function apply(transition: Transition, event: GroupEvent): void {
  switch (event.type) {
    case 'join':
      return join(transition, event.request, event.join)
    case 'sync':
      return sync(transition, event.request, event.sync)
    case 'heartbeat':
      return heartbeat(transition, event.request, event.claim)
    case 'commit':
      return commit(transition, event.request, event.claim)
    case 'leave':
      return leave(transition, event)
    case 'abandon':
      return abandon(transition, event.request)
    case 'stored':
      return stored(transition, event.snapshot, event.error)
    case 'tick':
      return tick(transition)
    case 'stalled':
      return stalled(transition, event.ms)
    case 'delete':
      return remove(transition, event.request)
  }
}
