/** `npm run bench:pictures`: draws docs/pictures/*.svg from bench/results/*.json. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { TopLevelSpec } from 'vega-lite'
import { LATEST, PEERS, type BenchDocument } from './document.ts'
import { inFlightPicture } from './pictures/in-flight.ts'
import { lossWindowPicture } from './pictures/loss-window.ts'
import { peersPicture, type PeersDocument } from './pictures/peers.ts'
import { render } from './pictures/render.ts'
import { replaySizesPicture } from './pictures/replay-sizes.ts'

const PICTURES = new URL('../docs/pictures/', import.meta.url)

mkdirSync(PICTURES, { recursive: true })
const document = readJson(LATEST) as BenchDocument
await draw('loss-window', lossWindowPicture(document), 'Speed and latency of each flush mode against what it may lose')
await draw('in-flight', inFlightPicture(document), 'Durable appends per second by appends in flight')
await draw('replay-sizes', replaySizesPicture(document), 'Records replayed per second by record size')
if (existsSync(PEERS)) {
  await draw('peers', peersPicture(readJson(PEERS) as PeersDocument), 'Varve beside other embedded stores')
}

async function draw(name: string, spec: TopLevelSpec, description: string): Promise<void> {
  const svg = await render(spec, description)
  writeFileSync(new URL(`${name}.svg`, PICTURES), svg)
  console.log(`docs/pictures/${name}.svg: ${(svg.length / 1000).toFixed(0)} kB`)
}

function readJson(path: URL): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}
