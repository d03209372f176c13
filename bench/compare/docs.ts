import { readFileSync, writeFileSync } from 'node:fs'
import { OURS } from './peers.ts'
import type { PeerResult, Results } from './results.ts'
import { describe, describeFailure, describeLatency, describeSpread, peersOf } from './tables.ts'
import { best, overlaps, ratio, WORKLOADS, type Workload } from './workloads.ts'

const DOCS = new URL('../../docs/peers.md', import.meta.url)
const RESULTS = new URL('../results/peers.json', import.meta.url)
/** Rounds of one peer that differ more than this tell of other work on the machine. */
const CALM_SPREAD_MAX = 2
const [START, END] = ['<!-- figures -->', '<!-- end of figures -->']

/** Writes what was measured between the markers of docs/peers.md. */
export function writeDocs(): void {
  const results = JSON.parse(readFileSync(RESULTS, 'utf8')) as Results
  const text = readFileSync(DOCS, 'utf8')
  const [start, end] = [text.indexOf(START), text.indexOf(END)]
  if (start < 0 || end < start) throw new Error(`docs/peers.md has no ${START} ... ${END}`)
  const figures = figuresOf(results).join('\n\n')
  writeFileSync(DOCS, `${text.slice(0, start + START.length)}\n\n${figures}\n\n${text.slice(end)}`)
}

function figuresOf(results: Results): string[] {
  const { date, machine, node, commit, rounds, seconds, records } = results
  const sizes = [...new Set(WORKLOADS.map(({ recordBytes }) => recordBytes))]
  const read = sizes.map((size) => `${records[size].toLocaleString('en')} records of ${size} B`).join(' and ')
  return [
    `Measured on ${date.slice(0, 10)}: ${machine}, Node ${node.slice(1)}, Varve at ${commit ?? 'an unknown commit'}. ` +
      `Medians of ${rounds} interleaved rounds, with the least and the greatest; ${seconds} s each; read were ${read}.`,
    describeCalm(results),
    '### Varve beside the best of the others',
    ratioTable(results),
    '### Where another is faster or takes less',
    losses(results),
    ...sizes.flatMap((size) => [
      `### ${size} B: records per second`,
      table(results, size, 'recordsPerSecond', (peer) => describeSpread('recordsPerSecond', peer.recordsPerSecond!)),
      `### ${size} B: time to the acknowledgement or the record, p50 / p99`,
      table(results, size, 'recordsPerSecond', ({ latencyUs }) => latencyUs && describeLatency(latencyUs)),
    ]),
    '### Opening, and memory of a replay',
    smallTable(results),
    '### Syncs counted',
    durabilityTable(results),
    ...(results.failures.length > 0
      ? ['### Failed', results.failures.map((failure) => `- ${describeFailure(failure)}`).join('\n')]
      : []),
  ]
}

function ratioTable(results: Results): string {
  const rows = WORKLOADS.flatMap((workload) => {
    const { ours, other } = contestants(results, workload)
    if (ours === undefined || other === undefined) return []
    const { name, recordBytes, metric } = workload
    const figures = [ours, other].map((peer) => describe(metric, peer[metric]!.median))
    return [
      [name, `${recordBytes} B`, figures[0], `${other.name} ${figures[1]}`, ratio(metric, ours, other).toFixed(2)],
    ]
  })
  return markdown(['workload', 'records', 'Varve', 'best of the others', 'times better'], rows)
}

function losses(results: Results): string {
  const lines = WORKLOADS.flatMap((workload) => {
    const { metric } = workload
    const peers = peersOf(results, workload)
    const { ours } = contestants(results, workload)
    const better = peers.filter((peer) => ours !== undefined && peer !== ours && ratio(metric, ours, peer) < 1)
    const named = better.map((peer) => `${peer.name} by ${factor(metric, peer, ours!)}`)
    return named.length === 0 ? [] : [`- ${workload.name}, ${workload.recordBytes} B: ${named.join(', ')}`]
  })
  return lines.length === 0 ? 'Nowhere in this run.' : lines.join('\n')
}

/** How many times better, and whether that is sure. */
function factor(metric: Workload['metric'], one: PeerResult, other: PeerResult): string {
  const isSure = !overlaps(metric, one, other)
  return `${ratio(metric, one, other).toFixed(2)}${isSure ? '' : ' ~'}`
}

function describeCalm(results: Results): string {
  const shares = WORKLOADS.filter(({ metric }) => metric === 'recordsPerSecond').map((workload) => {
    const spreads = peersOf(results, workload).map(({ recordsPerSecond }) => recordsPerSecond!)
    const wild = spreads.filter(({ min, max }) => max > CALM_SPREAD_MAX * min)
    return { workload, wild: wild.length, all: spreads.length }
  })
  const noisy = shares.filter(({ wild, all }) => wild * 2 > all)
  const about = '"~" marks a ratio of two whose rounds reach into each other: their order may be chance.'
  if (noisy.length === 0) return about
  const named = noisy.map(({ workload }) => `${workload.name} ${workload.recordBytes} B`).join(', ')
  return (
    `${about} **The machine did other work meanwhile**: the best round of most peers is more than twice their worst in ` +
    `${named}. Those say little.`
  )
}

function contestants(results: Results, workload: Workload): { ours?: PeerResult; other?: PeerResult } {
  const peers = peersOf(results, workload)
  const others = peers.filter(({ name }) => name !== OURS)
  return { ours: peers.find(({ name }) => name === OURS), other: best(workload.metric, others) }
}

function table(
  results: Results,
  recordBytes: number,
  metric: Workload['metric'],
  cell: (peer: PeerResult) => string | undefined,
): string {
  const columns = WORKLOADS.filter((workload) => workload.recordBytes === recordBytes && workload.metric === metric)
  const used = columns.filter((column) => peersOf(results, column).some((peer) => cell(peer) !== undefined))
  return tableOf(
    results,
    used.map(({ name }) => name),
    used.map((workload) => (name) => {
      const peer = peersOf(results, workload).find((one) => one.name === name)
      return (peer && cell(peer)) ?? '-'
    }),
  )
}

function smallTable(results: Results): string {
  const columns = WORKLOADS.filter(({ metric }) => metric !== 'recordsPerSecond')
  return tableOf(
    results,
    columns.map(({ name, recordBytes }) => `${name}, ${recordBytes} B`),
    columns.map((workload) => (name) => {
      const peer = peersOf(results, workload).find((one) => one.name === name)
      return peer === undefined ? '-' : describeSpread(workload.metric, peer[workload.metric]!)
    }),
  )
}

function tableOf(results: Results, heads: string[], columns: ((peer: string) => string)[]): string {
  const versions = new Map(results.workloads.flatMap(({ peers }) => peers.map(({ name, version }) => [name, version])))
  const rows = [...versions].map(([name, version]) => [`${name} ${version}`, ...columns.map((cell) => cell(name))])
  return markdown(['', ...heads], rows)
}

function durabilityTable({ durability }: Results): string {
  if (durability === null) return 'They were not: strace is missing, so nothing proves what is called durable here.'
  const rows = durability.map(({ name, appends, appendSyncs, batches, batchSyncs, calls, durable }) => [
    name,
    `${appendSyncs} for ${appends}`,
    `${batchSyncs} for ${batches}`,
    calls.join(', '),
    durable ? 'yes' : 'no: its durable cells are left out',
  ])
  return markdown(['', 'single appends', 'batches of 1,000', 'calls', 'durable'], rows)
}

function markdown(heads: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}
