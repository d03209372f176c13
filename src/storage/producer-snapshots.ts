import { decodeSnapshot, encodeSnapshot, type SnapshotEntry } from '../codec/producer-snapshot.ts'
import { storageError } from '../errors.ts'
import { removeIfPresent, replaceFile, unlessMissing, type Storage } from './storage.ts'

/** `<offset>.snapshot`: what was sent before that offset; with `.tmp` behind it one that was not written to its end. */
const NAME = /^(\d{20})\.snapshot(\.tmp)?$/

/**
 * The `.snapshot` files of one partition: what its idempotent producers have sent, in Kafka's format.
 *
 * That there is any says that there may be batches of such producers in the log; where none can be used, the log tells. So
 * the first one is stored before the first batch, and the last one is never taken away: one that tells of nobody stands
 * for it.
 */
export class ProducerSnapshots {
  constructor(
    private readonly storage: Storage,
    private readonly directory: string,
  ) {}

  /** The offsets of those that tell of nothing behind `endOffset`, ascending. */
  async list(endOffset: number): Promise<number[]> {
    const { kept } = await this.find(endOffset)
    return kept
  }

  /** The newest of `offsets` that is whole; null where none is. */
  async newestOf(offsets: readonly number[]): Promise<{ offset: number; entries: SnapshotEntry[] } | null> {
    for (const offset of offsets.toReversed()) {
      const path = `${this.directory}/${nameOf(offset)}`
      const content = await unlessMissing<Buffer | null>(this.storage.readFile(path), () => null)
      const entries = content === null ? null : decodeSnapshot(content)
      if (entries !== null) return { offset, entries }
    }
    return null
  }

  /** Stores one durably. */
  async write(offset: number, entries: readonly SnapshotEntry[]): Promise<void> {
    await replaceFile(this.storage, this.directory, nameOf(offset), encodeSnapshot(entries))
  }

  async remove(offset: number): Promise<void> {
    await removeIfPresent(this.storage, `${this.directory}/${nameOf(offset)}`)
  }

  /**
   * Removes, durably, those that tell of more than the log has after a recovery, before others get these offsets; and what
   * an interrupted write has left.
   *
   * @param start from where the log is to be read where none of them can be used
   */
  async recover(endOffset: number, start: number): Promise<void> {
    const { storage, directory } = this
    try {
      const { kept, others } = await this.find(endOffset)
      if (others.length === 0) return
      if (kept.length === 0 && others.some((name) => !name.endsWith('.tmp'))) await this.write(start, [])
      for (const name of others) await removeIfPresent(storage, `${directory}/${name}`)
      await storage.syncDirectory(directory)
    } catch (error) {
      throw storageError(error, `recover the producer snapshots of '${directory}'`, { path: directory })
    }
  }

  /**
   * Writes to a copy of the partition what stands for these there.
   *
   * @param endOffset where the copy ends
   * @param start     from where the copy is to be read where none of these can be used
   */
  async copyTo(directory: string, endOffset: number, start: number): Promise<void> {
    const { kept, others } = await this.find(endOffset)
    if (kept.length === 0 && others.length === 0) return
    const { offset, entries } = (await this.newestOf(kept)) ?? { offset: start, entries: [] }
    await new ProducerSnapshots(this.storage, directory).write(offset, entries)
  }

  private async find(endOffset: number): Promise<{ kept: number[]; others: string[] }> {
    const kept: number[] = []
    const others: string[] = []
    for (const { name } of await this.storage.list(this.directory)) {
      const [, digits, suffix] = NAME.exec(name) ?? []
      if (digits === undefined) continue
      if (suffix === undefined && Number(digits) <= endOffset) kept.push(Number(digits))
      else others.push(name)
    }
    return { kept: kept.sort((a, b) => a - b), others }
  }
}

function nameOf(offset: number): string {
  return `${String(offset).padStart(20, '0')}.snapshot`
}
