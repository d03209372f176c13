const OFFSET_DIGITS = 20

export const SEGMENT_SUFFIXES = ['.index', '.timeindex', '.log'] as const
export type SegmentSuffix = (typeof SEGMENT_SUFFIXES)[number]
export type IndexSuffix = Exclude<SegmentSuffix, '.log'>

/** Kafka's: `.cleaned` files are being written by a compaction, `.swap` files are whole and about to replace others. */
export type SwapSuffix = '' | '.cleaned' | '.swap'

/** `00000000000000000170.log` and its like. */
export function segmentFileName(baseOffset: number, suffix: SegmentSuffix, swap: SwapSuffix = ''): string {
  return String(baseOffset).padStart(OFFSET_DIGITS, '0') + suffix + swap
}

/** What the name of a segment's file says, or null for any other name. */
export function parseSegmentName(name: string): { baseOffset: number; suffix: SegmentSuffix; swap: SwapSuffix } | null {
  const [, digits, suffix, swap = ''] = /^(\d{20})(\.log|\.index|\.timeindex)(\.cleaned|\.swap)?$/.exec(name) ?? []
  const baseOffset = Number(digits)
  if (digits === undefined || !Number.isSafeInteger(baseOffset)) return null
  return { baseOffset, suffix: suffix as SegmentSuffix, swap: swap as SwapSuffix }
}

/** The base offset in the name of a `.log` file, or null for any other name. */
export function parseLogFileName(name: string): number | null {
  const found = parseSegmentName(name)
  return found?.suffix === '.log' && found.swap === '' ? found.baseOffset : null
}
