/** Counts the bytes of requests that are in memory, over all connections, and lets nobody read on while they are many. */
export class QueuedBytes {
  private bytes = 0
  private readonly waiting = new Set<() => void>()

  constructor(private readonly maxBytes: number) {}

  get isFull(): boolean {
    return this.bytes > this.maxBytes
  }

  add(bytes: number): void {
    this.bytes += bytes
  }

  remove(bytes: number): void {
    this.bytes -= bytes
    if (this.isFull) return
    const woken = [...this.waiting]
    this.waiting.clear()
    for (const wake of woken) wake()
  }

  /** Calls `wake` once when there is room again. */
  onRoom(wake: () => void): void {
    this.waiting.add(wake)
  }
}
