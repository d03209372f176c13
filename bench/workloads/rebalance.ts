import { assignorNames, assignors, type AssignorName } from '../../src/group/assignors/assignors.ts'
import type { Assignor, AssignorMember, TopicPartition } from '../../src/group/assignors/assignor.ts'
import type { Sample, Variant, Workload } from '../workload.ts'

const TOPICS = Array.from({ length: 10 }, (_, i) => `topic-${i}`)
const STICKY: readonly AssignorName[] = ['sticky', 'cooperative-sticky']

type Owned = Map<string, TopicPartition[]>

/**
 * Divides the partitions of ten topics among the members of a group; then one leaves, and another one joins. The time is
 * that of the slowest division; what moves is counted over both steps.
 */
export function rebalance(members: number, partitions: number): Workload {
  return {
    name: 'rebalance',
    recordBytes: 0,
    detail: `${members} members, ${partitions} partitions`,
    variants: assignorNames.map((name): Variant => ({
      name,
      run: () => Promise.resolve(divideThrice(assignors[name], members, partitions)),
    })),
    goals: [
      ...assignorNames.map((variant) => ({ metric: 'ms' as const, variant, atMost: 50 })),
      ...STICKY.map((variant) => ({ metric: 'movedAgainstLeast' as const, variant, atMost: 1, always: true })),
    ],
  }
}

function divideThrice(assignor: Assignor, members: number, partitions: number): Sample {
  const group = new DividedGroup(assignor, partitions)
  const ids = Array.from({ length: members }, (_, i) => `member-${String(i).padStart(4, '0')}`)
  group.divide(ids)
  const [leaver] = ids.splice(members >> 1, 1)
  const left = group.owned.get(leaver)!.length
  let movedPartitions = group.divide(ids)
  ids.push('newcomer')
  movedPartitions += group.divide(ids)
  // those of who leaves, and an even share for who joins
  const least = left + Math.floor(partitions / members)
  return { ms: group.slowestMs, movedPartitions, movedAgainstLeast: movedPartitions / least }
}

class DividedGroup {
  owned: Owned = new Map()
  slowestMs = 0
  private generation = -1
  private readonly counts: ReadonlyMap<string, number>

  constructor(
    private readonly assignor: Assignor,
    private readonly partitions: number,
  ) {
    this.counts = new Map(TOPICS.map((topic) => [topic, partitions / TOPICS.length]))
  }

  /** Divides everything among these members, in as many rounds as it takes; returns how many partitions moved. */
  divide(ids: readonly string[]): number {
    const before = ownersOf(this.owned)
    let rounds = 0
    do {
      if (++rounds > 3) throw new Error(`${this.assignor.name} leaves partitions to nobody`)
      this.divideOnce(ids)
    } while (ownersOf(this.owned).size < this.partitions)
    if (before.size === 0) return 0
    return [...ownersOf(this.owned)].filter(([key, owner]) => before.get(key) !== owner).length
  }

  private divideOnce(ids: readonly string[]): void {
    const { assignor } = this
    const members = ids.map((memberId): AssignorMember => {
      const owned = this.owned.get(memberId) ?? []
      const generation = this.owned.has(memberId) ? this.generation : -1
      const ownedPartitions = assignor.rebalanceProtocol === 'cooperative' ? owned : []
      const userData = assignor.userData(owned, generation)
      return { memberId, instanceId: null, topics: TOPICS, ownedPartitions, generation, userData, rackId: null }
    })
    const startMs = performance.now()
    const assigned = assignor.assign(members, this.counts)
    this.slowestMs = Math.max(this.slowestMs, performance.now() - startMs)
    const count = [...assigned.values()].reduce((sum, { length }) => sum + length, 0)
    if (count !== ownersOf(assigned).size) throw new Error(`${assignor.name} gives a partition to two members`)
    this.owned = assigned
    this.generation++
  }
}

function ownersOf(owned: Owned): Map<string, string> {
  const entries = [...owned].flatMap(([memberId, partitions]) =>
    partitions.map(({ topic, partition }) => [`${topic}/${partition}`, memberId] as const),
  )
  return new Map(entries)
}
