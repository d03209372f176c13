import { NO_PARTITIONS, sameKeys, type CurrentAssignment, type PartitionKeys } from './modern-group.ts'

/** What a member is to come to, and what stands in its way. */
export interface Aim {
  /** The epoch of the target. */
  epoch: number
  target: PartitionKeys
  /** What the member says that it owns, or null where it does not say. */
  owned: PartitionKeys | null
  /** Whether some member has a partition, or has yet to give it up. */
  isHeld: (key: string) => boolean
}

/**
 * The next step of a member towards its target: it gives up what is not its own any more, then comes to the target's epoch,
 * and gets what nobody else has.
 *
 * @returns `current` itself where there is no step to take
 *
 * Source: Kafka's CurrentAssignmentBuilder.
 */
export function reconcile(current: CurrentAssignment, aim: Aim): CurrentAssignment {
  switch (current.state) {
    case 'stable':
      return current.epoch === aim.epoch ? current : advance(current, current.epoch, aim)
    case 'unrevoked':
      // what it has given up is another step, even where the next one is a revocation again: commits tell the two apart
      return ownsAny(aim.owned, current.revoking) ? current : advance(current, current.epoch + 1, aim)
    case 'unreleased': {
      const next = advance(current, current.epoch, aim)
      const isTheSame = next.state === 'unreleased' && next.epoch === current.epoch
      return isTheSame && sameKeys(next.assigned, current.assigned) ? current : next
    }
  }
}

function advance(current: CurrentAssignment, epoch: number, { target, owned, isHeld, ...aim }: Aim): CurrentAssignment {
  const assigned = new Set<string>()
  const revoking = new Set<string>()
  for (const key of current.assigned) (target.has(key) ? assigned : revoking).add(key)
  const previousEpoch = current.epoch
  if (revoking.size > 0 && ownsAny(owned, revoking))
    return { epoch, previousEpoch, state: 'unrevoked', assigned, revoking }
  let isComplete = true
  for (const key of target) {
    if (assigned.has(key)) continue
    if (isHeld(key)) isComplete = false
    else assigned.add(key)
  }
  const state = isComplete ? 'stable' : 'unreleased'
  return { epoch: aim.epoch, previousEpoch, state, assigned, revoking: NO_PARTITIONS }
}

/** Whoever does not say what it owns may own any of them. */
function ownsAny(owned: PartitionKeys | null, revoking: PartitionKeys): boolean {
  if (owned === null) return true
  for (const key of revoking) if (owned.has(key)) return true
  return false
}
