/** What retention needs to know of one segment. */
export interface RetentionSegment {
  sizeBytes: number
  /** Looks the greatest record timestamp up, ms; -Infinity when it holds none. Asked only where the answer counts. */
  maxTimestamp(): Promise<number>
  /** The base offset of the segment that follows it. */
  endOffset: number
}

/**
 * Decides how far a partition's start moves: past every sealed segment, oldest first, whose records are all too old,
 * then past as many as it takes to get within the size.
 *
 * The active segment is not among `sealed`, so it always stays.
 *
 * @param sealed          oldest first
 * @param activeSizeBytes of the segment that stays
 * @returns the new start offset, or null when nothing goes
 */
export async function retentionStart(
  sealed: readonly RetentionSegment[],
  activeSizeBytes: number,
  config: { retentionMs: number; retentionBytes: number },
  nowMs: number,
): Promise<number | null> {
  let excessBytes = sealed.reduce((sum, segment) => sum + segment.sizeBytes, activeSizeBytes) - config.retentionBytes
  let start: number | null = null
  for (const segment of sealed) {
    // a segment goes when what is left without it still reaches the bound
    const tooMuch = config.retentionBytes >= 0 && excessBytes >= segment.sizeBytes
    if (!tooMuch && !(config.retentionMs >= 0 && nowMs - (await segment.maxTimestamp()) > config.retentionMs)) break
    excessBytes -= segment.sizeBytes
    start = segment.endOffset
  }
  return start
}
