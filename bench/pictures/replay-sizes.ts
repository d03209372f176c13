import type { TopLevelSpec } from 'vega-lite'
import type { BenchDocument } from '../document.ts'
import { formatSize } from '../figures.ts'
import { metricOf, provenance, resultsOf } from './figures.ts'
import { linesPicture } from './lines.ts'
import { colours } from './render.ts'

/** Records a second that a replay gives, by their size, beside a bare log of framed records. */
export function replaySizesPicture(document: BenchDocument): TopLevelSpec {
  const results = resultsOf(document, 'replay-sizes')
  const points = (name: string) =>
    results.map(({ recordBytes, variants }) => ({
      x: formatSize(recordBytes),
      rate: metricOf(
        variants.find(({ variant }) => variant === name)!,
        'recordsPerSecond',
      ),
    }))
  return linesPicture(
    {
      title: 'Replay: records per second, every checksum verified',
      subtitle: `From the page cache. ${provenance(document)}.`,
      xTitle: 'bytes of a record',
    },
    [
      { name: 'readBatches', colour: colours.ours.light, isFloor: false, points: points('batches') },
      {
        name: 'for await',
        colour: colours.oursToo.light,
        isFloor: false,

        points: points('for await'),
      },
      { name: 'bare framed log', colour: colours.floor.light, isFloor: true, points: points('R5') },
    ],
  )
}
