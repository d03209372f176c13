/** Members from the least loaded to the most loaded; among equals, in order. */
export class LoadOrder {
  /** By member: how many partitions it has. */
  readonly counts: Int32Array
  private readonly order: Int32Array
  private readonly places: Int32Array

  constructor(memberCount: number) {
    this.counts = new Int32Array(memberCount)
    this.order = Int32Array.from({ length: memberCount }, (_, member) => member)
    this.places = this.order.slice()
  }

  /** Partitions of the least loaded member. */
  get lowest(): number {
    return this.counts[this.order[0]]
  }

  /** The least loaded member that may take something, or -1. */
  least(mayTake: (member: number) => boolean): number {
    for (const member of this.order) if (mayTake(member)) return member
    return -1
  }

  /** Gives a member one partition more. */
  increment(member: number): void {
    this.counts[member]++
    let place = this.places[member]
    while (place + 1 < this.order.length && this.isBefore(this.order[place + 1], member)) {
      this.put(place, this.order[place + 1])
      place++
    }
    this.put(place, member)
  }

  /** Takes one partition from a member. */
  decrement(member: number): void {
    this.counts[member]--
    let place = this.places[member]
    while (place > 0 && this.isBefore(member, this.order[place - 1])) {
      this.put(place, this.order[place - 1])
      place--
    }
    this.put(place, member)
  }

  private isBefore(a: number, b: number): boolean {
    return this.counts[a] < this.counts[b] || (this.counts[a] === this.counts[b] && a < b)
  }

  private put(place: number, member: number): void {
    this.order[place] = member
    this.places[member] = place
  }
}
