import type { Random } from '../environment.ts'
import type { LoadedCheckpoint } from '../storage/checkpoint.ts'

/** What clients tell the cluster by: a directory gets one when it is first asked for, and keeps it; copies have the same. */
export class ClusterId {
  /** What the next checkpoint records; undefined where nobody has asked yet. */
  known: string | undefined

  /** @param store makes a checkpoint durable that records `known`; null in a read-only log */
  constructor(
    { checkpoint }: LoadedCheckpoint,
    private readonly random: Random,
    private readonly store: (() => Promise<void>) | null,
  ) {
    this.known = checkpoint?.clusterId
  }

  /**
   * 22 characters, base64url, as Kafka makes them.
   *
   * @returns also whether it is stored: where it cannot be, it is one for as long as the log is open
   */
  async get(): Promise<{ clusterId: string; isStored: boolean }> {
    if (this.known !== undefined) return { clusterId: this.known, isStored: true }
    // what begins with a dash is an option to Kafka's tools
    this.known = Buffer.from(this.random.bytes(16)).toString('base64url').replace(/^-/, '_')
    const clusterId = this.known
    if (this.store === null) return { clusterId, isStored: false }
    return this.store().then(
      () => ({ clusterId, isStored: true }),
      () => ({ clusterId, isStored: false }),
    )
  }
}
