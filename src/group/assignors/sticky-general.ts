import { LoadOrder } from './load-order.ts'
import { NOBODY, type StickyProblem } from './sticky-problem.ts'

/**
 * Divides where members subscribe to different topics: each keeps what it owned and still subscribes to, what is left goes to
 * whoever has least, and then partitions move one by one from members that have more to members that have less, until no
 * move makes it more even.
 *
 * Source: what Kafka's AbstractStickyAssignor does in this case, which it calls general.
 *
 * @returns by partition, the member that gets it
 */
export function divideByLoad(problem: StickyProblem): Int32Array {
  return new Division(problem).solve()
}

class Division {
  private readonly assigned: Int32Array
  private readonly topicOf: Int32Array
  private readonly loads: LoadOrder
  private readonly moves: Moves
  /** Partitions that moved without making it more even. */
  private readonly wentBack = new Set<number>()

  constructor(private readonly problem: StickyProblem) {
    this.assigned = new Int32Array(problem.partitionCount).fill(NOBODY)
    this.topicOf = new Int32Array(problem.partitionCount)
    for (const [index, { start, count }] of problem.topics.entries()) this.topicOf.fill(index, start, start + count)
    this.loads = new LoadOrder(problem.memberIds.length)
    this.moves = new Moves(problem.memberIds.length, this.topicOf)
  }

  solve(): Int32Array {
    const mustGiveUp = this.keepOwned()
    const inOrder = this.partitionsInOrder()
    const unowned = inOrder.filter((partition) => this.assigned[partition] === NOBODY)
    for (const partition of unowned) {
      const member = this.leastLoaded(partition)
      this.assigned[partition] = member
      this.loads.increment(member)
    }
    // first without touching what anybody keeps, unless something moves in any case
    if (!mustGiveUp) this.even(unowned)
    this.even(inOrder)
    return this.assigned
  }

  /** Tells whether somebody owns what it no longer subscribes to. */
  private keepOwned(): boolean {
    const { owners, subscriptions } = this.problem
    let mustGiveUp = false
    for (const [partition, owner] of owners.entries()) {
      if (owner < 0) continue
      if (subscriptions[owner].has(this.topicOf[partition])) {
        this.assigned[partition] = owner
        this.loads.increment(owner)
      } else {
        mustGiveUp = true
      }
    }
    return mustGiveUp
  }

  /** Those first that the fewest members can have. */
  private partitionsInOrder(): number[] {
    const topics = [...this.problem.topics].sort((a, b) => a.subscribers - b.subscribers || a.start - b.start)
    return topics.flatMap(({ start, count }) => Array.from({ length: count }, (_, partition) => start + partition))
  }

  private even(partitions: readonly number[]): void {
    let moved: boolean
    do {
      moved = false
      for (const partition of partitions) moved = this.moveIfMoreEven(partition) || moved
    } while (moved)
  }

  private moveIfMoreEven(partition: number): boolean {
    // most partitions are where nobody has less, whatever the topics
    if (this.loads.counts[this.assigned[partition]] <= this.loads.lowest + 1) return false
    const { previousOwners, subscriptions } = this.problem
    const previous = previousOwners[partition]
    let target = this.leastLoaded(partition)
    if (
      previous !== NOBODY &&
      subscriptions[previous].has(this.topicOf[partition]) &&
      this.isMoreEven(partition, previous)
    ) {
      target = previous
    }
    if (!this.isMoreEven(partition, target)) return false
    const reverse = this.moves.reverseOf(partition, this.assigned[partition], target)
    this.move(reverse !== undefined && this.mayGoBack(reverse, target) ? reverse : partition, target)
    return true
  }

  /** A step that makes nothing more even can be the first of two that do, but must not be taken over and over. */
  private mayGoBack(partition: number, target: number): boolean {
    if (this.isMoreEven(partition, target)) return true
    if (this.wentBack.has(partition)) return false
    this.wentBack.add(partition)
    return true
  }

  private isMoreEven(partition: number, target: number): boolean {
    const { counts } = this.loads
    return counts[this.assigned[partition]] > counts[target] + 1
  }

  private move(partition: number, target: number): void {
    const source = this.assigned[partition]
    this.moves.add(partition, source, target)
    this.loads.decrement(source)
    this.loads.increment(target)
    this.assigned[partition] = target
  }

  private leastLoaded(partition: number): number {
    const { subscriptions } = this.problem
    const topic = this.topicOf[partition]
    return this.loads.least((member) => subscriptions[member].has(topic))
  }
}

/** Which partitions have moved, so that two of one topic do not change places between two members. */
class Moves {
  /** Where each partition that has moved was at first. */
  private readonly sources = new Map<number, number>()
  /** By topic, source and target: partitions that have moved so. */
  private readonly moved = new Map<number, Set<number>>()

  constructor(
    private readonly memberCount: number,
    private readonly topicOf: Int32Array,
  ) {}

  add(partition: number, from: number, to: number): void {
    const source = this.sources.get(partition) ?? from
    this.moved.get(this.keyOf(partition, source, from))?.delete(partition)
    if (source === to) {
      this.sources.delete(partition)
      return
    }
    this.sources.set(partition, source)
    const key = this.keyOf(partition, source, to)
    const others = this.moved.get(key)
    if (others === undefined) this.moved.set(key, new Set([partition]))
    else others.add(partition)
  }

  /** A partition of the same topic that came the other way, which can go back in this one's place. */
  reverseOf(partition: number, from: number, to: number): number | undefined {
    const source = this.sources.get(partition) ?? from
    const candidates = this.moved.get(this.keyOf(partition, to, source))
    // one of them: Kafka takes the first in a hash set
    let last: number | undefined
    for (const candidate of candidates ?? []) if (last === undefined || candidate > last) last = candidate
    return last
  }

  private keyOf(partition: number, source: number, target: number): number {
    return (this.topicOf[partition] * this.memberCount + source) * this.memberCount + target
  }
}
