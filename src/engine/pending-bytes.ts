import { VarveError } from '../errors.ts'

/** How many appends may wait for room before further ones are refused. */
const MAX_WAITING = 100_000

interface Waiter {
  admit(): void
}

/**
 * The bytes of records that were handed in and are not written yet, over all partitions of a log. While they exceed the
 * bound, further appends wait, in order.
 */
export class PendingBytes {
  private bytes = 0
  private readonly waiters = new Set<Waiter>()

  constructor(private readonly maxBytes: number) {}

  /** Whether an append must wait: the bound is reached, or others wait already. */
  get isFull(): boolean {
    return this.bytes >= this.maxBytes || this.waiters.size > 0
  }

  add(bytes: number): void {
    this.bytes += bytes
  }

  remove(bytes: number): void {
    this.bytes -= bytes
    this.admit()
  }

  /**
   * Resolves when it is this caller's turn and there is room.
   *
   * @throws VarveError QUEUE_FULL when too many wait already; the signal's reason when it aborts
   */
  async waitForRoom(signal?: AbortSignal): Promise<void> {
    if (this.waiters.size >= MAX_WAITING) {
      const message =
        `${MAX_WAITING} appends wait for room already: await appends before making more, ` +
        `or raise maxPendingBytes (${this.maxBytes})`
      throw new VarveError('QUEUE_FULL', message)
    }
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        this.waiters.delete(waiter)
        reject(signal!.reason as Error)
      }
      const waiter = {
        admit: () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        },
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.waiters.add(waiter)
    })
  }

  /** Lets everyone go on, to find that the log is closed. */
  releaseAll(): void {
    for (const waiter of this.waiters) {
      this.waiters.delete(waiter)
      waiter.admit()
    }
  }

  /** One at a time: each that goes on adds its bytes before the next is looked at. */
  private admit(): void {
    if (this.waiters.size === 0 || this.bytes >= this.maxBytes) return
    const [first] = this.waiters
    this.waiters.delete(first)
    first.admit()
    queueMicrotask(() => this.admit())
  }
}
