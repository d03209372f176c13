import type { Work } from './job.ts'
import type { PeerResult } from './results.ts'

/** A workload as it is reported. */
export interface Workload {
  name: string
  /** What a process is told to do; replay and its memory are found by one. */
  work: Work
  recordBytes: number
  metric: 'recordsPerSecond' | 'ms' | 'peakRssBytes'
  /** Reads the store that was prepared; writes start with an empty directory. */
  reads: boolean
  /** Only for those whose acknowledgement is one that survives a power cut. */
  durable: boolean
}

const SIZES = [100, 1024]

/** All of them, in the order in which a round does them. */
export const WORKLOADS: Workload[] = SIZES.flatMap((recordBytes) => {
  const one = (name: string, rest: Partial<Workload>): Workload => ({
    name,
    work: name as Work,
    recordBytes,
    metric: 'recordsPerSecond',
    reads: false,
    durable: false,
    ...rest,
  })
  return [
    one('fill-each', { durable: true }),
    one('fill-group', { durable: true }),
    one('fill-batch', { durable: true }),
    one('fill-os', {}),
    one('replay', { reads: true }),
    one('replay-memory', { work: 'replay', reads: true, metric: 'peakRssBytes' }),
    one('read-random', { reads: true }),
    ...(recordBytes === SIZES[0] ? [one('open', { reads: true, metric: 'ms' })] : []),
  ]
})

/** How many times better the first is than the second. */
export function ratio(metric: Workload['metric'], ours: PeerResult, other: PeerResult): number {
  const quotient = ours[metric]!.median / other[metric]!.median
  return metric === 'recordsPerSecond' ? quotient : 1 / quotient
}

/** The best of some peers; undefined if there are none. */
export function best(metric: Workload['metric'], peers: PeerResult[]): PeerResult | undefined {
  return peers.toSorted((left, right) => ratio(metric, right, left) - ratio(metric, left, right))[0]
}

/** Whether the rounds of two peers reach into each other's range: then their order may be chance. */
export function overlaps(metric: Workload['metric'], left: PeerResult, right: PeerResult): boolean {
  return left[metric]!.min <= right[metric]!.max && right[metric]!.min <= left[metric]!.max
}
