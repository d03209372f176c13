import { formatShort } from '../src/cli/comparison/figures.ts'
import type { BenchDocument } from './document.ts'
import { formatRatio, formatSize } from './figures.ts'
import type { Result } from './judge.ts'

const BEGIN = '<!-- bench: written by `npm run bench:readme` -->'
const END = '<!-- /bench -->'
const CONSUMED_BYTES = 100
const MIB = 1024 * 1024

interface Row {
  workload: string
  /** In the words of the README. */
  title: string
  floor: string
  against: string
}

const ROWS: Row[] = [
  {
    workload: 'fill-os',
    title: '`appendBatch` of 1,000, no sync',
    floor: 'R5',
    against: 'length and CRC-32 per record, one write per batch',
  },
  {
    workload: 'fill-batch',
    title: '`appendBatch` of 1,000, durable each',
    floor: 'R5',
    against: 'the same, and an fdatasync',
  },
  {
    workload: 'fill-group',
    title: '256 appends in flight, durable each',
    floor: 'R3',
    against: 'one write and one fdatasync for all pending',
  },
  {
    workload: 'fill-each',
    title: 'one append at a time, durable each',
    floor: 'R2',
    against: 'one write and one fdatasync per record',
  },
  {
    workload: 'fill-window',
    title: 'one append at a time under `{ ms: 10 }`',
    floor: "'group'",
    against: "one at a time under `'group'`",
  },
  {
    workload: 'replay-batches',
    title: 'replay in batches, checksums verified',
    floor: 'R5',
    against: 'reading the framed log back, CRCs checked',
  },
  { workload: 'replay-records', title: 'replay by `for await`', floor: 'R5', against: 'the same' },
]

/** The README's numbers: a table and what does not fit into one. */
export function numbers(document: BenchDocument): string {
  const { results } = document
  const sizes = [...new Set(results.filter(({ workload }) => workload === 'fill-os').map((each) => each.recordBytes))]
  const lines = [
    `| records per second, and as a multiple of the floor | the floor | ${sizes.map(formatSize).join(' | ')} |`,
    `| --- | --- |${' --- |'.repeat(sizes.length)}`,
    ...ROWS.map(({ workload, title, floor, against }) => {
      const cells = sizes.map((recordBytes) => cell(find(results, workload, recordBytes), floor))
      return `| ${title} | ${against} | ${cells.join(' | ')} |`
    }),
  ]
  return [...lines, '', ...others(document)].join('\n')
}

/** Puts the numbers between the two marks. */
export function rewrite(readme: string, document: BenchDocument): string {
  const begin = readme.indexOf(BEGIN)
  const end = readme.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`README.md lacks the lines ${BEGIN} and ${END}`)
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${numbers(document)}\n\n${readme.slice(end)}`
}

function cell(result: Result, floor: string): string {
  const rate = result.variants[0].metrics.recordsPerSecond!.median
  const { ratio } = result.variants.find(({ variant }) => variant === floor)!
  return `${formatShort(rate)} · ${formatRatio(ratio!.median)} x`
}

function others({ results, machine, fileSystem, node, scale, date }: BenchDocument): string[] {
  const ms = (workload: string) => only(results, workload).variants[0].metrics.ms!.median
  const { peakRssBytes } = only(results, 'replay-memory').variants[0].metrics
  const place = `${machine.cores} x ${machine.processor}`
  const partitions = `Opening 1,000 partitions takes ${ms('open-partitions').toFixed(0)} ms after a close`
  const killed = `${ms('open-partitions-killed').toFixed(0)} ms after a kill`
  const memory = `replaying 10 million records peaks at ${(peakRssBytes!.max / MIB).toFixed(0)} MiB`
  return [
    `${partitions} and ${killed}; ${memory}.`,
    ...consuming(results),
    `Medians of ${scale.runs} interleaved runs, ${date.slice(0, 10)}: ${place}, ${fileSystem}, Node ${node.slice(1)}.`,
  ]
}

/** Nothing where a run is older than consumer groups are. */
function consuming(results: readonly Result[]): string[] {
  if (!results.some(({ workload }) => workload === 'consume')) return []
  const { variants } = find(results, 'consume', CONSUMED_BYTES)
  const rate = (name: string) => variants.find(({ variant }) => variant === name)!.metrics.recordsPerSecond!.median
  const way = (name: string) => `${formatShort(rate(name))} records/s (${formatRatio(rate(name) / rate('read'))} x)`
  const durable = results.filter(({ workload, variants: [{ flush }] }) => workload === 'commits' && flush === 'group')
  const committed = (inFlight: number) => {
    const { variants: ways } = only(
      durable.filter(({ variants: [first] }) => first.inFlight === inFlight),
      'commits',
    )
    const { ratio } = ways.find(({ variant }) => variant === 'append')!
    return `${formatShort(ways[0].metrics.recordsPerSecond!.median)} a second (${formatRatio(ratio!.median)} x)`
  }
  const ways = `${way('run')} through \`run\`, ${way('for await')} by \`for await\` and ${way('batches')} in batches`
  const rates = `${committed(1)} one at a time, ${committed(256)} with 256 in flight`
  return [
    `A consumer gets ${ways}, of ${formatSize(CONSUMED_BYTES)}, beside reading without a group.`,
    `Durable commits: ${rates}, beside appends of the same size.`,
  ]
}

function only(results: readonly Result[], workload: string): Result {
  const found = results.find((result) => result.workload === workload)
  if (found === undefined) throw new Error(`no result of ${workload}: the README needs a full run`)
  return found
}

function find(results: readonly Result[], workload: string, recordBytes: number): Result {
  return only(
    results.filter((result) => result.recordBytes === recordBytes),
    workload,
  )
}
