import { anyOf, checkOptions, integer, milliseconds, oneOf, type Check } from '../options.ts'

/**
 * The bounds of the batched writer: a power cut loses at most the records of the last `ms` milliseconds, `bytes` bytes
 * or `records` records that were acknowledged, whichever is reached first.
 */
export interface FlushWindow {
  /** Milliseconds, at least 1. */
  ms: number
  /** Bytes of batches, at least 1. Default: no bound. */
  bytes?: number
  /** At least 1. Default: no bound. */
  records?: number
}

/**
 * When an append is acknowledged, and when it is synced.
 *
 * - `'each'`: every append call gets an fdatasync of its own
 * - `'group'`: acknowledged means durable; appends in flight share one fdatasync
 * - a {@link FlushWindow}: acknowledged when written, synced before the window is exceeded
 * - `'os'`: acknowledged when written, synced by `flush()` and `close()` only
 */
export type Flush = 'each' | 'group' | 'os' | FlushWindow

/** Whether an acknowledgement under this mode promises that the record survives a power cut. */
export function acknowledgesDurably(flush: Flush): boolean {
  return flush === 'each' || flush === 'group'
}

const windowChecks: Record<string, Check> = { ms: milliseconds(1), bytes: integer(1), records: integer(1) }

/** Checks a flush mode among options. */
export const flushCheck: Check = anyOf(oneOf(['each', 'group', 'os']), (value, where = 'flush') => {
  if (typeof value !== 'object' || value === null) return 'a window { ms, bytes?, records? }'
  checkOptions(where, value, windowChecks, ['ms'])
  return null
})
