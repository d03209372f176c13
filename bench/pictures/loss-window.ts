import type { TopLevelSpec } from 'vega-lite'
import { formatMicroseconds } from '../../src/cli/comparison/figures.ts'
import type { BenchDocument } from '../document.ts'
import { formatSize } from '../figures.ts'
import type { Measured } from '../workload.ts'
import {
  COUNT_LABELS,
  logRange,
  metricOf,
  provenance,
  resultsOf,
  shortRate,
  TIME_LABELS,
  type LogRange,
} from './figures.ts'
import { colours, config, type Layer } from './render.ts'

const WIDTH = 800
const RATE_HEIGHT = 250
const LATENCY_HEIGHT = 190
/** Where the lines are far enough from one another to carry their names. */
const NAMED_COLUMN = 3
/** Of a column: keeps the two latencies of a mode apart. */
const LATENCY_SHIFT = 0.17
/** The first one moves aside: there the lines begin together and part steeply. */
const LABEL_PLACE = 'datum.column === 0 ? datum.x - 0.2 : datum.x'

/** What a power cut costs, from left to right. */
const KINDS = [
  { kind: 'nothing', text: 'a power cut loses nothing', colour: colours.nothing.light },
  { kind: 'bounded', text: 'a power cut loses at most the window', colour: colours.bounded.light },
  { kind: 'unbounded', text: 'no bound', colour: colours.unbounded.light },
] as const

interface Point {
  /** The flush mode: which column. */
  column: number
  series: string
  rate: number
  rateLabel: string
  p50: number
  p99: number
  p50Label: string
}

