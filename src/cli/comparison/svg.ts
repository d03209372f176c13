import { formatBytes, formatCount } from '../units.ts'
import { decades, formatDecade } from './bars.ts'
import { formatMicroseconds, formatShort } from './figures.ts'
import { MANY, describeInFlight } from './loads.ts'
import { lossInShort, lossKind, type LossKind } from './loss-text.ts'
import type { Comparison, LoadSummary } from './summary.ts'

const WIDTH = 960
const HEIGHT = 560
const PLOT = { left: 92, right: 900, top: 128, bottom: 420 }

/** From left to right: what a power cut costs, from nothing to everything. */
const PLACES = ['each', 'group', 'window 1 ms', 'window 10 ms', 'window 100 ms', 'os']
const STEP = (PLOT.right - PLOT.left) / PLACES.length

/** A power cut costs: so much, over so many places, in this colour. */
const BANDS: { kind: LossKind; text: string; fill: string }[] = [
  { kind: 'nothing', text: 'nothing', fill: '#e6f4ea' },
  { kind: 'bounded', text: 'at most the window', fill: '#fff4d6' },
  { kind: 'unbounded', text: 'no bound', fill: '#fde7e4' },
]
const LINES = [
  { inFlight: MANY, colour: '#1a5fb4', above: true },
  { inFlight: 1, colour: '#b45309', above: false },
]
const INK = '#1f2328'
const FAINT = '#59636e'

/** Throughput against loss as a picture: an SVG document. */
export function comparisonSvg(comparison: Comparison): string {
  const scale = verticalScale(comparison)
  const { syncUs, recordBytes, rounds, floor } = comparison
  const medians = `medians of ${rounds === 1 ? '1 round' : `${rounds} rounds`}`
  const subtitle = `A sync takes ${formatMicroseconds(syncUs.p50)} here. Values of ${formatCount(recordBytes)} B, ${medians}.`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img"`,
    `  font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="14" fill="${INK}">`,
    '<title>Varve: speed of each flush mode against what a power cut costs</title>',
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(24, 40, 'What durability costs on this disk, and what a loss window buys', 'font-size="21" font-weight="600"'),
    text(24, 64, `Records acknowledged per second. ${subtitle}`, `fill="${FAINT}"`),
    ...bands(),
    ...grid(comparison, scale),
    line(
      PLOT.left,
      scale(floor.recordsPerSecond.median),
      PLOT.right,
      scale(floor.recordsPerSecond.median),
      FAINT,
      '5 5',
    ),
    text(PLOT.right + 4, scale(floor.recordsPerSecond.median) - 4, 'bare', `font-size="12" fill="${FAINT}"`),
    text(PLOT.right + 4, scale(floor.recordsPerSecond.median) + 11, 'loop', `font-size="12" fill="${FAINT}"`),
    ...LINES.flatMap((series) => seriesPicture(comparison, scale, series)),
    ...places(comparison),
    '</svg>',
    '',
  ].join('\n')
}

function verticalScale(comparison: Comparison): (rate: number) => number {
  const { first, last } = decades(comparison)
  return (rate) => PLOT.bottom - ((Math.log10(Math.max(rate, 1)) - first) / (last - first)) * (PLOT.bottom - PLOT.top)
}

function bands(): string[] {
  return BANDS.flatMap(({ kind, text: label, fill }) => {
    const at = PLACES.map((_, i) => i).filter((i) => kindOf(PLACES[i]) === kind)
    const x = PLOT.left + at[0] * STEP
    const width = at.length * STEP
    const top = PLOT.top - 36
    return [
      `<rect x="${round(x)}" y="${top}" width="${round(width)}" height="${PLOT.bottom - top}" fill="${fill}"/>`,
      text(
        x + width / 2,
        PLOT.top - 16,
        kind === 'nothing' ? `a power cut costs ${label}` : label,
        'text-anchor="middle" font-weight="600"',
      ),
    ]
  })
}

function kindOf(name: string): LossKind {
  if (name === 'os') return 'unbounded'
  return name.startsWith('window') ? 'bounded' : 'nothing'
}

function grid(comparison: Comparison, scale: (rate: number) => number): string[] {
  const { first, last } = decades(comparison)
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i)).flatMap((rate) => [
    line(PLOT.left, scale(rate), PLOT.right, scale(rate), '#ffffff'),
    text(PLOT.left - 10, scale(rate) + 5, formatDecade(rate), `text-anchor="end" fill="${FAINT}"`),
  ])
}

/** One line through the modes with so many in flight, each point with its rate. */
function seriesPicture(
  { loads }: Comparison,
  scale: (rate: number) => number,
  series: (typeof LINES)[number],
): string[] {
  const { inFlight, colour, above } = series
  const points = loads
    .filter((load) => load.inFlight === inFlight)
    .map((load) => ({ load, x: placeOf(load), y: scale(load.recordsPerSecond.median) }))
  const path = points.map(({ x, y }) => `${round(x)},${round(y)}`).join(' ')
  const [first] = points
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2.5" stroke-linejoin="round"/>`,
    ...points.flatMap(({ load, x, y }) => [
      `<circle cx="${round(x)}" cy="${round(y)}" r="5" fill="${colour}" stroke="#ffffff" stroke-width="1.5"/>`,
      text(
        x,
        above ? y - 12 : y + 22,
        formatShort(load.recordsPerSecond.median),
        `text-anchor="middle" fill="${colour}" font-weight="600"`,
      ),
    ]),
    above
      ? text(
          first.x - 14,
          first.y + 5,
          describeInFlight(inFlight),
          `text-anchor="end" fill="${colour}" font-weight="600"`,
        )
      : text(PLOT.left + 10, first.y - 14, describeInFlight(inFlight), `fill="${colour}" font-weight="600"`),
  ]
}

/** Under each place its mode, and what was at risk at the worst moment. */
function places({ loads }: Comparison): string[] {
  return [
    ...PLACES.flatMap((name, i) => {
      const x = PLOT.left + (i + 0.5) * STEP
      const load = loads.findLast((each) => each.name === name)!
      const lost =
        lossKind(load) === 'nothing'
          ? ['0 records']
          : [lossInShort(load), `${formatShort(load.loss.records)} records`, formatBytes(load.loss.bytes)]
      return [
        text(x, PLOT.bottom + 24, name, 'text-anchor="middle" font-weight="600"'),
        ...lost.map((what, row) => text(x, PLOT.bottom + 46 + row * 18, what, `text-anchor="middle" fill="${FAINT}"`)),
      ]
    }),
    text(
      24,
      PLOT.bottom + 126,
      `Below the modes: what was at risk at the worst moment, with ${MANY} appends in flight.`,
      `font-size="12" fill="${FAINT}"`,
    ),
  ]
}

function placeOf(load: LoadSummary): number {
  return PLOT.left + (PLACES.indexOf(load.name) + 0.5) * STEP
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped}</text>`
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string, dashes?: string): string {
  const dashed = dashes === undefined ? '' : ` stroke-dasharray="${dashes}"`
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}"${dashed}/>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
