import type { TopLevelSpec } from 'vega-lite'
import type { BenchDocument } from '../document.ts'
import { formatSize } from '../figures.ts'
import type { Measured } from '../workload.ts'
import { metricOf, provenance, resultsOf } from './figures.ts'
import { linesPicture } from './lines.ts'
import { colours } from './render.ts'

/** Records a second by how many durable appends are in flight, beside a bare loop of write and sync. */
export function inFlightPicture(document: BenchDocument): TopLevelSpec {
  const results = resultsOf(document, 'fill-in-flight')
  const size = formatSize(results[0].recordBytes)
  const points = (name: string) =>
    results.map(({ variants }) => {
      const measured = variants.find(({ variant }) => variant === name)!
      return { x: inFlightOf(measured), rate: metricOf(measured, 'recordsPerSecond') }
    })
  return linesPicture(
    {
      title: "More in flight, more in each sync: durable appends per second under 'group'",
      subtitle: `Records of ${size}, each acknowledged when it is durable. ${provenance(document)}.`,
      xTitle: 'appends in flight',
    },
    [
      { name: 'Varve', colour: colours.ours.light, isFloor: false, points: points('varve') },
      { name: 'bare write + sync', colour: colours.floor.light, isFloor: true, points: points('R3') },
    ],
  )
}

function inFlightOf({ inFlight }: Measured): string {
  return String(inFlight)
}
