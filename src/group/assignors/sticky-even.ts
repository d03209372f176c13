import { assert } from '../../assert.ts'
import { NOBODY, type StickyProblem } from './sticky-problem.ts'

/**
 * Divides where all members subscribe to the same topics, so that any partition may go to any member: each keeps what it
 * owned up to its share, and what is left over is dealt to those that have less.
 *
 * Source: what Kafka's AbstractStickyAssignor does in this case, which it calls constrained.
 *
 * @returns by partition, the member that gets it
 */
export function divideEvenly({ memberIds, topics, partitionCount, owners }: StickyProblem): Int32Array {
  const share = Math.floor(partitionCount / memberIds.length)
  const largerShares = partitionCount % memberIds.length
  const assigned = new Int32Array(partitionCount).fill(NOBODY)
  const owned = ownedInOrder(owners, topics, memberIds.length)
  const counts = new Int32Array(memberIds.length)
  let larger = 0
  /** Members below the share, and members that have it and may get one more. */
  let below: number[] = []
  const atShare: number[] = []
  for (const [member, partitions] of owned.entries()) {
    if (partitions.length < share) {
      below.push(member)
      counts[member] = partitions.length
    } else if (partitions.length > share && larger < largerShares) {
      larger++
      counts[member] = share + 1
    } else {
      atShare.push(member)
      counts[member] = share
    }
    for (let i = 0; i < counts[member]; i++) assigned[partitions[i]] = member
  }

  let nextRound: number[] = []
  let turn = 0
  let nextAtShare = 0
  for (let partition = 0; partition < partitionCount; partition++) {
    if (assigned[partition] !== NOBODY) continue
    if (turn === below.length) {
      below = nextRound
      nextRound = []
      turn = 0
    }
    const member = turn < below.length ? below[turn++] : atShare[nextAtShare++]
    assert(member !== undefined, `there is a member for each of ${partitionCount} partitions`)
    assigned[partition] = member
    counts[member]++
    if (counts[member] < share) nextRound.push(member)
    else if (counts[member] === share) atShare.push(member)
  }
  return assigned
}

/** What each member owns, lowest partitions first, whatever the topic: who has to give up, gives up the highest. */
function ownedInOrder(owners: Int32Array, topics: StickyProblem['topics'], memberCount: number): number[][] {
  const owned = Array.from({ length: memberCount }, () => [] as number[])
  const partitionOf = new Int32Array(owners.length)
  for (const { start, count } of topics) {
    for (let partition = 0; partition < count; partition++) {
      partitionOf[start + partition] = partition
      const owner = owners[start + partition]
      if (owner >= 0) owned[owner].push(start + partition)
    }
  }
  if (topics.length > 1) for (const numbers of owned) numbers.sort((a, b) => partitionOf[a] - partitionOf[b] || a - b)
  return owned
}
