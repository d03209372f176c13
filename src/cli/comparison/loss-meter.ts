/** What a power cut would have cost at the worst moment. */
export interface Loss {
  records: number
  /** Bytes of values. */
  bytes: number
  /** Milliseconds from the first acknowledgement that would have been lost to the last. */
  ms: number
  /** Milliseconds for which the oldest of them had been waiting to become durable. */
  ageMs: number
}

export const NO_LOSS: Loss = { records: 0, bytes: 0, ms: 0, ageMs: 0 }

const INITIAL_RECORDS = 1024 * 1024

/**
 * Follows one partition from the caller's side: which records were acknowledged, when, and which of them were not
 * durable at that moment. It trusts nothing but the acknowledgements and `durableOffset`.
 *
 * One entry a record is kept, so that the worst moment is found exactly.
 */
export class LossMeter {
  private worst: Loss = { ...NO_LOSS }
  private acknowledgedAtMs = new Float64Array(INITIAL_RECORDS)
  /** Bytes of all values before an offset. */
  private bytesBefore = new Float64Array(INITIAL_RECORDS + 1)
  private acknowledged = 0
  private durableOffset: (() => number) | null = null

  /** Starts over, for a partition that begins at offset 0. */
  start(durableOffset: () => number): void {
    this.worst = { ...NO_LOSS }
    this.acknowledged = 0
    this.durableOffset = durableOffset
  }

  /** Looks a last time; from now on the log may be closed. Returns the worst that was seen. */
  stop(nowMs: number): Loss {
    this.look(nowMs)
    this.durableOffset = null
    return this.worst
  }

  /** A record has been acknowledged at `atMs`; a partition acknowledges its records in the order of their offsets. */
  acknowledge(offset: number, valueBytes: number, atMs: number): void {
    if (offset !== this.acknowledged)
      throw new Error(`offset ${offset} was acknowledged after ${this.acknowledged - 1}`)
    if (offset === this.acknowledgedAtMs.length) this.grow()
    this.acknowledgedAtMs[offset] = atMs
    this.bytesBefore[offset + 1] = this.bytesBefore[offset] + valueBytes
    this.acknowledged = offset + 1
    this.look(atMs)
  }

  /** Looks at what would be lost now: at each acknowledgement, and just before more becomes durable. */
  look(nowMs: number): void {
    if (this.durableOffset === null) return
    const durable = this.durableOffset()
    const { worst, acknowledged, acknowledgedAtMs, bytesBefore } = this
    const records = acknowledged - durable
    if (records <= 0) return
    const bytes = bytesBefore[acknowledged] - bytesBefore[durable]
    const ms = acknowledgedAtMs[acknowledged - 1] - acknowledgedAtMs[durable]
    const ageMs = nowMs - acknowledgedAtMs[durable]
    if (records > worst.records) worst.records = records
    if (bytes > worst.bytes) worst.bytes = bytes
    if (ms > worst.ms) worst.ms = ms
    if (ageMs > worst.ageMs) worst.ageMs = ageMs
  }

  private grow(): void {
    const length = this.acknowledgedAtMs.length * 2
    this.acknowledgedAtMs = extended(this.acknowledgedAtMs, length)
    this.bytesBefore = extended(this.bytesBefore, length + 1)
  }
}

function extended(numbers: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const longer = new Float64Array(length)
  longer.set(numbers)
  return longer
}

/** The worse of two in each respect. */
export function worseLoss(a: Loss, b: Loss): Loss {
  return {
    records: Math.max(a.records, b.records),
    bytes: Math.max(a.bytes, b.bytes),
    ms: Math.max(a.ms, b.ms),
    ageMs: Math.max(a.ageMs, b.ageMs),
  }
}
