import type { TopLevelSpec } from 'vega-lite'
import { formatSize } from '../figures.ts'
import type { Spread } from '../workload.ts'
import { shortRate } from './figures.ts'
import { colours, config, type Panel } from './render.ts'

/** What the comparison with other stores found: the part of `results/peers.json` that the picture shows. */
export interface PeersDocument {
  date: string
  node: string
  rounds?: number
  workloads: {
    workload: string
    recordBytes: number
    peers: { name: string; version: string; recordsPerSecond?: Spread; durable: boolean }[]
  }[]
}

const OURS = /^varve/i
const BAR_WIDTH = 290
const BAR_STEP = 24
/** In this order; other workloads are left to the tables. */
const TITLES: Record<string, string> = {
  'fill-each': 'one durable append at a time',
  'fill-group': '256 durable appends in flight',
  'fill-batch': 'durable batches of 1,000',
  'fill-os': 'batches of 1,000, no sync',
  replay: 'replay of everything',
  'read-random': 'one record at random',
}

/** Varve and other embedded stores, workload by workload, the fastest on top; of the smallest records that were compared. */
export function peersPicture(document: PeersDocument): TopLevelSpec {
  const recordBytes = Math.min(...document.workloads.map((workload) => workload.recordBytes))
  const panels = Object.keys(TITLES).flatMap((name) => {
    const found = document.workloads.find((each) => each.workload === name && each.recordBytes === recordBytes)
    return found === undefined ? [] : [panel(found)]
  })
  const provenance = `Node ${document.node.replace(/^v/, '')}, ${document.date.slice(0, 10)}`
  return {
    title: {
      text: 'Beside other embedded stores: records per second',
      subtitle: `Records of ${formatSize(recordBytes)}. Same work, same disk, interleaved runs. ${provenance}.`,
    },
    columns: 2,
    spacing: { row: 26, column: 40 },
    concat: panels,
    config,
  }
}

function panel({ workload, peers }: PeersDocument['workloads'][number]): Panel {
  const rows = peers
    .filter((peer) => peer.recordsPerSecond !== undefined)
    .map(({ name, recordsPerSecond }) => ({
      name,
      isOurs: OURS.test(name),
      rate: recordsPerSecond!.median,
      label: shortRate(recordsPerSecond!.median),
    }))
    .toSorted((a, b) => b.rate - a.rate)
  const y = {
    field: 'name',
    type: 'nominal',
    sort: rows.map(({ name }) => name),
    axis: { title: null, grid: false, labelColor: colours.ink.light, minExtent: 160, labelLimit: 160 },
  } as const
  const x = { field: 'rate', type: 'quantitative', scale: { domainMax: rows[0].rate * 1.2 }, axis: null } as const
  return {
    width: BAR_WIDTH,
    height: { step: BAR_STEP },
    title: { text: TITLES[workload], fontSize: 14, fontWeight: 600, offset: 8 } as const,
    data: { values: rows },
    layer: [
      {
        mark: { type: 'bar', cornerRadiusEnd: 2, height: { band: 0.72 } },
        encoding: {
          x,
          y,
          color: {
            field: 'isOurs',
            type: 'nominal',
            scale: { domain: [true, false], range: [colours.ours.light, colours.floor.light] },
            legend: null,
          },
        },
      },
      { mark: { type: 'text', align: 'left', dx: 6, fontWeight: 600 }, encoding: { x, y, text: { field: 'label' } } },
    ],
  }
}
