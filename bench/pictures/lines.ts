import type { TopLevelSpec } from 'vega-lite'
import { COUNT_LABELS, logRange, shortRate, type LogRange } from './figures.ts'
import { colours, config, type Layer } from './render.ts'
import type { Spread } from '../workload.ts'

const WIDTH = 760
const HEIGHT = 300
const LABEL_HEIGHT = 18

/** One line of a picture. */
export interface Line {
  name: string
  colour: string
  /** Dashed and without labels. */
  isFloor: boolean
  points: { x: string; rate: Spread }[]
}

/** Rates as lines over some steps: medians, the range from the least to the greatest behind them. */
export function linesPicture(
  { title, subtitle, xTitle }: { title: string; subtitle: string; xTitle: string },
  lines: readonly Line[],
): TopLevelSpec {
  const steps = lines[0].points.map(({ x }) => x)
  const rows = lines.flatMap(({ name, isFloor, points }) =>
    points.map(({ x, rate }, step) => ({
      series: name,
      isFloor,
      isHighest: isHighest(lines, name, step),
      x,
      rate: rate.median,
      min: rate.min,
      max: rate.max,
      label: shortRate(rate.median),
    })),
  )
  const range = logRange(
    rows.flatMap(({ min, max }) => [min, max]),
    1.6,
    1.6,
  )
  const { domain, ticks } = range
  const x = {
    field: 'x',
    type: 'ordinal',
    sort: null,
    scale: { domain: steps },
    axis: { title: xTitle, labelAngle: 0, grid: false, labelColor: colours.ink.light, titlePadding: 10 },
  } as const
  const scale = { type: 'log', domain } as const
  const axis = { title: null, values: ticks, labelExpr: COUNT_LABELS } as const
  const y = { field: 'rate', type: 'quantitative', scale, axis } as const
  const color = {
    field: 'series',
    type: 'nominal',
    scale: { domain: lines.map(({ name }) => name), range: lines.map(({ colour }) => colour) },
    legend: null,
  } as const
  const ends = endLabels(lines, range)
  const labels = (isHighest: boolean, dy: number): Layer => ({
    transform: [{ filter: `!datum.isFloor && datum.isHighest === ${isHighest}` }],
    mark: { type: 'text', dy, fontWeight: 600 },
    encoding: { x, y, text: { field: 'label' }, color },
  })
  return {
    width: WIDTH,
    height: HEIGHT,
    title: { text: title, subtitle },
    data: { values: rows },
    layer: [
      {
        mark: { type: 'area', opacity: 0.14 },
        encoding: { x, y: { ...y, field: 'min' }, y2: { field: 'max' }, color },
      },
      {
        mark: { type: 'line', strokeWidth: 3 },
        encoding: {
          x,
          y,
          color,
          strokeDash: {
            field: 'isFloor',
            type: 'nominal',
            scale: {
              domain: [false, true],
              range: [
                [1, 0],
                [5, 5],
              ],
            },
            legend: null,
          },
        },
      },
      {
        transform: [{ filter: '!datum.isFloor' }],
        mark: { type: 'point', size: 80, filled: true, opacity: 1 },
        encoding: { x, y, color },
      },
      labels(true, -16),
      labels(false, 18),
      ...ends.map((end): Layer => ({
        data: { values: [end] },
        mark: { type: 'text', align: 'left', dx: 34, dy: end.down, fontWeight: 600, fontSize: 13 },
        encoding: { x, y, text: { field: 'series' }, color },
      })),
    ],
    config,
  }
}

/** Whether a line's label stands above it: lines with labels keep theirs apart, a single one stays clear of the floor. */
function isHighest(lines: readonly Line[], name: string, step: number): boolean {
  const labelled = lines.filter(({ isFloor }) => !isFloor)
  const rivals = labelled.length > 1 ? labelled : lines
  const at = (line: Line) => line.points[step].rate.median
  const highest = rivals.reduce((best, line) => (at(line) > at(best) ? line : best))
  return highest.name === name
}

interface EndLabel {
  series: string
  x: string
  rate: number
  /** Pixels to move it down, so that it does not cover the one above. */
  down: number
}

/** Names at the right ends of the lines, pushed apart where lines end together. */
function endLabels(lines: readonly Line[], { domain }: LogRange): EndLabel[] {
  const perUnit = HEIGHT / Math.log10(domain[1] / domain[0])
  const ends = lines.map(({ name, points }) => ({
    series: name,
    x: points.at(-1)!.x,
    rate: points.at(-1)!.rate.median,
  }))
  let above = -Infinity
  return ends
    .toSorted((a, b) => b.rate - a.rate)
    .map((end) => {
      const at = Math.log10(domain[1] / end.rate) * perUnit
      const place = Math.max(at, above + LABEL_HEIGHT)
      above = place
      return { ...end, down: place - at }
    })
}
