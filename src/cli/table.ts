import Table from 'cli-table3'
import { output } from './output.ts'
import { formatBytes, formatCount } from './units.ts'

/** A column: its heading, its cells as a pipe gets them and as a terminal shows them. */
export interface Column<T> {
  head: string
  cell: (row: T) => string | number
  shown: (row: T) => string
  align: 'left' | 'right'
}

/** A column of words. */
export function textColumn<T>(head: string, cell: (row: T) => string): Column<T> {
  return { head, cell, shown: cell, align: 'left' }
}

/** A column of numbers, which stand to the right. */
export function countColumn<T>(head: string, cell: (row: T) => number): Column<T> {
  return { head, cell, shown: (row) => formatCount(cell(row)), align: 'right' }
}

/** A column of sizes in bytes. */
export function bytesColumn<T>(head: string, cell: (row: T) => number): Column<T> {
  return { head, cell, shown: (row) => formatBytes(cell(row)), align: 'right' }
}

/** Tells the lines of two tables apart where headings do not. */
export function kindColumn(kind: string): Column<unknown>[] {
  return output.isTerminal ? [] : [textColumn('', () => kind)]
}

/** A table without lines around its cells. */
export const PLAIN = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}

/** Prints rows: aligned under headings on a terminal; into a pipe one line a row, cells parted by tabs, no headings. */
export function printTable<T>(columns: Column<T>[], rows: readonly T[]): void {
  if (!output.isTerminal) {
    for (const row of rows) void output.line(columns.map(({ cell }) => String(cell(row))).join('\t'))
    return
  }
  const table = new Table({
    head: columns.map(({ head }) => head),
    colAligns: columns.map(({ align }) => align),
    chars: PLAIN,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  })
  for (const row of rows) table.push(columns.map(({ shown }) => shown(row)))
  void output.line(table.toString().replaceAll(/ +$/gm, ''))
}
