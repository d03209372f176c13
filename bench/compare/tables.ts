import Table from 'cli-table3'
import { OURS } from './peers.ts'
import type { LatencyUs } from './job.ts'
import type { Durability, Failure, PeerResult, Results, Spread } from './results.ts'
import { ratio, WORKLOADS, type Workload } from './workloads.ts'

const MIB = 1024 * 1024

/** All tables, for a terminal. */
export function describeResults(results: Results): string {
  const table = new Table({ head: ['workload', 'peer', 'median (min to max)', 'p50 / p99', 'varve : peer'] })
  for (const workload of WORKLOADS) {
    const peers = peersOf(results, workload)
    for (const [i, peer] of peers.entries()) {
      const title = { content: `${workload.name}\n${workload.recordBytes} B`, rowSpan: peers.length }
      const { latencyUs } = peer
      const cells = [
        `${peer.name} ${peer.version}`,
        describeSpread(workload.metric, peer[workload.metric]!),
        latencyUs === undefined ? '' : describeLatency(latencyUs),
        describeRatio(workload.metric, peers, peer),
      ]
      table.push(i === 0 ? [title, ...cells] : cells)
    }
  }
  return [table.toString(), ...describeDurability(results.durability), ...results.failures.map(describeFailure)].join(
    '\n',
  )
}

/** What was found of a workload; none if it was not measured. */
export function peersOf(results: Results, { name, recordBytes }: Workload): PeerResult[] {
  return results.workloads.find((one) => one.workload === name && one.recordBytes === recordBytes)?.peers ?? []
}

/** A failure as a sentence. */
export function describeFailure({ name, workload, recordBytes, message }: Failure): string {
  if (workload === undefined) return `${name} could not be loaded: ${message}`
  return `${name} failed at ${workload}${recordBytes === undefined ? '' : ` ${recordBytes} B`}: ${message}`
}

function describeDurability(durability: Durability[] | null): string[] {
  if (durability === null) return ['syncs were not counted: strace is missing']
  const table = new Table({ head: ['peer', 'syncs of single appends', 'syncs of batches', 'calls', 'durable'] })
  for (const { name, appends, appendSyncs, batches, batchSyncs, calls, durable } of durability) {
    const counts = [`${appendSyncs} for ${appends}`, `${batchSyncs} for ${batches}`]
    table.push([name, ...counts, calls.join(', '), durable ? 'yes' : 'no'])
  }
  return [table.toString()]
}

function describeRatio(metric: Workload['metric'], peers: PeerResult[], peer: PeerResult): string {
  const ours = peers.find(({ name }) => name === OURS)
  return ours === undefined || peer === ours ? '' : ratio(metric, ours, peer).toFixed(2)
}

/** `486 k (331 k to 513 k)`. */
export function describeSpread(metric: Workload['metric'], { median, min, max }: Spread): string {
  if (min === max) return describe(metric, median)
  return `${describe(metric, median)} (${describe(metric, min)} to ${describe(metric, max)})`
}

/** A metric's value as people write it. */
export function describe(metric: Workload['metric'], value: number): string {
  switch (metric) {
    case 'recordsPerSecond':
      return short(value)
    case 'ms':
      return `${value.toFixed(1)} ms`
    case 'peakRssBytes':
      return `${Math.round(value / MIB)} MiB`
  }
}

/** The median and the 99th percentile. */
export function describeLatency({ p50, p99 }: LatencyUs): string {
  return `${us(p50)} / ${us(p99)}`
}

function us(value: number): string {
  if (value >= 10_000) return `${Math.round(value / 1000)} ms`
  return value >= 1000 ? `${(value / 1000).toFixed(1)} ms` : `${value < 10 ? value.toFixed(1) : Math.round(value)} µs`
}

function short(rate: number): string {
  if (rate >= 1e6) return `${(rate / 1e6).toFixed(2)} M`
  if (rate >= 1e4) return `${Math.round(rate / 1e3)} k`
  return rate >= 1e3 ? `${(rate / 1e3).toFixed(1)} k` : String(Math.round(rate))
}
