import type { Damage } from '../storage/recovery.ts'
import { countColumn, printTable, textColumn, type Column } from './table.ts'

const damageColumns: Column<Damage>[] = [
  textColumn('damaged file', ({ path }) => path),
  countColumn('at byte', ({ position }) => position),
  textColumn('offsets lost', ({ offset, nextOffset }) => (nextOffset > offset ? `${offset}-${nextOffset - 1}` : '-')),
  textColumn('what is wrong', ({ reason }) => reason),
]

/** One line for each damaged place. */
export function printDamage(damage: readonly Damage[]): void {
  printTable(damageColumns, damage)
}
