import Table from 'cli-table3'
import { output } from './output.ts'

/** A column: its heading, and how a cell shows on a terminal. Numbers stand to the right. */
export interface Column<T> {
  head: string
  /** The cell as it is stored: what a pipe gets. */
  cell: (row: T) => string | number
  /** The cell as people read it. Default: as it is stored. */
  shown?: (row: T) => string
  align?: 'left' | 'right'
}

const PLAIN = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ',
}

/** Prints rows: aligned under headings on a terminal; into a pipe one line a row, cells parted by tabs, no headings. */
export function printTable<T>(columns: Column<T>[], rows: readonly T[]): void {
  if (!output.isTerminal) {
    for (const row of rows) void output.line(columns.map(({ cell }) => String(cell(row))).join('\t'))
    return
  }
  const table = new Table({
    head: columns.map(({ head }) => head),
    colAligns: columns.map(({ align = 'left' }) => align),
    chars: PLAIN,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  })
  for (const row of rows) table.push(columns.map(({ cell, shown }) => (shown === undefined ? String(cell(row)) : shown(row))))
  void output.line(table.toString().replaceAll(/ +$/gm, ''))
}
