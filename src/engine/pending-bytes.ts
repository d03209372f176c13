import { VarveError } from '../errors.ts'

/** How many appends may wait for room before further ones are refused. */
const MAX_WAITING = 100_000

interface Waiter {
  admit(): void
  refuse(error: VarveError): void
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
   * Calls `enter` when it is this caller's turn and there is room, and resolves with what it gives. It is called at once
   * when its turn comes, and adds its bytes before it returns: so nobody gets ahead, and the next one finds them counted.
   *
   * @throws VarveError QUEUE_FULL when too many wait already; the signal's reason when it aborts
   */
  async whenRoom<T>(enter: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.waiters.size >= MAX_WAITING) {
      const message =
        `${MAX_WAITING} appends wait for room already: await appends before making more, ` +
        `or raise maxPendingBytes (${this.maxBytes})`
      throw new VarveError('QUEUE_FULL', message)
    }
    signal?.throwIfAborted()
    return new Promise<T>((resolve, reject) => {
      const abort = () => {
        this.waiters.delete(waiter)
        reject(signal!.reason as Error)
      }
      const waiter: Waiter = {
        admit() {
          signal?.removeEventListener('abort', abort)
          try {
            resolve(enter())
          } catch (error) {
            reject(error)
          }
        },
        refuse(error) {
          signal?.removeEventListener('abort', abort)
          reject(error)
        },
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.waiters.add(waiter)
    })
  }

  /** Refuses everyone who waits: the log is being closed. */
  refuseAll(error: VarveError): void {
    for (const waiter of this.waiters) waiter.refuse(error)
    this.waiters.clear()
  }

  private admit(): void {
    for (const waiter of this.waiters) {
      if (this.bytes >= this.maxBytes) return
      this.waiters.delete(waiter)
      waiter.admit()
    }
  }
}
