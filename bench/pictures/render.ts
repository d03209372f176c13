import * as vega from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'

/** A part of a picture that lies over others. */
export type Layer = Extract<TopLevelSpec, { layer: unknown }>['layer'][number]
/** A part of a picture that stands beside others. */
export type Panel = Extract<TopLevelSpec, { concat: unknown }>['concat'][number]

/** A colour on a white page, and the one that takes its place where the reader's system is dark. */
export interface Colour {
  light: string
  dark: string
}

/** All colours of the pictures. */
export const colours = {
  card: { light: '#ffffff', dark: '#0d1117' },
  border: { light: '#d1d9e0', dark: '#3d444d' },
  ink: { light: '#1f2328', dark: '#f0f6fc' },
  faint: { light: '#59636e', dark: '#9198a1' },
  grid: { light: '#e4e8ec', dark: '#262c36' },
  ours: { light: '#0b5cad', dark: '#58a6ff' },
  oursToo: { light: '#b35309', dark: '#f0883e' },
  floor: { light: '#8c959f', dark: '#768390' },
  nothing: { light: '#e3f4e8', dark: '#12261c' },
  bounded: { light: '#fff4d1', dark: '#2b2410' },
  unbounded: { light: '#fde6e2', dark: '#341a18' },
} satisfies Record<string, Colour>

const FONT = 'system-ui, -apple-system, Segoe UI, DejaVu Sans, sans-serif'

/** What all pictures have in common. */
export const config: TopLevelSpec['config'] = {
  font: FONT,
  background: colours.card.light,
  padding: { left: 24, right: 24, top: 22, bottom: 20 },
  view: { stroke: null },
  title: {
    anchor: 'start',
    frame: 'group',
    font: FONT,
    fontSize: 20,
    fontWeight: 600,
    color: colours.ink.light,
    subtitleFont: FONT,
    subtitleFontSize: 13,
    subtitleColor: colours.faint.light,
    subtitlePadding: 8,
    offset: 22,
  },
  axis: {
    labelFont: FONT,
    titleFont: FONT,
    labelFontSize: 13,
    titleFontSize: 13,
    titleFontWeight: 'normal',
    labelColor: colours.faint.light,
    titleColor: colours.faint.light,
    gridColor: colours.grid.light,
    domain: false,
    ticks: false,
    labelPadding: 8,
  },
  text: { font: FONT, fontSize: 13, color: colours.ink.light },
  header: {
    labelFont: FONT,
    labelFontSize: 14,
    labelFontWeight: 600,
    labelColor: colours.ink.light,
    titleFont: FONT,
    title: null,
  },
}

/** Of a letter, as a part of the font's size: the average of the fonts above. */
const LETTER_WIDTH = 0.56

interface TextItem {
  fontSize?: number
}

// without a canvas to measure with Vega takes every letter for a wide one, and leaves half of the picture empty
const { textMetrics } = vega as unknown as {
  textMetrics: { width: (item: TextItem, text: string | number | null) => number }
}
textMetrics.width = (item, text) => String(text ?? '').length * (item.fontSize ?? 11) * LETTER_WIDTH

/** Draws a Vega-Lite specification, without a screen: an SVG document that follows the reader's light or dark system. */
export async function render(spec: TopLevelSpec, description: string): Promise<string> {
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none' })
  const svg = await view.toSVG()
  view.finalize()
  return followSystem(tidy(svg), description)
}

/** Vega writes more digits and attributes than a picture of this size can show. */
function tidy(svg: string): string {
  return svg.replaceAll(/<[^>]+>/g, (tag) =>
    tag
      .replaceAll(/-?\d+\.\d{2,}/g, (number) => String(Math.round(Number(number) * 10) / 10))
      .replaceAll(/ (aria-[a-z]+|role|class|pointer-events)="[^"]*"/g, ''),
  )
}

function followSystem(svg: string, description: string): string {
  const rules = Object.values(colours).flatMap(({ light, dark }) => [
    `[fill="${light}"]{fill:${dark}}`,
    `[stroke="${light}"]{stroke:${dark}}`,
  ])
  const style = `<style>@media (prefers-color-scheme:dark){${rules.join('')}}</style>`
  const head = `<title>${escape(description)}</title>${style}`
  return `${svg.replace(/<svg [^>]*>/, (open) => `${open.replace('>', ' role="img">')}${head}`)}\n`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