/** Throughput and latency against the loss window: what a program may choose, from losing nothing to no bound. */
export function lossWindowPicture(document: BenchDocument): TopLevelSpec {
  const [result] = resultsOf(document, 'loss-window')
  const timed = result.variants.filter(({ metrics }) => metrics.recordsPerSecond !== undefined)
  const modes = [...new Set(timed.map(({ flush }) => flush!))]
  const points = timed.map((measured) => pointOf(measured, modes))
  const many = points.at(-1)!.series
  const bands = KINDS.map(({ kind, text, colour }) => {
    const columns = modes.flatMap((mode, column) => (kindOf(mode) === kind ? [column] : []))
    return { from: columns[0], to: columns.at(-1)! + 1, text, colour }
  })
  const color = {
    field: 'series',
    type: 'nominal',
    scale: { domain: [many, points[0].series], range: [colours.ours.light, colours.oursToo.light] },
    legend: null,
  } as const
  const names = JSON.stringify(modes.map((mode) => (typeof mode === 'number' ? `${mode} ms` : `'${mode}'`)))
  const xScale = { domain: [0, modes.length], nice: false, zero: false }
  const x = (labels: boolean) =>
    ({
      field: 'x',
      type: 'quantitative',
      scale: xScale,
      axis: {
        title: null,
        grid: false,
        labels,
        values: modes.map((_, i) => i + 0.5),
        labelExpr: `${names}[floor(datum.value)]`,
        labelColor: colours.ink.light,
        labelFontSize: 15,
        labelFontWeight: 600,
      },
    }) as const
  const logarithmic = (field: string, { domain, ticks }: LogRange, labelExpr: string) =>
    ({
      field,
      type: 'quantitative',
      scale: { type: 'log', domain },
      axis: { title: null, values: ticks, labelExpr },
    }) as const
  const rate = logarithmic(
    'rate',
    logRange(
      points.map((point) => point.rate),
      4,
      20,
    ),
    COUNT_LABELS,
  )
  const latencies = logRange(
    points.flatMap(({ p50, p99 }) => [p50, p99]),
    7,
    2,
  )
  const bandRects = {
    data: { values: bands },
    mark: 'rect',
    encoding: {
      x: { field: 'from', type: 'quantitative', scale: xScale },
      x2: { field: 'to' },
      color: { field: 'colour', type: 'nominal', scale: null },
    },
  } as const
  const shifted = (by: number) => [
    { calculate: `datum.column + 0.5 + (datum.series === '${many}' ? ${by} : ${-by})`, as: 'x' },
  ]
  const rateLabels = (series: string, dy: number): Layer => ({
    transform: [{ filter: `datum.series === '${series}'` }, ...shifted(0), { calculate: LABEL_PLACE, as: 'x' }],
    mark: { type: 'text', dy, fontWeight: 600, fontSize: 14 },
    encoding: { x: x(false), y: rate, text: { field: 'rateLabel' }, color },
  })
  const seriesNames = (series: string, dy: number): Layer => ({
    transform: [{ filter: `datum.series === '${series}' && datum.column === ${NAMED_COLUMN}` }, ...shifted(0)],
    mark: { type: 'text', dy, fontSize: 13 },
    encoding: { x: x(false), y: rate, text: { field: 'series' }, color },
  })
  return {
    title: {
      text: 'What durability costs, and what a loss window buys',
      subtitle: `Appends of ${formatSize(result.recordBytes)} to one partition under each flush mode. ${provenance(document)}.`,
    },
    data: { values: points },
    spacing: 14,
    vconcat: [
      {
        width: WIDTH,
        height: RATE_HEIGHT,
        title: panelTitle('records acknowledged per second'),
        layer: [
          bandRects,
          { transform: shifted(0), mark: { type: 'line', strokeWidth: 3 }, encoding: { x: x(false), y: rate, color } },
          {
            transform: shifted(0),
            mark: { type: 'point', size: 90, filled: true, opacity: 1 },
            encoding: { x: x(false), y: rate, color },
          },
          {
            data: { values: bands.map((band) => ({ ...band, middle: (band.from + band.to) / 2 })) },
            mark: { type: 'text', fontWeight: 600, fontSize: 14 },
            encoding: { x: { ...x(false), field: 'middle' }, y: { value: 18 }, text: { field: 'text' } },
          },
          rateLabels(many, -16),
          rateLabels(points[0].series, 18),
          seriesNames(many, -36),
          seriesNames(points[0].series, 38),
        ],
      },
      {
        width: WIDTH,
        height: LATENCY_HEIGHT,
        title: panelTitle('time until an append is acknowledged: median (dot) to 99th percentile (line)'),
        layer: [
          bandRects,
          {
            transform: shifted(LATENCY_SHIFT),
            mark: { type: 'rule', strokeWidth: 4, opacity: 0.45 },
            encoding: { x: x(true), y: logarithmic('p50', latencies, TIME_LABELS), y2: { field: 'p99' }, color },
          },
          {
            transform: shifted(LATENCY_SHIFT),
            mark: { type: 'point', size: 90, filled: true, opacity: 1 },
            encoding: { x: x(true), y: logarithmic('p50', latencies, TIME_LABELS), color },
          },
          {
            transform: shifted(LATENCY_SHIFT),
            mark: { type: 'text', dy: 16, fontSize: 12, fontWeight: 600 },
            encoding: {
              x: x(true),
              y: logarithmic('p50', latencies, TIME_LABELS),
              text: { field: 'p50Label' },
              color,
            },
          },
        ],
      },
    ],
    config,
  }
}

function panelTitle(text: string) {
  return { text, fontSize: 13, fontWeight: 'normal', color: colours.faint.light, offset: 6 } as const
}

function kindOf(flush: string | number): (typeof KINDS)[number]['kind'] {
  if (typeof flush === 'number') return 'bounded'
  return flush === 'os' ? 'unbounded' : 'nothing'
}

function pointOf(measured: Measured, modes: readonly (string | number)[]): Point {
  const rate = metricOf(measured, 'recordsPerSecond').median
  const p50 = metricOf(measured, 'latencyP50Us').median
  return {
    column: modes.indexOf(measured.flush!),
    series: measured.inFlight === 1 ? 'one append at a time' : `${measured.inFlight} appends in flight`,
    rate,
    rateLabel: shortRate(rate),
    p50,
    p99: metricOf(measured, 'latencyP99Us').median,
    p50Label: formatMicroseconds(p50),
  }
}
