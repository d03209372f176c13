/** Records of one `appendBatch`. */
export const BATCH_RECORDS = 1000
const PAYLOAD_BYTES = 4 * 1024 * 1024
const VALUES_MIN = 16
/** More would cost small records more memory for the objects around them than for themselves. */
const VALUES_MAX = 40_000
const BATCHES = 8

const made = new Map<number, Buffer[]>()

/**
 * Payloads that are not all the same byte: as many as fit 4 MiB, at most 40,000, used in turn. The same ones for
 * everybody who asks.
 */
export function payloads(recordBytes: number): readonly Buffer[] {
  const values = made.get(recordBytes) ?? makePayloads(recordBytes)
  made.set(recordBytes, values)
  return values
}

function makePayloads(recordBytes: number): Buffer[] {
  let state = 0x9e3779b9
  return Array.from(
    { length: Math.min(Math.max(Math.floor(PAYLOAD_BYTES / recordBytes), VALUES_MIN), VALUES_MAX) },
    () => {
      const bytes = Buffer.allocUnsafeSlow(recordBytes)
      for (let i = 0; i < recordBytes; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0
        bytes[i] = state >>> 24
      }
      return bytes
    },
  )
}

/** Batches of 1,000 records, used in turn. */
export function batches(recordBytes: number): readonly { value: Buffer }[][] {
  const values = payloads(recordBytes)
  return Array.from({ length: BATCHES }, (_, batch) =>
    Array.from({ length: BATCH_RECORDS }, (_, i) => ({ value: values[(batch * BATCH_RECORDS + i) % values.length] })),
  )
}
