import type { PartitionLog } from '../storage/partition-log.ts'

/** Offsets are reserved in blocks of this size. */
export const RESERVATION_OFFSETS = 65_536

/**
 * Keeps the durable reservation of one partition's offsets ahead of what is handed out before it is durable.
 *
 * After a power cut the log goes on behind the reservation, so an offset that anybody has seen is never given to
 * another record, even where the record itself was lost.
 */
export class OffsetReservation {
  private storing: Promise<void> | null = null

  /** @param store makes a checkpoint durable that records `log.reservationUnderWay` */
  constructor(
    private readonly log: PartitionLog,
    private readonly store: () => Promise<void>,
  ) {}

  /** Resolves when the next `records` offsets may be handed out; extends the reservation in good time. */
  async cover(records: number): Promise<void> {
    const { log } = this
    const needed = log.logEndOffset + records
    if (needed > log.reservedOffset) {
      await this.storing?.catch(() => {})
      if (needed > log.reservedOffset) await this.extend(needed)
    } else if (needed > log.reservedOffset - RESERVATION_OFFSETS / 2 && this.storing === null) {
      // a failure leaves the reservation as it is, and shows when it is needed
      this.extend(needed).catch(() => {})
    }
  }

  /** Resolves when no extension is under way. */
  async idle(): Promise<void> {
    await this.storing?.catch(() => {})
  }

  private extend(from: number): Promise<void> {
    const { log } = this
    const reserved = from + RESERVATION_OFFSETS
    log.reservationUnderWay = reserved
    const storing = this.store()
      .then(() => {
        log.reservedOffset = Math.max(log.reservedOffset, reserved)
      })
      .finally(() => {
        this.storing = null
      })
    this.storing = storing
    return storing
  }
}
