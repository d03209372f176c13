/** Numbers, sizes and times as people read them. Pipes and JSON get plain numbers instead. */

const counts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** `1,707` */
export function formatCount(count: number): string {
  return counts.format(count)
}

/** `1 record`, `2 records` */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** `1.2 MB`: powers of 1000, three digits. */
export function formatBytes(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000
    unit++
  }
  const text = unit === 0 || value >= 99.95 ? counts.format(value) : value.toPrecision(value >= 9.995 ? 3 : 2)
  return `${text} ${BYTE_UNITS[unit]}`
}

/** `0.21 s`, `12.3 s`, `4 min 05 s` */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(2)} s`
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
}

/** How long ago something was, in one unit: `45 s`, `12 min`, `5 h`, `40 days`. What is to come has no age. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, ms) / 1000
  if (seconds < 60) return `${Math.floor(seconds)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h`
  return `${formatCount(Math.floor(seconds / 86_400))} days`
}

/** ISO 8601 in UTC, to the millisecond; the number itself where no calendar reaches. */
export function formatTime(timestamp: number): string {
  const date = new Date(timestamp)
  return Number.isNaN(date.getTime()) ? String(timestamp) : date.toISOString()
}

const ISO_TIME = /^[+-]?\d{4,6}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$/i

/**
 * Reads an ISO 8601 date or time; one without a zone is UTC.
 *
 * @returns milliseconds since the epoch, or null for any other text
 */
export function parseTime(text: string): number | null {
  const parts = ISO_TIME.exec(text)
  if (parts === null) return null
  const zone = parts[4] ?? 'Z'
  const fullZone = /^[+-]\d{2}$/.test(zone) ? `${zone}:00` : zone.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2')
  const time =
    parts[1] === undefined ? `${text}T00:00Z` : `${text.slice(0, text.length - (parts[4]?.length ?? 0))}${fullZone}`
  const timestamp = Date.parse(time.replace(',', '.').toUpperCase())
  return Number.isNaN(timestamp) ? null : timestamp
}

/** One line of figures: `1,707 records, 1.2 MB in 0.21 s (8,129 records/s)`. */
export function formatRate(records: number, bytes: number, seconds: number): string {
  const rate = formatCount(records / Math.max(seconds, 0.001))
  return `${countOf(records, 'record')}, ${formatBytes(bytes)} in ${formatSeconds(seconds)} (${rate} records/s)`
}
