import { comparisonBars } from './bars.ts'
import { wrap, type Ink } from './ink.ts'
import type { Comparison } from './summary.ts'
import { comparisonTable, tableNotes } from './table.ts'
import { ADVICE, verdict } from './verdict.ts'

/** The whole report for people: table, picture and what they mean; lines of text. */
export function comparisonReport(comparison: Comparison, columns: number, ink: Ink): string[] {
  return [
    ...comparisonTable(comparison, columns, ink),
    ...wrap(tableNotes(comparison), columns).map((line) => ink('dim', line)),
    '',
    ...comparisonBars(comparison, columns, ink),
    '',
    ...verdict(comparison).flatMap((sentence) =>
      wrap(sentence, columns - 2).map((line, i) => `${i === 0 ? '·' : ' '} ${line}`),
    ),
    ...wrap(ADVICE, columns).map((line) => ink('bold', line)),
  ]
}
