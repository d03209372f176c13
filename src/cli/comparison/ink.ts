import { styleText } from 'node:util'

type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'cyan'

/** Colours text, or leaves it as it is. */
export type Ink = (style: Style, text: string) => string

/** Colours for a terminal that shows them; none for a pipe, and none where NO_COLOR asks for none. */
export function inkFor(stream: NodeJS.WriteStream): Ink {
  // one style at a time: Node 20 checks the stream only then
  return (style, text) => styleText(style, text, { stream, validateStream: true })
}

const MIN_COLUMNS = 80
const MAX_COLUMNS = 100

/** How wide a report may be on this stream. */
export function reportColumns(stream: NodeJS.WriteStream): number {
  return Math.min(Math.max(stream.columns ?? MAX_COLUMNS, MIN_COLUMNS), MAX_COLUMNS)
}

/** Breaks text at spaces into lines of at most `columns`. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return line === '' ? lines : [...lines, line]
}
