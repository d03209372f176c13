import type { Segment } from './segment.ts'

/**
 * Keeps the files of sealed segments open while they are in use, and closes the least recently used beyond `capacity`,
 * so that replaying many segments neither runs out of file descriptors nor keeps all indexes in memory.
 *
 * Active segments are pinned: they stay open and do not count.
 */
export class SegmentPool {
  /** In the order of last use. */
  private readonly open = new Set<Segment>()
  private readonly pinned = new Set<Segment>()

  constructor(private readonly capacity = 64) {}

  /** Exempts the active segment of a partition. */
  pin(segment: Segment): void {
    this.open.delete(segment)
    this.pinned.add(segment)
  }

  unpin(segment: Segment): void {
    this.pinned.delete(segment)
    if (segment.isOpen) this.open.add(segment)
  }

  forget(segment: Segment): void {
    this.open.delete(segment)
    this.pinned.delete(segment)
  }

  /** A read of `segment` has ended. */
  async used(segment: Segment): Promise<void> {
    if (this.pinned.has(segment) || !segment.isOpen) return
    this.open.delete(segment)
    this.open.add(segment)
    if (this.open.size <= this.capacity) return
    for (const candidate of this.open) {
      if (!candidate.isIdle) continue
      this.open.delete(candidate)
      await candidate.close()
      return
    }
  }
}
