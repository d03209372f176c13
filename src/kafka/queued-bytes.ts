/**
 * Counts the bytes of requests and answers that are in memory, over all connections, and lets nobody read on while they
 * are many.
 */
export class QueuedBytes {
  private held = 0
  private readonly waiting = new Set<() => void>()

  constructor(private readonly maxBytes: number) {}

  get bytes(): number {
    return this.held
  }

  get isFull(): boolean {
    return this.held > this.maxBytes
  }

  /** Whether whoever can do with less should. */
  get isHalfFull(): boolean {
    return this.held > this.maxBytes / 2
  }

  add(bytes: number): void {
    this.held += bytes
  }

  remove(bytes: number): void {
    this.held -= bytes
    if (this.waiting.size === 0 || this.isFull) return
    const woken = [...this.waiting]
    this.waiting.clear()
    for (const wake of woken) wake()
  }

  /** Calls `wake` once when there is room again, however often it is asked to. */
  onRoom(wake: () => void): void {
    this.waiting.add(wake)
  }
}
