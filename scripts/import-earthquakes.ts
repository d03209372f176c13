/**
 * Writes data/earthquakes.ndjson from the earthquakes feed in the vega-datasets package: one event a
 * line, oldest first. The same package version gives the same bytes.
 *
 * Run by `npm run import:earthquakes`. What the fields mean: data/README.md.
 */
import { readFileSync, writeFileSync } from 'node:fs'

interface Feature {
  id: string
  properties: Record<string, unknown> & { time: number; mag: number | null }
  geometry: { coordinates: [longitude: number, latitude: number, depth: number | null] }
}

const source = new URL('../data/earthquakes.json', import.meta.resolve('vega-datasets'))
const target = new URL('../data/earthquakes.ndjson', import.meta.url)

const feed = JSON.parse(readFileSync(source, 'utf8')) as { metadata: { count: number }; features: Feature[] }
const events = feed.features.map(toEvent).sort((left, right) => left.time - right.time || (left.id < right.id ? -1 : 1))
if (events.length !== feed.metadata.count) {
  throw new Error(`the feed holds ${events.length} events and says that it holds ${feed.metadata.count}`)
}
writeFileSync(target, events.map((event) => `${JSON.stringify(event)}\n`).join(''))
console.log(`wrote ${events.length} events to data/earthquakes.ndjson`)

/** Flattens one GeoJSON feature: the properties as they stand, `mag` under its full name, and the coordinates by name. */
function toEvent({ id, properties, geometry }: Feature) {
  const { time, mag, ...rest } = properties
  const [longitude, latitude, depth] = geometry.coordinates
  return { id, time, magnitude: mag, ...rest, longitude, latitude, depth }
}
