/** Figures short enough for tables and pictures: three digits and a unit. */

const RATE_UNITS = ['', ' k', ' M', ' G']
const TIME_UNITS: [string, number][] = [
  ['µs', 1],
  ['ms', 1e3],
  ['s', 1e6],
]

/** `951`, `9.81 k`, `1.31 M`; of numbers below ten, one decimal. */
export function formatShort(value: number): string {
  let unit = 0
  let scaled = value
  while (scaled >= 999.5 && unit < RATE_UNITS.length - 1) {
    scaled /= 1000
    unit++
  }
  return `${threeDigits(scaled, unit === 0)}${RATE_UNITS[unit]}`
}

/** `83 µs`, `4.21 ms`, `1.20 s` */
export function formatMicroseconds(us: number): string {
  const [unit, size] = TIME_UNITS.findLast(([, each]) => us >= each * 0.9995) ?? TIME_UNITS[0]
  return `${threeDigits(us / size, size === 1)} ${unit}`
}

/** `93 %`; `less than 1 %` */
export function formatPercent(share: number): string {
  const percent = Math.round(share * 100)
  return percent < 1 ? 'less than 1 %' : `${percent} %`
}

function threeDigits(value: number, isWhole: boolean): string {
  if (isWhole) return value < 10 && value % 1 !== 0 ? value.toFixed(1) : value.toFixed(0)
  if (value >= 99.95) return value.toFixed(0)
  return value.toFixed(value >= 9.995 ? 1 : 2)
}
