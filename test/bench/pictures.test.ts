import { expect, test } from 'vitest'
import { logRange, shortRate } from '../../bench/pictures/figures.ts'
import { inFlightPicture } from '../../bench/pictures/in-flight.ts'
import { lossWindowPicture } from '../../bench/pictures/loss-window.ts'
import { peersPicture } from '../../bench/pictures/peers.ts'
import { render } from '../../bench/pictures/render.ts'
import { replaySizesPicture } from '../../bench/pictures/replay-sizes.ts'
import { around, sampleDocument } from './sample-document.ts'

const PEERS = {
  date: '2026-01-02T03:04:05.678Z',
  node: 'v20.20.2',
  workloads: ['fill-each', 'replay', 'open'].map((workload) => ({
    workload,
    recordBytes: 100,
    peers: [
      { name: 'slow', version: '1', durable: true, recordsPerSecond: around(100) },
      { name: 'varve', version: '1', durable: true, recordsPerSecond: around(300) },
      { name: 'absent', version: '1', durable: false },
    ],
  })),
}

const PICTURES = {
  'loss window': () => lossWindowPicture(sampleDocument()),
  'in flight': () => inFlightPicture(sampleDocument()),
  'replay sizes': () => replaySizesPicture(sampleDocument()),
  peers: () => peersPicture(PEERS),
}

test.each(Object.entries(PICTURES))(
  'the picture of %s is small, whole and follows a dark system',
  async (_, picture) => {
    const svg = await render(picture(), 'what it shows & <more>')
    expect(svg.length).toBeLessThan(60_000)
    expect(svg).toMatch(/^<svg [^>]*role="img"><title>what it shows &amp; &lt;more><\/title><style>/)
    expect(svg).toContain('prefers-color-scheme:dark')
    expect(svg).not.toMatch(/NaN|undefined|Infinity/)
    expect(textsOf(svg).length).toBeGreaterThan(5)
  },
)

test('the picture of the loss window shows every mode and what it may lose', async () => {
  const texts = textsOf(await render(lossWindowPicture(sampleDocument()), ''))
  for (const mode of ["'each'", "'group'", '1 ms', '10 ms', '100 ms', '1000 ms', "'os'"]) expect(texts).toContain(mode)
  for (const text of ['a power cut loses nothing', 'a power cut loses at most the window', 'no bound'])
    expect(texts).toContain(text)
  expect(texts).toContain('256 appends in flight')
})

test('peers stand in the order of their rates; one without a rate is left out', async () => {
  const texts = textsOf(await render(peersPicture(PEERS), ''))
  expect(texts.indexOf('varve')).toBeLessThan(texts.indexOf('slow'))
  expect(texts).not.toContain('absent')
  expect(texts).toContain('replay of everything')
})

test('a logarithmic axis has the powers of ten within it', () => {
  expect(logRange([20, 5000], 2, 2)).toEqual({ domain: [10, 10_000], ticks: [10, 100, 1000, 10_000] })
  expect(logRange([20, 50], 1, 1)).toEqual({ domain: [20, 50], ticks: [] })
})

test('a label has two digits', () => {
  expect([951, 1049, 13_499, 1_000_000, 1_849_000].map(shortRate)).toEqual(['950', '1 k', '13 k', '1 M', '1.8 M'])
})

function textsOf(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text)
}
