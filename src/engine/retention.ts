/** What retention needs to know of one segment. */
export interface RetentionSegment {
  sizeBytes: number
  /** Greatest record timestamp, ms; -Infinity when it holds none. */
  maxTimestamp: number
  /** The base offset of the segment that follows it. */
  endOffset: number
}

/**
 * Decides how far a partition's start moves: past every sealed segment, oldest first, whose records are all too old,
 * then past as many as it takes to get within the size.
 *
 * Pure. The active segment is not among `sealed`, so it always stays.
 *
 * @param sealed          oldest first
 * @param activeSizeBytes of the segment that stays
 * @returns the new start offset, or null when nothing goes
 */
export function retentionStart(
  sealed: readonly RetentionSegment[],
  activeSizeBytes: number,
  config: { retentionMs: number; retentionBytes: number },
  nowMs: number,
): number | null {
  let excessBytes = sealed.reduce((sum, segment) => sum + segment.sizeBytes, activeSizeBytes) - config.retentionBytes
  let start: number | null = null
  for (const segment of sealed) {
    const tooOld = config.retentionMs >= 0 && nowMs - segment.maxTimestamp > config.retentionMs
    // a segment goes when what is left without it still reaches the bound
    const tooMuch = config.retentionBytes >= 0 && excessBytes >= segment.sizeBytes
    if (!tooOld && !tooMuch) break
    excessBytes -= segment.sizeBytes
    start = segment.endOffset
  }
  return start
}
