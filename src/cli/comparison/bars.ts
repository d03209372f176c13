import { formatShort } from './figures.ts'
import type { Ink } from './ink.ts'
import { describeInFlight } from './loads.ts'
import { LOSS_STYLE, lossInShort, lossKind } from './loss-text.ts'
import type { Comparison, LoadSummary } from './summary.ts'

const NAME_WIDTH = 16
const RATE_WIDTH = 9
const LOSS_WIDTH = 26
/** A block and its eighths, from none to seven. */
const FULL = '█'
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** Decades that hold all rates of a comparison: powers of ten. */
export function decades({ floor, loads }: Comparison): { first: number; last: number } {
  const logs = [floor, ...loads].map(({ recordsPerSecond }) => Math.log10(Math.max(recordsPerSecond.median, 1)))
  const first = Math.floor(Math.min(...logs))
  return { first, last: Math.max(Math.ceil(Math.max(...logs)), first + 1) }
}

/** Speed beside loss, as bars of text on a logarithmic scale: lines of text. */
export function comparisonBars(comparison: Comparison, columns: number, ink: Ink): string[] {
  const { floor, loads } = comparison
  const { first, last } = decades(comparison)
  const width = columns - NAME_WIDTH - RATE_WIDTH - LOSS_WIDTH
  const row = (load: LoadSummary) => {
    const { median } = load.recordsPerSecond
    const length = ((Math.log10(Math.max(median, 1)) - first) / (last - first)) * width
    const style = LOSS_STYLE[lossKind(load)]
    const picture = `${bar(length).padEnd(width)}`
    const name = `  ${load.name}`.padEnd(NAME_WIDTH)
    const rate = formatShort(median).padStart(RATE_WIDTH)
    return `${name}${ink(style, picture)}${rate}  ${ink(style, lossText(load))}`
  }
  const lines = [
    ink('dim', `${' '.repeat(NAME_WIDTH)}${'records/s, log scale'.padEnd(width + RATE_WIDTH)}  a power cut costs`),
    row(floor),
  ]
  for (const inFlight of new Set(loads.map((load) => load.inFlight))) {
    lines.push(ink('bold', describeInFlight(inFlight)))
    lines.push(...loads.filter((load) => load.inFlight === inFlight).map(row))
  }
  lines.push(ink('dim', `${' '.repeat(NAME_WIDTH)}${axis(first, last, width)}`))
  return lines
}

function lossText(load: LoadSummary): string {
  const kind = lossKind(load)
  if (kind === 'nothing') return 'nothing'
  if (kind === 'unbounded') return 'no bound'
  return `${lossInShort(load)}, ${formatShort(load.loss.records)} records`
}

function bar(length: number): string {
  const eighths = Math.max(Math.round(length * 8), 1)
  return FULL.repeat(eighths >> 3) + EIGHTHS[eighths & 7]
}

/** `1 k      10 k      100 k      1 M`: each decade under the place it stands for. */
function axis(first: number, last: number, width: number): string {
  let line = ''
  for (let decade = first; decade < last; decade++) {
    const at = Math.round(((decade - first) / (last - first)) * width)
    if (line.length <= at) line = `${line.padEnd(at)}╵${formatDecade(10 ** decade)} `
  }
  return line.trimEnd()
}

/** `1`, `10 k`, `1 M` */
export function formatDecade(value: number): string {
  if (value >= 1e6) return `${value / 1e6} M`
  return value >= 1e3 ? `${value / 1e3} k` : String(value)
}
