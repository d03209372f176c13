import { formatBytes, formatCount } from '../units.ts'
import { formatMicroseconds, formatShort } from './figures.ts'
import type { Ink } from './ink.ts'
import { describeInFlight } from './loads.ts'
import { LOSS_STYLE, lossInShort, lossKind } from './loss-text.ts'
import type { Comparison, LoadSummary } from './summary.ts'

interface Column {
  head: string
  width: number
  cell: (load: LoadSummary) => string
  /** Left out where there is no room for all. */
  optional?: boolean
}

const NAME_WIDTH = 17
const lost = (load: LoadSummary, text: (load: LoadSummary) => string) =>
  lossKind(load) === 'nothing' ? '' : text(load)

const SPEED: Column[] = [
  { head: 'records/s', width: 9, cell: (load) => formatShort(load.recordsPerSecond.median) },
  { head: 'MB/s', width: 7, cell: (load) => load.megabytesPerSecond.toPrecision(3).slice(0, 5), optional: true },
]
const LATENCY: Column[] = [
  { head: 'p50', width: 9, cell: (load) => formatMicroseconds(load.latencyUs.p50) },
  { head: 'p99', width: 8, cell: (load) => formatMicroseconds(load.latencyUs.p99) },
  { head: 'max', width: 8, cell: (load) => formatMicroseconds(load.latencyUs.max) },
]
const SYNCS: Column[] = [
  {
    head: 'syncs/s',
    width: 9,
    cell: (load) => formatCount((load.fdatasyncs / load.records) * load.recordsPerSecond.median),
  },
]
const LOSS: Column[] = [
  { head: 'time', width: 9, cell: lossInShort },
  { head: 'records', width: 9, cell: (load) => lost(load, ({ loss }) => formatShort(loss.records)) },
  { head: 'size', width: 8, cell: (load) => lost(load, ({ loss }) => formatBytes(loss.bytes)), optional: true },
]

/** The figures of all loads as a table: lines of text. */
export function comparisonTable({ floor, loads }: Comparison, columns: number, ink: Ink): string[] {
  const groups = [SPEED, LATENCY, SYNCS, LOSS]
  const fits = NAME_WIDTH + widthOf(groups.flat()) <= columns
  const shown = fits ? groups : groups.map((group) => group.filter(({ optional }) => !optional))
  const row = (load: LoadSummary) => {
    const [speed, latency, syncs, loss] = shown.map((group) =>
      group.map(({ width, cell }) => cell(load).padStart(width)).join(''),
    )
    return `${`  ${load.name}`.padEnd(NAME_WIDTH)}${ink('bold', speed)}${latency}${syncs}${ink(LOSS_STYLE[lossKind(load)], loss)}`
  }
  const titles = ['', 'acknowledged after', '', 'a power cut costs']
  const lines = [
    ink('dim', `${' '.repeat(NAME_WIDTH)}${shown.map((group, i) => titles[i].padStart(widthOf(group))).join('')}`),
    ink(
      'dim',
      `${' '.repeat(NAME_WIDTH)}${shown
        .flat()
        .map(({ head, width }) => head.padStart(width))
        .join('')}`,
    ),
    row(floor),
  ]
  for (const inFlight of new Set(loads.map((load) => load.inFlight))) {
    lines.push(ink('bold', describeInFlight(inFlight)))
    lines.push(...loads.filter((load) => load.inFlight === inFlight).map(row))
  }
  return lines
}

/** What the table does not say by itself. */
export function tableNotes({ loads, rounds, recordBytes }: Comparison): string {
  const notes = [
    `Medians of ${rounds === 1 ? '1 round' : `${rounds} rounds`}, values of ${formatCount(recordBytes)} B; ` +
      'the worst loss and latency of all.',
  ]
  if (loads.some(({ flush, checkpointSyncs }) => flush === 'os' && checkpointSyncs > 0)) {
    notes.push("The few syncs of 'os' are of checkpoints, which keep offsets from being given out twice.")
  }
  if (loads.some(exceedsWindow)) {
    notes.push('A time beyond its window is one for which this process waited for a processor; syncs go on meanwhile.')
  }
  return notes.join(' ')
}

function widthOf(columns: Column[]): number {
  return columns.reduce((sum, { width }) => sum + width, 0)
}

function exceedsWindow({ flush, loss }: LoadSummary): boolean {
  return typeof flush === 'object' && flush !== null && loss.ms > flush.ms * 1.1
}
