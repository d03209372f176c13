import type { Random } from '../environment.ts'
import type { LoadedCheckpoint } from '../storage/checkpoint.ts'

/** Ids are reserved durably in blocks of this size, as in Kafka. */
const BLOCK = 1000
const BLOCKS = 2 ** 40

/** Where a directory begins that cannot know which ids others have given out: nobody is met there. */
export function freshProducerIds(random: Random): number {
  return Math.floor(random.next() * BLOCKS) * BLOCK
}

/** Gives out the ids of idempotent producers, each once in the life of a directory. */
export class ProducerIds {
  private reserved: number
  private next: number
  private durable: number
  private storing: Promise<void> | null = null

  /** @param store makes a checkpoint durable that records `reserved` */
  constructor(
    { checkpoint, damaged }: LoadedCheckpoint,
    random: Random,
    private readonly store: () => Promise<void>,
  ) {
    const known = checkpoint?.producerIds ?? 0
    // the newest reservation may have been in the checkpoint that is damaged
    if (damaged.length === 0) this.reserved = known
    else this.reserved = checkpoint === null ? freshProducerIds(random) : known + BLOCK
    this.next = this.durable = this.reserved
  }

  /** What the next checkpoint records: ids below it may have been given out. Undefined: none were. */
  get recorded(): number | undefined {
    return this.reserved || undefined
  }

  /** An id that nobody has had. */
  async take(): Promise<number> {
    while (this.next >= this.durable) await (this.storing ??= this.extend())
    return this.next++
  }

  private async extend(): Promise<void> {
    const end = this.next + BLOCK
    this.reserved = end
    try {
      await this.store()
      this.durable = end
    } finally {
      this.storing = null
    }
  }
}
