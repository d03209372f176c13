import Table from 'cli-table3'
import { PLAIN } from '../src/cli/table.ts'
import { formatMetric, formatRatio, formatSize } from './figures.ts'
import type { Judged, Result } from './judge.ts'
import type { Measured, Metric, Spread } from './workload.ts'

interface Column {
  head: string
  cell: (measured: Measured) => string | undefined
}

const middle = (metric: Metric, head: string): Column => ({
  head,
  cell: ({ metrics }) => metrics[metric] && formatMetric(metric, metrics[metric].median),
})
const worst = (metric: Metric, head: string): Column => ({
  head,
  cell: ({ metrics }) => metrics[metric] && formatMetric(metric, metrics[metric].max),
})
const range = (metric: Metric, head: string): Column => ({
  head,
  cell: ({ metrics }) => metrics[metric] && formatRange(metrics[metric], (value) => formatMetric(metric, value)),
})

const COLUMNS: Column[] = [
  { head: '', cell: ({ variant }) => variant },
  middle('recordsPerSecond', 'records/s'),
  range('recordsPerSecond', 'min - max'),
  {
    head: 'varve is',
    cell: ({ ratio }) => ratio && `${formatRatio(ratio.median)} x (${formatRange(ratio, formatRatio)})`,
  },
  middle('ms', 'time'),
  range('ms', 'min - max'),
  middle('scannedBytes', 'scanned'),
  middle('megabytesPerSecond', 'MB/s'),
  middle('latencyP50Us', 'p50'),
  middle('latencyP99Us', 'p99'),
  worst('latencyMaxUs', 'max'),
  middle('syncsPerSecond', 'syncs/s'),
  middle('cpuUsPerRecord', 'CPU/record'),
  worst('peakRssBytes', 'memory'),
  middle('rssGrowth', 'growth'),
  middle('loopDelayP99Ms', 'loop p99'),
  worst('movedPartitions', 'moved'),
  worst('movedAgainstLeast', 'of the least'),
  worst('topicBytes', 'topic'),
  worst('offsetsBytes', 'offsets'),
  worst('loopDelayMaxMs', 'loop max'),
  worst('lossMs', 'lost: time'),
  worst('lossRecords', 'records'),
  worst('lossBytes', 'size'),
]

/** No lines around cells: figures need no boxes. */
export const CHARACTERS = { ...PLAIN, left: '  ' }

/** A result as lines of text: what was measured of each variant, and each goal. */
export function describeResult(result: Result): string[] {
  const { workload, recordBytes, detail, variants, goals } = result
  const columns = COLUMNS.filter(({ cell }) => variants.some((measured) => cell(measured) !== undefined))
  const table = new Table({
    head: columns.map(({ head }) => head),
    colAligns: columns.map((_, i) => (i === 0 ? 'left' : 'right')),
    chars: CHARACTERS,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  })
  for (const measured of variants) table.push(columns.map(({ cell }) => cell(measured) ?? ''))
  const size = recordBytes === 0 ? [] : [formatSize(recordBytes)]
  const title = [workload, ...size, ...(detail === undefined ? [] : [detail])].join(', ')
  return [title, table.toString().replaceAll(/ +$/gm, ''), ...goals.map((goal) => `  ${describeGoal(goal)}`), '']
}

/** `✓ 0.92 of R5, wanted: at least 0.90` */
export function describeGoal({ metric, variant, floor, atLeast, atMost, value, met, blunder }: Judged): string {
  const format = (found: number) => (floor === undefined ? formatMetric(metric, found) : formatRatio(found))
  const wanted = atLeast === undefined ? `at most ${format(atMost!)}` : `at least ${format(atLeast)}`
  const mark = met ? '✓' : blunder ? '✗ far off:' : '✗'
  return `${mark} ${[format(value), ...whatIsJudged(metric, variant, floor)].join(' ')}, wanted: ${wanted}`
}

function whatIsJudged(metric: Metric, variant: string | undefined, floor: string | undefined): string[] {
  const whose = variant === undefined ? [] : [`(${variant})`]
  if (floor !== undefined) return [`of ${OF_FLOOR[metric] ?? ''}${floor}`, ...whose]
  return [...(NAMES[metric] === undefined ? [] : [NAMES[metric]]), ...whose]
}

const OF_FLOOR: { [metric in Metric]?: string } = {
  latencyP50Us: 'the median wait of ',
  recordsPerSync: 'the records per sync of ',
  topicBytes: 'the bytes of ',
}

const NAMES: { [metric in Metric]?: string } = {
  recordsPerSecond: 'records/s',
  loopDelayP99Ms: 'event loop delay p99',
  loopDelayMaxMs: 'greatest event loop delay',
  lossMs: 'of acknowledged records at risk',
  peakRssBytes: 'resident',
  rssGrowth: 'growth of memory',
  movedAgainstLeast: 'times the fewest that can move',
}

function formatRange({ min, max }: Spread, format: (value: number) => string): string | undefined {
  return `${format(min)} - ${format(max)}`
}
