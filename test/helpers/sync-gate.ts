/** Holds syncs until a test lets them go on. */
export class SyncGate {
  private readonly held: { path: string; resolve: () => void; reject: (error: Error) => void }[] = []
  private arrivals: { count: number; resolve: () => void }[] = []
  private isOpen = false

  /** The paths of the syncs that are held, in the order in which they came. */
  get paths(): string[] {
    return this.held.map(({ path }) => path)
  }

  /** Resolves once at least `count` syncs are held. */
  arrived(count = 1): Promise<void> {
    return new Promise((resolve) => {
      this.arrivals.push({ count, resolve })
      this.announce()
    })
  }

  /** Lets the first `count` of the held syncs go on; later ones are held again. */
  release(count = this.held.length): void {
    for (const { resolve } of this.held.splice(0, count)) resolve()
  }

  /** Fails the syncs that are held: nothing of them becomes durable. */
  fail(error: Error): void {
    for (const { reject } of this.held.splice(0)) reject(error)
  }

  /** Lets all go on, and holds no more. */
  open(): void {
    this.isOpen = true
    this.release()
  }

  /** Holds syncs again. */
  close(): void {
    this.isOpen = false
  }

  /** What a sync waits for: for FaultyStorage, or as MemoryStorage's syncDelay. */
  pass(path: string): Promise<void> | undefined {
    if (this.isOpen) return undefined
    return new Promise((resolve, reject) => {
      this.held.push({ path, resolve, reject })
      this.announce()
    })
  }

  private announce(): void {
    const due = this.arrivals.filter(({ count }) => this.held.length >= count)
    this.arrivals = this.arrivals.filter((arrival) => !due.includes(arrival))
    for (const { resolve } of due) resolve()
  }
}
