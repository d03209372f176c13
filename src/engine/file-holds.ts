import type { Partition } from './partition.ts'

/**
 * Keeps apart what must not touch the same files at the same time: backups, which copy what the files of a partition were
 * at one moment, and compaction and the deletion of topics, which take those files away.
 *
 * Whoever deletes single segments need not ask: a segment that is held is deleted when it is let go.
 */
export class FileHolds {
  private readonly held = new Map<Partition, Promise<void>>()
  private exchanging: Promise<unknown> | null = null

  /** Resolves when no file of these partitions is held. */
  async letGo(partitions: readonly Partition[]): Promise<void> {
    for (const partition of partitions) {
      for (let hold = this.held.get(partition); hold !== undefined; hold = this.held.get(partition)) await hold
    }
  }

  /** Exchanges files of a partition: waits until none is held, and then nobody begins to hold any until it has ended. */
  async exchange<T>(partition: Partition, action: () => Promise<T>): Promise<T> {
    // in one turn with what follows: nobody can come between
    while (this.exchanging !== null || this.held.has(partition)) {
      await this.exchanging
      await this.letGo([partition])
    }
    const result = action()
    const end = result.then(
      () => {},
      () => {},
    )
    this.exchanging = end
    try {
      return await result
    } finally {
      this.exchanging = null
    }
  }

  /** Calls `action`, which must not wait for anything, at a moment when no exchange is under way. */
  async between<T>(action: () => T): Promise<T> {
    while (this.exchanging !== null) await this.exchanging
    return action()
  }

  /** Holds the files of a partition until the returned function is called. Nobody else may hold them. */
  hold(partition: Partition): () => void {
    let release!: () => void
    this.held.set(
      partition,
      new Promise((resolve) => {
        release = resolve
      }),
    )
    return () => {
      this.held.delete(partition)
      release()
    }
  }
}
