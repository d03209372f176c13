const POOL_BYTES = 4 * 1024 * 1024
/** More than are ever in flight, so that no buffer is filled again while a store may still look at it. */
const POOL_RECORDS_MIN = 4096
const SEQUENCE_DIGITS = 5
const DIGIT_BITS = 6
const FIRST_DIGIT = 48

/**
 * Records of one size that begin with their sequence. All bytes are ASCII, as some stores hold text only; the rest of
 * each is pseudo-random, so that compression finds little.
 */
export class RecordSource {
  private readonly pool: Buffer[]
  private sequence = 0

  constructor(recordBytes: number) {
    const count = Math.max(Math.floor(POOL_BYTES / recordBytes), POOL_RECORDS_MIN)
    const bytes = Buffer.allocUnsafeSlow(count * recordBytes)
    let state = 0x9e3779b9
    for (let i = 0; i < bytes.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      bytes[i] = FIRST_DIGIT + (state >>> (32 - DIGIT_BITS))
    }
    this.pool = Array.from({ length: count }, (_, i) => bytes.subarray(i * recordBytes, (i + 1) * recordBytes))
  }

  next(): Buffer {
    const record = this.pool[this.sequence % this.pool.length]
    let rest = this.sequence++
    for (let i = 0; i < SEQUENCE_DIGITS; i++) {
      record[i] = FIRST_DIGIT + (rest & ((1 << DIGIT_BITS) - 1))
      rest >>>= DIGIT_BITS
    }
    return record
  }

  batch(records: number): Buffer[] {
    const batch: Buffer[] = []
    for (let i = 0; i < records; i++) batch.push(this.next())
    return batch
  }
}

/** Checks that a record has the right length and sequence. */
export function checkRecord(record: Uint8Array | string, recordBytes: number, sequence: number): void {
  const found = typeof record === 'string' ? sequenceOfText(record) : sequenceOfBytes(record)
  if (record.length === recordBytes && found === sequence) return
  throw new Error(`record ${sequence} has ${record.length} bytes and sequence ${found}`)
}

function sequenceOfBytes(record: Uint8Array): number {
  let sequence = 0
  for (let i = SEQUENCE_DIGITS - 1; i >= 0; i--) sequence = (sequence << DIGIT_BITS) | (record[i] - FIRST_DIGIT)
  return sequence
}

function sequenceOfText(record: string): number {
  let sequence = 0
  for (let i = SEQUENCE_DIGITS - 1; i >= 0; i--) {
    sequence = (sequence << DIGIT_BITS) | (record.charCodeAt(i) - FIRST_DIGIT)
  }
  return sequence
}
